//! The ignore files of one directory, and what applies above it.

use std::sync::Arc;

use super::gitignore::{Line, Patterns};
use crate::event::as_path;
use crate::event::path;
use crate::rules::file_system::{FileSource, IgnoreFile, IgnoreFiles};

/// A directory with an ignore file or at the top of a work tree, and what applies above it.
pub(crate) struct Level {
    dir: Vec<u8>,
    /// `.triplineignore`, `.ignore`.
    ours: [Patterns; 2],
    gitignore: Patterns,
    /// Set at the top of a work tree.
    repository: Option<Repository>,
    in_work_tree: bool,
    above: Option<Arc<Level>>,
}

struct Repository {
    exclude: Patterns,
    excludes_file: Option<Patterns>,
}

impl Level {
    /// Reads the files in `dir`. Without any, what applies above it applies there.
    pub(crate) fn read(files: &dyn FileSource, dir: &[u8], above: Option<Arc<Self>>) -> Option<Arc<Self>> {
        let files = files.ignore_files(as_path(dir));
        if files == IgnoreFiles::default() {
            return above;
        }
        let file = |name: &str, text: &[u8]| Patterns::of_file(as_path(dir).join(name), text);
        let outside = above.as_ref().is_none_or(|above| !above.in_work_tree);
        let repository = files.repository.map(|found| Repository {
            exclude: found.exclude.patterns(),
            excludes_file: found.excludes_file.map(IgnoreFile::patterns),
        });
        Some(Arc::new(Self {
            dir: dir.to_vec(),
            ours: [file(".triplineignore", &files.triplineignore), file(".ignore", &files.ignore)],
            gitignore: file(".gitignore", &files.gitignore),
            in_work_tree: repository.is_some() || !outside,
            repository,
            above,
        }))
    }

    /// The pattern that decides on one path by itself; git's only with its global ones.
    pub(crate) fn verdict(&self, path: &[u8], is_dir: bool, git: Option<&Patterns>) -> Option<Arc<Line>> {
        let ours = |kind: usize| {
            self.up().find_map(|level| level.ours[kind].verdict(path::below(&level.dir, path)?, is_dir))
        };
        let found = ours(0).or_else(|| ours(1)).cloned();
        found.or_else(|| self.of_git(path, is_dir, git?))
    }

    fn of_git(&self, path: &[u8], is_dir: bool, global: &Patterns) -> Option<Arc<Line>> {
        for level in self.up().take_while(|level| level.in_work_tree) {
            let relative = path::below(&level.dir, path)?;
            if let Some(line) = level.gitignore.verdict(relative, is_dir) {
                return Some(Arc::clone(line));
            }
            if let Some(repository) = &level.repository {
                let global = repository.excludes_file.as_ref().unwrap_or(global);
                let exclude = repository.exclude.verdict(relative, is_dir);
                return exclude.or_else(|| global.verdict(relative, is_dir)).cloned();
            }
        }
        None
    }

    /// Whether the patterns here and above, and git's global ones, decide alike on what has the same path below two
    /// directories.
    pub(crate) fn leads_alike(&self, one: &[u8], other: &[u8], git: &Patterns) -> bool {
        self.up().all(|level| {
            let (Some(one), Some(other)) = (path::below(&level.dir, one), path::below(&level.dir, other))
            else {
                return false;
            };
            let repository = level.repository.iter();
            let its = repository.flat_map(|found| [Some(&found.exclude), found.excludes_file.as_ref()]);
            let all = level.ours.iter().chain([&level.gitignore, git]).chain(its.flatten());
            all.into_iter().all(|patterns| patterns.lead_alike(one, other))
        })
    }

    /// This level and those above it.
    fn up(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |level| level.above.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::Mutex;

    use super::super::{Ignores, Lists};
    use super::*;

    /// Everywhere an `.ignore` of `x`, and where it was read.
    #[derive(Debug, Default)]
    struct Everywhere(Mutex<Vec<PathBuf>>);

    impl FileSource for Everywhere {
        fn ignore_files(&self, dir: &Path) -> IgnoreFiles {
            self.0.lock().unwrap().push(dir.to_path_buf());
            IgnoreFiles { ignore: b"x\n".to_vec(), ..IgnoreFiles::default() }
        }
    }

    #[test]
    fn where_none_was_found_none_is_looked_for_until_one_has_changed() {
        let (own, own_of, root) = (vec![Patterns::default()], vec![0], b"/w".to_vec());
        let settings = Patterns::default();
        let lists = Lists { root, own, own_of, settings, gitignore: false, default_ignore: false };
        let files = Arc::new(Everywhere::default());
        let ignores = Ignores::new(lists, Arc::clone(&files) as Arc<dyn FileSource>);
        let read = || std::mem::take(&mut *files.0.lock().unwrap());
        ignores.none_in(b"/w/a");
        assert_eq!(read(), ["/", "/w"].map(PathBuf::from));
        assert!(ignores.judge(b"/w/a/x", false).hides(0, 2));
        assert!(read().is_empty());
        ignores.refresh(b"/w/a");
        assert!(!ignores.judge(b"/w/a/z", false).hides(0, 2));
        assert_eq!(read(), [PathBuf::from("/w/a")]);
        ignores.none_in(b"/w/a");
        assert!(ignores.judge(b"/w/a/x", false).hides(0, 2));
    }
}
