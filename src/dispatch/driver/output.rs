//! tripline's own output: bytes wait here while the terminal or pipe takes none, so that a slow reader
//! holds up neither the watcher nor a signal.

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

use crate::sys::{Epoll, accepts_bytes, write};

/// Beyond this, children are not read from: they wait, as they would writing to the terminal themselves.
const FULL: usize = 256 * 1024;
/// What a ready pipe takes without blocking: `PIPE_BUF` (pipe(7)).
const CHUNK: usize = 4096;

/// Standard output or standard error.
#[derive(Debug)]
pub(super) struct Sink {
    fd: BorrowedFd<'static>,
    token: u64,
    waiting: VecDeque<u8>,
    polled: bool,
}

impl Sink {
    pub(super) const fn new(fd: BorrowedFd<'static>, token: u64) -> Self {
        Self { fd, token, waiting: VecDeque::new(), polled: false }
    }

    pub(super) const fn fd(&self) -> BorrowedFd<'static> {
        self.fd
    }

    /// Whether no more should be added for now.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= FULL
    }

    /// Adds bytes, and writes what can be written.
    pub(super) fn put(&mut self, bytes: &[u8], epoll: &Epoll) {
        self.waiting.extend(bytes);
        self.flush(epoll);
    }

    /// Writes what can be written; has `epoll` say when the rest can.
    pub(super) fn flush(&mut self, epoll: &Epoll) {
        while !self.waiting.is_empty() && accepts_bytes(self.fd) {
            let (front, _) = self.waiting.as_slices();
            match write(self.fd, &front[..front.len().min(CHUNK)]) {
                Ok(written) => drop(self.waiting.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Nobody reads any more.
                Err(_) => self.waiting.clear(),
            }
        }
        let poll = !self.waiting.is_empty();
        if poll != self.polled {
            let done = if poll { epoll.add_writable(self.fd, self.token) } else { epoll.remove(self.fd) };
            self.polled = poll && done.is_ok();
        }
    }
}
