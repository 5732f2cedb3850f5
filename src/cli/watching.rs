//! `tripline explain --watching`: which directories are watched for which rules, and what is left out.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::explain::shown;
use crate::dispatch::Escaped;
use crate::event::Scope;
use crate::rules::{Plan, RuleId, Rules, Watching};

/// A directory whose rules are not those of the one that holds it.
struct Group {
    dir: PathBuf,
    rules: Vec<RuleId>,
    /// It, and those below it with the same rules.
    count: usize,
}

#[derive(Default)]
struct Found {
    groups: Vec<Group>,
    /// What is left out, each with why.
    ignored: Vec<(PathBuf, String)>,
    unreached: usize,
    /// What lies on other file systems, where those are left out.
    elsewhere: Option<Vec<PathBuf>>,
}

/// The plan, of the directories that are there now.
pub(super) fn plan(rules: &Rules) -> String {
    let plan = rules.plan();
    let elsewhere = plan.extent().one_file_system.then(Vec::new);
    let mut found = Found { elsewhere, ..Found::default() };
    for root in plan.roots() {
        found.root(&plan, root);
    }
    found.show(rules)
}

impl Found {
    fn root(&mut self, plan: &Plan, root: &Path) {
        let home = device(root);
        let mut open = vec![(root.to_path_buf(), None)];
        while let Some((dir, above)) = open.pop() {
            let group = match (plan.watching(dir.as_os_str().as_bytes()), &mut self.elsewhere) {
                (Watching::For(_), Some(elsewhere)) if device(&dir) != home => {
                    elsewhere.push(dir);
                    continue;
                }
                (Watching::For(rules), _) => self.watched(&dir, rules, above),
                (Watching::Ignored(line), _) => {
                    self.ignored.push((dir, line.to_string()));
                    continue;
                }
                (Watching::Unreached, _) => {
                    self.unreached += 1;
                    continue;
                }
            };
            open.extend(directories(&dir).into_iter().rev().map(|dir| (dir, Some(group))));
        }
    }

    /// The group that the directory is counted in.
    fn watched(&mut self, dir: &Path, rules: Vec<RuleId>, above: Option<usize>) -> usize {
        if let Some(group) = above.filter(|&group| self.groups[group].rules == rules) {
            self.groups[group].count += 1;
            return group;
        }
        self.groups.push(Group { dir: dir.to_path_buf(), rules, count: 1 });
        self.groups.len() - 1
    }

    fn show(&self, rules: &Rules) -> String {
        let name = |dir: &Path| Escaped(&shown(rules, dir.as_os_str().as_bytes())).to_string();
        let total = self.groups.iter().map(|group| group.count).sum();
        let mut out = format!("{} watched\n", directories_of(total));
        for group in &self.groups {
            let names: Vec<_> = group.rules.iter().map(|rule| rules.rules[rule.0].name.as_str()).collect();
            let more = match group.count - 1 {
                0 => String::new(),
                more => format!(" and {} below", directories_of(more)),
            };
            out += &format!("  {}{more}, for {}\n", name(&group.dir), names.join(", "));
        }
        out += &format!("{} ignored, with all below\n", directories_of(self.ignored.len()));
        for (dir, line) in &self.ignored {
            out += &format!("  {}, by {line}\n", name(dir));
        }
        out += &format!("{} that no rule reaches\n", directories_of(self.unreached));
        if let Some(elsewhere) = &self.elsewhere {
            out += &format!("{} on other file systems, with all below\n", directories_of(elsewhere.len()));
            elsewhere.iter().for_each(|dir| out += &format!("  {}\n", name(dir)));
        }
        out
    }
}

fn directories_of(count: usize) -> String {
    if count == 1 { "1 directory".to_owned() } else { format!("{count} directories") }
}

/// The number of its file system.
fn device(dir: &Path) -> Option<u64> {
    fs::metadata(dir).ok().map(|found| found.dev())
}

/// The directories in it, in the order of their names. What cannot be read has none.
fn directories(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let is_dir = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|found| found.is_dir());
    let mut found: Vec<_> = entries.flatten().filter(is_dir).map(|entry| entry.path()).collect();
    found.sort_unstable();
    found
}
