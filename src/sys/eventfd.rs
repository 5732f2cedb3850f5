//! eventfd(2): one thread tells another that there is something to look at.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::{cvt, cvt_len, own, retry};

/// A flag that a descriptor shows: readable while set.
#[derive(Debug)]
pub struct Wake {
    fd: OwnedFd,
}

impl Wake {
    /// Makes a flag that is not set.
    ///
    /// # Errors
    /// `EMFILE` at the limit of descriptors.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let fd = cvt(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
        Ok(Self { fd: own(fd) })
    }

    /// Sets it. A counter at its limit is set already, so `EAGAIN` is success.
    pub fn set(&self) {
        let one = 1_u64.to_ne_bytes();
        let (fd, buffer) = (self.fd.as_raw_fd(), one.as_ptr());
        // SAFETY: `one` is readable for its eight bytes.
        let _ = retry(|| cvt_len(unsafe { libc::write(fd, buffer.cast(), one.len()) }));
    }

    /// Clears it.
    pub fn clear(&self) {
        let mut count = [0_u8; 8];
        let (fd, buffer) = (self.fd.as_raw_fd(), count.as_mut_ptr());
        // SAFETY: `count` is writable for its eight bytes.
        let _ = retry(|| cvt_len(unsafe { libc::read(fd, buffer.cast(), 8) }));
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
