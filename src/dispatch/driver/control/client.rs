//! One client of the control socket: what it has sent and not ended with a line feed, and what it has not taken.
//! Nothing here ever blocks.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use crate::dispatch::LONGEST_REQUEST;
use crate::sys::Epoll;

/// Read at once: what follows waits for the next turn of the loop.
const CHUNK: usize = 4096;
/// What may wait for a client that follows events: it is too slow beyond that.
const SLOWEST: usize = 256 * 1024;

/// What has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stays.
    Stays,
    /// It has hung up, or sends what is no request.
    Goes,
}

#[derive(Debug)]
pub(crate) struct Client {
    stream: UnixStream,
    token: u64,
    sent: Vec<u8>,
    waiting: Vec<u8>,
    /// Whether the set of descriptors says when it takes bytes, instead of when it sends some.
    writes: bool,
    /// Whether it is told everything that is said.
    pub(crate) follows: bool,
    /// Grows with each request of any client.
    pub(crate) last: u64,
}

impl Client {
    /// A client that has just connected, with the number of its last request.
    pub(crate) fn new(stream: UnixStream, token: u64, last: u64, epoll: &Epoll) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        epoll.add_readable(stream.as_fd(), token)?;
        let (sent, waiting) = (Vec::new(), Vec::new());
        Ok(Self { stream, token, sent, waiting, writes: false, follows: false, last })
    }

    /// Takes in what it sends, if it has taken all that it was told.
    pub(crate) fn read(&mut self) -> Fate {
        let mut chunk = [0; CHUNK];
        match self.stream.read(&mut chunk) {
            Ok(0) => Fate::Goes,
            Ok(length) => {
                self.sent.extend(&chunk[..length]);
                Fate::Stays
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Fate::Stays,
            Err(_) => Fate::Goes,
        }
    }

    /// The next whole line that it has sent; the error says that it is too long to be one.
    pub(crate) fn line(&mut self) -> Result<Option<Vec<u8>>, ()> {
        match self.sent.iter().position(|&byte| byte == b'\n') {
            Some(end) => {
                let mut line: Vec<u8> = self.sent.drain(..=end).collect();
                line.pop();
                Ok(Some(line))
            }
            None if self.sent.len() > LONGEST_REQUEST => Err(()),
            None => Ok(None),
        }
    }

    /// Tells it a line, as far as it takes it now.
    pub(crate) fn tell(&mut self, line: &[u8], epoll: &Epoll) -> Fate {
        self.waiting.extend(line);
        self.waiting.push(b'\n');
        self.flush(epoll)
    }

    /// Tells it a line that nobody has asked for.
    pub(crate) fn publish(&mut self, line: &[u8], epoll: &Epoll) -> Fate {
        if self.waiting.len() > SLOWEST { Fate::Goes } else { self.tell(line, epoll) }
    }

    /// Whether it takes bytes again, where it did not.
    pub(crate) const fn is_behind(&self) -> bool {
        self.writes
    }

    /// Writes what it takes; has `epoll` say when it takes more.
    pub(crate) fn flush(&mut self, epoll: &Epoll) -> Fate {
        while !self.waiting.is_empty() {
            match self.stream.write(&self.waiting) {
                Ok(written) => drop(self.waiting.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Fate::Goes,
            }
        }
        let writes = !self.waiting.is_empty();
        if writes != self.writes {
            let fd = self.stream.as_fd();
            let _ = epoll.remove(fd);
            let added =
                if writes { epoll.add_writable(fd, self.token) } else { epoll.add_readable(fd, self.token) };
            if added.is_err() {
                return Fate::Goes;
            }
            self.writes = writes;
        }
        Fate::Stays
    }
}
