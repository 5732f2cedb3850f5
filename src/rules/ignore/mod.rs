//! What is ignored: the layers, from a rule's own list down to the built-in one.
//!
//! Each name on the way to a path is judged by itself. The first layer with an opinion decides: the
//! rule's `ignore`, `settings.ignore`, the `.triplineignore` files from the deepest up, the `.ignore` files,
//! the `.gitignore` files up to the top of the work tree, its `info/exclude`, git's global file, the
//! built-in list. A path is hidden from a glob if a name beyond what the glob spells out is ignored; below
//! an ignored directory nothing is visible again.

pub(super) mod cache;
pub(super) mod defaults;
pub(super) mod dir;
pub(super) mod git_config;
pub(super) mod gitignore;
pub(super) mod query;
mod wildmatch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::cache::Memory;
use self::defaults::DEFAULT;
use self::dir::Level;
use self::gitignore::{Line, Origin, Patterns};
use self::query::Judge;
use super::file_system::FileSource;
use super::rule::RuleId;
use crate::event::path;

/// What `[settings]` and the rules say about ignoring.
pub(crate) struct Lists {
    /// `settings.root`: where the patterns of `settings` and the rules are anchored.
    pub(crate) root: Vec<u8>,
    /// The different lists of rules; the first is empty.
    pub(crate) own: Vec<Patterns>,
    /// Which of them is each rule's, by [`RuleId`].
    pub(crate) own_of: Vec<usize>,
    /// `settings.ignore`.
    pub(crate) settings: Patterns,
    /// `settings.gitignore`.
    pub(crate) gitignore: bool,
    /// `settings.default_ignore`.
    pub(crate) default_ignore: bool,
}

/// All layers, shared by the watcher and the matcher.
pub(crate) struct Ignores {
    lists: Lists,
    builtin: Patterns,
    global: Patterns,
    files: Arc<dyn FileSource>,
    memory: Mutex<Memory>,
}

/// What governs the names in a directory, and how many bytes of its path the deepest ignored name ends at for rules
/// without a list of their own.
pub(crate) struct Around {
    level: Option<Arc<Level>>,
    ignored: usize,
}

impl Ignores {
    pub(crate) fn new(lists: Lists, files: Arc<dyn FileSource>) -> Self {
        let mut builtin = Patterns::default();
        for text in DEFAULT.iter().filter(|_| lists.default_ignore) {
            let _ = builtin.push(text, Origin::Builtin);
        }
        let global = lists.gitignore.then(|| files.global_excludes().patterns());
        Self { lists, builtin, global: global.unwrap_or_default(), files, memory: Mutex::default() }
    }

    pub(crate) fn judge<'a>(&'a self, path: &'a [u8], is_dir: bool) -> Judge<'a> {
        Judge::new(self, path, is_dir)
    }

    /// What is to be known of a directory to judge what is in it.
    pub(crate) fn around(&self, dir: &[u8]) -> Around {
        Around { level: self.level(dir), ignored: self.deepest(0, dir, true) }
    }

    /// How often something was forgotten.
    pub(crate) fn refreshed(&self) -> u64 {
        self.memory().forgettings()
    }

    /// Which of the different lists is the rule's.
    pub(crate) fn list_of(&self, rule: RuleId) -> usize {
        self.lists.own_of.get(rule.0).copied().unwrap_or_default()
    }

    /// Forgets what was read in `dir` and below it: an ignore file there has changed.
    pub(crate) fn refresh(&self, dir: &[u8]) {
        self.memory().forget(dir);
    }

    /// A directory has been found to hold no ignore file, so that none need be looked for.
    pub(crate) fn none_in(&self, dir: &[u8]) {
        let refreshed = self.refreshed();
        let Some(level) = path::parent(dir).map(|above| self.level(above)) else { return };
        let mut memory = self.memory();
        if memory.level(dir).is_none() {
            memory.learn_level(refreshed, dir, level);
        }
    }

    /// Whether nothing on the way to two directories is ignored, and what has the same path below them is ignored alike.
    pub(crate) fn treat_alike(&self, one: &[u8], other: &[u8]) -> bool {
        let Lists { root, own, settings, .. } = &self.lists;
        let ignored = |dir: &[u8]| (0..own.len()).any(|list| self.deepest(list, dir, true) > 0);
        let (Some(below_root), Some(other_below)) = (path::below(root, one), path::below(root, other)) else {
            return false;
        };
        let lists = own.iter().chain([settings]);
        lists.into_iter().all(|patterns| patterns.lead_alike(below_root, other_below))
            && self.builtin.lead_alike(one, other)
            && !ignored(one)
            && !ignored(other)
            && self.levels_lead_alike(one, other)
    }

    fn levels_lead_alike(&self, one: &[u8], other: &[u8]) -> bool {
        let level_above = |dir| path::parent(dir).and_then(|above| self.level(above));
        match (level_above(one), level_above(other)) {
            (Some(level), Some(same)) => {
                Arc::ptr_eq(&level, &same) && level.leads_alike(one, other, &self.global)
            }
            (None, None) => true,
            _ => false,
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes of `path` its deepest name ends at that is ignored for a list; 0 if none is.
    pub(super) fn deepest(&self, list: usize, path: &[u8], is_dir: bool) -> usize {
        let refreshed = self.memory().forgettings();
        let (mut unknown, mut deepest) = (vec![path.len()], 0);
        for end in path::prefixes_above(path, 0).skip(1) {
            let known = self.memory().ignored(&path[..end], list);
            if let Some(known) = known {
                deepest = known;
                break;
            }
            unknown.push(end);
        }
        for end in unknown.into_iter().rev() {
            let within = end < path.len();
            let verdict = self.verdict(list, &path[..end], is_dir || within);
            if verdict.is_some_and(|line| !line.keeps) {
                deepest = end;
            }
            if within {
                self.memory().learn_ignored(refreshed, &path[..end], list, deepest);
            }
        }
        deepest
    }

    /// The same, where it is known what governs the names in the directory that holds it.
    pub(super) fn deepest_in(&self, around: &Around, list: usize, path: &[u8], is_dir: bool) -> usize {
        let verdict = self.verdict_under(list, path, is_dir, || around.level.clone());
        match path::parent(path) {
            _ if verdict.is_some_and(|line| !line.keeps) => path.len(),
            Some(dir) if list != 0 => self.deepest(list, dir, true),
            _ => around.ignored,
        }
    }

    /// The pattern that decides on one path by itself, for a rule with that list.
    pub(super) fn verdict(&self, list: usize, path: &[u8], is_dir: bool) -> Option<Arc<Line>> {
        self.verdict_under(list, path, is_dir, || self.level(path::parent(path)?))
    }

    /// The same under these ignore files.
    fn verdict_under(
        &self,
        list: usize,
        path: &[u8],
        is_dir: bool,
        level: impl FnOnce() -> Option<Arc<Level>>,
    ) -> Option<Arc<Line>> {
        let relative = path::below(&self.lists.root, path).unwrap_or(path);
        let own = self.lists.own.get(list).and_then(|own| own.verdict(relative, is_dir));
        own.or_else(|| self.lists.settings.verdict(relative, is_dir))
            .cloned()
            .or_else(|| level()?.verdict(path, is_dir, self.git()))
            .or_else(|| self.builtin.verdict(path, is_dir).cloned())
    }

    /// git's global patterns, where its files count.
    fn git(&self) -> Option<&Patterns> {
        self.lists.gitignore.then_some(&self.global)
    }

    /// What governs the names in `dir`; none where there is no ignore file at all. The files are read
    /// without the lock, so that a slow file system holds up only who asks for it.
    fn level(&self, dir: &[u8]) -> Option<Arc<Level>> {
        let refreshed = self.memory().forgettings();
        let mut unknown = Vec::new();
        let mut level = None;
        for end in path::prefixes_above(dir, 0).chain([1]) {
            let known = self.memory().level(&dir[..end]);
            if let Some(known) = known {
                level = known;
                break;
            }
            unknown.push(end);
        }
        for end in unknown.into_iter().rev() {
            level = Level::read(&*self.files, &dir[..end], level);
            self.memory().learn_level(refreshed, &dir[..end], level.clone());
        }
        level
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use std::collections::HashMap;

    use super::super::file_system::{IgnoreFile, IgnoreFiles, RepositoryFiles};
    use super::*;

    fn lists() -> Lists {
        Lists {
            root: b"/w".to_vec(),
            own: vec![Patterns::default()],
            own_of: vec![0],
            settings: Patterns::default(),
            gitignore: true,
            default_ignore: true,
        }
    }

    fn list(lines: &[&str]) -> Patterns {
        let mut patterns = Patterns::default();
        lines.iter().for_each(|line| patterns.push(line, Origin::Builtin).unwrap());
        patterns
    }

    /// Files of git as (directory, `.gitignore`); a directory with `true` is the top of a work tree.
    fn files(dirs: &[(&str, &str, bool)]) -> Arc<dyn FileSource> {
        let entry = |&(dir, gitignore, top): &(&str, &str, bool)| {
            let exclude = IgnoreFile { path: "/x".into(), text: b"excluded\n".to_vec() };
            let repository = top.then_some(RepositoryFiles { exclude, excludes_file: None });
            let files = IgnoreFiles { gitignore: gitignore.into(), repository, ..IgnoreFiles::default() };
            (PathBuf::from(dir), files)
        };
        Arc::new(dirs.iter().map(entry).collect::<HashMap<_, _>>())
    }

    /// Whether a file is hidden from a glob of rule 0 that spells out nothing below `/w`.
    fn hidden(ignores: &Ignores, path: &str) -> bool {
        ignores.judge(path.as_bytes(), false).hides(0, 2)
    }

    #[test]
    fn the_built_in_list_hides_version_control_and_editors() {
        let ignores = Ignores::new(lists(), files(&[]));
        for path in ["/w/.git/HEAD", "/w/a/.hg/x", "/w/a.rs~", "/w/.a.rs.swp", "/w/4913", "/w/#a#", "/w/.#a"]
        {
            assert!(hidden(&ignores, path), "{path}");
        }
        for path in ["/w/.gitignore", "/w/a.tmp", "/w/.hidden", "/w/#a", "/w/.github/x"] {
            assert!(!hidden(&ignores, path), "{path}");
        }
        let ignores = Ignores::new(Lists { default_ignore: false, ..lists() }, files(&[]));
        assert!(!hidden(&ignores, "/w/a.rs~"));
    }

    #[test]
    fn deeper_gitignores_win_and_are_anchored_where_they_lie() {
        let ignores = Ignores::new(
            lists(),
            files(&[("/w", "*.log\n/out\n", true), ("/w/a", "!keep.log\n/local\n", false)]),
        );
        for path in
            ["/w/x.log", "/w/a/x.log", "/w/out", "/w/out/x", "/w/a/local", "/w/excluded", "/w/b/keep.log"]
        {
            assert!(hidden(&ignores, path), "{path}");
        }
        for path in ["/w/a/keep.log", "/w/a/b/keep.log", "/w/a/out", "/w/local"] {
            assert!(!hidden(&ignores, path), "{path}");
        }
    }

    #[test]
    fn nothing_below_an_ignored_directory_comes_back() {
        let ignores = Ignores::new(lists(), files(&[("/w", "target/\n!target/keep\n", true)]));
        assert!(hidden(&ignores, "/w/target/keep"));
    }

    #[test]
    fn a_gitignore_counts_only_inside_a_work_tree() {
        let outside = Ignores::new(lists(), files(&[("/w", "*.log\n", false)]));
        assert!(!hidden(&outside, "/w/x.log"));
        let parent = Ignores::new(lists(), files(&[("/", "*.log\n", true)]));
        assert!(hidden(&parent, "/w/x.log"));
        let off = Ignores::new(Lists { gitignore: false, ..lists() }, files(&[("/", "*.log\n", true)]));
        assert!(!hidden(&off, "/w/x.log"));
    }

    #[test]
    fn a_repository_inside_another_has_its_own_rules() {
        let ignores =
            Ignores::new(lists(), files(&[("/w", "*.log\nsecret/\n", true), ("/w/sub", "*.o\n", true)]));
        assert!(!hidden(&ignores, "/w/sub/x.log"));
        assert!(hidden(&ignores, "/w/sub/x.o"));
        assert!(hidden(&ignores, "/w/secret/x.c"));
    }

    #[test]
    fn stronger_layers_overrule_weaker_ones() {
        let mut all = lists();
        all.settings = list(&["*.a", "!*.b"]);
        all.own.push(list(&["!*.a", "*.c"]));
        let ignores = Ignores::new(all, files(&[("/w", "*.b\n", true)]));
        let hides = |path: &str, list| ignores.judge(path.as_bytes(), false).hides(list, 2);
        assert!(!hides("/w/x.a", 1) && !hides("/w/x.b", 1) && hides("/w/x.c", 1));
        assert!(hides("/w/x.a", 0) && !hides("/w/x.b", 0) && !hides("/w/x.c", 0));
    }

    #[test]
    fn the_files_of_tripline_and_of_search_tools_overrule_those_of_git() {
        let at = |git: &str, ignore: &str, tripline: &str, top: bool| IgnoreFiles {
            gitignore: git.into(),
            ignore: ignore.into(),
            triplineignore: tripline.into(),
            repository: top.then(RepositoryFiles::default),
        };
        let files = HashMap::from([
            (PathBuf::from("/"), at("", "*.far\n", "", false)),
            (PathBuf::from("/w"), at("*.a\n*.b\n", "!*.a\n*.c\n*.d\n", "!*.d\n*.e\n", true)),
            (PathBuf::from("/w/sub"), at("*.f\n", "*.e\n!*.e\n", "", false)),
        ]);
        let ignores = Ignores::new(lists(), Arc::new(files));
        for path in ["/w/x.b", "/w/x.c", "/w/sub/x.e", "/w/sub/x.f", "/w/x.far"] {
            assert!(hidden(&ignores, path), "{path}");
        }
        for path in ["/w/x.a", "/w/x.d", "/w/x.f"] {
            assert!(!hidden(&ignores, path), "{path}");
        }
    }

    #[test]
    fn the_reason_is_the_outermost_ignored_name() {
        let ignores = Ignores::new(lists(), files(&[("/w", "\ntarget/\n*.o\n", true)]));
        let judge = ignores.judge(b"/w/target/a.o", false);
        let (end, line) = judge.reason(0, 2).unwrap();
        assert_eq!((end, line.text.as_str()), ("/w/target".len(), "target/"));
        assert_eq!(line.origin.to_string(), "/w/.gitignore:2");
        assert_eq!(judge.reason(0, "/w/target".len()).unwrap().1.text, "*.o");
    }

    /// A file system whose one ignore file can be changed.
    #[derive(Debug)]
    struct Changing(Mutex<&'static str>);

    impl FileSource for Changing {
        fn ignore_files(&self, dir: &Path) -> IgnoreFiles {
            let text = if dir == Path::new("/w/a") { *self.0.lock().unwrap() } else { "" };
            IgnoreFiles { ignore: text.into(), ..IgnoreFiles::default() }
        }
    }

    #[test]
    fn a_changed_file_counts_once_it_is_refreshed() {
        let files = Arc::new(Changing(Mutex::new("*.o")));
        let ignores = Ignores::new(lists(), Arc::clone(&files) as Arc<dyn FileSource>);
        assert!(hidden(&ignores, "/w/a/b/x.o"));
        *files.0.lock().unwrap() = "*.c";
        ignores.refresh(b"/w/c");
        assert!(hidden(&ignores, "/w/a/b/x.o"));
        ignores.refresh(b"/w/a");
        assert!(!hidden(&ignores, "/w/a/b/x.o") && hidden(&ignores, "/w/a/b/x.c"));
    }

    #[test]
    fn what_is_spelled_out_is_never_ignored() {
        let ignores = Ignores::new(lists(), files(&[("/w", "target/\n", true)]));
        let mut judge = ignores.judge(b"/w/target/debug/server", false);
        assert!(judge.hides(0, 2));
        assert!(!judge.hides(0, "/w/target".len()));
    }

    #[test]
    fn anchored_patterns_of_the_settings_do_not_reach_outside_the_root() {
        let mut all = lists();
        all.settings = list(&["/etc", "*.log"]);
        let ignores = Ignores::new(all, files(&[]));
        assert!(!ignores.judge(b"/etc/x", false).hides(0, 0));
        assert!(ignores.judge(b"/etc/x.log", false).hides(0, 0));
    }

    #[test]
    fn odd_paths_do_no_harm() {
        let ignores = Ignores::new(lists(), files(&[("/", "x\n", true)]));
        for path in ["", "/", "a", "//", "/a//b", "/w/"] {
            let _ = ignores.judge(path.as_bytes(), true).hides(0, 0);
        }
    }
}
