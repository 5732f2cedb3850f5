//! What is counted while things go on, for whoever asks later.

use std::collections::BTreeMap;
use std::time::Duration;

use super::histogram::Durations;
use crate::dispatch::control::status::{Counts, Last};
use crate::dispatch::{Cause, News, Outcome, Report, RunId};
use crate::rules::RuleId;
use crate::time::MonoTime;

/// The counts of all rules, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Events that the watcher has reported.
    pub(crate) events: u64,
    rules: Vec<Record>,
}

/// What is known of one rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) counts: Counts,
    pub(crate) durations: Durations,
    pub(crate) latencies: Durations,
    pub(crate) cause: Option<Cause>,
    pub(crate) last: Option<End>,
}

/// How the last run ended.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) run: RunId,
    pub(crate) outcome: Outcome,
    pub(crate) stopped: bool,
    pub(crate) elapsed: Duration,
    pub(crate) at: MonoTime,
}

impl Tally {
    /// For so many rules.
    pub(crate) fn new(rules: usize) -> Self {
        Self { events: 0, rules: vec![Record::default(); rules] }
    }

    /// A change has matched the rule.
    pub(crate) fn matched(&mut self, rule: RuleId) {
        self.rules[rule.0].counts.matches += 1;
    }

    /// A run has begun for an event of the rule that had been known for so long.
    pub(crate) fn reacted(&mut self, rule: RuleId, latency: Duration) {
        if let Some(record) = self.rules.get_mut(rule.0) {
            record.latencies.add(latency);
        }
    }

    pub(crate) fn of(&self, rule: RuleId) -> &Record {
        &self.rules[rule.0]
    }

    /// There are so many rules now, with the numbers in `ids`.
    pub(crate) fn renumber(&mut self, rules: usize, ids: &BTreeMap<RuleId, RuleId>) {
        let mut old = std::mem::replace(&mut self.rules, vec![Record::default(); rules]);
        for (before, now) in ids {
            self.rules[now.0] = std::mem::take(&mut old[before.0]);
        }
    }

    /// Counts what is said. `number` knows the rules by their names.
    pub(crate) fn note(&mut self, report: &Report, now: MonoTime, number: impl Fn(&str) -> Option<usize>) {
        let (Report::Started { rule, .. } | Report::Ended { rule, .. } | Report::Service { rule, .. }) =
            report
        else {
            return;
        };
        let Some(record) = number(rule).and_then(|number| self.rules.get_mut(number)) else { return };
        match report {
            Report::Started { cause, .. } => {
                record.counts.runs += 1;
                record.cause = Some(cause.clone());
            }
            Report::Ended { run, outcome, stopped, elapsed, .. } => {
                record.counts.count(outcome, *stopped);
                if !stopped {
                    record.durations.add(*elapsed);
                }
                let (run, outcome, stopped, elapsed) = (*run, outcome.clone(), *stopped, *elapsed);
                record.last = Some(End { run, outcome, stopped, elapsed, at: now });
            }
            Report::Service { news, .. } => {
                record.counts.starts += u64::from(matches!(news, News::Starting));
                record.counts.crashes += u64::from(matches!(news, News::Ended(end) if end.code() != 0));
            }
            _ => {}
        }
    }
}

impl Counts {
    fn count(&mut self, outcome: &Outcome, stopped: bool) {
        let count = match outcome {
            _ if stopped => &mut self.stopped,
            Outcome::Ok(_) => &mut self.ok,
            Outcome::Skipped(_) => &mut self.skipped,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::TimedOut(_) => &mut self.timed_out,
            Outcome::NotStarted { .. } => &mut self.not_started,
        };
        *count += 1;
    }
}

impl End {
    pub(crate) fn told(&self, now: MonoTime) -> Last {
        Last {
            run: self.run.0,
            outcome: self.outcome.to_string(),
            code: self.outcome.code(),
            stopped: self.stopped,
            elapsed: self.elapsed,
            ago: now.since(self.at),
        }
    }
}
