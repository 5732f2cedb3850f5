//! The mounts of this process's namespace, and when they change (proc_pid_mountinfo(5)).

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, BorrowedFd};

/// `/proc/self/mountinfo`. A change makes it ready in [`Epoll::add_priority`](super::Epoll::add_priority), once.
#[derive(Debug)]
pub struct MountInfo(File);

impl MountInfo {
    /// Opens it.
    ///
    /// # Errors
    /// `ENOENT` where `/proc` is not mounted.
    pub fn open() -> io::Result<Self> {
        File::open("/proc/self/mountinfo").map(Self)
    }

    /// Its lines as they are now.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.rewind()?;
        self.0.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl AsFd for MountInfo {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
