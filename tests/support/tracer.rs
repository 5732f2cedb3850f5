//! A tripline whose system calls are counted, by ptrace(2): all of its threads, and its children until they have
//! become a command.

use std::collections::BTreeMap;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use syscalls::Sysno;

use super::proc::until_stopped;
use super::running::Running;
use super::watching::LIMIT;

/// By name, how often each was called.
pub(crate) type Calls = BTreeMap<String, u64>;

pub(crate) struct Traced {
    running: Running,
    leader: Pid,
    calls: Calls,
}

impl Traced {
    /// Starts a command. What the shell calls that it is started by does not count.
    pub(crate) fn start(command: &Command) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "kill -STOP $$; exec \"$0\" \"$@\""]).arg(command.get_program());
        shell.args(command.get_args()).env_clear();
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(directory) = command.get_current_dir() {
            shell.current_dir(directory);
        }
        let running = Running::start(&mut shell);
        let leader = Pid::from_raw(running.pid().cast_signed());
        until_stopped(running.pid());
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACEEXEC;
        ptrace::seize(leader, options).unwrap();
        kill(leader, Signal::SIGCONT).unwrap();
        Self { running, leader, calls: Calls::new() }
    }

    /// What has been called since it was asked last, up to a line that it prints.
    pub(crate) fn calls_until(&mut self, last: impl Fn(&str) -> bool) -> Calls {
        let (start, mut lines) = (Instant::now(), Vec::new());
        loop {
            while self.turn(WaitPidFlag::WNOHANG) {}
            while let Some(line) = self.running.poll() {
                if last(&line) {
                    return std::mem::take(&mut self.calls);
                }
                lines.push(line);
            }
            assert!(start.elapsed() < LIMIT, "nothing more comes after {lines:#?}");
            // Nothing traced can go on meanwhile that this would hold up for long.
            thread::sleep(Duration::from_micros(20));
        }
    }

    /// Lets the next that has stopped go on; answers whether there was one.
    fn turn(&mut self, flags: WaitPidFlag) -> bool {
        let flags = flags | WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        match waitpid(None, Some(flags)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return false,
            Ok(WaitStatus::PtraceSyscall(task)) => self.count(task),
            Ok(WaitStatus::PtraceEvent(task, _, event)) => self.event(task, event),
            Ok(WaitStatus::Stopped(task, signal)) => go_on(task, Some(signal)),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => panic!("waitpid: {error}"),
        }
        true
    }

    /// At the start of a call, the register for its result says that there is no such call.
    fn count(&mut self, task: Pid) {
        if let Ok(registers) = ptrace::getregs(task)
            && registers.rax.cast_signed() == -i64::from(libc::ENOSYS)
            && !is_check(&registers)
        {
            let name = Sysno::new(registers.orig_rax as usize).map_or("unknown", |call| call.name());
            *self.calls.entry(name.to_owned()).or_default() += 1;
        }
        go_on(task, None);
    }

    fn event(&mut self, task: Pid, event: i32) {
        let executes = event == Event::PTRACE_EVENT_EXEC as i32;
        match executes {
            true if task == self.leader => self.calls.clear(),
            true => {
                let _ = ptrace::detach(task, None);
                return;
            }
            false => {}
        }
        go_on(task, None);
    }
}

/// Whether it only asks if a descriptor is open: the standard library does before it closes one, in debug builds.
fn is_check(registers: &libc::user_regs_struct) -> bool {
    registers.orig_rax == libc::SYS_fcntl as u64 && registers.rsi == libc::F_GETFD as u64
}

/// It may have been killed meanwhile.
fn go_on(task: Pid, signal: Option<Signal>) {
    let _ = ptrace::syscall(task, signal);
}

impl Drop for Traced {
    /// Nobody else can wait for what is traced.
    fn drop(&mut self) {
        let _ = kill(self.leader, Signal::SIGKILL);
        while self.turn(WaitPidFlag::empty()) {}
    }
}
