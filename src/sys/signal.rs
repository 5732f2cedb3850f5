//! signalfd(2): signals as data for the event loop.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::{cvt, cvt_len, own, retry};

/// A signal that the event loop acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, SIGTERM or SIGQUIT, by its number: end.
    Stop(i32),
    /// SIGHUP: the terminal has gone, or somebody wants everything read again.
    Hangup,
    /// SIGCHLD: a child has changed state.
    Child,
    /// SIGWINCH: the terminal has another size.
    Resize,
    /// SIGTSTP: stop, as Ctrl-Z asks for.
    Suspend,
    /// SIGCONT: somebody had stopped the process.
    Continue,
    /// SIGUSR1: somebody wants to see the state.
    Show,
}

/// The signals of [`Signal`], blocked for the calling thread and readable from a descriptor.
#[derive(Debug)]
pub struct SignalFd {
    fd: OwnedFd,
}

const ALL: [libc::c_int; 7] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGQUIT, libc::SIGHUP, libc::SIGCHLD, libc::SIGWINCH, libc::SIGUSR1];

impl SignalFd {
    /// Blocks the signals in the calling thread and in those it starts from now on, and opens the
    /// descriptor. SIGTTOU is blocked too, so that taking back the terminal does not stop the process
    /// (tcsetpgrp(3)).
    ///
    /// # Errors
    /// `EMFILE` at the limit of descriptors.
    pub fn new() -> io::Result<Self> {
        Self::of(&ALL)
    }

    /// The same, with the signals that stop the process at a terminal and have it go on: it stops by
    /// [`stop_here`] alone.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_suspension() -> io::Result<Self> {
        Self::of(&[&ALL[..], &[libc::SIGTSTP, libc::SIGCONT]].concat())
    }

    fn of(signals: &[libc::c_int]) -> io::Result<Self> {
        let mut set = empty_set();
        for &signal in signals {
            add(&mut set, signal);
        }
        // SAFETY: `set` is initialised and outlives the call.
        let fd = cvt(unsafe { libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) })?;
        add(&mut set, libc::SIGTTOU);
        block(&set);
        Ok(Self { fd: own(fd) })
    }

    /// The next signal that has come, if one has.
    ///
    /// # Errors
    /// Those of read(2) but `EAGAIN` and `EINTR`.
    pub fn read(&self) -> io::Result<Option<Signal>> {
        const SIZE: usize = size_of::<libc::signalfd_siginfo>();
        let mut bytes = [0_u8; SIZE];
        let (fd, buffer) = (self.fd.as_raw_fd(), bytes.as_mut_ptr());
        // SAFETY: `bytes` is writable for SIZE bytes.
        match retry(|| cvt_len(unsafe { libc::read(fd, buffer.cast(), SIZE) })) {
            // `ssi_signo` is the structure's first field, 32 bits.
            Ok(_) => Ok(Some(match i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) {
                libc::SIGCHLD => Signal::Child,
                libc::SIGWINCH => Signal::Resize,
                libc::SIGHUP => Signal::Hangup,
                libc::SIGTSTP => Signal::Suspend,
                libc::SIGCONT => Signal::Continue,
                libc::SIGUSR1 => Signal::Show,
                signal => Signal::Stop(signal),
            })),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether this process was started with SIGHUP ignored, as nohup(1) does.
pub fn hangup_is_ignored() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: `action` is writable; nothing is set.
    let asked = cvt(unsafe { libc::sigaction(libc::SIGHUP, std::ptr::null(), action.as_mut_ptr()) });
    // SAFETY: zeroes are a valid `sigaction`, and the call fills it on success.
    asked.is_ok() && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Asks the process group to stop, as a terminal does at Ctrl-Z.
pub fn ask_to_stop() {
    // SAFETY: takes no pointer.
    unsafe { libc::kill(0, libc::SIGTSTP) };
}

/// Stops the process by SIGTSTP, which is blocked, and returns when it goes on. Where no shell could have it go on,
/// it does at once (setpgid(2), orphaned process groups).
pub fn stop_here() {
    let (before, mut open) = (set_mask(&full_set()), full_set());
    // SAFETY: `open` is initialised; the number is known.
    unsafe { libc::sigdelset(&raw mut open, libc::SIGTSTP) };
    // SAFETY: takes no pointer. It waits, being blocked.
    unsafe { libc::raise(libc::SIGTSTP) };
    set_mask(&open);
    set_mask(&before);
}

/// Blocks every signal in the calling thread: a thread that is not to be interrupted.
pub fn block_all() {
    block(&full_set());
}

pub(super) fn empty_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `set` is writable.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: sigemptyset cannot fail and has filled it.
    unsafe { set.assume_init() }
}

pub(super) fn full_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `set` is writable.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    // SAFETY: sigfillset cannot fail and has filled it.
    unsafe { set.assume_init() }
}

fn add(set: &mut libc::sigset_t, signal: libc::c_int) {
    // SAFETY: `set` is initialised; an unknown number is refused without effect.
    unsafe { libc::sigaddset(set, signal) };
}

/// Blocks these signals and no others in the calling thread; answers what was blocked before.
pub(super) fn set_mask(set: &libc::sigset_t) -> libc::sigset_t {
    let mut before = empty_set();
    // SAFETY: both sets are initialised.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, set, &raw mut before) };
    before
}

fn block(set: &libc::sigset_t) {
    // SAFETY: `set` is initialised; no old mask is asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set, std::ptr::null_mut()) };
}
