//! The processes of the runs: started, read from, signalled and waited for.

pub(super) mod cgroup;
pub(super) mod credentials;
pub(super) mod environment;
pub(super) mod exits;
pub(super) mod proc;
pub(super) mod readiness;
pub(super) mod start;
pub(super) mod tree;

use std::collections::{HashMap, HashSet};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use self::cgroup::Cgroup;
use self::credentials::setup;
use self::environment::{Environment, explain};
use self::readiness::Waking;
use self::tree::{Orphans, Tree};
use super::output::sink::Sink;
use super::output::{Flow, Flows, STREAMS};
use super::view::Screen;
use crate::dispatch::{Excerpt, Job, Part, RunId, StdinSource, Variable};
use crate::rules::{Contain, Rule};
use crate::sys::{
    Epoll, Keeper, Pid, SpawnError, SpawnFds, SpawnOptions, WindowSize, foreground_group, is_executable,
    memory_file, pipe, pseudo_terminal, read, reap, set_foreground_group, set_window_size, signal_group,
    spawn, stderr, stdout, window_size,
};
use crate::time::MonoTime;

/// What a pipe holds by default (pipe(7)).
const BUFFER: usize = 64 * 1024;

#[derive(Debug)]
struct Child {
    pid: Pid,
    tree: Tree,
    streams: [Option<Stream>; STREAMS],
    /// Where what comes from them goes.
    flow: Option<Flow>,
    /// What a service is waited for to be.
    waking: Option<Waking>,
    /// Whether the line that it was waited for to write has come, and nobody has asked since.
    said_so: bool,
    /// Whether its first stream is a terminal.
    tty: bool,
    /// What `TRIPLINE_PATHS_FILE` names.
    _paths: Option<OwnedFd>,
    /// The group that had the terminal before.
    foreground: Option<Pid>,
}

#[derive(Debug)]
struct Stream {
    fd: OwnedFd,
    polled: bool,
}

/// Our ends of what a process writes to, and its own.
type Ends = [Option<(OwnedFd, OwnedFd)>; STREAMS];

/// Why a job has no process, in words.
#[derive(Debug)]
pub(super) enum NotStarted {
    /// It cannot have one.
    Never(String),
    /// The system has no room for one at the moment.
    NotNow(String),
}

/// Whether the system lacked descriptors, processes or memory, which others give back.
fn is_passing(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    matches!(code, Some(libc::EAGAIN | libc::EMFILE | libc::ENFILE | libc::ENOMEM))
}

/// All runs that have a process.
#[derive(Debug)]
pub(super) struct Children {
    by_run: HashMap<RunId, Child>,
    by_pid: HashMap<Pid, RunId>,
    /// Children from before tripline was tripline, as a shell leaves them with `exec`.
    pub(super) strangers: HashSet<i32>,
    keeper: Option<Keeper>,
    flows: Flows,
    pub(super) environment: Environment,
    buffer: Vec<u8>,
}

impl Children {
    /// `several` is whether there are rules to be told apart, `remembers` whether their runs are remembered.
    pub(super) fn new(
        environment: Environment,
        keeper: Option<Keeper>,
        several: bool,
        remembers: bool,
        screen: Option<Arc<dyn Screen>>,
    ) -> Self {
        let (by_run, by_pid) = (HashMap::new(), HashMap::new());
        let flows = Flows::new(several, remembers, screen);
        let strangers = proc::children(std::process::id().cast_signed()).into_iter().collect();
        Self { by_run, by_pid, strangers, keeper, flows, environment, buffer: vec![0; BUFFER] }
    }

    /// Whether there are rules to be told apart, and their runs are remembered, from the next process on.
    pub(super) const fn go_by(&mut self, several: bool, remembers: bool) {
        self.flows.go_by(several, remembers);
    }

    /// Starts a job's process.
    ///
    /// # Errors
    /// [`NotStarted`], which tells whether another try may do better.
    pub(super) fn start(
        &mut self,
        job: &Job,
        sinks: &mut [Sink; STREAMS],
        epoll: &Epoll,
    ) -> Result<(), NotStarted> {
        let program = self.environment.program(job, is_executable);
        let program = program.ok_or_else(|| NotStarted::Never("not found in PATH".to_owned()))?;
        let flow = self.flows.open(job).map_err(|error| NotStarted::NotNow(error.to_string()))?;
        if flow.is_none() {
            // What it writes by itself comes after what has been told.
            sinks.iter_mut().for_each(|sink| sink.flush_added(epoll));
        }
        let child = self.spawn(job, &program, flow, sinks).map_err(|error| match error {
            SpawnError::System(error) | SpawnError::Setup { error, .. } if is_passing(&error) => {
                NotStarted::NotNow(error.to_string())
            }
            SpawnError::System(error) => NotStarted::Never(explain(&error, &program, &job.cwd)),
            SpawnError::Nul | SpawnError::Setup { .. } => NotStarted::Never(error.to_string()),
        })?;
        self.by_pid.insert(child.pid, job.run);
        self.by_run.insert(job.run, child);
        self.poll(job.run, true, epoll);
        Ok(())
    }

    /// The files that a command is told of, and the variables that name them.
    fn files<'a>(&'a self, job: &Job, paths: Option<&'a OwnedFd>) -> Vec<(&'static str, BorrowedFd<'a>)> {
        let output = self.flows.kept(job).map(|fd| ("TRIPLINE_OUTPUT_FILE", fd));
        paths.map(|fd| ("TRIPLINE_PATHS_FILE", fd.as_fd())).into_iter().chain(output).collect()
    }

    /// Whether a service is ready, as far as is known here.
    pub(super) fn is_ready(&self, run: RunId) -> bool {
        let waking = self.by_run.get(&run).and_then(|child| child.waking.as_ref());
        waking.is_some_and(Waking::is_ready)
    }

    /// Whether a service has become ready with what it has written; answered once.
    pub(super) fn has_said_so(&mut self, run: RunId) -> bool {
        let child = self.by_run.get_mut(&run);
        child.is_some_and(|child| std::mem::take(&mut child.said_so)) && self.is_ready(run)
    }

    /// Shows what a run has written, now that it has ended, if that has waited.
    pub(super) fn show(&self, run: RunId, failed: bool, sinks: &mut [Sink; STREAMS], epoll: &Epoll) {
        self.flows.show(run, failed, &mut sinks[0], epoll);
    }

    /// Nothing more comes of a run. Answers what it has written, as far as that is remembered.
    pub(super) fn forget(&mut self, run: RunId, sinks: &mut [Sink; STREAMS], epoll: &Epoll) -> Excerpt {
        self.flows.forget(run, &mut sinks[0], epoll)
    }

    /// Gives the terminals of commands the size of ours.
    pub(super) fn resize(&self) {
        let size = self.terminal_size();
        let lives = |child: &&Child| child.tty && self.by_pid.contains_key(&child.pid);
        for child in self.by_run.values().filter(lives) {
            if let Some(Stream { fd, .. }) = &child.streams[0] {
                let _ = set_window_size(fd.as_fd(), size);
                // It is nobody's controlling terminal, so the kernel tells nobody.
                signal_group(child.pid, libc::SIGWINCH);
            }
        }
    }

    /// The size of the terminal that a command's output is shown on.
    fn terminal_size(&self) -> WindowSize {
        let own = || window_size(stdout()).or_else(|| window_size(stderr()));
        self.flows.size().or_else(own).unwrap_or_default()
    }

    /// What a job's process writes to, if it is not what tripline writes to.
    fn ends(&self, job: &Job, flow: &Flow) -> io::Result<Ends> {
        if flow.tty {
            return Ok([Some(pseudo_terminal(self.terminal_size())?), None]);
        }
        let one = self.flows.is_one(job);
        Ok([Some(pipe()?), if one { None } else { Some(pipe()?) }])
    }

    fn spawn(
        &self,
        job: &Job,
        program: &Path,
        flow: Option<Flow>,
        sinks: &[Sink; STREAMS],
    ) -> Result<Child, SpawnError> {
        let rule = &*job.rule;
        let paths = if job.paths.is_empty() { None } else { Some(memory_file(&job.paths)?) };
        let content = match &job.stdin {
            StdinSource::Bytes(bytes) => Some(memory_file(bytes)?),
            StdinSource::Null | StdinSource::Inherit => None,
        };
        let ends = flow.as_ref().map_or(Ok([None, None]), |flow| self.ends(job, flow))?;
        let [out, err] = &ends;
        let (out, err) = (out.as_ref().map(|(_, end)| end.as_fd()), err.as_ref().map(|(_, end)| end.as_fd()));
        let own_stdin = io::stdin();
        let inherited = job.stdin == StdinSource::Inherit && !self.flows.has_keys(own_stdin.is_terminal());
        let fds = SpawnFds {
            stdin: content.as_ref().map(AsFd::as_fd).or_else(|| inherited.then(|| own_stdin.as_fd())),
            stdout: out.unwrap_or(sinks[0].fd()),
            stderr: err.or(out).unwrap_or(sinks[1].fd()),
        };
        let files = self.files(job, paths.as_ref());
        let given = rule.setup.account.is_some();
        let env = self.environment.of(job, &rule.setup, &named(&files, given))?;
        let more: Vec<_> = files.iter().filter(|_| given).map(|(_, fd)| *fd).collect();
        let cgroup = cgroup(job.run, rule);
        let (procs, setup) = (cgroup.as_ref().map(Cgroup::procs), setup(&rule.setup));
        let (argv, cwd, keeper) = (&job.argv, &job.cwd, self.keeper.as_ref());
        let pid = spawn(&SpawnOptions {
            program,
            argv,
            env: &env,
            cwd,
            fds,
            more: &more,
            keeper,
            cgroup: procs,
            setup,
        })?;
        let tty = flow.as_ref().is_some_and(|flow| flow.tty);
        let streams = ends.map(|ends| ends.map(|(fd, _)| Stream { fd, polled: false }));
        let foreground = if inherited { give_terminal(own_stdin.as_fd(), pid) } else { None };
        let ready = rule.service.as_ref().and_then(|service| service.ready.clone());
        let waking = ready.filter(|_| job.part == Part::Service).map(Waking::new);
        Ok(Child {
            pid,
            tree: Tree::new(job.run, pid, cgroup, rule.stop_signal),
            streams,
            waking,
            said_so: false,
            flow,
            tty,
            _paths: paths,
            foreground,
        })
    }

    /// The run whose leader this is.
    pub(super) fn run_of(&self, pid: Pid) -> Option<RunId> {
        self.by_pid.get(&pid).copied()
    }

    /// The process that leads a run's group.
    pub(super) fn pid_of(&self, run: RunId) -> Option<Pid> {
        self.by_run.get(&run).map(|child| child.pid)
    }

    fn orphans(&self) -> Orphans {
        let only = self.by_run.keys().next().filter(|_| self.by_run.len() == 1 && self.strangers.is_empty());
        Orphans::find(&self.strangers, |pid| self.run_of(pid), only.copied())
    }

    /// Sends a signal to every process of a run.
    pub(super) fn signal(&mut self, run: RunId, signal: i32) {
        let orphans = self.orphans();
        if let Some(child) = self.by_run.get_mut(&run) {
            child.tree.signal(signal, &orphans);
        }
    }

    /// Waits for a leader that has ended.
    pub(super) fn reap(&mut self, run: RunId) {
        if let Some(child) = self.by_run.get_mut(&run) {
            child.tree.reap();
            self.by_pid.remove(&child.pid);
        }
    }

    /// Waits for another child that has ended.
    pub(super) fn reap_orphan(&mut self, pid: Pid) {
        reap(pid);
        self.strangers.remove(&pid.0);
    }

    /// The runs of which nothing is left.
    pub(super) fn gone(&mut self, now: MonoTime) -> Vec<RunId> {
        let orphans = self.orphans();
        let gone = self
            .by_run
            .iter_mut()
            .filter_map(|(&run, child)| child.tree.is_gone(&orphans, now).then_some(run));
        gone.collect()
    }

    /// When something that was told to end is to be reminded.
    pub(super) fn deadline(&self) -> Option<MonoTime> {
        self.by_run.values().filter_map(|child| child.tree.deadline()).min()
    }

    /// Reminds what was told to end, where it is time.
    pub(super) fn remind(&mut self, now: MonoTime) {
        if self.deadline().is_some_and(|at| at <= now) {
            let orphans = self.orphans();
            self.by_run.values_mut().for_each(|child| child.tree.remind(&orphans, now));
        }
    }

    /// Kills what no run was found for.
    pub(super) fn kill_strays(&self) {
        self.orphans().kill();
    }

    /// Forgets a run, its last output passed on.
    pub(super) fn remove(&mut self, run: RunId, sinks: &mut [Sink; STREAMS], epoll: &Epoll) {
        for stream in 0..STREAMS {
            while self.pass_on(run, stream, sinks, epoll) {}
        }
        let Some(child) = self.by_run.remove(&run) else { return };
        if let Some(keeper) = &self.keeper {
            keeper.release(child.pid);
        }
        if let Some(mut flow) = child.flow {
            for (at, _) in child.streams.iter().enumerate().filter(|(_, stream)| stream.is_some()) {
                Flows::end(&mut flow, at, &mut sinks[at], epoll);
            }
        }
        if let Some(group) = child.foreground {
            let _ = set_foreground_group(io::stdin().as_fd(), group);
        }
    }

    /// Passes on what a run has written to one of its streams; answers whether there may be more.
    pub(super) fn pass_on(
        &mut self,
        run: RunId,
        at: usize,
        sinks: &mut [Sink; STREAMS],
        epoll: &Epoll,
    ) -> bool {
        let Some(child) = self.by_run.get_mut(&run) else { return false };
        let Some(stream) = &mut child.streams[at] else { return false };
        let Some(flow) = &mut child.flow else { return false };
        match read(stream.fd.as_fd(), &mut self.buffer) {
            Ok(Some(bytes)) => {
                child.said_so |= child.waking.as_mut().is_some_and(|waking| waking.see(at, bytes));
                self.flows.pass(flow, at, bytes, &mut sinks[at], epoll);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            // A terminal ends with an error (pty(7)).
            Ok(None) | Err(_) => {
                Flows::end(flow, at, &mut sinks[at], epoll);
                // Closing it takes it out of the epoll set.
                child.streams[at] = None;
                false
            }
        }
    }

    /// Reads from the children, or lets them wait.
    pub(super) fn poll_all(&mut self, wanted: bool, epoll: &Epoll) {
        let runs: Vec<_> = self.by_run.keys().copied().collect();
        for run in runs {
            self.poll(run, wanted, epoll);
        }
    }

    fn poll(&mut self, run: RunId, wanted: bool, epoll: &Epoll) {
        let Some(child) = self.by_run.get_mut(&run) else { return };
        for (at, stream) in child.streams.iter_mut().enumerate() {
            if let Some(stream) = stream
                && stream.polled != wanted
            {
                let fd = stream.fd.as_fd();
                let done = if wanted { epoll.add_readable(fd, token(run, at)) } else { epoll.remove(fd) };
                stream.polled = wanted && done.is_ok();
            }
        }
    }
}

/// How epoll names a run's stream. Run ids begin at 1, so that the numbers below 2 are free.
pub(super) const fn token(run: RunId, stream: usize) -> u64 {
    run.0 * STREAMS as u64 + stream as u64
}

/// The run and stream that a token names.
pub(super) const fn of_token(token: u64) -> (RunId, usize) {
    (RunId(token / STREAMS as u64), (token % STREAMS as u64) as usize)
}

/// A path by which a child, which does not inherit the descriptor, can open the file.
fn path_of(file: BorrowedFd<'_>) -> Vec<u8> {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()).into_bytes()
}

/// The first descriptor after standard input, output and error.
const FIRST_FILE: usize = 3;

/// A path by which a child that has the descriptor can open the file.
fn own_path(descriptor: usize) -> Vec<u8> {
    format!("/proc/self/fd/{descriptor}").into_bytes()
}

/// Makes a run's group the terminal's foreground, if tripline is that now: one in the background is
/// stopped when it reads. It may have tried already.
fn give_terminal(terminal: BorrowedFd<'_>, group: Pid) -> Option<Pid> {
    let before = foreground_group(terminal).ok()?;
    set_foreground_group(terminal, group).ok()?;
    signal_group(group, libc::SIGCONT);
    Some(before)
}

/// A control group for a run that is to have one, if it can.
fn cgroup(run: RunId, rule: &Rule) -> Option<Cgroup> {
    if rule.contain != Contain::Cgroup {
        return None;
    }
    let made = Cgroup::new(run);
    if let Err(error) = &made {
        let name = &rule.name;
        tracing::warn!(
            "{name}: without a control group: {error}; what it starts is ended as far as it is found"
        );
    }
    made.ok()
}

/// The variables that name files. Another user may not look at tripline's descriptors, and so is given its own.
fn named(files: &[(&'static str, BorrowedFd<'_>)], given: bool) -> Vec<Variable> {
    let variable = |(number, (name, fd)): (usize, &(&str, BorrowedFd<'_>))| {
        let path = if given { own_path(FIRST_FILE + number) } else { path_of(*fd) };
        (name.as_bytes().to_vec(), path)
    };
    files.iter().enumerate().map(variable).collect()
}
