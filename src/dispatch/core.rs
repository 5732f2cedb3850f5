//! The core: events and the fate of runs in, effects out. It is told the time and touches nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::job::{Job, Limits, RunId};
use super::lane::{self, LaneId};
use super::lanes::Lanes;
use super::report::{Report, Status};
use super::slots::Slots;
use super::turn::Turn;
use crate::event::Event;
use crate::rules::{Match, Rules};
use crate::time::MonoTime;

/// What the core is told.
///
/// The driver answers each [`Effect::Spawn`] with `Spawned` or `SpawnFailed`, and tells of each spawned run
/// first `Exited`, then `Gone`. What speaks of an unknown run is ignored.
#[derive(Clone, Debug)]
pub enum Input {
    /// Something happened to a path.
    Event(Event),
    /// The kernel's queue overflowed. Changes are found again by looking, deletions are not: every rule with
    /// `per = "batch"` that asks for them gets a run.
    Rescan,
    /// Every initial watch is in place: rules with `on_start` run.
    Ready,
    /// [`Core::deadline`] has passed.
    Due,
    /// A run has begun.
    Spawned {
        /// Which.
        run: RunId,
    },
    /// A run could not be started.
    SpawnFailed {
        /// Which.
        run: RunId,
        /// Why: the system's message.
        error: String,
    },
    /// The leader of a run's process group has exited. It must not have been reaped: the group is
    /// signalled now.
    Exited {
        /// Which.
        run: RunId,
        /// How.
        status: Status,
    },
    /// A run's process group is empty but for its leader, which has exited.
    Gone {
        /// Which.
        run: RunId,
    },
    /// End: nothing new starts, what runs is sent SIGTERM, then SIGKILL after its grace period.
    Halt,
    /// End at once: what runs is sent SIGKILL.
    Kill,
}

/// What the core asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start this.
    Spawn(Job),
    /// Send a signal to the process group of a run.
    Signal {
        /// Which.
        run: RunId,
        /// The signal's number.
        signal: i32,
    },
    /// Tell the user.
    Report(Report),
    /// Everything has ended after [`Input::Halt`] or [`Input::Kill`]. Comes once.
    Exit,
}

/// Whether tripline goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It does.
    Live,
    /// It ends: what runs was sent SIGTERM.
    Halting,
    /// It ends at once: what runs was sent SIGKILL.
    Killing,
    /// Nothing runs any more.
    Over,
}

/// The state of all rules: what collects, what waits and what runs.
#[derive(Debug)]
pub struct Core {
    pub(super) rules: Arc<Rules>,
    pub(super) limits: Limits,
    pub(super) phase: Phase,
    pub(super) lanes: Lanes,
    pub(super) slots: Slots,
    pub(super) runs: HashMap<RunId, LaneId>,
    pub(super) last_run: RunId,
    /// Empty between steps; kept for its memory.
    pub(super) matches: Vec<Match>,
}

impl Core {
    /// A core in which nothing has happened yet.
    #[must_use]
    pub fn new(rules: Arc<Rules>, limits: Limits) -> Self {
        let slots = Slots::new(rules.settings.jobs, rules.rules.iter().map(lane::limit));
        let (runs, matches) = (HashMap::new(), Vec::new());
        let (lanes, last_run) = (Lanes::default(), RunId::default());
        Self { rules, limits, phase: Phase::Live, lanes, slots, runs, last_run, matches }
    }

    /// Takes one step: `now` never goes back. Appends what is to be done, in order.
    pub fn step(&mut self, input: Input, now: MonoTime, effects: &mut Vec<Effect>) {
        let mut turn = Turn { core: self, now, effects };
        turn.take(input);
        turn.expire();
        turn.fill_slots();
        turn.finish();
    }

    /// The moment at which [`Input::Due`] is to come; none if nothing waits for a time. It has not passed
    /// after a step at `now`, so that the driver can sleep until then.
    #[must_use]
    pub fn deadline(&self) -> Option<MonoTime> {
        self.lanes.deadline()
    }
}
