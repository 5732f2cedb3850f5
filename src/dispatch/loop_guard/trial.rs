//! What is known of one rule that may feed itself.

use std::time::Duration;

use super::GENERATIONS;
use crate::time::MonoTime;

/// What is known of one rule.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) running: usize,
    pub(crate) last_start: MonoTime,
    /// From which generation on it is put to the test.
    pub(crate) trusted: usize,
    /// The last generation for which it was: once is enough for each.
    pub(crate) tested: usize,
    pub(crate) trial: Trial,
    /// The tests that it has stood without a change, and their time together.
    pub(crate) tests: usize,
    pub(crate) evidence: Duration,
    /// The longest that a generation took since then.
    pub(crate) cycle: Duration,
    /// What its last run may have written.
    pub(crate) path: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trial {
    /// It may run.
    None,
    /// It is to stand still for so long, once nothing of it runs any more.
    Called(Duration),
    /// It stands still for so long.
    Going(Duration),
    /// It is suspended.
    Suspended,
}

impl Record {
    pub(crate) const fn new() -> Self {
        Self {
            running: 0,
            last_start: MonoTime::from_origin(Duration::ZERO),
            trusted: GENERATIONS,
            tested: 0,
            trial: Trial::None,
            tests: 0,
            evidence: Duration::ZERO,
            cycle: Duration::ZERO,
            path: Vec::new(),
        }
    }

    /// Forgets what spoke against it.
    pub(crate) fn acquit(&mut self) {
        (self.trial, self.tests, self.tested) = (Trial::None, 0, 0);
        (self.evidence, self.cycle) = (Duration::ZERO, Duration::ZERO);
    }

    /// Begins a test that was called for, if nothing runs any more. Answers when it is over.
    pub(crate) fn settled(&mut self, settled: MonoTime) -> Option<MonoTime> {
        match self.trial {
            Trial::Called(wait) if self.running == 0 => {
                self.trial = Trial::Going(wait);
                Some(settled + wait)
            }
            _ => None,
        }
    }
}
