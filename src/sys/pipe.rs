//! Bytes to and from children: pipe2(2), memfd_create(2), read(2), write(2), poll(2).

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use super::{cvt, cvt_len, own, retry};

/// A pipe: the end to read from, which does not block, and the end to write to, which does.
///
/// # Errors
/// `EMFILE` at the limit of descriptors.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` is writable for two descriptors.
    cvt(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    let (read, write) = (own(ends[0]), own(ends[1]));
    // SAFETY: takes no pointer. Only the reading end's open file description is changed.
    cvt(unsafe { libc::fcntl(read.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })?;
    Ok((read, write))
}

/// An anonymous file with this content, to be read from its start.
///
/// # Errors
/// `EMFILE` at the limit of descriptors, `ENOMEM`.
pub fn memory_file(content: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: the name is NUL-terminated.
    let fd = cvt(unsafe { libc::memfd_create(c"tripline".as_ptr(), libc::MFD_CLOEXEC) })?;
    let file = File::from(own(fd));
    // Where the descriptor stands stays at the start.
    file.write_all_at(content, 0)?;
    Ok(file.into())
}

/// An empty file without a name, in the directory for temporary files or, where that has none such, in memory
/// (open(2), `O_TMPFILE`).
///
/// # Errors
/// `EMFILE` at the limit of descriptors, `ENOMEM`.
pub fn temporary_file() -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).custom_flags(libc::O_TMPFILE);
    options.open(std::env::temp_dir()).or_else(|_| memory_file(&[]).map(File::from))
}

/// Reads what is there; none at the end of the stream.
///
/// # Errors
/// `EAGAIN` if there is nothing yet, and those of read(2) but `EINTR`.
pub fn read<'b>(fd: BorrowedFd<'_>, buffer: &'b mut [u8]) -> io::Result<Option<&'b [u8]>> {
    let (fd, start, length) = (fd.as_raw_fd(), buffer.as_mut_ptr(), buffer.len());
    // SAFETY: `buffer` is writable for its whole length.
    let length = retry(|| cvt_len(unsafe { libc::read(fd, start.cast(), length) }))?;
    Ok((length > 0).then_some(&buffer[..length]))
}

/// Writes some of `bytes`; answers how many.
///
/// # Errors
/// Those of write(2) but `EINTR`.
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: `bytes` is readable for its whole length.
    retry(|| cvt_len(unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) }))
}

/// Whether a write of up to `PIPE_BUF` bytes would not block now (pipe(7)), or would fail at once.
#[must_use]
pub fn accepts_bytes(fd: BorrowedFd<'_>) -> bool {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: `poll` is one writable structure.
    retry(|| cvt(unsafe { libc::poll(&raw mut poll, 1, 0) })).is_ok_and(|ready| ready > 0)
}

/// Standard output.
#[must_use]
pub fn stdout() -> BorrowedFd<'static> {
    // SAFETY: nothing in this crate closes it; where the process was started without it, calls on it
    // fail with `EBADF`.
    unsafe { BorrowedFd::borrow_raw(libc::STDOUT_FILENO) }
}

/// Standard error.
#[must_use]
pub fn stderr() -> BorrowedFd<'static> {
    // SAFETY: as for `stdout`.
    unsafe { BorrowedFd::borrow_raw(libc::STDERR_FILENO) }
}
