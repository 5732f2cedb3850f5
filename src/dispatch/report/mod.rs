//! What the dispatcher says: one value a line, its text without time or colour.

pub(super) mod escape;
pub(super) mod histogram;
pub(super) mod run_record;
pub(super) mod stats;

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use self::escape::Escaped;
use super::batch::Batch;
use super::job::RunId;
use super::job::outcome::Outcome;
use super::service::event::News;
use crate::event::{EventMask, Trigger};
use crate::rules::{Rules, SignalName};

/// Why a run starts, is signalled or is stopped: the first change of its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// How the first change became known.
    pub trigger: Trigger,
    /// The path of the first change, relative to the root if it is inside, and what happened to it.
    pub first: Option<(Vec<u8>, EventMask)>,
    /// How many paths more there are.
    pub more: usize,
    /// The rule whose success passed it on.
    pub after: Option<String>,
}

impl Cause {
    pub(crate) fn of(batch: &Batch, rules: &Rules) -> Self {
        let first = batch.first().map(|(path, change)| (shown(path, rules).to_vec(), change.mask));
        let after = batch.after().map(|rule| rules.rules[rule.0].name.clone());
        Self { trigger: batch.trigger(), first, more: batch.len().saturating_sub(1), after }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.first {
            Some((path, mask)) if mask.names().next().is_some() => write!(f, "{} ({mask})", Escaped(path))?,
            Some((path, _)) => Escaped(path).fmt(f)?,
            None if self.trigger == Trigger::Manual => f.write_str("by hand")?,
            // Nothing else starts a run without a path.
            None => f.write_str("at start")?,
        }
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        match &self.after {
            Some(rule) => write!(f, ", after {rule}"),
            None => Ok(()),
        }
    }
}

/// A path as it is shown: relative to the root, if it is inside.
pub(crate) fn shown<'p>(path: &'p [u8], rules: &Rules) -> &'p [u8] {
    rules.relative(path).filter(|rel| !rel.is_empty()).unwrap_or(path)
}

/// Something a user wants to know. `rule` is the rule's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A run begins: its process is started next.
    Started {
        /// The rule.
        rule: String,
        /// The run.
        run: RunId,
        /// Its cause.
        cause: Cause,
    },
    /// A run is over, its whole process group with it; or it could not begin.
    Ended {
        /// The rule.
        rule: String,
        /// The run.
        run: RunId,
        /// What became of it.
        outcome: Outcome,
        /// Whether it was told to end, to begin anew or because tripline ends.
        stopped: bool,
        /// Which of several commands it ended with before its time, from 1.
        step: Option<usize>,
        /// From its start to the exit of its leader.
        elapsed: Duration,
    },
    /// What was executed after a run has failed itself.
    HookFailed {
        /// The rule.
        rule: String,
        /// Its key.
        key: &'static str,
        /// What became of it.
        outcome: Outcome,
    },
    /// Something became of a service.
    Service {
        /// The rule.
        rule: String,
        /// What.
        news: News,
    },
    /// Changes came due during a run and were dropped, as the rule asks with `on_busy = "skip"`.
    Skipped {
        /// The rule.
        rule: String,
        /// How many.
        changes: usize,
    },
    /// A batch was delivered as a signal.
    Signalled {
        /// The rule.
        rule: String,
        /// The run that was signalled.
        run: RunId,
        /// The signal's number.
        signal: i32,
        /// The cause.
        cause: Cause,
    },
    /// A run was sent SIGTERM.
    Stopping {
        /// The rule.
        rule: String,
        /// The run.
        run: RunId,
        /// The change that it is started again for; none if it is not.
        cause: Option<Cause>,
    },
    /// A run took longer than its rule's `timeout` and was sent SIGTERM.
    TimedOut {
        /// The rule.
        rule: String,
        /// The run.
        run: RunId,
    },
    /// A run failed, and what it was told is told to a run again.
    Retry {
        /// The rule.
        rule: String,
        /// Which attempt it will be, from 2.
        attempt: usize,
        /// After how long, unless a change comes first.
        delay: Duration,
    },
    /// A run was sent SIGKILL.
    Killing {
        /// The rule.
        rule: String,
        /// The run.
        run: RunId,
    },
    /// Other rules have taken the place of those there were.
    Reloaded {
        /// How many there were not before.
        added: usize,
        /// How many say something else.
        changed: usize,
        /// How many are no more.
        removed: usize,
        /// How many are the same.
        unchanged: usize,
    },
    /// Somebody has paused the rule: it starts nothing, and changes collect.
    Paused {
        /// The rule; none stands for all.
        rule: Option<String>,
    },
    /// It goes on.
    Resumed {
        /// The rule; none stands for all.
        rule: Option<String>,
    },
    /// For many runs in a row, changes that came during one led to the next. To learn whether the rule makes
    /// them itself, it starts nothing for a while.
    Suspected {
        /// The rule.
        rule: String,
        /// The path that changed last.
        path: Vec<u8>,
        /// How many runs in a row.
        generations: usize,
        /// How long it starts nothing, counted from when none of its runs goes on.
        wait: Duration,
    },
    /// The rule makes the changes that it runs for, and is suspended until somebody else makes one, or for
    /// ten minutes.
    Suspended {
        /// The rule.
        rule: String,
        /// The path that its runs change.
        path: Vec<u8>,
        /// The rules whose runs lead to each other.
        circle: Vec<String>,
    },
    /// A path holds a rule up.
    Held {
        /// The rule.
        rule: String,
        /// The path.
        path: PathBuf,
        /// For how long it has, once that is suspicious.
        long: Option<Duration>,
    },
    /// Changes left the content as the rule has run for it before.
    Unchanged {
        /// The rule.
        rule: String,
        /// The changes.
        cause: Cause,
    },
    /// A rule was to run once, for what is there, and nothing there concerns it.
    NothingThere {
        /// The rule.
        rule: String,
    },
    /// A rule was to run once, and has only a service.
    NotOnce {
        /// The rule.
        rule: String,
    },
    /// tripline or the rule ends, and these changes were still waiting.
    Dropped {
        /// The rule.
        rule: String,
        /// How many.
        changes: usize,
    },
}

impl Report {
    /// The rule that it is about, if it is about one.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        match self {
            Self::Started { rule, .. }
            | Self::Ended { rule, .. }
            | Self::HookFailed { rule, .. }
            | Self::Service { rule, .. }
            | Self::Skipped { rule, .. }
            | Self::Signalled { rule, .. }
            | Self::Stopping { rule, .. }
            | Self::TimedOut { rule, .. }
            | Self::Retry { rule, .. }
            | Self::Killing { rule, .. }
            | Self::Suspected { rule, .. }
            | Self::Suspended { rule, .. }
            | Self::Held { rule, .. }
            | Self::Unchanged { rule, .. }
            | Self::NothingThere { rule }
            | Self::NotOnce { rule }
            | Self::Dropped { rule, .. } => Some(rule),
            Self::Paused { rule } | Self::Resumed { rule } => rule.as_deref(),
            Self::Reloaded { .. } => None,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { rule, cause, .. } => write!(f, "{rule}: {cause}"),
            Self::Ended { rule, outcome, step: None, .. } => write!(f, "{rule}: {outcome}"),
            Self::Ended { rule, outcome, step: Some(step), .. } => {
                write!(f, "{rule}: step {step}: {outcome}")
            }
            Self::HookFailed { rule, key, outcome } => write!(f, "{rule}: {key}: {outcome}"),
            Self::Service { rule, news } => write!(f, "{rule}: {news}"),
            Self::Skipped { rule, changes } => {
                write!(f, "{rule}: {} skipped, still running", Changes(*changes))
            }
            Self::Signalled { rule, signal, cause, .. } => {
                write!(f, "{rule}: {cause}, sent {}", SignalName(*signal))
            }
            Self::Stopping { rule, cause: Some(cause), .. } => write!(f, "{rule}: {cause}, stopping"),
            Self::Stopping { rule, cause: None, .. } => write!(f, "{rule}: stopping"),
            Self::TimedOut { rule, .. } => write!(f, "{rule}: out of time, stopping"),
            Self::Retry { rule, attempt, delay } => {
                write!(f, "{rule}: attempt {attempt} in {delay:?}")
            }
            Self::Killing { rule, .. } => write!(f, "{rule}: killing"),
            Self::Paused { rule } => write!(f, "{} paused", Whom(rule)),
            Self::Resumed { rule } => write!(f, "{} resumed", Whom(rule)),
            Self::Reloaded { added, changed, removed, unchanged } => {
                let counts =
                    [(added, "added"), (changed, "changed"), (removed, "removed"), (unchanged, "unchanged")];
                let parts = counts.iter().filter(|(count, _)| **count > 0);
                let parts: Vec<_> = parts.map(|(count, what)| format!("{count} {what}")).collect();
                write!(f, "rules reloaded: {}", parts.join(", "))
            }
            Self::Suspected { rule, path, generations, wait } => write!(
                f,
                "{rule}: {} has changed during each of {generations} runs in a row; waiting {wait:.1?} to see who does it",
                Escaped(path)
            ),
            Self::Suspended { rule, path, circle } => {
                let (path, whose) = (Escaped(path), Circle(circle));
                write!(
                    f,
                    "{rule}: suspended, because {whose} {path}: name it in `outputs` or `ignore`, narrow `paths`, or set `may_loop`; \
                     it runs again when something else changes"
                )
            }
            Self::NotOnce { rule } => write!(f, "{rule}: a service, not started"),
            Self::Held { rule, path, long: None } => {
                write!(f, "{rule}: waiting while {} is there", Escaped(path.as_os_str().as_bytes()))
            }
            Self::Held { rule, path, long: Some(long) } => {
                let path = Escaped(path.as_os_str().as_bytes());
                write!(
                    f,
                    "{rule}: still waiting: {path} has been there for {long:.0?}; remove it if nobody needs it"
                )
            }
            Self::Unchanged { rule, cause } => write!(f, "{rule}: {cause}, with the same content"),
            Self::NothingThere { rule } => write!(f, "{rule}: nothing matches, not run"),
            Self::Dropped { rule, changes } => write!(f, "{rule}: {} not run", Changes(*changes)),
        }
    }
}

/// One rule, or all.
struct Whom<'a>(&'a Option<String>);

impl fmt::Display for Whom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(rule) => write!(f, "{rule}:"),
            None => f.write_str("all rules"),
        }
    }
}

/// Whose runs lead to each other by a path.
struct Circle<'a>(&'a [String]);

impl fmt::Display for Circle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] | [_] => f.write_str("its own runs change"),
            rules => write!(f, "{} start each other through", rules.join(" and ")),
        }
    }
}

struct Changes(usize);

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} change{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::super::job::outcome::Status;
    use super::*;

    fn ended(outcome: Outcome) -> String {
        let (rule, run) = ("test".to_owned(), RunId(1));
        let (stopped, step, elapsed) = (false, None, Duration::ZERO);
        Report::Ended { rule, run, outcome, stopped, step, elapsed }.to_string()
    }

    #[test]
    fn an_outcome_reads_like_a_sentence() {
        assert_eq!(ended(Outcome::Ok(0)), "test: ok");
        assert_eq!(ended(Outcome::Ok(1)), "test: ok, exit code 1");
        assert_eq!(ended(Outcome::Failed(Status::Exited(101))), "test: exit code 101");
        assert_eq!(ended(Outcome::Failed(Status::Signaled(9))), "test: killed by SIGKILL");
        assert_eq!(ended(Outcome::TimedOut(Status::Exited(0))), "test: timed out, exit code 0");
        let (program, error) = (b"no\nprog".to_vec(), "No such file or directory".to_owned());
        let missing = Outcome::NotStarted { program, error };
        assert_eq!(ended(missing), r"test: cannot run no\nprog: No such file or directory");
    }

    #[test]
    fn a_cause_names_the_path_its_events_and_how_many_more() {
        let first = Some((b"src/lib.rs".to_vec(), EventMask::CREATE | EventMask::CLOSE_WRITE));
        let cause = Cause { trigger: Trigger::Event, first, more: 3, after: None };
        assert_eq!(cause.to_string(), "src/lib.rs (close_write,create) and 3 more");
        let start = Cause { trigger: Trigger::Start, first: None, more: 0, after: None };
        assert_eq!(start.to_string(), "at start");
        let chained = Cause { after: Some("build".to_owned()), ..cause };
        assert_eq!(chained.to_string(), "src/lib.rs (close_write,create) and 3 more, after build");
    }

    #[test]
    fn one_change_is_not_changes() {
        let rule = || "test".to_owned();
        assert_eq!(Report::Dropped { rule: rule(), changes: 2 }.to_string(), "test: 2 changes not run");
        assert_eq!(Report::Dropped { rule: rule(), changes: 1 }.to_string(), "test: 1 change not run");
    }
}
