//! Children: posix_spawn(3), process groups and waiting.

use std::ffi::CString;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::signal::{empty_set, full_set};
use super::{cvt, retry};

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

/// What a child is made of.
#[derive(Debug)]
pub struct SpawnOptions<'a> {
    /// The program's path; not looked up.
    pub program: &'a Path,
    /// Its arguments, the program's name first.
    pub argv: &'a [Vec<u8>],
    /// `NAME=VALUE` strings: the whole environment.
    pub env: &'a [Vec<u8>],
    /// The directory it starts in.
    pub cwd: &'a Path,
    /// Its first three descriptors.
    pub fds: SpawnFds<'a>,
}

/// A child's descriptors 0, 1 and 2; it gets no others but those that were not close-on-exec.
#[derive(Debug)]
pub struct SpawnFds<'a> {
    /// Standard input; `/dev/null` without one.
    pub stdin: Option<BorrowedFd<'a>>,
    /// Standard output.
    pub stdout: BorrowedFd<'a>,
    /// Standard error.
    pub stderr: BorrowedFd<'a>,
}

/// Why no child was made.
#[derive(Debug)]
pub enum SpawnError {
    /// A NUL byte in an argument, variable or path.
    Nul,
    /// fork(2), chdir(2) or execve(2) failed.
    System(io::Error),
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nul => f.write_str("a NUL byte in an argument or variable"),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for SpawnError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// Starts a child as the leader of a process group of its own, no signal blocked and every disposition
/// at its default.
///
/// # Errors
/// [`SpawnError`]; `ENOENT` may mean the program, its interpreter or the directory.
pub fn spawn(options: &SpawnOptions<'_>) -> Result<Pid, SpawnError> {
    let program = c_string(options.program.as_os_str().as_bytes())?;
    let argv = c_strings(options.argv)?;
    let env = c_strings(options.env)?;
    let actions = FileActions::new(options)?;
    let attributes = Attributes::new()?;
    let (argv, env) = (pointers(&argv), pointers(&env));
    let mut pid = 0;
    // SAFETY: every pointer is to an initialised object that outlives the call; both arrays hold
    // NUL-terminated strings and end with a null pointer.
    let error = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            program.as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            argv.as_ptr(),
            env.as_ptr(),
        )
    };
    check(error)?;
    Ok(Pid(pid))
}

fn c_string(bytes: &[u8]) -> Result<CString, SpawnError> {
    CString::new(bytes).map_err(|_| SpawnError::Nul)
}

fn c_strings(all: &[Vec<u8>]) -> Result<Vec<CString>, SpawnError> {
    all.iter().map(|bytes| c_string(bytes)).collect()
}

fn pointers(strings: &[CString]) -> Vec<*mut libc::c_char> {
    strings.iter().map(|s| s.as_ptr().cast_mut()).chain([std::ptr::null_mut()]).collect()
}

/// The posix_spawn family answers the error itself.
fn check(error: libc::c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

struct FileActions(libc::posix_spawn_file_actions_t);

impl FileActions {
    fn new(options: &SpawnOptions<'_>) -> Result<Self, SpawnError> {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: `raw` is writable.
        check(unsafe { libc::posix_spawn_file_actions_init(raw.as_mut_ptr()) })?;
        // SAFETY: the call succeeded, so it is initialised.
        let mut actions = Self(unsafe { raw.assume_init() });
        match options.fds.stdin {
            Some(fd) => actions.dup(fd.as_raw_fd(), libc::STDIN_FILENO)?,
            None => actions.open_null()?,
        }
        actions.dup(options.fds.stdout.as_raw_fd(), libc::STDOUT_FILENO)?;
        actions.dup(options.fds.stderr.as_raw_fd(), libc::STDERR_FILENO)?;
        actions.chdir(&c_string(options.cwd.as_os_str().as_bytes())?)?;
        Ok(actions)
    }

    fn dup(&mut self, from: RawFd, to: RawFd) -> io::Result<()> {
        // SAFETY: the actions are initialised.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.0, from, to) })
    }

    fn open_null(&mut self) -> io::Result<()> {
        let (fd, null) = (libc::STDIN_FILENO, c"/dev/null".as_ptr());
        // SAFETY: the actions are initialised and copy the path.
        check(unsafe { libc::posix_spawn_file_actions_addopen(&raw mut self.0, fd, null, libc::O_RDONLY, 0) })
    }

    fn chdir(&mut self, path: &CString) -> io::Result<()> {
        // SAFETY: the actions are initialised and copy the path.
        check(unsafe { libc::posix_spawn_file_actions_addchdir_np(&raw mut self.0, path.as_ptr()) })
    }
}

impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: initialised by `new`, destroyed once.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new() -> io::Result<Self> {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: `raw` is writable.
        check(unsafe { libc::posix_spawnattr_init(raw.as_mut_ptr()) })?;
        // SAFETY: the call succeeded, so it is initialised.
        let mut attributes = Self(unsafe { raw.assume_init() });
        let flags = libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
        let (none, all) = (empty_set(), full_set());
        let raw = &raw mut attributes.0;
        // SAFETY: the attributes are initialised.
        check(unsafe { libc::posix_spawnattr_setflags(raw, flags as libc::c_short) })?;
        // SAFETY: the attributes are initialised.
        check(unsafe { libc::posix_spawnattr_setpgroup(raw, 0) })?;
        // SAFETY: the attributes and the set are initialised.
        check(unsafe { libc::posix_spawnattr_setsigmask(raw, &raw const none) })?;
        // SAFETY: the attributes and the set are initialised.
        check(unsafe { libc::posix_spawnattr_setsigdefault(raw, &raw const all) })?;
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised by `new`, destroyed once.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
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
