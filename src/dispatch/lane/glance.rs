//! What can be seen of a lane from outside.

use super::super::batch::Batch;
use super::super::job::RunId;
use super::super::schedule::State;
use super::Lane;
use crate::time::MonoTime;

/// A run that goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Going {
    /// Which.
    pub(crate) run: RunId,
    /// When it began.
    pub(crate) since: MonoTime,
    /// Whether it was told to end.
    pub(crate) ending: bool,
}

impl Lane {
    /// Its run, from when it is asked for to the end of the last of its processes.
    pub(crate) fn going(&self) -> Option<Going> {
        let ending = matches!(self.state, State::Stopping | State::Killing);
        self.run.as_ref().map(|run| Going { run: run.id, since: run.started, ending })
    }

    /// Whether it stands in line for a slot.
    pub(crate) fn is_in_line(&self) -> bool {
        self.state == State::Ready
    }

    /// What its run was told.
    pub(crate) fn told(&self) -> Option<&Batch> {
        self.run.as_ref().map(|run| &run.batch)
    }

    /// Whether its run is only starting and was told to end already.
    pub(crate) fn is_doomed(&self) -> bool {
        self.state == State::Starting && self.run.as_ref().is_some_and(|run| run.stopped)
    }

    /// How many changes wait.
    pub(crate) fn waiting(&self) -> usize {
        self.due.changes() + self.collecting.as_ref().map_or(0, |(queue, _)| queue.changes())
    }

    /// When what collects is due, if it is by itself.
    pub(crate) fn settles_at(&self) -> Option<MonoTime> {
        self.collecting.as_ref().map(|(_, debounce)| debounce.due()).filter(|&at| at < MonoTime::MAX)
    }

    /// Whether something is due.
    pub(crate) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Whether what collects has failed and waits to be tried again.
    pub(crate) fn is_backing_off(&self) -> bool {
        self.backing_off
    }
}
