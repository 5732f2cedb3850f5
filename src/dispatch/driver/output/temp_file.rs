//! What a run has written, in a file without a name: however much that is, it takes no memory.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use crate::sys::temporary_file;

/// The output of one run, of all its commands and both their streams, in the order in which it came.
#[derive(Debug)]
pub(crate) struct Spool {
    file: File,
    length: u64,
    /// Whether there was no room for all of it.
    cut: bool,
}

impl Spool {
    /// # Errors
    /// No descriptor or no memory is left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { file: temporary_file()?, length: 0, cut: false })
    }

    /// Adds bytes. Where the disk has no room for them, they and all that follow are left out.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.cut {
            return;
        }
        match self.file.write_all(bytes) {
            Ok(()) => self.length += bytes.len() as u64,
            Err(error) => {
                tracing::warn!("a command's output is not kept to its end: {error}");
                self.cut = true;
            }
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The file, and how much of it there is.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn content(&self) -> io::Result<(File, u64)> {
        Ok((self.file.try_clone()?, self.length))
    }
}
