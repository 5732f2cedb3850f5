//! The way of what commands write: to the terminal at once or at the end of the run, to a log, to the command
//! after the run.

pub(super) mod log_file;
pub(super) mod prefix;
pub(super) mod sink;
pub(super) mod temp_file;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use self::log_file::LogFile;
use self::prefix::Lines;
use self::sink::Sink;
use self::temp_file::Spool;
use super::view::Screen;
use crate::dispatch::{Excerpt, Job, Part, RunId, StdinSource};
use crate::rules::Output;
use crate::sys::{Epoll, WindowSize, stderr, stdout};

/// Standard output and standard error.
pub(super) const STREAMS: usize = 2;

/// Where tripline itself writes.
#[derive(Clone, Copy, Debug, Default)]
struct OwnStreams {
    /// Whether standard output and standard error lead to the same place.
    are_one: bool,
    /// And that is a terminal.
    are_terminal: bool,
    /// Whether a terminal is only one of them, or they are two.
    are_mixed: bool,
}

impl OwnStreams {
    fn find() -> Self {
        let place = |fd: BorrowedFd<'_>| {
            let found = fd.try_clone_to_owned().and_then(|fd| File::from(fd).metadata()).ok()?;
            Some((found.dev(), found.ino()))
        };
        let out = place(stdout());
        let are_one = out.is_some() && out == place(stderr());
        let is_terminal = io::stdout().is_terminal();
        let are_mixed = !are_one && (is_terminal || io::stderr().is_terminal());
        Self { are_one, are_terminal: are_one && is_terminal, are_mixed }
    }
}

/// The way of what one process writes.
#[derive(Debug)]
pub(super) struct Flow {
    key: Key,
    terminal: Terminal,
    /// Whether the process writes to a terminal of its own.
    pub(super) tty: bool,
    log: Option<PathBuf>,
}

/// What is kept by itself: the output of a run, and that of the command after it.
type Key = (RunId, bool);

#[derive(Debug)]
enum Terminal {
    /// As it is.
    Raw,
    /// Each line behind a prefix.
    Lines([Lines; STREAMS]),
    /// On the screen, as this rule's.
    Screen(Arc<dyn Screen>, String),
    /// Not yet, or not at all.
    Nothing,
}

/// What is kept for later.
#[derive(Debug, Default)]
pub(super) struct Flows {
    /// Whether there are several rules, to be told apart.
    several: bool,
    /// What shows everything, if something does.
    screen: Option<Arc<dyn Screen>>,
    /// Whether runs are remembered, and what those that go on have written by now.
    remembers: bool,
    excerpts: HashMap<RunId, Excerpt>,
    streams: OwnStreams,
    spools: HashMap<Key, (Spool, Output)>,
    logs: HashMap<PathBuf, LogFile>,
}

impl Flows {
    pub(super) fn new(several: bool, remembers: bool, screen: Option<Arc<dyn Screen>>) -> Self {
        Self { several, remembers, screen, streams: OwnStreams::find(), ..Self::default() }
    }

    /// Whether there are several rules from now on, and whether runs are remembered.
    pub(super) const fn go_by(&mut self, several: bool, remembers: bool) {
        (self.several, self.remembers) = (several, remembers);
    }

    /// The way of what a job's process will write; none if it writes where tripline does.
    ///
    /// # Errors
    /// No descriptor or memory is left for what is to be kept.
    pub(super) fn open(&mut self, job: &Job) -> io::Result<Option<Flow>> {
        let (output, rule) = (self.output(job), &job.rule);
        let (after, grouped) = (is_after(job.part), is_grouped(output));
        let listened_to = rule.service.as_ref().is_some_and(|service| service.ready.is_some());
        let kept = grouped || (job.recorded && !after);
        let (tty, shown) = (self.has_terminal(job), self.screen.is_some() || self.is_remembered(job));
        if output == Output::Inherit && !kept && rule.log.is_none() && !tty && !listened_to && !shown {
            return Ok(None);
        }
        let key = (job.run, after);
        if kept && !self.spools.contains_key(&key) {
            self.spools.insert(key, (Spool::new()?, output));
        }
        if let Some(log) = &rule.log {
            self.logs.entry(log.file.clone()).or_insert_with(|| LogFile::new(log.clone())).limit(log);
        }
        let lines = || Lines::new(&rule.name, tty);
        let terminal = match output {
            Output::None => Terminal::Nothing,
            _ if let Some(screen) = &self.screen => Terminal::Screen(Arc::clone(screen), rule.name.clone()),
            Output::Inherit => Terminal::Raw,
            Output::Prefix => Terminal::Lines([lines(), lines()]),
            Output::Group | Output::OnFailure => Terminal::Nothing,
        };
        Ok(Some(Flow { key, terminal, tty, log: rule.log.as_ref().map(|log| log.file.clone()) }))
    }

    /// Whether both streams of the job are to be one, to keep their order.
    pub(super) fn is_one(&self, job: &Job) -> bool {
        let output = self.output(job);
        let inherited = output == Output::Inherit && self.streams.are_one;
        self.screen.is_some() || is_grouped(output) || inherited
    }

    /// Whether what a job writes is remembered even if it could go where tripline writes by itself. It is not where
    /// the command speaks with a person, or would lose a terminal.
    fn is_remembered(&self, job: &Job) -> bool {
        let speaks = || job.stdin == StdinSource::Inherit && io::stdin().is_terminal();
        self.remembers && !self.streams.are_mixed && !speaks()
    }

    /// Whether a terminal that is standard input is read from by who shows the output: then nobody else may.
    pub(super) const fn has_keys(&self, terminal: bool) -> bool {
        terminal && self.screen.is_some()
    }

    /// How large a terminal is for commands to write to, if it is not tripline's own.
    pub(super) fn size(&self) -> Option<WindowSize> {
        self.screen.as_ref().map(|screen| screen.size())
    }

    /// Whether the job's process writes to a terminal of its own. What is shown on a screen, or only passes through to
    /// be remembered, has one as it had without that, unless its output was to be no terminal.
    fn has_terminal(&self, job: &Job) -> bool {
        let rule = &job.rule;
        let like_ours = matches!(rule.output, None | Some(Output::Inherit)) && rule.log.is_none();
        let passes = || {
            let inherited = self.output(job) == Output::Inherit && !job.recorded;
            inherited && self.streams.are_terminal && self.is_remembered(job)
        };
        rule.tty || (like_ours && (self.screen.is_some() || passes()))
    }

    fn output(&self, job: &Job) -> Output {
        let service = job.part == Part::Service;
        let usual = if service || self.several { Output::Prefix } else { Output::Inherit };
        match job.rule.output.unwrap_or(usual) {
            // It has no end to wait for.
            Output::Group | Output::OnFailure if service => Output::Prefix,
            output => output,
        }
    }

    /// Passes on what a process has written to one of its streams.
    pub(super) fn pass(
        &mut self,
        flow: &mut Flow,
        stream: usize,
        bytes: &[u8],
        sink: &mut Sink,
        epoll: &Epoll,
    ) {
        if let Some((spool, _)) = self.spools.get_mut(&flow.key) {
            spool.push(bytes);
        }
        if self.remembers {
            self.excerpts.entry(flow.key.0).or_default().push(bytes);
        }
        if let Some(log) = flow.log.as_ref().and_then(|file| self.logs.get_mut(file)) {
            log.push(bytes);
        }
        match &mut flow.terminal {
            Terminal::Raw => sink.put(bytes, epoll),
            Terminal::Lines(lines) => {
                let mut out = Vec::new();
                lines[stream].push(bytes, &mut out);
                sink.put(&out, epoll);
            }
            Terminal::Screen(screen, rule) => screen.write(rule, bytes),
            Terminal::Nothing => {}
        }
    }

    /// A stream has ended.
    pub(super) fn end(flow: &mut Flow, stream: usize, sink: &mut Sink, epoll: &Epoll) {
        if let Terminal::Lines(lines) = &mut flow.terminal {
            let mut out = Vec::new();
            lines[stream].end(&mut out);
            sink.put(&out, epoll);
        }
    }

    /// Shows what a run has written, now that it has ended, if that has waited.
    pub(super) fn show(&self, run: RunId, failed: bool, sink: &mut Sink, epoll: &Epoll) {
        let key = (run, false);
        match self.spools.get(&key) {
            // It was shown as it came.
            Some(_) if self.screen.is_some() => {}
            Some((_, Output::OnFailure)) if !failed => {}
            Some((spool, Output::Group | Output::OnFailure)) => copy(spool, sink, epoll),
            Some((_, Output::Inherit | Output::Prefix | Output::None)) | None => {}
        }
    }

    /// Nothing more comes of a run: what the command after it has written is shown, and all is forgotten. Answers what
    /// is to be remembered.
    pub(super) fn forget(&mut self, run: RunId, sink: &mut Sink, epoll: &Epoll) -> Excerpt {
        self.spools.remove(&(run, false));
        let after = self.spools.remove(&(run, true));
        if let Some((spool, _)) = after.filter(|_| self.screen.is_none()) {
            copy(&spool, sink, epoll);
        }
        self.excerpts.remove(&run).unwrap_or_default()
    }

    /// What a run has written, for the command after it.
    pub(super) fn kept(&self, job: &Job) -> Option<BorrowedFd<'_>> {
        self.spools.get(&(job.run, false)).filter(|_| is_after(job.part)).map(|(spool, _)| spool.fd())
    }
}

fn copy(spool: &Spool, sink: &mut Sink, epoll: &Epoll) {
    match spool.content() {
        Ok((file, length)) => sink.put_file(file, length, epoll),
        Err(error) => tracing::warn!("a command's output cannot be shown: {error}"),
    }
}

/// Whether it is a command after a run.
fn is_after(part: Part) -> bool {
    matches!(part, Part::OnSuccess | Part::OnFailure)
}

fn is_grouped(output: Output) -> bool {
    matches!(output, Output::Group | Output::OnFailure)
}
