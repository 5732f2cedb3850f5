//! A rule as everything after loading sees it: each string parsed, each default filled in.

pub(super) mod process;
pub(super) mod signal;
pub(super) mod template;
pub(super) mod terminal;
pub(super) mod units;

use std::ops::{Deref, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use self::process::Setup;
use self::template::{Fields, Template};
use crate::event::{EventMask, Subject, as_path};

/// The place of a rule in [`Rules::rules`](super::Rules::rules).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub usize);

/// One `[rules.NAME]`. It is the same as another if it means the same, wherever it was typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name in the rules file.
    pub name: String,
    /// Its `paths` as typed.
    pub paths: Vec<Pattern>,
    /// The events it asks for.
    pub on: EventMask,
    /// The kinds of things it asks for.
    pub types: Types,
    /// `match`: what the relative path must match; its named groups become captures.
    pub pattern: Option<TypedRegex>,
    /// `size`: how many bytes a file must have. What is no file has no size.
    pub size: Option<RangeInclusive<u64>>,
    /// `stable_for`: how long a file must have kept its size and time before it is due.
    pub stable_for: Option<Duration>,
    /// Whether what has the content of the last run that succeeded is left out.
    pub if_changed: bool,
    /// Paths; while one of them exists, nothing is run.
    pub hold_while: Vec<PathBuf>,
    /// The rules after whose success it runs, with their batch.
    pub after: Vec<RuleId>,
    /// What one run executes, one after the other, each if all before it have succeeded. Empty only with a
    /// service, which is then all there is.
    pub steps: Vec<Command>,
    /// What is executed after a run that has succeeded.
    pub on_success: Option<Command>,
    /// What is executed after a run that has failed and is not done again.
    pub on_failure: Option<Command>,
    /// What is kept running.
    pub service: Option<Service>,
    /// What one run is given.
    pub per: Per,
    /// What the command reads.
    pub stdin: Stdin,
    /// Where what its commands write goes; none: where tripline writes, or behind the rule's name if there
    /// are several rules, or it is a service.
    pub output: Option<Output>,
    /// A file that it goes into as well.
    pub log: Option<Log>,
    /// Whether its commands write to a terminal of their own.
    pub tty: bool,
    /// What becomes of a batch that is due while the rule runs.
    pub on_busy: OnBusy,
    /// The quiet period after the last event.
    pub debounce: Duration,
    /// The longest wait after the first event, however many follow.
    pub max_wait: Duration,
    /// The directory the command runs in.
    pub cwd: Directory,
    /// How its process is set up besides.
    pub setup: Setup,
    /// Variables for the command: `[env]`, then the rule's own, which win.
    pub env: Vec<(String, String)>,
    /// How many runs of this rule may go on at once; at least 1.
    pub max_parallel: usize,
    /// Whether it runs once when tripline is ready.
    pub on_start: bool,
    /// The least time from the start of one run to the start of the next.
    pub throttle: Option<Duration>,
    /// What the exit codes of the command mean.
    pub exit_codes: ExitCodes,
    /// Whether and when a run that failed is done again.
    pub retry: Option<Retry>,
    /// Whether it may run for ever because of changes that come during its own runs.
    pub may_loop: bool,
    /// How long a run may take; then it is stopped.
    pub timeout: Option<Duration>,
    /// What holds together whatever a run starts.
    pub contain: Contain,
    /// What a run or a service is told to end with.
    pub stop_signal: i32,
    /// How long it may take to end after that before SIGKILL follows.
    pub stop_timeout: Duration,
}

/// A command that is to run all the time, and how it is kept running.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// What is executed.
    pub command: Command,
    /// When it serves; none: as soon as it runs.
    pub ready: Option<Readiness>,
    /// The first wait after a crash; each is twice as long as the one before.
    pub initial: Duration,
    /// The longest wait.
    pub max_delay: Duration,
    /// After so long the next crash is the first again.
    pub reset: Duration,
    /// After so many crashes ...
    pub max_crashes: usize,
    /// ... within this time it is not started again by itself.
    pub within: Duration,
}

impl Service {
    /// The wait after crash number `crash` in a row, from 1.
    #[must_use]
    pub fn delay(&self, crash: usize) -> Duration {
        Retry { max: self.max_crashes, initial: self.initial, max_delay: self.max_delay }.delay(crash)
    }
}

/// What must hold for a service to be ready: all that is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readiness {
    /// This file, absolute, has been made or changed since the service began.
    pub file: Option<PathBuf>,
    /// Somebody listens on this TCP port.
    pub port: Option<u16>,
    /// A line of its output has matched this.
    pub line: Option<TypedRegex>,
}

impl Readiness {
    /// Whether it takes looking from time to time to find out.
    #[must_use]
    pub fn takes_looking(&self) -> bool {
        self.file.is_some() || self.port.is_some()
    }
}

/// How often a run that failed is done again, and after which waits: each twice as long as the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How many times, after the first.
    pub max: usize,
    /// The first wait.
    pub initial: Duration,
    /// The longest wait.
    pub max_delay: Duration,
}

impl Retry {
    /// The wait after attempt number `attempt`, from 1, has failed.
    #[must_use]
    pub fn delay(&self, attempt: usize) -> Duration {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        self.initial.saturating_mul(2_u32.saturating_pow(doublings)).min(self.max_delay)
    }
}

/// What the exit codes of a command mean. One that is nowhere is a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitCodes {
    /// Success.
    pub ok: Vec<u8>,
    /// There was nothing to do: neither success nor failure.
    pub skip: Vec<u8>,
    /// The only failures after which `retry` runs it again; none: after every failure, signals included.
    pub retry: Option<Vec<u8>>,
}

impl Default for ExitCodes {
    fn default() -> Self {
        Self { ok: vec![0], skip: Vec::new(), retry: None }
    }
}

/// A regular expression; the same as another if it was typed the same.
#[derive(Clone, Debug)]
pub struct TypedRegex(regex::bytes::Regex);

impl From<regex::bytes::Regex> for TypedRegex {
    fn from(regex: regex::bytes::Regex) -> Self {
        Self(regex)
    }
}

impl Deref for TypedRegex {
    type Target = regex::bytes::Regex;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl PartialEq for TypedRegex {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// A pattern and where it was typed; the same as another wherever that was.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As it was typed.
    pub text: String,
    /// The file, or the argument.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Rule {
    /// All that it ever executes.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        let service = self.service.iter().map(|service| &service.command);
        self.steps.iter().chain(&self.on_success).chain(&self.on_failure).chain(service)
    }

    /// The named groups of `match` that take part in matching `subject`, with their values.
    ///
    /// `subject` is the relative path, or the absolute one outside the root.
    #[must_use]
    pub fn captures(&self, subject: &[u8]) -> Vec<(String, Vec<u8>)> {
        let Some(pattern) = &self.pattern else { return Vec::new() };
        let Some(found) = pattern.captures(subject) else { return Vec::new() };
        let value = |name: &str| Some((name.to_owned(), found.name(name)?.as_bytes().to_vec()));
        pattern.capture_names().flatten().filter_map(value).collect()
    }
}

/// What a rule runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Executed as it is, without a shell. Never empty.
    Argv(Vec<Template>),
    /// Given to `settings.shell` untouched.
    Shell(String),
}

/// What one run is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Every path that changed since the last run.
    Batch,
    /// One path; runs for different paths are independent.
    File,
    /// One event; nothing is merged.
    Event,
}

/// Where what a command writes goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Where tripline writes, as it is.
    Inherit,
    /// There, each line behind the rule's name.
    Prefix,
    /// There, all of a run at once when it has ended.
    Group,
    /// The same, if the run has failed; else nowhere.
    OnFailure,
    /// Nowhere.
    None,
}

/// A file of what commands write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Its path; absolute.
    pub file: PathBuf,
    /// Before it grows larger than this, in bytes, it is renamed, and another begun.
    pub max_size: u64,
    /// How many that were renamed are kept.
    pub keep: usize,
}

/// What a command reads from its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// `/dev/null`.
    Null,
    /// The batch's paths, a newline after each.
    Lines,
    /// The batch's paths, a NUL after each.
    Nul,
    /// One JSON object a line for each path.
    Json,
    /// tripline's own standard input.
    Inherit,
}

/// The directory that a command runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directory {
    /// This one; absolute.
    Fixed(PathBuf),
    /// The one that its first change names; absolute, or relative to the root.
    Of(Template),
}

impl Directory {
    /// Where a command runs whose first change has these values.
    #[must_use]
    pub fn of(&self, fields: &Fields<'_>) -> PathBuf {
        match self {
            Self::Fixed(path) => path.clone(),
            Self::Of(template) => as_path(fields.root).join(as_path(&template.render(fields))),
        }
    }
}

/// What holds together whatever a run starts, so that all of it ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contain {
    /// A process group; what leaves it is found by its descent.
    Group,
    /// A control group, which nothing can leave, where one can be made; else as above.
    Cgroup,
}

/// What becomes of a batch that is due while its rule is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBusy {
    /// One more run afterwards, with everything that came meanwhile.
    Queue,
    /// The run is stopped, and its batch joins the next.
    Restart,
    /// The run is sent this signal and goes on.
    Signal(i32),
    /// Another run beside it, up to `max_parallel`; beyond that it waits.
    Parallel,
    /// It is dropped, and the report says so.
    Skip,
}

/// A set of kinds of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types(u8);

impl Types {
    /// No kind at all.
    pub const NONE: Self = Self(0);
    /// All kinds but directories: what a rule asks for unless it says otherwise.
    pub const DEFAULT: Self = Self(0b1101);

    /// This set and one kind more.
    #[must_use]
    pub const fn with(self, subject: Subject) -> Self {
        Self(self.0 | Self::bits(subject))
    }

    /// Whether the two sets share a kind.
    #[must_use]
    pub(crate) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set holds that kind. What is gone may have been anything but a directory.
    #[must_use]
    pub const fn contains(self, subject: Subject) -> bool {
        self.0 & Self::bits(subject) != 0
    }

    const fn bits(subject: Subject) -> u8 {
        match subject {
            Subject::File => 0b0001,
            Subject::Dir => 0b0010,
            Subject::Symlink => 0b0100,
            Subject::Other => 0b1000,
            Subject::Gone => Self::DEFAULT.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let seconds = Duration::from_secs;
        let retry = Retry { max: 5, initial: seconds(1), max_delay: seconds(10) };
        let waits = [1, 2, 3, 4, 5, usize::MAX].map(|attempt| retry.delay(attempt));
        assert_eq!(waits, [1, 2, 4, 8, 10, 10].map(seconds));
    }
}
