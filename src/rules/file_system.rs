//! What the rules ask of the file system, and what they may be told instead.

use crate::time::FileTime;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::ignore::gitignore::Patterns;
use super::rule::process::Account;
use crate::event::Subject;

/// What a directory holds of ignore files; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreFiles {
    /// Its `.triplineignore`.
    pub triplineignore: Vec<u8>,
    /// Its `.ignore`.
    pub ignore: Vec<u8>,
    /// Its `.gitignore`.
    pub gitignore: Vec<u8>,
    /// Set if it is the top of a work tree, that is, has `.git`.
    pub repository: Option<RepositoryFiles>,
}

/// Whether a file of that name may say what is ignored.
pub(super) fn is_ignore_file(name: &[u8]) -> bool {
    matches!(name, b".gitignore" | b".ignore" | b".triplineignore" | b".git" | b"exclude")
}

/// What a repository says for its work tree as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryFiles {
    /// Its `info/exclude`.
    pub exclude: IgnoreFile,
    /// What its `core.excludesFile` names, in place of the user's.
    pub excludes_file: Option<IgnoreFile>,
}

/// An ignore file by its path and content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreFile {
    /// Where it is, or would be.
    pub path: PathBuf,
    /// What is in it; empty if it is not there.
    pub text: Vec<u8>,
}

impl IgnoreFile {
    pub(super) fn patterns(self) -> Patterns {
        Patterns::of_file(self.path, &self.text)
    }
}

/// What the rules need to ask of the file system. Where nothing else is said, nothing is there but every program.
pub trait FileSource: fmt::Debug + Send + Sync {
    /// The ignore files in the directory `dir`. What cannot be read is empty.
    fn ignore_files(&self, dir: &Path) -> IgnoreFiles;
    /// git's global ignore file.
    fn global_excludes(&self) -> IgnoreFile {
        IgnoreFile::default()
    }
    /// The path with all symbolic links followed; none if it does not exist.
    fn canonical(&self, _path: &Path) -> Option<PathBuf> {
        None
    }
    /// Whether a program of that name, without a slash, can be executed from `path`, a list of directories
    /// as in `PATH`; none stands for tripline's own.
    fn has_program(&self, _name: &str, _path: Option<&str>) -> bool {
        true
    }
    /// How many bytes a regular file has; none of anything else, and where there is nothing.
    fn size(&self, _path: &Path) -> Option<u64> {
        None
    }
    /// Whether there is something at a path; a symbolic link that leads nowhere, too.
    fn exists(&self, _path: &Path) -> bool {
        false
    }
    /// The size and the modification time of a regular file; none of anything else, and where there is nothing.
    fn stamp(&self, _path: &Path) -> Option<Stamp> {
        None
    }
    /// What is at a path.
    fn subject(&self, path: &Path) -> Subject {
        match self.stamp(path) {
            Some(_) => Subject::File,
            None if self.exists(path) => Subject::Other,
            None => Subject::Gone,
        }
    }
    /// A hash of the content of a regular file of `most` bytes at the most; none of anything else.
    fn hash(&self, _path: &Path, _most: u64) -> Option<u128> {
        None
    }
    /// The user of that name or number.
    fn account(&self, _name: &str) -> Option<Account> {
        None
    }
    /// The number of the group of that name or number.
    fn group(&self, _name: &str) -> Option<u32> {
        None
    }
}

/// What tells, mostly, that a file has another content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its bytes.
    pub size: u64,
    /// Its modification time.
    pub mtime: FileTime,
}

/// Files as a map from their directory: for tests, and where no ignore file is to count.
impl FileSource for HashMap<PathBuf, IgnoreFiles> {
    fn ignore_files(&self, dir: &Path) -> IgnoreFiles {
        self.get(dir).cloned().unwrap_or_default()
    }

    /// Only the one that every system has.
    fn account(&self, name: &str) -> Option<Account> {
        let (uid, gid, groups) = (65534, 65534, vec![65534]);
        let (home, shell) = ("/nonexistent".into(), "/usr/sbin/nologin".into());
        (name == "nobody").then(|| Account { name: name.to_owned(), uid, gid, groups, home, shell })
    }

    fn group(&self, name: &str) -> Option<u32> {
        (name == "nogroup").then_some(65534)
    }
}
