//! tripline's own output: bytes wait here while the terminal or pipe takes none, so that a slow reader
//! holds up neither the watcher nor a signal.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;

use crate::sys::{Epoll, accepts_bytes, write};

/// Beyond this, children are not read from: they wait, as they would writing to the terminal themselves.
const FULL: usize = 256 * 1024;
/// What a ready pipe takes without blocking: `PIPE_BUF` (pipe(7)).
const CHUNK: usize = 4096;

/// Standard output or standard error.
#[derive(Debug)]
pub(crate) struct Sink {
    fd: BorrowedFd<'static>,
    token: u64,
    /// What comes first is written first, each piece to its end before the next.
    waiting: VecDeque<Piece>,
    polled: bool,
}

/// What waits to be written.
#[derive(Debug)]
enum Piece {
    Bytes(VecDeque<u8>),
    /// A file, from an offset to an end: it takes no memory, however long it is.
    File {
        file: File,
        at: u64,
        end: u64,
    },
}

impl Sink {
    pub(crate) const fn new(fd: BorrowedFd<'static>, token: u64) -> Self {
        Self { fd, token, waiting: VecDeque::new(), polled: false }
    }

    pub(crate) const fn fd(&self) -> BorrowedFd<'static> {
        self.fd
    }

    /// Whether no more should be added for now.
    pub(crate) fn is_full(&self) -> bool {
        let held = |piece: &Piece| if let Piece::Bytes(bytes) = piece { bytes.len() } else { 0 };
        self.waiting.iter().map(held).sum::<usize>() >= FULL
    }

    /// Whether all has been written.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds bytes, and writes what can be written.
    pub(crate) fn put(&mut self, bytes: &[u8], epoll: &Epoll) {
        self.add(bytes);
        self.flush(epoll);
    }

    /// Adds bytes, to be written before what comes after them.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        match self.waiting.back_mut() {
            _ if bytes.is_empty() => {}
            Some(Piece::Bytes(waiting)) => waiting.extend(bytes),
            _ => self.waiting.push_back(Piece::Bytes(bytes.iter().copied().collect())),
        }
    }

    /// Writes what was only added, if it can be written.
    pub(crate) fn flush_added(&mut self, epoll: &Epoll) {
        if !self.polled && !self.is_empty() {
            self.flush(epoll);
        }
    }

    /// Adds the first `length` bytes of a file, and writes what can be written.
    pub(crate) fn put_file(&mut self, file: File, length: u64, epoll: &Epoll) {
        if length > 0 {
            self.waiting.push_back(Piece::File { file, at: 0, end: length });
        }
        self.flush(epoll);
    }

    /// Writes what can be written; has `epoll` say when the rest can.
    pub(crate) fn flush(&mut self, epoll: &Epoll) {
        while let Some(piece) = self.waiting.front_mut().filter(|_| accepts_bytes(self.fd)) {
            match piece.write_some(self.fd) {
                Ok(true) => drop(self.waiting.pop_front()),
                Ok(false) => {}
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

impl Piece {
    /// Writes some of it; answers whether that was the end.
    fn write_some(&mut self, to: BorrowedFd<'_>) -> io::Result<bool> {
        match self {
            Self::Bytes(bytes) => {
                let (front, _) = bytes.as_slices();
                let written = write(to, &front[..front.len().min(CHUNK)])?;
                bytes.drain(..written);
                Ok(bytes.is_empty())
            }
            Self::File { file, at, end } => {
                let mut buffer = [0; CHUNK];
                let wanted = usize::try_from(*end - *at).unwrap_or(CHUNK).min(CHUNK);
                let there = file.read_at(&mut buffer[..wanted], *at)?;
                *at += write(to, &buffer[..there])? as u64;
                Ok(there == 0 || *at == *end)
            }
        }
    }
}
