//! `tripline explain --watching`: which directories are watched for which rules, and what is left out.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::explain::shown;
use crate::dispatch::Escaped;
use crate::event::{Extent, Scope};
use crate::rules::{How, Met, Plan, RuleId, Rules, Watching};

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
    /// Links that lead to what is watched already, where links are followed.
    links: Option<Vec<PathBuf>>,
}

/// The plan, of the directories that are there now.
pub(crate) fn plan(rules: &Rules) -> String {
    let plan = rules.plan();
    let Extent { one_file_system, follow_symlinks } = plan.extent();
    let (elsewhere, links) = (one_file_system.then(Vec::new), follow_symlinks.then(Vec::new));
    let mut found = Found { elsewhere, links, ..Found::default() };
    // Of each directory that was met, the group that it is counted in.
    let mut groups: Vec<Option<usize>> = Vec::new();
    for met in plan.walk() {
        let above = met.above.map(|above| groups[above]);
        groups.push(found.add(&plan, &met, above));
    }
    found.show(rules)
}

impl Found {
    /// Counts a directory; answers in which group. `above` is that of the one that holds it, none for a root.
    fn add(&mut self, plan: &Plan, met: &Met, above: Option<Option<usize>>) -> Option<usize> {
        // What lies below another path to a directory has been told of.
        let told = above == Some(None);
        match (met.how, plan.watching(met.dir.as_os_str().as_bytes())) {
            (How::First(_), Watching::For(rules)) => {
                return Some(self.watched(&met.dir, rules, above.flatten()));
            }
            (How::Again, _) if met.is_link => {
                self.links.iter_mut().for_each(|links| links.push(met.dir.clone()));
            }
            (How::Elsewhere, _) => {
                self.elsewhere.iter_mut().for_each(|dirs| dirs.push(met.dir.clone()));
            }
            (How::Unwanted, Watching::Ignored(line)) if !told => {
                self.ignored.push((met.dir.clone(), line.to_string()));
            }
            (How::Unwanted, Watching::Unreached) if !told => self.unreached += 1,
            _ => {}
        }
        None
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
        if let Some(links) = &self.links {
            let more = if links.len() == 1 { "1 link leads" } else { &format!("{} links lead", links.len()) };
            out += &format!("{more} to directories that are watched already\n");
            links.iter().for_each(|dir| out += &format!("  {}\n", name(dir)));
        }
        out
    }
}

fn directories_of(count: usize) -> String {
    if count == 1 { "1 directory".to_owned() } else { format!("{count} directories") }
}
