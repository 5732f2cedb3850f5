//! A control group of its own for a run: nothing that it starts can leave that.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use super::proc;
use crate::dispatch::RunId;

/// The group; it is removed with this value.
#[derive(Debug)]
pub(crate) struct Cgroup {
    path: PathBuf,
    procs: File,
}

impl Cgroup {
    /// A new group below tripline's own.
    ///
    /// # Errors
    /// Those of mkdir(2): where version 2 is not mounted or not delegated to this user.
    pub(crate) fn new(run: RunId) -> io::Result<Self> {
        let own = proc::own_cgroup().ok_or(io::ErrorKind::NotFound)?;
        let path = own.join(format!("tripline-{}-{}", std::process::id(), run.0));
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let procs = OpenOptions::new().write(true).open(path.join("cgroup.procs"));
        match procs {
            Ok(procs) => Ok(Self { path, procs }),
            Err(error) => {
                remove(&path);
                Err(error)
            }
        }
    }

    /// Its `cgroup.procs`, for who is to be in it.
    pub(crate) fn procs(&self) -> BorrowedFd<'_> {
        self.procs.as_fd()
    }

    /// Its processes, those of groups below it left out.
    pub(crate) fn members(&self) -> Vec<i32> {
        let text = fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// Kills all that is in it or below it (`cgroup.kill`, Linux 5.14).
    pub(crate) fn kill(&self) -> io::Result<()> {
        fs::write(self.path.join("cgroup.kill"), "1")
    }

    /// Whether nothing lives in it or below it.
    pub(crate) fn is_empty(&self) -> bool {
        let events = fs::read_to_string(self.path.join("cgroup.events"));
        events.map_or(true, |events| events.lines().any(|line| line == "populated 0"))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Whether a run could have one.
///
/// # Errors
/// Those of mkdir(2): where version 2 is not mounted or not delegated to this user.
pub fn control_groups_work() -> io::Result<()> {
    // No run has this number.
    Cgroup::new(RunId(0)).map(drop)
}

/// With the groups that the run has made in it. One that is not empty stays.
fn remove(path: &Path) {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    for below in entries.filter(|entry| entry.file_type().is_ok_and(|found| found.is_dir())) {
        remove(&below.path());
    }
    let _ = fs::remove_dir(path);
}
