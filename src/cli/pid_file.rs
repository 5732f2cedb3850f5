//! `--pid-file`: a file that holds this process's number from when it is ready until it ends.
//!
//! The file is locked (flock(2)) as long as its process lives: so one that a killed process has left behind is told
//! from one that counts, whoever has that number by now.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file, removed with this value. Until the process is ready it has another name.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    unready: PathBuf,
    /// Open, and so locked.
    file: File,
}

impl PidFile {
    /// Makes sure that the file is no other process's, and prepares it.
    ///
    /// # Errors
    /// What a person is told: whose it is, or why it cannot be written.
    pub(super) fn prepare(path: &Path) -> Result<Self, String> {
        let shown = path.display().to_string().escape_debug().to_string();
        let prepared =
            Self::at(path).map_err(|error| format!("cannot write the pid file {shown}: {error}"))?;
        prepared.ok_or_else(|| match fs::read_to_string(path) {
            Ok(pid) => format!("process {} runs with the pid file {shown}", pid.trim_end().escape_debug()),
            Err(_) => format!("another process is starting with the pid file {shown}"),
        })
    }

    /// None if another process has it.
    fn at(path: &Path) -> io::Result<Option<Self>> {
        let path = std::path::absolute(path)?;
        let mut unready = path.clone().into_os_string();
        unready.push(".new");
        let unready = PathBuf::from(unready);
        if is_held(&path)? {
            return Ok(None);
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).mode(0o644).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(&unready)?;
        if !taken(file.try_lock())? || !is_at(&file, &unready) {
            return Ok(None);
        }
        let mut this = Self { path, unready, file };
        // Since the first look, the other one may have become ready.
        if is_held(&this.path)? {
            return Ok(None);
        }
        this.file.set_len(0)?;
        writeln!(this.file, "{}", std::process::id())?;
        Ok(Some(this))
    }

    /// The process is ready: the file appears, complete.
    pub(super) fn appear(&self) {
        if is_at(&self.file, &self.unready)
            && let Err(error) = fs::rename(&self.unready, &self.path)
        {
            tracing::error!(%error, "cannot write the pid file");
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        for path in [&self.path, &self.unready] {
            if is_at(&self.file, path) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Whether a process that lives has the file.
fn is_held(path: &Path) -> io::Result<bool> {
    match File::open(path) {
        // Who looks at the same time is not in the way.
        Ok(file) => taken(file.try_lock_shared()).map(|free| !free),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a lock was to be had. It lasts until the file is closed.
fn taken(result: Result<(), TryLockError>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether that is the file's name.
fn is_at(file: &File, path: &Path) -> bool {
    let is_same = |there: fs::Metadata| {
        file.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
    };
    path.symlink_metadata().is_ok_and(is_same)
}
