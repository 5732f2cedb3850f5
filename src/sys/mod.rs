//! Thin safe wrappers over system calls: one call a function, no policy, the only `unsafe` in the crate.
//!
//! Each descriptor is an `OwnedFd` from birth and close-on-exec. `EINTR` is handled in `retry` alone.
#![allow(unsafe_code)]

mod clock;
mod dir;
mod epoll;
mod eventfd;
mod group_guard;
mod inotify;
mod mounts;
mod peer_cred;
mod pipe;
mod proc;
mod process;
mod pty;
mod signal;
mod spawn;
mod tty;

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

pub use self::eventfd::Wake;
pub use self::group_guard::Keeper;
pub use self::peer_cred::{Peer, peer};
pub use clock::since_boot;
pub use dir::{Dir, Entry, Identity, Kind, Status, leave_working_directory, own_working_directory};
pub use epoll::{Epoll, Ready};
pub use inotify::{Inotify, Wd};
pub use mounts::MountInfo;
pub use pipe::{accepts_bytes, memory_file, pipe, read, stderr, stdout, temporary_file, write};
pub use proc::{InotifyLimits, InotifyUse, command_line, inotify_limits, inotify_users, inotify_watches};
pub use process::{
    Exit, Pid, PidFd, arg_limit, become_subreaper, close_on_exec_from, group_is_empty, is_executable,
    peek_exit, reap, signal_group,
};
pub use pty::{WindowSize, pseudo_terminal, set_window_size, window_size};
pub use signal::{Signal, SignalFd, ask_to_stop, block_all, hangup_is_ignored, stop_here};
pub use spawn::{Credentials, SpawnError, SpawnFds, SpawnOptions, SpawnSetup, spawn};
pub use tty::{foreground_group, is_foreground, set_foreground_group};

/// The result of a call that answers -1 and sets `errno` on failure.
fn cvt(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The same for calls that answer a length.
fn cvt_len(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Repeats a call until no signal interrupts it.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Takes ownership of a descriptor that a call has just returned.
fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: every caller passes the fresh result of a successful call, which nothing else owns.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
