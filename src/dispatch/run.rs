//! One run of a command, from the moment its spawn is asked for.

use super::batch::Batch;
use super::job::RunId;
use super::report::{Outcome, Status};
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
            outcome: None,
        }
    }

    /// Notes how it ended: by itself, or before it began. The first note counts.
    pub(crate) fn note_end(&mut self, how: Result<Status, String>, now: MonoTime) {
        let outcome = match how {
            Ok(status) if self.timed_out => Outcome::TimedOut(status),
            Ok(status) => Outcome::Ended(status),
            Err(error) => Outcome::NotStarted { program: self.program.clone(), error },
        };
        self.outcome.get_or_insert((outcome, now));
    }

    /// Whether it ended by itself, and not well.
    pub(crate) fn has_failed(&self) -> bool {
        let ended = self.outcome.as_ref().filter(|_| !self.stopped);
        matches!(ended, Some((Outcome::Ended(status), _)) if *status != Status::Exited(0))
    }
}
