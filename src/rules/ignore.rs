//! What is ignored: the layers, from a rule's own list down to the built-in one.
//!
//! Each name on the way to a path is judged by itself. The first layer with an opinion decides: the
//! rule's `ignore`, `settings.ignore`, the `.gitignore` files from the deepest up to the top of the work
//! tree, its `info/exclude`, git's global file, the built-in list. A path is hidden from a glob if a
//! name beyond what the glob spells out is ignored; below an ignored directory nothing is visible again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::gitignore::Patterns;
use super::path;
use super::rule::RuleId;
use crate::event::as_path;

/// Version control's own folders, and the names that editors give to what they will rename or remove.
const DEFAULT: [&str; 21] = [
    ".git",
    ".hg/",
    ".svn/",
    ".jj/",
    ".bzr/",
    ".pijul/",
    "_darcs/",
    "CVS/",
    "*~",
    "\\#*#",
    ".#*",
    "*.swp",
    "*.swo",
    "*.swx",
    "*.swn",
    "4913",
    ".*.kate-swp",
    ".goutputstream-*",
    "*___jb_tmp___",
    "*___jb_old___",
    ".DS_Store",
];

/// What a directory holds of git's ignore files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitFiles {
    /// Its `.gitignore`; empty if there is none.
    pub gitignore: Vec<u8>,
    /// Set if it is the top of a work tree, that is, has `.git`: that repository's `info/exclude`.
    pub exclude: Option<Vec<u8>>,
}

/// What the rules need to ask of the file system.
pub trait FileSource: Send + Sync {
    /// git's ignore files in the directory `dir`. What cannot be read is empty.
    fn git_files(&self, dir: &Path) -> GitFiles;
    /// git's global ignore file; empty if there is none.
    fn global_excludes(&self) -> Vec<u8>;
    /// The path with all symbolic links followed; none if it does not exist.
    fn canonical(&self, path: &Path) -> Option<PathBuf>;
}

/// Files as a map from their directory: for tests, and where no ignore file is to count.
impl FileSource for HashMap<PathBuf, GitFiles> {
    fn git_files(&self, dir: &Path) -> GitFiles {
        self.get(dir).cloned().unwrap_or_default()
    }

    fn global_excludes(&self) -> Vec<u8> {
        Vec::new()
    }

    fn canonical(&self, _path: &Path) -> Option<PathBuf> {
        None
    }
}

/// What `[settings]` and the rules say about ignoring.
pub(crate) struct Lists {
    /// `settings.root`: where the patterns of `settings` and the rules are anchored.
    pub(crate) root: Vec<u8>,
    /// Each rule's own list, by [`RuleId`].
    pub(crate) rules: Vec<Patterns>,
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
    /// One entry for each directory that was ever judged: as many as there are watches.
    levels: Mutex<HashMap<Vec<u8>, Option<Arc<Level>>>>,
}

/// A directory with a `.gitignore` or at the top of a work tree, and what applies above it.
struct Level {
    dir: Vec<u8>,
    patterns: Patterns,
    exclude: Patterns,
    above: Option<Arc<Level>>,
}

impl Ignores {
    pub(crate) fn new(lists: Lists, files: Arc<dyn FileSource>) -> Self {
        let builtin = if lists.default_ignore { Patterns::of_list(DEFAULT).ok() } else { None };
        let global = lists.gitignore.then(|| Patterns::of_file(&files.global_excludes()));
        Self {
            lists,
            builtin: builtin.unwrap_or_default(),
            global: global.unwrap_or_default(),
            files,
            levels: Mutex::default(),
        }
    }

    /// A judge of `path` for globs that spell out at least `floor` bytes of it.
    pub(crate) fn judge<'a>(&'a self, path: &'a [u8], is_dir: bool, floor: usize) -> Judge<'a> {
        Judge { ignores: self, path, is_dir, floor, shared: None }
    }

    /// The layers that all rules share.
    fn shared_verdict(&self, path: &[u8], is_dir: bool) -> Option<bool> {
        let relative = path::below(&self.lists.root, path).unwrap_or(path);
        self.lists
            .settings
            .verdict(relative, is_dir)
            .or_else(|| if self.lists.gitignore { self.git_verdict(path, is_dir) } else { None })
            .or_else(|| self.builtin.verdict(path, is_dir))
    }

    fn rule_verdict(&self, rule: RuleId, path: &[u8], is_dir: bool) -> Option<bool> {
        let relative = path::below(&self.lists.root, path).unwrap_or(path);
        self.lists.rules.get(rule.0)?.verdict(relative, is_dir)
    }

    fn git_verdict(&self, path: &[u8], is_dir: bool) -> Option<bool> {
        let mut level = &self.level(path::parent(path)?)?;
        loop {
            let relative = path::below(&level.dir, path)?;
            if let Some(verdict) = level.patterns.verdict(relative, is_dir) {
                return Some(verdict);
            }
            match &level.above {
                Some(above) => level = above,
                None => break level.exclude.verdict(relative, is_dir),
            }
        }
        .or_else(|| self.global.verdict(path::below(&level.dir, path)?, is_dir))
    }

    /// What governs the names in `dir`; none outside any work tree. The files are read without the
    /// lock, so that a slow file system holds up only who asks for it.
    fn level(&self, dir: &[u8]) -> Option<Arc<Level>> {
        let mut unknown = Vec::new();
        let mut level = None;
        for end in path::prefixes_above(dir, 0).chain([1]) {
            let known = self.levels.lock().unwrap_or_else(PoisonError::into_inner).get(&dir[..end]).cloned();
            if let Some(known) = known {
                level = known;
                break;
            }
            unknown.push(end);
        }
        for end in unknown.into_iter().rev() {
            level = self.read_level(&dir[..end], level);
            let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
            levels.insert(dir[..end].to_vec(), level.clone());
        }
        level
    }

    fn read_level(&self, dir: &[u8], above: Option<Arc<Level>>) -> Option<Arc<Level>> {
        let files = self.files.git_files(as_path(dir));
        let is_top = files.exclude.is_some();
        if !is_top && (above.is_none() || files.gitignore.is_empty()) {
            return above;
        }
        Some(Arc::new(Level {
            dir: dir.to_vec(),
            patterns: Patterns::of_file(&files.gitignore),
            exclude: Patterns::of_file(&files.exclude.unwrap_or_default()),
            above: above.filter(|_| !is_top),
        }))
    }
}

/// The verdict on one path, found out once for all globs that match it.
pub(crate) struct Judge<'a> {
    ignores: &'a Ignores,
    path: &'a [u8],
    is_dir: bool,
    floor: usize,
    shared: Option<usize>,
}

impl Judge<'_> {
    /// Whether the path is hidden from a glob of `rule` that spells out its first `base` bytes.
    pub(crate) fn hides(&mut self, rule: RuleId, base: usize) -> bool {
        let ignores = self.ignores;
        if ignores.lists.rules.get(rule.0).is_none_or(Patterns::is_empty) {
            let deepest =
                self.shared.unwrap_or_else(|| self.deepest(&|path, dir| ignores.shared_verdict(path, dir)));
            self.shared = Some(deepest);
            return deepest > base;
        }
        let verdict = |path: &[u8], is_dir| {
            ignores.rule_verdict(rule, path, is_dir).or_else(|| ignores.shared_verdict(path, is_dir))
        };
        self.deepest(&verdict) > base
    }

    /// The length of the deepest ignored prefix of the path; 0 if there is none beyond the floor.
    fn deepest(&self, verdict: &dyn Fn(&[u8], bool) -> Option<bool>) -> usize {
        let ignored =
            |&end: &usize| verdict(&self.path[..end], self.is_dir || end < self.path.len()) == Some(true);
        path::prefixes_above(self.path, self.floor).find(ignored).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists() -> Lists {
        Lists {
            root: b"/w".to_vec(),
            rules: Vec::new(),
            settings: Patterns::default(),
            gitignore: true,
            default_ignore: true,
        }
    }

    fn list(lines: &[&str]) -> Patterns {
        Patterns::of_list(lines.iter().copied()).unwrap()
    }

    /// Files of git as (directory, `.gitignore`); a directory with `true` is the top of a work tree.
    fn files(dirs: &[(&str, &str, bool)]) -> Arc<dyn FileSource> {
        let entry = |&(dir, gitignore, top): &(&str, &str, bool)| {
            let exclude = top.then(|| b"excluded\n".to_vec());
            (PathBuf::from(dir), GitFiles { gitignore: gitignore.into(), exclude })
        };
        Arc::new(dirs.iter().map(entry).collect::<HashMap<_, _>>())
    }

    /// Whether a file is hidden from a glob of rule 0 that spells out nothing below `/w`.
    fn hidden(ignores: &Ignores, path: &str) -> bool {
        ignores.judge(path.as_bytes(), false, 2).hides(RuleId(0), 2)
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
        all.rules = vec![list(&["!*.a", "*.c"]), Patterns::default()];
        let ignores = Ignores::new(all, files(&[("/w", "*.b\n", true)]));
        assert!(!hidden(&ignores, "/w/x.a"));
        assert!(!hidden(&ignores, "/w/x.b"));
        assert!(hidden(&ignores, "/w/x.c"));
        let mut judge = ignores.judge(b"/w/x.a", false, 2);
        assert!(judge.hides(RuleId(1), 2));
        assert!(!judge.hides(RuleId(0), 2));
    }

    #[test]
    fn what_is_spelled_out_is_never_ignored() {
        let ignores = Ignores::new(lists(), files(&[("/w", "target/\n", true)]));
        let mut judge = ignores.judge(b"/w/target/debug/server", false, 2);
        assert!(judge.hides(RuleId(0), 2));
        assert!(!judge.hides(RuleId(0), "/w/target".len()));
    }

    #[test]
    fn anchored_patterns_of_the_settings_do_not_reach_outside_the_root() {
        let mut all = lists();
        all.settings = list(&["/etc", "*.log"]);
        let ignores = Ignores::new(all, files(&[]));
        assert!(!ignores.judge(b"/etc/x", false, 0).hides(RuleId(0), 0));
        assert!(ignores.judge(b"/etc/x.log", false, 0).hides(RuleId(0), 0));
    }

    #[test]
    fn odd_paths_do_no_harm() {
        let ignores = Ignores::new(lists(), files(&[("/", "x\n", true)]));
        for path in ["", "/", "a", "//", "/a//b", "/w/"] {
            let _ = ignores.judge(path.as_bytes(), true, 0).hides(RuleId(0), 0);
        }
    }
}
