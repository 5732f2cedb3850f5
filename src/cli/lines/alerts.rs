//! What runs and what has failed, for a title, a bell and a note on the desktop. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::dispatch::{News, Report, RunId};
use crate::rules::When;

/// What runs, and which rules have failed last.
#[derive(Debug, Default)]
pub(crate) struct Attention {
    running: BTreeMap<RunId, String>,
    failed: BTreeSet<String>,
}

/// A run, or a service, that has come to an end which is worth a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End<'r> {
    /// The rule.
    pub(crate) rule: &'r str,
    /// Whether it has failed.
    pub(crate) failed: bool,
    /// Whether the one before had.
    failed_before: bool,
}

impl End<'_> {
    /// Whether somebody who asked for those wants to know of it.
    pub(crate) fn is_for(&self, when: Option<When>) -> bool {
        when.is_some_and(|when| when.is(self.failed, self.failed_before))
    }
}

impl Attention {
    /// Takes in a report; answers what has come to an end by it.
    pub(crate) fn see<'r>(&mut self, report: &'r Report) -> Option<End<'r>> {
        match report {
            Report::Started { rule, run, .. } => {
                self.running.insert(*run, rule.clone());
                None
            }
            Report::Ended { rule, run, outcome, stopped, .. } => {
                self.running.remove(run);
                (!stopped).then(|| self.end(rule, outcome.code() != 0))
            }
            Report::Service { rule, news: News::Ready(_) } => Some(self.end(rule, false)),
            Report::Service { rule, news: News::Ended(outcome) } => {
                (outcome.code() != 0).then(|| self.end(rule, true))
            }
            // What failed before may not be there any more.
            Report::Reloaded { .. } => {
                self.failed.clear();
                None
            }
            _ => None,
        }
    }

    fn end<'r>(&mut self, rule: &'r str, failed: bool) -> End<'r> {
        let failed_before = self.failed.remove(rule);
        if failed {
            self.failed.insert(rule.to_owned());
        }
        End { rule, failed, failed_before }
    }

    /// Whether nothing runs but services.
    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }
}

/// The state of everything, as a title.
impl fmt::Display for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running: BTreeSet<_> = self.running.values().map(String::as_str).collect();
        let failed = || self.failed.iter().map(String::as_str).collect();
        match (self.running.is_empty(), self.failed.is_empty()) {
            (false, _) => write!(f, "{} running", list(running)),
            (true, false) => write!(f, "{} failed", list(failed())),
            (true, true) => f.write_str("ok"),
        }
    }
}

/// The first names: a title has no room for more.
fn list(names: BTreeSet<&str>) -> String {
    const SHOWN: usize = 2;
    let count = names.len();
    let first = names.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
    if count > SHOWN { format!("{first} and {} more", count - SHOWN) } else { first }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dispatch::{Cause, Outcome, Status};
    use crate::event::Trigger;

    fn started(rule: &str, run: u64) -> Report {
        let cause = Cause { trigger: Trigger::Start, first: None, more: 0, after: None };
        Report::Started { rule: rule.to_owned(), run: RunId(run), cause }
    }

    fn ended(rule: &str, run: u64, code: i32, stopped: bool) -> Report {
        let outcome = if code == 0 { Outcome::Ok(0) } else { Outcome::Failed(Status::Exited(code)) };
        let (rule, run) = (rule.to_owned(), RunId(run));
        Report::Ended { rule, run, outcome, stopped, step: None, elapsed: Duration::ZERO }
    }

    #[test]
    fn an_end_tells_whether_it_is_a_change() {
        let mut attention = Attention::default();
        let mut end = |code| {
            let report = ended("r", 1, code, false);
            let end = attention.see(&report).unwrap();
            [When::Failure, When::Change, When::Always].map(|when| end.is_for(Some(when)))
        };
        assert_eq!(end(0), [false, false, true]);
        assert_eq!(end(1), [true, true, true]);
        assert_eq!(end(1), [true, false, true]);
        assert_eq!(end(0), [false, true, true]);
    }

    #[test]
    fn a_run_that_was_stopped_has_neither_failed_nor_succeeded() {
        let mut attention = Attention::default();
        attention.see(&ended("r", 1, 1, false));
        assert_eq!(attention.see(&ended("r", 2, 143, true)), None);
        assert_eq!(attention.to_string(), "r failed");
    }

    #[test]
    fn a_title_tells_what_runs_and_then_what_has_failed() {
        let mut attention = Attention::default();
        assert!(attention.is_idle());
        assert_eq!(attention.to_string(), "ok");
        attention.see(&started("test", 1));
        attention.see(&started("check", 2));
        assert_eq!(attention.to_string(), "check, test running");
        attention.see(&ended("test", 1, 1, false));
        assert_eq!(attention.to_string(), "check running");
        attention.see(&ended("check", 2, 0, false));
        assert!(attention.is_idle());
        assert_eq!(attention.to_string(), "test failed");
        for (rule, run) in [("a", 3), ("b", 4), ("c", 5)] {
            attention.see(&started(rule, run));
        }
        assert_eq!(attention.to_string(), "a, b and 1 more running");
    }
}
