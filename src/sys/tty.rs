//! Which process group the terminal listens to.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Pid, cvt};

/// The terminal's foreground process group (tcgetpgrp(3)).
///
/// # Errors
/// `ENOTTY` if `terminal` is not the controlling terminal.
pub fn foreground_group(terminal: BorrowedFd<'_>) -> io::Result<Pid> {
    // SAFETY: takes no pointer.
    cvt(unsafe { libc::tcgetpgrp(terminal.as_raw_fd()) }).map(Pid)
}

/// Whether this process is in the terminal's foreground: its keys are for it.
#[must_use]
pub fn is_foreground(terminal: BorrowedFd<'_>) -> bool {
    // SAFETY: takes no pointer, and does not fail.
    let own = unsafe { libc::getpgrp() };
    foreground_group(terminal).is_ok_and(|group| group.0 == own)
}

/// Makes a process group the terminal's foreground (tcsetpgrp(3)). SIGTTOU must be blocked.
///
/// # Errors
/// `ENOTTY` if `terminal` is not the controlling terminal, `EPERM` if the group is of another session.
pub fn set_foreground_group(terminal: BorrowedFd<'_>, group: Pid) -> io::Result<()> {
    // SAFETY: takes no pointer.
    cvt(unsafe { libc::tcsetpgrp(terminal.as_raw_fd(), group.0) }).map(drop)
}
