//! The driver: the thin shell around the core. One epoll over signals, the watcher's messages, children's
//! output and tripline's own, with the core's deadline as its timeout.

mod control;
mod display;
mod error;
mod initial_files;
mod output;
mod process;
mod reload;
mod run_recorder;
mod service_manager;
mod view;

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

pub use self::control::Control;
use self::control::metrics::Metrics;
pub use self::control::socket::Endpoint;
use self::control::socket::{MOST, Server};
pub use self::error::RunError;
use self::initial_files::existing;
use self::output::sink::Sink;
pub use self::process::cgroup::control_groups_work;
use self::process::environment::Environment;
use self::process::{Children, of_token};
pub use self::reload::Origin;
use self::reload::Reloader;
use self::run_recorder::Memory;
pub use self::run_recorder::Remember;
use self::service_manager::Manager;
pub use self::view::{Errand, Screen, View};
use super::{Core, Effect, Input, Job, Limits, Refusal, Until};
use crate::event::Scope;
use crate::rules::Rules;
use crate::sys::{
    Epoll, Keeper, Pid, Ready, Signal, SignalFd, arg_limit, become_subreaper, close_on_exec_from,
    hangup_is_ignored, stderr, stdout,
};
use crate::time::{Clock, MonoTime};
use crate::watch::{Message, Notice, Watcher};

/// What becomes of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It runs.
    Live,
    /// It is shown, and has succeeded at once.
    Dry,
}

/// For how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Until a signal ends it.
    Stopped,
    /// Until the first run has ended.
    FirstRun,
    /// Once, for what is there: nothing is watched.
    Once,
}

/// How long a reader may let the end wait that was asked for.
const PATIENCE: Duration = Duration::from_millis(200);

const STDOUT: u64 = u64::MAX;
const STDERR: u64 = u64::MAX - 1;
const SIGNALS: u64 = u64::MAX - 2;
const WATCHER: u64 = u64::MAX - 3;
const RULES: u64 = u64::MAX - 4;
const CONTROL: u64 = u64::MAX - 5;
const SOCKET: u64 = u64::MAX - 6;
/// The first client of the socket; the others have the numbers below it.
const CLIENTS: u64 = u64::MAX - 7;
const LAST_CLIENT: u64 = CLIENTS - MOST as u64 + 1;

/// Runs the rules for that long, reads them again from `origin` when they change, and does what others ask for
/// through `control`. Answers the exit code: 0 if a signal ended what was to go on until then; otherwise the worst
/// of the commands' codes, and no less than 128 and the signal's number if one came. Blocks SIGINT, SIGTERM,
/// SIGHUP, SIGQUIT, SIGUSR1 and SIGCHLD in the calling thread, and makes the process a subreaper.
///
/// # Errors
/// [`RunError`]; whatever runs by then is killed.
pub fn run(
    rules: &Arc<Rules>,
    origin: Option<Origin>,
    mode: Mode,
    span: Span,
    view: &mut dyn View,
    control: &Control,
) -> Result<u8, RunError> {
    // Best effort: on a kernel before 5.11, children inherit what tripline was started with.
    let _ = close_on_exec_from(3);
    let keeper = if mode == Mode::Live { keeper() } else { None };
    become_subreaper()?;
    let signals = if view.screen().is_some() { SignalFd::with_suspension()? } else { SignalFd::new()? };
    let epoll = Epoll::new()?;
    epoll.add_readable(signals.as_fd(), SIGNALS)?;
    let watcher = if span == Span::Once { None } else { Some(watch(rules, &epoll)?) };
    let (memory, reloader) = from(origin, rules, mode, &epoll)?;
    epoll.add_readable(control.as_fd(), CONTROL)?;
    let endpoint = control.endpoint().filter(|_| mode == Mode::Live && span != Span::Once);
    let server = endpoint.map(|endpoint| Server::start(endpoint, &epoll)).transpose()?.flatten();
    let environment = Environment::new(std::env::vars_os(), std::process::id());
    let core = core(rules, &environment, span);
    let clock = Clock::start();
    let crawl = watcher.as_ref().and_then(|_| display::first_crawl(view, clock.now()));
    let (several, remembers) = (rules.rules.len() > 1, memory.is_kept());
    let children = Children::new(environment, keeper, several, remembers, view.screen());
    let mut driver = Driver {
        core,
        children,
        memory,
        sinks: [Sink::new(stdout(), STDOUT), Sink::new(stderr(), STDERR)],
        manager: Manager::of_environment(clock.now()),
        clock,
        mode,
        view,
        control: control.clone(),
        server,
        metrics: Some(Metrics::new(control.clone())),
        answer: None,
        overflows: 0,
        has_terminal: reload::apply::has_terminal() && !hangup_is_ignored(),
        signals,
        watcher,
        reloader,
        early: None,
        crawl,
        errand: None,
        polls_all: rules.plan().polling().always,
        epoll,
        reading: true,
        waiting: Vec::new(),
        halting: None,
        over: false,
    };
    if span == Span::Once {
        driver.step(Input::Once(existing(rules)));
    }
    driver.run()?;
    Ok(driver.exit_code(span))
}

/// What rules from files have more than others: their runs are remembered, and they are read again.
fn from(
    origin: Option<Origin>,
    rules: &Rules,
    mode: Mode,
    epoll: &Epoll,
) -> Result<(Memory, Option<Reloader>), RunError> {
    let Some(Origin { read, sources, remember }) = origin else { return Ok((Memory::default(), None)) };
    let memory = Memory::new((mode == Mode::Live).then_some(remember), rules.settings.history);
    let reloader = Reloader::start(read, sources)?;
    epoll.add_readable(reloader.as_fd(), RULES)?;
    Ok((memory, Some(reloader)))
}

fn core(rules: &Arc<Rules>, environment: &Environment, span: Span) -> Core {
    let strings = environment.strings();
    let limits = Limits::new(arg_limit(), strings.iter().map(|variable| variable.to_bytes()));
    let until = if span == Span::FirstRun { Until::FirstRun } else { Until::Stopped };
    // The standard library's source of randomness, which it seeds hash tables with.
    let seed = RandomState::new().build_hasher().finish();
    Core::new(Arc::clone(rules), limits).until(until).seeded(seed)
}

/// Who kills the commands if tripline is killed. Without, those die that it has started itself.
fn keeper() -> Option<Keeper> {
    let started = Keeper::start();
    if let Err(error) = &started {
        tracing::warn!("nobody ends what a command has started if tripline is killed: {error}");
    }
    started.ok()
}

fn watch(rules: &Rules, epoll: &Epoll) -> Result<Watcher, RunError> {
    let watcher = Watcher::start(rules.plan()).map_err(RunError::Watch)?;
    epoll.add_readable(watcher.as_fd(), WATCHER)?;
    Ok(watcher)
}

struct Driver<'a> {
    core: Core,
    children: Children,
    memory: Memory,
    /// Standard output and standard error.
    sinks: [Sink; 2],
    manager: Manager,
    clock: Clock,
    mode: Mode,
    view: &'a mut dyn View,
    control: Control,
    server: Option<Server>,
    metrics: Option<Metrics>,
    /// What has become of the last command.
    answer: Option<Result<(), Refusal>>,
    /// How often the kernel's queue has overflowed.
    overflows: usize,
    signals: SignalFd,
    /// Whether the end of a terminal is the end of tripline.
    has_terminal: bool,
    watcher: Option<Watcher>,
    reloader: Option<Reloader>,
    /// Says that all is watched, while the rules files are not.
    early: Option<Notice>,
    /// When to tell how far the first look at all directories has come; none once it is over.
    crawl: Option<MonoTime>,
    /// What was started last beside the runs.
    errand: Option<Pid>,
    /// Whether everything is polled.
    polls_all: bool,
    epoll: Epoll,
    /// Whether children's output is read, or left to wait for ours.
    reading: bool,
    /// Jobs for which the system had no room, and when to try them again.
    waiting: Vec<(MonoTime, Job)>,
    /// The signal that asked for the end.
    halting: Option<i32>,
    over: bool,
}

impl Driver<'_> {
    fn exit_code(&self, span: Span) -> u8 {
        let (worst, signal) = (self.core.worst_code(), self.halting.unwrap_or(0));
        let stopped = if self.halting.is_some() { u8::try_from(128 + signal).unwrap_or(u8::MAX) } else { 0 };
        if span == Span::Stopped { 0 } else { worst.max(stopped) }
    }

    fn run(&mut self) -> Result<(), RunError> {
        let mut ready = Vec::new();
        self.serve_metrics();
        while !self.over {
            let waiting = self.waiting.iter().map(|(at, _)| *at);
            let reminder = self.children.deadline();
            let others = waiting.chain(reminder).chain(self.manager.deadline()).chain(self.crawl);
            let deadline = self.core.deadline().into_iter().chain(others).min();
            let timeout = deadline.map(|at| at.since(self.clock.now()));
            self.epoll.wait(timeout, &mut ready)?;
            for Ready { token } in ready.drain(..) {
                match token {
                    SIGNALS => self.signals()?,
                    WATCHER => self.messages()?,
                    RULES => self.reload()?,
                    CONTROL => self.requests(),
                    SOCKET => self.accept(),
                    STDOUT => self.sinks[0].flush(&self.epoll),
                    STDERR => self.sinks[1].flush(&self.epoll),
                    client @ LAST_CLIENT..=CLIENTS => self.serve((CLIENTS - client) as usize),
                    stream => self.output(stream),
                }
            }
            self.children.remind(self.clock.now());
            self.spawn_waiting();
            self.tell_crawl();
            self.step(Input::Due);
            self.balance();
            self.manager.turn(self.core.running(), self.clock.now());
        }
        self.children.kill_strays();
        self.tell(|view, out| view.end(out));
        self.write_out()
    }

    /// Writes what still waits; where the end was asked for, only as long as somebody reads.
    fn write_out(&mut self) -> Result<(), RunError> {
        // Nobody listens to them any more.
        (self.server, self.metrics) = (None, None);
        let watcher = self.watcher.iter().map(AsFd::as_fd);
        let others = self.reloader.iter().map(AsFd::as_fd).chain([self.control.as_fd()]);
        for fd in watcher.chain(others) {
            let _ = self.epoll.remove(fd);
        }
        let mut ready = Vec::new();
        while !self.sinks.iter().all(Sink::is_empty) {
            self.epoll.wait(self.halting.map(|_| PATIENCE), &mut ready)?;
            if ready.is_empty() {
                break;
            }
            for Ready { token } in ready.drain(..) {
                match token {
                    SIGNALS => self.signals()?,
                    STDOUT => self.sinks[0].flush(&self.epoll),
                    STDERR => self.sinks[1].flush(&self.epoll),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Tells the core, and does what it asks for, until it asks for nothing.
    fn step(&mut self, input: Input) {
        self.step_at(self.clock.now(), input);
    }

    /// The same, where the time is known; answers the time afterwards.
    fn step_at(&mut self, mut now: MonoTime, input: Input) -> MonoTime {
        let mut effects = Vec::new();
        self.core.step(input, now, &mut effects);
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            for answer in self.carry_out(effect) {
                let mut more = Vec::new();
                now = self.clock.now();
                self.core.step(answer, now, &mut more);
                queue.extend(more);
            }
        }
        self.sinks[1].flush_added(&self.epoll);
        now
    }

    /// What the core is to be told about it.
    fn carry_out(&mut self, effect: Effect) -> Vec<Input> {
        match effect {
            Effect::Spawn(job) if self.mode == Mode::Dry => return self.show(&job),
            Effect::Spawn(job) => return Vec::from_iter(self.spawn(job)),
            Effect::Signal { run, signal } => {
                self.memory.tell(run);
                self.children.signal(run, signal);
            }
            Effect::Look { run } => {
                return Vec::from_iter(self.children.is_ready(run).then_some(Input::ServiceReady { run }));
            }
            Effect::Over { run } => self.over(run),
            Effect::LookAgain { dir } => {
                if let Some(watcher) = &self.watcher {
                    watcher.look_again(dir);
                }
            }
            Effect::Report(report) => self.report(&report),
            Effect::Answer(answer) => self.answer = Some(answer),
            Effect::Exit => self.over = true,
        }
        Vec::new()
    }

    fn signals(&mut self) -> io::Result<()> {
        while let Some(signal) = self.signals.read()? {
            match signal {
                Signal::Stop(signal) => self.stop(signal),
                Signal::Hangup => self.hang_up(),
                Signal::Child => self.exits(),
                Signal::Resize => self.resize(),
                Signal::Suspend => self.suspend(),
                Signal::Continue => self.view.resume(),
                Signal::Show => self.show_state(),
            }
        }
        Ok(())
    }

    fn stop(&mut self, signal: i32) {
        let again = self.halting.replace(signal).is_some();
        if !again {
            self.manager.stopping();
        }
        self.step(if again { Input::Kill } else { Input::Halt });
    }

    fn messages(&mut self) -> Result<(), RunError> {
        let messages = self.watcher.as_ref().map(Watcher::take).unwrap_or_default();
        let mut now = self.clock.now();
        for message in messages {
            match message {
                Message::Event(event) => now = self.step_at(now, Input::Event(event)),
                Message::Notice(notice) => {
                    self.notice(notice)?;
                    now = self.clock.now();
                }
            }
        }
        self.view.stirred();
        Ok(())
    }

    fn notice(&mut self, notice: Notice) -> Result<(), RunError> {
        let waits = self.reloader.as_ref().is_some_and(|reloader| !reloader.is_watching());
        if matches!(notice, Notice::Ready { .. }) {
            self.crawl = None;
        }
        if waits && matches!(notice, Notice::Ready { .. }) {
            self.early = Some(notice);
            return Ok(());
        }
        if let Notice::Overflow { times } = notice {
            self.overflows = times;
        }
        self.tell(|view, out| view.notice(&notice, out));
        match notice {
            Notice::Ready { directories } => {
                self.manager.ready(self.core.rule_count(), directories, self.clock.now());
                self.step(Input::Ready);
            }
            Notice::Failed { reason } => return Err(RunError::Watcher(reason)),
            Notice::Overflow { .. }
            | Notice::RootMissing { .. }
            | Notice::RootFound { .. }
            | Notice::Unreadable { .. }
            | Notice::WatchLimit { .. }
            | Notice::WatchLimitOver
            | Notice::CannotLook { .. }
            | Notice::LooksAgain
            | Notice::Unread { .. }
            | Notice::Polled { .. } => {}
        }
        Ok(())
    }

    fn output(&mut self, token: u64) {
        let (run, stream) = of_token(token);
        self.children.pass_on(run, stream, &mut self.sinks, &self.epoll);
        if self.children.has_said_so(run) {
            self.step(Input::ServiceReady { run });
        }
    }

    /// Stops reading from children while nobody takes what they have written.
    fn balance(&mut self) {
        let room = !self.sinks.iter().any(Sink::is_full);
        if room != self.reading {
            self.reading = room;
            self.children.poll_all(room, &self.epoll);
        }
    }
}
