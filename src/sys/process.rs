//! Processes: groups, signals and waiting.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{cvt, cvt_len, own, retry};

/// A process, and the process group that it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pid(pub i32);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// A child that has ended and how, leaving it to be waited for: its number stays taken. None while all
/// run, or where there is none.
#[must_use]
pub fn peek_exit() -> Option<(Pid, Exit)> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` is writable.
    retry(|| cvt(unsafe { libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), options) })).ok()?;
    // SAFETY: zeroed before, filled by the call; all zero is a valid siginfo_t.
    let info = unsafe { info.assume_init() };
    // SAFETY: waitid fills the fields of SIGCHLD, or leaves them zero.
    let (pid, status) = (unsafe { info.si_pid() }, unsafe { info.si_status() });
    let exit = if info.si_code == libc::CLD_EXITED { Exit::Code(status) } else { Exit::Signal(status) };
    (pid != 0).then_some((Pid(pid), exit))
}

/// Waits for a child that has ended.
pub fn reap(pid: Pid) {
    // SAFETY: no status is asked for.
    let _ = retry(|| cvt(unsafe { libc::waitpid(pid.0, std::ptr::null_mut(), libc::WNOHANG) }));
}

/// Sends a signal to every process of the group that `leader` leads. A group that is gone is no error.
/// Sound while the leader is not waited for, or while the group is known not to be empty.
pub fn signal_group(leader: Pid, signal: i32) {
    // SAFETY: takes no pointer; the number is that of a group, never 0 or 1.
    let _ = cvt(unsafe { libc::killpg(leader.0, signal) });
}

/// Whether no process of the group is left, zombies included.
#[must_use]
pub fn group_is_empty(leader: Pid) -> bool {
    // SAFETY: takes no pointer; signal 0 only asks.
    let result = cvt(unsafe { libc::killpg(leader.0, 0) });
    result.is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH))
}

/// Has orphaned descendants become children of this process, so that they can be waited for
/// (prctl(2), `PR_SET_CHILD_SUBREAPER`).
///
/// # Errors
/// None on Linux 3.4 and later.
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: takes no pointer.
    cvt(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// Marks every open descriptor from `first` on close-on-exec, so that no child inherits what this
/// process was started with (close_range(2), Linux 5.11).
///
/// # Errors
/// `EINVAL` or `ENOSYS` on older kernels.
pub fn close_on_exec_from(first: u32) -> io::Result<()> {
    let (last, flags) = (libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
    // SAFETY: takes no pointer.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    cvt(result as libc::c_int).map(drop)
}

/// The bytes that arguments and environment may take together (sysconf(3), `_SC_ARG_MAX`).
#[must_use]
pub fn arg_limit() -> usize {
    // POSIX promises 4096 where the call cannot tell.
    // SAFETY: takes no pointer.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_ARG_MAX) }).unwrap_or(4096)
}

/// Whether `path` is a file that this process may execute.
#[must_use]
pub fn is_executable(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: `path` is NUL-terminated.
    let allowed = unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS) };
    allowed == 0
}

/// A process that cannot be mistaken for a later one of the same number (pidfd_open(2), Linux 5.3).
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// The process that has this number now.
    ///
    /// # Errors
    /// `ESRCH` if there is none, `EMFILE` at the limit of descriptors, `ENOSYS` on older kernels.
    pub fn open(pid: Pid) -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let fd = cvt_len(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.0, 0) } as libc::ssize_t)?;
        Ok(Self(own(fd as RawFd)))
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// `ESRCH` if it is no more, `EPERM` if it is another user's.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let (fd, info) = (self.0.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
        // SAFETY: no information is passed on.
        cvt_len(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, info, 0) } as libc::ssize_t)
            .map(drop)
    }
}
