//! Who is at the other end of a Unix socket.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::cvt;

/// The process that has connected a Unix socket, as it was then (unix(7), `SO_PEERCRED`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its number.
    pub pid: i32,
    /// The user that it runs as.
    pub uid: u32,
}

/// Who has connected, or listens, at the other end of `socket`.
///
/// # Errors
/// Those of getsockopt(2): it is no Unix socket.
pub fn peer(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let mut credentials = MaybeUninit::<libc::ucred>::zeroed();
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    let (fd, to, size) = (socket.as_raw_fd(), credentials.as_mut_ptr().cast(), &raw mut length);
    // SAFETY: `credentials` is writable for `length` bytes, and both outlive the call.
    cvt(unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, to, size) })?;
    // SAFETY: zeroed before, filled by the call; any three integers are a valid ucred.
    let credentials = unsafe { credentials.assume_init() };
    Ok(Peer { pid: credentials.pid, uid: credentials.uid })
}
