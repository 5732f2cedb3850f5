//! What the files of a script hold, for rules that ask.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tripline::time::FileTime;

use tripline::rules::{FileSource, IgnoreFiles, Stamp};

/// Each write gives a file another content, and is a byte more.
#[derive(Debug, Default)]
pub(crate) struct Disk(Mutex<Files>);

#[derive(Debug, Default)]
struct Files {
    by_path: BTreeMap<Vec<u8>, Stamp>,
    writes: u64,
}

impl Files {
    fn next(&mut self) -> u64 {
        self.writes += 1;
        self.writes
    }
}

impl Disk {
    pub(crate) fn write(&self, path: &[u8]) {
        let mut files = self.0.lock().unwrap();
        let size = files.next();
        files
            .by_path
            .insert(path.to_vec(), Stamp { size, mtime: FileTime::new(size.try_into().unwrap(), 0) });
    }

    /// Its time is another.
    pub(crate) fn touch(&self, path: &[u8]) {
        let mut files = self.0.lock().unwrap();
        let mtime = FileTime::new(files.next().try_into().unwrap(), 0);
        files.by_path.entry(path.to_vec()).and_modify(|stamp| stamp.mtime = mtime);
    }

    pub(crate) fn remove(&self, path: &[u8]) {
        self.0.lock().unwrap().by_path.remove(path);
    }

    pub(crate) fn rename(&self, from: &[u8], to: &[u8]) {
        let mut files = self.0.lock().unwrap();
        if let Some(stamp) = files.by_path.remove(from) {
            files.by_path.insert(to.to_vec(), stamp);
        }
    }
}

impl FileSource for Disk {
    fn ignore_files(&self, _: &Path) -> IgnoreFiles {
        IgnoreFiles::default()
    }

    fn canonical(&self, _: &Path) -> Option<PathBuf> {
        None
    }

    fn has_program(&self, _: &str, _: Option<&str>) -> bool {
        true
    }

    fn size(&self, path: &Path) -> Option<u64> {
        self.stamp(path).map(|stamp| stamp.size)
    }

    fn exists(&self, path: &Path) -> bool {
        self.stamp(path).is_some()
    }

    fn stamp(&self, path: &Path) -> Option<Stamp> {
        self.0.lock().unwrap().by_path.get(path.as_os_str().as_bytes()).copied()
    }

    fn hash(&self, path: &Path, _: u64) -> Option<u128> {
        self.size(path).map(u128::from)
    }
}
