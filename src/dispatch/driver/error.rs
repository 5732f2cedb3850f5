//! Why running ended, if not because it was asked to.

use std::fmt;
use std::io;

use crate::watch::WatchError;

/// Why running ended, if not because it was asked to.
#[derive(Debug)]
pub enum RunError {
    /// Nothing can be watched.
    Watch(WatchError),
    /// The watcher has ended.
    Watcher(String),
    /// The control socket that was asked for cannot be had.
    Socket(String),
    /// A system call that everything rests on failed.
    System(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Watch(error) => error.fmt(f),
            Self::Watcher(reason) => write!(f, "the watcher has failed: {reason}"),
            Self::Socket(reason) => write!(f, "no control socket: {reason}"),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RunError {}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}
