//! The core: events and the fate of runs in, effects out. It is told the time and touches nothing.

pub(super) mod admission;
pub(super) mod hold;
pub(super) mod reload;
pub(super) mod step;

use std::collections::HashMap;
use std::sync::Arc;

use self::hold::Holds;
use self::step::Turn;
use super::batch::Batch;
use super::batch::content::Contents;
use super::control::{Command, Refusal, Tally};
use super::job::outcome::Status;
use super::job::{Job, Limits, RunId};
use super::lane::jitter::Jitter;
use super::lane::registry::Lanes;
use super::lane::slots::Slots;
use super::lane::{self, LaneId};
use super::loop_guard::Feedback;
use super::report::Report;
use super::service::registry::Services;
use crate::event::Event;
use crate::rules::{Match, RuleId, Rules};
use crate::time::MonoTime;

/// What the core is told.
///
/// The driver answers each [`Effect::Spawn`] with `Spawned` or `SpawnFailed`, and tells of each spawned run
/// first `Exited`, then `Gone`. What speaks of an unknown run is ignored.
#[derive(Clone, Debug)]
pub enum Input {
    /// Something happened to a path.
    Event(Event),
    /// Every initial watch is in place: rules with `on_start` run.
    Ready,
    /// These are there: each rule runs once, for those of them that it matches, and then everything is over.
    Once(Vec<Event>),
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
    /// A service is ready.
    ServiceReady {
        /// Its run.
        run: RunId,
    },
    /// Somebody asks for this.
    Command(Command),
    /// Go on with these rules in place of those there are. `Ready` follows once what they need is watched.
    Reload(Arc<Rules>),
    /// End: nothing new starts, what runs is sent its stop signal, then SIGKILL after its grace period.
    Halt,
    /// End at once: what runs is sent SIGKILL.
    Kill,
}

/// What the core asks for.
#[derive(Clone, Debug, PartialEq)]
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
    /// Look whether a service is ready, and if so say [`Input::ServiceReady`].
    Look {
        /// Its run.
        run: RunId,
    },
    /// Nothing more comes of a run, and no command after it.
    Over {
        /// Which.
        run: RunId,
    },
    /// Have the watcher look through a directory again: other things below it may be ignored now.
    LookAgain {
        /// Its path.
        dir: Vec<u8>,
    },
    /// Tell the user.
    Report(Report),
    /// What becomes of an [`Input::Command`]: done, or why not.
    Answer(Result<(), Refusal>),
    /// Everything has ended: after [`Input::Halt`], [`Input::Kill`] or [`Input::Once`], or as [`Until`] says.
    /// Comes once.
    Exit,
}

/// How long a core goes on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// For ever.
    Stopped,
    /// Until a run has ended that is not to be done again. Others that run by then end by themselves.
    FirstRun,
}

/// Whether tripline goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It does.
    Live,
    /// Nothing new is taken; it ends when nothing is left to do.
    Draining,
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
    /// How many of them are in force. After them come those that are no more and of which something still runs.
    pub(super) live: usize,
    /// Those that begin with the next `Ready`.
    pub(super) starting: Vec<RuleId>,
    pub(super) limits: Limits,
    pub(super) until: Until,
    pub(super) phase: Phase,
    /// The worst exit code so far.
    pub(super) worst: u8,
    pub(super) lanes: Lanes,
    pub(super) slots: Slots,
    pub(super) services: Services,
    pub(super) feedback: Feedback,
    pub(super) holds: Holds,
    pub(super) contents: Contents,
    pub(super) jitter: Jitter,
    pub(super) tally: Tally,
    /// Whether rules that come are paused, because all are.
    pub(super) pauses_new: bool,
    /// What each rule was last told, in a run that has ended.
    pub(super) last: HashMap<RuleId, Batch>,
    pub(super) runs: HashMap<RunId, LaneId>,
    pub(super) last_run: RunId,
    /// Empty between steps; kept for its memory.
    pub(super) matches: Vec<Match>,
}

impl Core {
    /// A core in which nothing has happened yet.
    #[must_use]
    pub fn new(rules: Arc<Rules>, limits: Limits) -> Self {
        let slots = Slots::new(rules.settings.jobs, rules.rules.iter().map(|rule| lane::limits(rule)));
        let (runs, matches) = (HashMap::new(), Vec::new());
        let (lanes, last_run) = (Lanes::default(), RunId::default());
        let (services, feedback) = (Services::new(&rules), Feedback::of(&rules));
        let jitter = Jitter::default();
        let live = rules.rules.len();
        let starting = (0..live).map(RuleId).collect();
        let (until, phase, worst) = (Until::Stopped, Phase::Live, 0);
        Self {
            rules,
            live,
            starting,
            limits,
            until,
            phase,
            worst,
            lanes,
            slots,
            services,
            feedback,
            holds: Holds::default(),
            contents: Contents::default(),
            jitter,
            tally: Tally::new(live),
            pauses_new: false,
            last: HashMap::new(),
            runs,
            last_run,
            matches,
        }
    }

    /// The same, with waits for another attempt that are longer by something that depends on `seed`.
    #[must_use]
    pub fn seeded(self, seed: u64) -> Self {
        Self { jitter: Jitter::seeded(seed), ..self }
    }

    /// The rules that it goes by, and after them those that are no more and of which something still runs.
    #[must_use]
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// How many of them are in force.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.live
    }

    /// How many runs go on, services left out.
    #[must_use]
    pub fn running(&self) -> usize {
        self.runs.len()
    }

    /// The same, going on no longer than that.
    #[must_use]
    pub fn until(self, until: Until) -> Self {
        Self { until, ..self }
    }

    /// The largest exit code that a run has ended with which was not done again, as a shell would count it.
    #[must_use]
    pub fn worst_code(&self) -> u8 {
        self.worst
    }

    /// Takes one step: `now` never goes back. Appends what is to be done, in order.
    pub fn step(&mut self, input: Input, now: MonoTime, effects: &mut Vec<Effect>) {
        let said = effects.len();
        let mut turn = Turn { core: self, now, effects };
        turn.take(input);
        turn.expire();
        turn.fill_slots();
        turn.finish();
        for effect in &effects[said..] {
            if let Effect::Report(report) = effect {
                let rules = &self.rules.rules;
                self.tally.note(report, now, |name| rules.iter().position(|rule| rule.name == name));
            }
        }
    }

    /// The moment at which [`Input::Due`] is to come; none if nothing waits for a time. It has not passed
    /// after a step at `now`, so that the driver can sleep until then.
    #[must_use]
    pub fn deadline(&self) -> Option<MonoTime> {
        [self.lanes.deadline(), self.slots.deadline(), self.services.deadline()].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::{EventMask, Subject, Trigger};
    use crate::rules::tests::rules;

    /// A core with one rule that restarts, told inputs at milliseconds.
    struct Bench(Core);

    impl Bench {
        fn new() -> Self {
            let text = "[rules.test]\npaths = [\"*\"]\nrun = [\"make\"]\non_busy = \"restart\"\n";
            Self(Core::new(Arc::new(rules(text)), Limits { exec_bytes: 4096 }))
        }

        fn at(&mut self, ms: u64, input: Input) -> Vec<Effect> {
            let mut effects = Vec::new();
            self.0.step(input, MonoTime::from_origin(Duration::from_millis(ms)), &mut effects);
            effects.retain(|effect| !matches!(effect, Effect::Report(_) | Effect::Over { .. }));
            effects
        }

        /// Changes a file and waits until the spawn is asked for, at 50.
        fn starting() -> Self {
            let mut bench = Self::new();
            bench.at(0, change());
            assert!(matches!(bench.at(50, Input::Due)[..], [Effect::Spawn(_)]));
            bench
        }
    }

    const RUN: RunId = RunId(1);

    fn change() -> Input {
        let mask = EventMask::CLOSE_WRITE | EventMask::CHANGE;
        let (path, subject, trigger) = (b"/w/a".to_vec(), Subject::File, Trigger::Event);
        Input::Event(Event { mask, path, subject, from: None, cookie: 0, trigger })
    }

    fn exited() -> Input {
        Input::Exited { run: RUN, status: Status::Exited(0) }
    }

    #[test]
    fn what_comes_due_while_a_run_starts_stops_it_as_soon_as_it_is_there() {
        let mut bench = Bench::starting();
        bench.at(60, change());
        assert_eq!(bench.0.deadline(), None);
        assert_eq!(bench.at(200, Input::Due), []);
        let term = Effect::Signal { run: RUN, signal: libc::SIGTERM };
        assert_eq!(bench.at(210, Input::Spawned { run: RUN }), [term]);
    }

    #[test]
    fn a_run_that_starts_while_tripline_ends_is_ended() {
        for (order, signal) in [(Input::Halt, libc::SIGTERM), (Input::Kill, libc::SIGKILL)] {
            let mut bench = Bench::starting();
            assert_eq!(bench.at(60, order), []);
            assert_eq!(bench.at(70, Input::Spawned { run: RUN }), [Effect::Signal { run: RUN, signal }]);
            bench.at(80, exited());
            assert_eq!(bench.at(90, Input::Gone { run: RUN }), [Effect::Exit]);
        }
    }

    #[test]
    fn a_spawn_that_fails_while_tripline_ends_is_the_end() {
        let mut bench = Bench::starting();
        assert_eq!(bench.at(60, Input::Halt), []);
        assert_eq!(bench.at(70, Input::SpawnFailed { run: RUN, error: "no".into() }), [Effect::Exit]);
    }

    #[test]
    fn a_group_is_gone_only_after_its_leader() {
        let mut bench = Bench::starting();
        bench.at(50, Input::Spawned { run: RUN });
        bench.at(100, change());
        assert!(matches!(bench.at(150, Input::Due)[..], [Effect::Signal { .. }]));
        assert_eq!(bench.at(160, Input::Gone { run: RUN }), []);
        assert_eq!(bench.at(170, exited()), []);
        assert!(matches!(bench.at(180, Input::Gone { run: RUN })[..], [Effect::Spawn(_)]));
    }

    #[test]
    fn what_comes_out_of_order_does_no_harm() {
        let mut bench = Bench::starting();
        bench.at(50, Input::Spawned { run: RUN });
        assert_eq!(bench.at(60, Input::Gone { run: RUN }), []);
        assert_eq!(bench.at(60, Input::Spawned { run: RUN }), []);
        assert_eq!(bench.at(60, Input::Exited { run: RunId(7), status: Status::Exited(0) }), []);
        bench.at(70, exited());
        assert_eq!(bench.at(70, Input::Gone { run: RUN }), []);
        assert_eq!(bench.at(80, Input::Gone { run: RUN }), []);
        assert_eq!(bench.at(90, Input::Halt), [Effect::Exit]);
        assert_eq!(bench.at(90, Input::Kill), []);
    }
}
