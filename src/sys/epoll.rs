//! epoll(7), level-triggered.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{cvt, cvt_len, own, retry};

/// A set of descriptors to wait for, each under a number of the caller's choice.
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
    /// Whether the kernel counts nanoseconds, as far as is known.
    exact: AtomicBool,
}

/// A descriptor that has something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The number it was added under.
    pub token: u64,
}

/// Enough for one turn of a loop; what does not fit is reported by the next wait.
const EVENTS: usize = 64;

impl Epoll {
    /// Makes an empty set.
    ///
    /// # Errors
    /// `EMFILE` at the limit of descriptors.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let fd = cvt(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        Ok(Self { fd: own(fd), exact: AtomicBool::new(true) })
    }

    /// Waits for `fd` to become readable, or its other end to close.
    ///
    /// # Errors
    /// `EPERM` for a regular file, `EEXIST` if it is in the set.
    pub fn add_readable(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN as u32, token)
    }

    /// Waits for `fd` to accept bytes.
    ///
    /// # Errors
    /// As [`add_readable`](Self::add_readable).
    pub fn add_writable(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLOUT as u32, token)
    }

    /// Waits for `fd` to have what its poll(2) calls priority data: of `/proc/self/mountinfo`, a change.
    ///
    /// # Errors
    /// As [`add_readable`](Self::add_readable).
    pub fn add_priority(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLPRI as u32, token)
    }

    /// Forgets `fd`.
    ///
    /// # Errors
    /// `ENOENT` if it is not in the set.
    pub fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(&self, operation: libc::c_int, fd: BorrowedFd<'_>, events: u32, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: both descriptors are open and `event` outlives the call.
        cvt(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), operation, fd.as_raw_fd(), &raw mut event) })
            .map(drop)
    }

    /// Waits until something is ready or `timeout` has passed; for ever without one. A deadline is never met early:
    /// before Linux 5.11 a wait is rounded up to a millisecond.
    ///
    /// # Errors
    /// Those of epoll_wait(2) but `EINTR`.
    pub fn wait(&self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        let count = retry(|| match timeout {
            Some(wait) if !wait.is_zero() && self.exact.load(Ordering::Relaxed) => {
                self.wait_exactly(wait, &mut events).or_else(|error| {
                    // What filters system calls may refuse those that it does not know (seccomp(2)).
                    if !matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) {
                        return Err(error);
                    }
                    self.exact.store(false, Ordering::Relaxed);
                    self.wait_roughly(timeout, &mut events)
                })
            }
            timeout => self.wait_roughly(timeout, &mut events),
        })?;
        ready.clear();
        ready.extend(events[..count].iter().map(|event| Ready { token: event.u64 }));
        Ok(())
    }

    fn wait_exactly(&self, wait: Duration, events: &mut [libc::epoll_event; EVENTS]) -> io::Result<usize> {
        let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
        // As the kernel has a timespec on every machine: two numbers of 64 bits.
        let timespec = [seconds, i64::from(wait.subsec_nanos())];
        let (fd, room, no_mask) = (self.fd.as_raw_fd(), EVENTS as i32, std::ptr::null::<libc::sigset_t>());
        let (into, wait) = (events.as_mut_ptr(), timespec.as_ptr());
        // SAFETY: `events` is writable for EVENTS elements, `timespec` readable; without a mask its size says nothing.
        let count = unsafe { libc::syscall(libc::SYS_epoll_pwait2, fd, into, room, wait, no_mask, 0_usize) };
        cvt_len(count as libc::ssize_t)
    }

    fn wait_roughly(
        &self,
        timeout: Option<Duration>,
        events: &mut [libc::epoll_event; EVENTS],
    ) -> io::Result<usize> {
        let milliseconds =
            timeout.map_or(-1, |t| i32::try_from(t.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
        let (fd, into) = (self.fd.as_raw_fd(), events.as_mut_ptr());
        // SAFETY: `events` is writable for EVENTS elements.
        let count = cvt(unsafe { libc::epoll_wait(fd, into, EVENTS as i32, milliseconds) })?;
        Ok(usize::try_from(count).unwrap_or(0))
    }
}
