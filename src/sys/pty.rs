//! Pseudo-terminals (pty(7)).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::{cvt, own};

/// How many characters a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

impl Default for WindowSize {
    /// That of a terminal that does not say.
    fn default() -> Self {
        Self { rows: 24, columns: 80 }
    }
}

/// The size of the terminal that `fd` is; none if it is no terminal, or does not know (ioctl_tty(2)).
#[must_use]
pub fn window_size(fd: BorrowedFd<'_>) -> Option<WindowSize> {
    let mut raw = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: `raw` is writable for one structure.
    cvt(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGWINSZ, raw.as_mut_ptr()) }).ok()?;
    // SAFETY: zeroed before, filled by the call; all zero is valid.
    let raw = unsafe { raw.assume_init() };
    (raw.ws_row > 0 && raw.ws_col > 0).then_some(WindowSize { rows: raw.ws_row, columns: raw.ws_col })
}

/// Gives a terminal a size (ioctl_tty(2)).
///
/// # Errors
/// `ENOTTY` if it is no terminal.
pub fn set_window_size(fd: BorrowedFd<'_>, size: WindowSize) -> io::Result<()> {
    let raw = libc::winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: `raw` is one initialised structure.
    cvt(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSWINSZ, &raw const raw) }).map(drop)
}

/// A pseudo-terminal: our end, which does not block, and the one for a command. What the command writes arrives
/// unchanged: there is no echo, and no line feed becomes two bytes.
///
/// # Errors
/// `EMFILE` at the limit of descriptors, `ENOSPC` at that of terminals.
pub fn pseudo_terminal(size: WindowSize) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: takes no pointer.
    let ours = own(cvt(unsafe { libc::posix_openpt(flags | libc::O_NONBLOCK) })?);
    // SAFETY: takes no pointer.
    cvt(unsafe { libc::unlockpt(ours.as_raw_fd()) })?;
    // SAFETY: takes no pointer.
    let theirs = own(cvt(unsafe { libc::ioctl(ours.as_raw_fd(), libc::TIOCGPTPEER, flags) })?);
    make_transparent(&theirs)?;
    set_window_size(ours.as_fd(), size)?;
    Ok((ours, theirs))
}

fn make_transparent(terminal: &OwnedFd) -> io::Result<()> {
    let mut raw = MaybeUninit::<libc::termios>::uninit();
    // SAFETY: `raw` is writable for one structure.
    cvt(unsafe { libc::tcgetattr(terminal.as_raw_fd(), raw.as_mut_ptr()) })?;
    // SAFETY: the call succeeded and has filled it.
    let mut settings = unsafe { raw.assume_init() };
    settings.c_oflag &= !libc::OPOST;
    settings.c_lflag &= !libc::ECHO;
    // SAFETY: `settings` is one initialised structure.
    cvt(unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, &raw const settings) }).map(drop)
}
