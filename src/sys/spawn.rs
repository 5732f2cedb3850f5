//! Starting a child, set up between clone(2) and execve(2) as posix_spawn(3) cannot do it.
//!
//! The child borrows this process's memory while the calling thread waits, as after vfork(2): no page table is
//! copied, and what the child could not do it tells by writing it down. In it runs nothing but system calls.

use std::borrow::Cow;
use std::ffi::{CStr, CString, NulError};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use super::group_guard::Keeper;
use super::process::{Pid, reap};
use super::signal::{empty_set, full_set, set_mask};
use super::{cvt, cvt_len};

/// What a child is made of.
#[derive(Debug)]
pub struct SpawnOptions<'a> {
    /// The program's path; not looked up.
    pub program: &'a Path,
    /// Its arguments, the program's name first.
    pub argv: &'a [Vec<u8>],
    /// `NAME=VALUE` strings: the whole environment.
    pub env: &'a [Cow<'a, CStr>],
    /// The directory it starts in.
    pub cwd: &'a Path,
    /// Its first three descriptors.
    pub fds: SpawnFds<'a>,
    /// Its descriptors from 3 on.
    pub more: &'a [BorrowedFd<'a>],
    /// What else it is given and denied.
    pub setup: SpawnSetup,
    /// Who is to guard its process group.
    pub keeper: Option<&'a Keeper>,
    /// The `cgroup.procs` of the control group that it is to be in, open for writing.
    pub cgroup: Option<BorrowedFd<'a>>,
}

/// What a child is given and denied beside its descriptors.
#[derive(Debug, Default)]
pub struct SpawnSetup {
    /// Whom it runs as, if not as this process. Where that is the same, nothing is asked of the kernel.
    pub identity: Option<Credentials>,
    /// Its file mode creation mask (umask(2)).
    pub umask: Option<u32>,
    /// Its niceness, from -20 to 19 (setpriority(2)).
    pub nice: Option<i32>,
    /// Limits by the kernel's numbers, for both the soft and the hard one (setrlimit(2)).
    pub limits: Vec<(u32, u64)>,
}

/// Whom a process runs as (credentials(7)).
#[derive(Debug)]
pub struct Credentials {
    /// The user, if it is another one.
    pub uid: Option<u32>,
    /// The group.
    pub gid: u32,
    /// All supplementary groups.
    pub groups: Vec<u32>,
}

/// A child's descriptors 0, 1 and 2.
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
    /// clone(2), execve(2) or a step between them failed.
    System(io::Error),
    /// What [`SpawnSetup`] or the control group asks for was refused.
    Setup {
        /// What.
        what: &'static str,
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nul => f.write_str("a NUL byte in an argument or variable"),
            Self::System(error) => error.fmt(f),
            Self::Setup { what, error } => write!(f, "{what}: {error}"),
        }
    }
}

impl From<NulError> for SpawnError {
    fn from(_: NulError) -> Self {
        Self::Nul
    }
}

impl From<io::Error> for SpawnError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// Starts a child as the leader of a process group of its own, no signal blocked and every disposition at its
/// default. The child is killed when the calling thread ends, however it does: call it from the main
/// thread.
///
/// # Errors
/// [`SpawnError`]; `ENOENT` may mean the program, its interpreter or the directory.
pub fn spawn(options: &SpawnOptions<'_>) -> Result<Pid, SpawnError> {
    let program = CString::new(options.program.as_os_str().as_bytes())?;
    let cwd = CString::new(options.cwd.as_os_str().as_bytes())?;
    let argv: Vec<_> =
        options.argv.iter().map(|word| CString::new(word.as_slice())).collect::<Result<_, _>>()?;
    let child = Child {
        program: &program,
        argv: pointers(&argv),
        env: pointers(options.env),
        cwd: &cwd,
        stdin: options.fds.stdin.map(|fd| fd.as_raw_fd()),
        output: [options.fds.stdout.as_raw_fd(), options.fds.stderr.as_raw_fd()],
        more: options.more.iter().map(AsRawFd::as_raw_fd).collect(),
        setup: &options.setup,
        keeper: options.keeper,
        cgroup: options.cgroup.map(|fd| fd.as_raw_fd()),
        signals: not_default(),
        parent: std::process::id(),
        step: AtomicUsize::new(0),
        error: AtomicI32::new(0),
    };
    // A handler that ran in the child would run in our memory.
    let mask = set_mask(&full_set());
    let pid = clone(&child);
    set_mask(&mask);
    let pid = pid?;
    match child.error.load(Ordering::Relaxed) {
        0 => Ok(pid),
        error => {
            reap(pid);
            options.keeper.inspect(|keeper| keeper.release(pid));
            let error = io::Error::from_raw_os_error(error);
            Err(match STEPS.get(child.step.load(Ordering::Relaxed)).copied().unwrap_or_default() {
                "" => SpawnError::System(error),
                what => SpawnError::Setup { what, error },
            })
        }
    }
}

fn pointers<S: AsRef<CStr>>(strings: &[S]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ref().as_ptr()).chain([std::ptr::null()]).collect()
}

/// What the child is doing, in the order in which it does it; nothing where the error says enough.
const STEPS: [&str; 7] = [
    "",
    "/dev/null cannot be opened",
    "its control group cannot be entered",
    "its limits cannot be set",
    "its niceness cannot be set",
    "it cannot run as that user or group",
    "",
];

/// Everything that the child needs, made before it is there: it must not allocate.
struct Child<'a> {
    program: &'a CString,
    /// These two end with a null pointer.
    argv: Vec<*const libc::c_char>,
    env: Vec<*const libc::c_char>,
    cwd: &'a CString,
    stdin: Option<RawFd>,
    output: [RawFd; 2],
    more: Vec<RawFd>,
    setup: &'a SpawnSetup,
    keeper: Option<&'a Keeper>,
    cgroup: Option<RawFd>,
    /// The signals to put to their default.
    signals: &'static [libc::c_int],
    parent: u32,
    /// Where in [`STEPS`] it is.
    step: AtomicUsize,
    /// What the step that failed left in `errno`.
    error: AtomicI32,
}

/// Runs `child` in a child, and waits until that has become its program or has ended.
fn clone(child: &Child<'_>) -> io::Result<Pid> {
    /// Several times what the few frames and the dynamic linker take.
    const STACK: usize = 128 * 1024;
    let mut stack = Vec::<u128>::with_capacity(STACK / size_of::<u128>());
    // SAFETY: it stays within the allocation, or one past its end: stacks grow down.
    let top = unsafe { stack.as_mut_ptr().add(stack.capacity()) };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let argument = std::ptr::from_ref(child).cast_mut().cast();
    // SAFETY: the stack and `child` outlive the child's use of them, since with CLONE_VFORK the call returns
    // after the child is done with this memory; `enter` only reads `child`, but for an atomic.
    let pid = cvt(unsafe { libc::clone(enter, top.cast(), flags, argument) })?;
    Ok(Pid(pid))
}

extern "C" fn enter(argument: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `clone` passes a reference to a `Child`, which lives as long as this runs.
    let child = unsafe { &*argument.cast::<Child<'_>>() };
    let Err(error) = child.become_program();
    child.error.store(error.raw_os_error().unwrap_or(libc::EINVAL), Ordering::Relaxed);
    127
}

/// Nothing that is not.
enum Never {}

impl Child<'_> {
    /// All of this happens in the child, in memory that is the parent's: each step is a system call.
    fn become_program(&self) -> io::Result<Never> {
        default_signals(self.signals);
        // SAFETY: takes no pointer.
        cvt(unsafe { libc::setpgid(0, 0) })?;
        if let Some(keeper) = self.keeper {
            // The parent may be dead before it could do this.
            // SAFETY: takes no pointer.
            keeper.guard(Pid(unsafe { libc::getpid() }));
        }
        self.descriptors()?;
        self.step(2);
        if let Some(procs) = self.cgroup {
            // SAFETY: the buffer is one byte long; "0" is the writer itself (cgroups(7)).
            cvt_len(unsafe { libc::write(procs, c"0".as_ptr().cast(), 1) })?;
        }
        self.step(3);
        self.limits()?;
        self.step(4);
        self.manners()?;
        self.step(5);
        self.identity()?;
        self.step(6);
        // SAFETY: the path is NUL-terminated.
        cvt(unsafe { libc::chdir(self.cwd.as_ptr()) })?;
        self.die_with_parent()?;
        set_mask(&empty_set());
        // SAFETY: the path and the strings are NUL-terminated, the arrays end with a null pointer.
        cvt(unsafe { libc::execve(self.program.as_ptr(), self.argv.as_ptr(), self.env.as_ptr()) })?;
        Err(io::Error::from_raw_os_error(libc::EINVAL))
    }

    fn step(&self, number: usize) {
        self.step.store(number, Ordering::Relaxed);
    }

    fn limits(&self) -> io::Result<()> {
        for &(resource, limit) in &self.setup.limits {
            let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
            // SAFETY: `limit` is initialised.
            cvt(unsafe { libc::setrlimit(resource as _, &raw const limit) })?;
        }
        Ok(())
    }

    fn manners(&self) -> io::Result<()> {
        if let Some(mask) = self.setup.umask {
            // SAFETY: takes no pointer.
            unsafe { libc::umask(mask) };
        }
        if let Some(nice) = self.setup.nice {
            // SAFETY: takes no pointer.
            cvt(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) })?;
        }
        Ok(())
    }

    /// By bare system calls: the functions of the C library would do the same to every thread of the parent, whose
    /// list of threads this is (nptl(7)).
    fn identity(&self) -> io::Result<()> {
        let Some(identity) = &self.setup.identity else { return Ok(()) };
        // SAFETY: takes no pointer.
        let (uid, gid) = (unsafe { libc::geteuid() }, identity.gid);
        // SAFETY: takes no pointer.
        let group = unsafe { libc::getegid() };
        if uid != 0 && identity.uid.is_none_or(|wanted| wanted == uid) && gid == group {
            return Ok(());
        }
        let (count, groups) = (identity.groups.len(), identity.groups.as_ptr());
        // SAFETY: `groups` holds `count` numbers of groups.
        cvt_len(unsafe { libc::syscall(libc::SYS_setgroups, count, groups) } as libc::ssize_t)?;
        // SAFETY: takes no pointer.
        cvt_len(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) } as libc::ssize_t)?;
        if let Some(uid) = identity.uid {
            // SAFETY: takes no pointer.
            cvt_len(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) } as libc::ssize_t)?;
        }
        Ok(())
    }

    fn descriptors(&self) -> io::Result<()> {
        self.first_three()?;
        // None of them is a number below 3 plus their count: those are the parent's own, from its start.
        for (number, &fd) in self.more.iter().enumerate() {
            duplicate(fd, number as RawFd + 3)?;
        }
        Ok(())
    }

    fn first_three(&self) -> io::Result<()> {
        match self.stdin {
            Some(fd) => duplicate(fd, libc::STDIN_FILENO)?,
            None => {
                let (path, flags) = (c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
                self.step(1);
                // SAFETY: the path is NUL-terminated.
                let null = cvt(unsafe { libc::open(path, flags) })?;
                self.step(0);
                duplicate(null, libc::STDIN_FILENO)?;
            }
        }
        duplicate(self.output[0], libc::STDOUT_FILENO)?;
        duplicate(self.output[1], libc::STDERR_FILENO)
    }

    /// Has the child killed when the thread ends that made it (prctl(2), `PR_SET_PDEATHSIG`).
    fn die_with_parent(&self) -> io::Result<()> {
        // SAFETY: takes no pointer.
        cvt(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
        // SAFETY: takes no pointer.
        let parent = unsafe { libc::getppid() };
        // It may have died before.
        if parent.cast_unsigned() == self.parent {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::ESRCH))
        }
    }
}

/// Makes `from` the descriptor `to` of the program.
fn duplicate(from: RawFd, to: RawFd) -> io::Result<()> {
    if from == to {
        // dup2(2) would leave it close-on-exec.
        // SAFETY: takes no pointer.
        return cvt(unsafe { libc::fcntl(from, libc::F_SETFD, 0) }).map(drop);
    }
    // SAFETY: takes no pointer.
    cvt(unsafe { libc::dup2(from, to) }).map(drop)
}

/// The signals that are ignored or caught: those that this process was started with ignored, and what the standard
/// library does at the start. Nothing ignores another one later, so they are looked through once: there are 64.
fn not_default() -> &'static [libc::c_int] {
    static SIGNALS: OnceLock<Vec<libc::c_int>> = OnceLock::new();
    SIGNALS.get_or_init(|| (1..=libc::SIGRTMAX()).filter(|&signal| !is_default(signal)).collect())
}

fn is_default(signal: libc::c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: `action` is writable; nothing is set. The numbers that are the C library's own are refused.
    unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: zeroes are a valid `sigaction`, and the call fills it on success.
    unsafe { action.assume_init() }.sa_sigaction == libc::SIG_DFL
}

/// Signals that are ignored would stay so in the program; one that is caught would run its handler in our memory.
fn default_signals(signals: &[libc::c_int]) {
    let action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all zero is a valid value: SIG_DFL, no flag, an empty mask.
    let action = unsafe { action.assume_init() };
    for &signal in signals {
        // SAFETY: `action` is initialised.
        unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    }
}
