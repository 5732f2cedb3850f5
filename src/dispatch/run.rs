//! One run of a command, from the moment its spawn is asked for.

use super::batch::Batch;
use super::job::RunId;
use super::lane::Over;
use super::report::{Outcome, Status};
use crate::rules::{ExitCodes, Retry, Rule};
use crate::time::MonoTime;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Run {
    /// Its id.
    pub(crate) id: RunId,
    /// What was to be executed.
    program: Vec<u8>,
    /// What it was told.
    pub(crate) batch: Batch,
    /// When it began.
    pub(crate) started: MonoTime,
    /// When it has taken as long as it may: to end by itself, or by SIGTERM once that was sent.
    pub(crate) limit: Option<MonoTime>,
    /// Whether it was told to end because it had taken too long.
    pub(crate) timed_out: bool,
    /// Whether it was told to end for another reason, so that how it ends says nothing.
    pub(crate) stopped: bool,
    /// Whether a change that came during it is due.
    pub(crate) overtaken: bool,
    /// Whether another follows with the paths that its arguments had no room for.
    pub(crate) unfinished: bool,
    /// What became of it, and when.
    pub(crate) outcome: Option<(Outcome, MonoTime)>,
}

impl Run {
    /// A run that is about to begin.
    pub(crate) fn new(id: RunId, program: Vec<u8>, batch: Batch, now: MonoTime) -> Self {
        Self {
            id,
            program,
            batch,
            started: now,
            limit: None,
            timed_out: false,
            stopped: false,
            overtaken: false,
            unfinished: false,
            outcome: None,
        }
    }

    /// Notes how it ended: by itself, or before it began. The first note counts.
    pub(crate) fn note_end(&mut self, how: Result<Status, String>, codes: &ExitCodes, now: MonoTime) {
        let outcome = match how {
            Ok(status) if self.timed_out => Outcome::TimedOut(status),
            Ok(Status::Exited(code)) if lists(&codes.ok, code) => Outcome::Ok(code),
            Ok(Status::Exited(code)) if lists(&codes.skip, code) => Outcome::Skipped(code),
            Ok(status) => Outcome::Failed(status),
            Err(error) => Outcome::NotStarted { program: self.program.clone(), error },
        };
        self.outcome.get_or_insert((outcome, now));
    }

    /// How it is to be done again, if it is.
    pub(crate) fn retry(&self, rule: &Rule) -> Option<Retry> {
        rule.retry.filter(|retry| self.batch.attempt() <= retry.max && self.is_mendable(&rule.exit_codes))
    }

    /// What is to be known of it, now that it is over.
    pub(crate) fn over(self) -> Option<Over> {
        let (stopped, unfinished) = (self.stopped, self.unfinished);
        self.outcome.map(|(outcome, _)| Over { outcome, stopped, unfinished })
    }

    /// Whether it failed by itself, and so that another attempt may do better.
    fn is_mendable(&self, codes: &ExitCodes) -> bool {
        match &self.outcome {
            Some((Outcome::Failed(status), _)) if !self.stopped => match (&codes.retry, *status) {
                (None, _) => true,
                (Some(codes), Status::Exited(code)) => lists(codes, code),
                (Some(_), Status::Signaled(_)) => false,
            },
            _ => false,
        }
    }
}

fn lists(codes: &[u8], code: i32) -> bool {
    codes.iter().any(|&listed| i32::from(listed) == code)
}
