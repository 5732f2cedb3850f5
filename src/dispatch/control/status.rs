//! What there is to be seen of a running tripline, all at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dispatch::RunId;
use crate::dispatch::core::Core;
use crate::dispatch::lane::Lane;
use crate::dispatch::report::histogram::Durations;
use crate::dispatch::service::table;
use crate::rules::{Rule, RuleId};
use crate::time::MonoTime;

/// Everything, at one moment. As JSON, times are whole milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// tripline's process.
    pub pid: u32,
    /// For how long it has run.
    #[serde(rename = "uptime_ms", with = "milliseconds")]
    pub uptime: Duration,
    /// The rules, in the order of the rules file.
    pub rules: Vec<RuleOverview>,
    /// Runs that go on.
    pub running: usize,
    /// How many may at once, as `jobs` says.
    pub jobs: usize,
    /// Whether rules that come by a reload are paused, because all are.
    pub paused: bool,
    /// Events that the watcher has reported so far.
    pub events: u64,
    /// What waits, and what it waits in.
    pub queues: Queues,
}

/// What waits, and what it waits in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Directories that are watched.
    pub watches: usize,
    /// How many this user may watch (`fs.inotify.max_user_watches`); none where that is not known.
    pub watch_limit: Option<u64>,
    /// Events that no rule has been asked about yet.
    pub events: usize,
    /// Changes that wait for a run.
    pub changes: usize,
    /// How often the kernel's queue has overflowed.
    pub overflows: usize,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleOverview {
    /// Its name.
    pub name: String,
    /// What it does.
    pub state: State,
    /// Until it runs, where it settles; until it may run again, where it is suspended.
    #[serde(
        rename = "due_in_ms",
        with = "milliseconds::option",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub due_in: Option<Duration>,
    /// Its runs that go on, oldest first.
    pub runs: Vec<RunOverview>,
    /// Changes that wait for its next run.
    pub waiting: usize,
    /// Whether it is paused; a run that has begun before goes on.
    pub paused: bool,
    /// Its service, if it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub service: Option<ServiceOverview>,
    /// Why it has run last, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<String>,
    /// How it has run last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<Last>,
    /// What has been counted.
    pub counts: Counts,
    /// How long its runs have taken that were not told to end.
    pub durations: Durations,
    /// How long after the first event of a batch became known its run has begun.
    pub latencies: Durations,
}

/// What a rule does: the first of these that is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It runs.
    Running,
    /// It makes the changes that it runs for, and starts nothing for a while.
    Suspended,
    /// Somebody has paused it.
    Paused,
    /// A run has failed, and waits to be done again.
    Retrying,
    /// A run is due and waits for others to end, or for what holds it.
    Queued,
    /// Changes collect until all is quiet.
    Settling,
    /// It waits for changes.
    Waiting,
}

/// A run that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOverview {
    /// Its number, as `TRIPLINE_RUN` has it.
    pub id: u64,
    /// The process that leads its group; none while it is being started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid: Option<i32>,
    /// For how long it has run.
    #[serde(rename = "elapsed_ms", with = "milliseconds")]
    pub elapsed: Duration,
    /// Whether it was told to end.
    pub ending: bool,
}

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceOverview {
    /// What it does.
    pub state: ServiceState,
    /// The process that leads its group, if it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid: Option<i32>,
    /// For how long it has run.
    #[serde(
        rename = "elapsed_ms",
        with = "milliseconds::option",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub elapsed: Option<Duration>,
    /// Until it is started again, after a crash.
    #[serde(
        rename = "due_in_ms",
        with = "milliseconds::option",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub due_in: Option<Duration>,
}

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// It has not begun, has ended by itself, or was stopped.
    Down,
    /// It begins, and is not ready yet.
    Starting,
    /// It serves.
    Up,
    /// It was told to end, or what is left of it is.
    Ending,
    /// It has crashed, and is started again after a wait.
    Crashed,
    /// It has crashed too often, and is started again at the next change.
    Suspended,
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// Its number.
    pub run: u64,
    /// What became of it, in words.
    pub outcome: String,
    /// What a shell would say of it; 0 is success.
    pub code: u8,
    /// Whether it was told to end, so that its code says nothing.
    pub stopped: bool,
    /// How long it has run.
    #[serde(rename = "elapsed_ms", with = "milliseconds")]
    pub elapsed: Duration,
    /// How long ago it has ended.
    #[serde(rename = "ago_ms", with = "milliseconds")]
    pub ago: Duration,
}

/// What has been counted of a rule since tripline has started, or since the rule has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events that have matched.
    pub matches: u64,
    /// Runs that have begun.
    pub runs: u64,
    /// Of those: that have succeeded.
    pub ok: u64,
    /// That had nothing to do, by their exit code.
    pub skipped: u64,
    /// That have failed.
    pub failed: u64,
    /// That took too long.
    pub timed_out: u64,
    /// That could not be started.
    pub not_started: u64,
    /// That were told to end, to begin anew or because somebody wanted so.
    pub stopped: u64,
    /// How often the service was started.
    pub starts: u64,
    /// How often it has ended by itself with a failure.
    pub crashes: u64,
}

impl Core {
    /// What there is to be seen at this moment. It leaves the process, and what the watcher knows, to be filled in.
    #[must_use]
    pub fn overview(&self, now: MonoTime) -> Overview {
        let live = self.rules.rules[..self.live].iter().enumerate();
        let rules: Vec<_> =
            live.map(|(number, rule)| self.rule_overview(RuleId(number), rule, now)).collect();
        let (running, jobs) = self.slots.load();
        let changes = rules.iter().map(|rule| rule.waiting).sum();
        let queues = Queues { changes, ..Queues::default() };
        let (paused, events, uptime) = (self.pauses_new, self.tally.events, now.since_origin());
        Overview { pid: 0, uptime, rules, running, jobs, paused, events, queues }
    }

    fn rule_overview(&self, id: RuleId, rule: &Rule, now: MonoTime) -> RuleOverview {
        let lanes: Vec<&Lane> = self.lanes.each_of(id).collect();
        let record = self.tally.of(id);
        let going = lanes.iter().filter_map(|lane| lane.going());
        let runs = going.map(|going| RunOverview {
            id: going.run.0,
            pid: None,
            elapsed: now.since(going.since),
            ending: going.ending,
        });
        let (state, due) = self.state(id, &lanes);
        RuleOverview {
            name: rule.name.clone(),
            state,
            due_in: due.map(|at| at.since(now)),
            runs: runs.collect(),
            waiting: lanes.iter().map(|lane| lane.waiting()).sum(),
            paused: self.slots.is_paused(id),
            service: self.service_overview(id, now),
            cause: record.cause.as_ref().map(ToString::to_string),
            last: record.last.as_ref().map(|end| end.told(now)),
            counts: record.counts,
            durations: record.durations,
            latencies: record.latencies,
        }
    }

    /// What a rule does, and when that changes, if that is known.
    fn state(&self, id: RuleId, lanes: &[&Lane]) -> (State, Option<MonoTime>) {
        let settles = lanes.iter().filter_map(|lane| lane.settles_at()).min();
        let held = self.holds.are_on(id);
        if lanes.iter().any(|lane| lane.going().is_some()) {
            (State::Running, None)
        } else if self.feedback.is_suspended(id) {
            (State::Suspended, self.slots.opens(id))
        } else if self.slots.is_paused(id) {
            (State::Paused, None)
        } else if lanes.iter().any(|lane| lane.is_backing_off()) {
            (State::Retrying, settles)
        } else if held || lanes.iter().any(|lane| lane.has_due()) {
            (State::Queued, None)
        } else if settles.is_some() {
            (State::Settling, settles)
        } else {
            (State::Waiting, None)
        }
    }

    fn service_overview(&self, id: RuleId, now: MonoTime) -> Option<ServiceOverview> {
        let service = self.services.of(id)?;
        let state = match service.state() {
            table::State::Down => ServiceState::Down,
            table::State::Starting | table::State::Stale | table::State::Waking => ServiceState::Starting,
            table::State::Up => ServiceState::Up,
            table::State::Doomed | table::State::Replacing | table::State::Falling | table::State::Ending => {
                ServiceState::Ending
            }
            table::State::Waiting => ServiceState::Crashed,
            table::State::Suspended => ServiceState::Suspended,
        };
        let elapsed = service.since().map(|since| now.since(since));
        let due = service.deadline().filter(|_| state == ServiceState::Crashed);
        Some(ServiceOverview { state, pid: None, elapsed, due_in: due.map(|at| at.since(now)) })
    }

    /// The process of a rule's service, if it has one or has asked for one.
    pub(crate) fn service_run(&self, rule: &str) -> Option<RunId> {
        let number = self.rules.rules[..self.live].iter().position(|known| known.name == rule)?;
        self.services.of(RuleId(number))?.run()
    }
}

/// A time as whole milliseconds.
pub(crate) mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }

    pub(crate) mod option {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serializer};

        pub(crate) fn serialize<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => super::serialize(time, to),
                None => to.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
            Ok(Option::<u64>::deserialize(from)?.map(Duration::from_millis))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dispatch::{Command, Effect, Input, Limits, Status};
    use crate::event::{Event, EventMask, Subject, Trigger};
    use crate::rules::tests::rules;

    struct Bench(Core);

    impl Bench {
        fn new() -> Self {
            let text = "[rules.test]\npaths = [\"*\"]\nrun = [\"make\"]\nretry = { max = 1, initial = \"10s\" }\n\
                        [rules.web]\npaths = [\"web/*\"]\nservice = [\"web\"]\n";
            Self(Core::new(Arc::new(rules(text)), Limits { exec_bytes: 4096 }))
        }

        fn at(&mut self, ms: u64, input: Input) {
            let (mut effects, now) = (Vec::new(), at(ms));
            self.0.step(input, now, &mut effects);
            for effect in effects {
                if let Effect::Spawn(job) = effect {
                    self.at(ms, Input::Spawned { run: job.run });
                }
            }
        }

        fn rule(&self, ms: u64) -> RuleOverview {
            self.0.overview(at(ms)).rules.swap_remove(0)
        }
    }

    fn at(ms: u64) -> MonoTime {
        MonoTime::from_origin(Duration::from_millis(ms))
    }

    fn change() -> Input {
        let mask = EventMask::CLOSE_WRITE | EventMask::CHANGE;
        let (path, subject, trigger) = (b"/w/a".to_vec(), Subject::File, Trigger::Event);
        Input::Event(Event { mask, path, subject, from: None, cookie: 0, trigger })
    }

    #[test]
    fn a_rule_is_seen_in_every_state() {
        let mut bench = Bench::new();
        let mut seen = vec![bench.rule(0).state];
        bench.at(0, change());
        let settling = bench.rule(10);
        assert_eq!((settling.waiting, settling.due_in), (1, Some(Duration::from_millis(40))));
        seen.push(settling.state);
        bench.at(50, Input::Due);
        let running = bench.rule(60);
        assert_eq!((running.runs[0].id, running.runs[0].elapsed), (1, Duration::from_millis(10)));
        assert_eq!(running.cause.as_deref(), Some("a (close_write)"));
        seen.push(running.state);
        bench.at(100, Input::Exited { run: RunId(1), status: Status::Exited(2) });
        bench.at(100, Input::Gone { run: RunId(1) });
        let retrying = bench.rule(100);
        let last = retrying.last.unwrap();
        assert_eq!(
            (last.outcome.as_str(), last.code, last.elapsed),
            ("exit code 2", 2, Duration::from_millis(50))
        );
        assert_eq!((retrying.counts.runs, retrying.counts.failed, retrying.counts.matches), (1, 1, 1));
        seen.push(retrying.state);
        bench.at(110, Input::Command(Command::Pause { rule: Some("test".into()) }));
        seen.push(bench.rule(120).state);
        use State::{Paused, Retrying, Running, Settling, Waiting};
        assert_eq!(seen, [Waiting, Settling, Running, Retrying, Paused]);
    }

    #[test]
    fn a_latency_goes_from_the_first_event_to_the_spawn_and_is_counted_once() {
        let mut bench = Bench::new();
        bench.at(0, change());
        bench.at(40, change());
        bench.at(95, Input::Due);
        let counted = |latency, bucket| {
            let mut latencies = Durations { sum: Duration::from_millis(latency), ..Durations::default() };
            latencies.counts[bucket] = 1;
            latencies
        };
        assert_eq!(bench.rule(95).latencies, counted(95, 4));
        bench.at(100, Input::Exited { run: RunId(1), status: Status::Exited(2) });
        bench.at(100, Input::Gone { run: RunId(1) });
        bench.at(60_000, Input::Due);
        let trigger = Command::Trigger { rule: "test".into(), paths: vec!["a".into()] };
        bench.at(70_000, Input::Exited { run: RunId(2), status: Status::Exited(0) });
        bench.at(70_000, Input::Gone { run: RunId(2) });
        bench.at(70_000, Input::Command(trigger));
        let seen = bench.rule(70_000);
        // Neither another attempt nor what somebody asks for answers an event.
        assert_eq!((seen.counts.runs, seen.latencies), (3, counted(95, 4)));
    }

    #[test]
    fn a_service_is_seen_and_all_of_it_survives_json() {
        let mut bench = Bench::new();
        bench.at(0, Input::Ready);
        let seen = bench.0.overview(at(1500));
        let service = seen.rules[1].service.unwrap();
        assert_eq!((service.state, service.elapsed), (ServiceState::Up, Some(Duration::from_millis(1500))));
        assert_eq!(seen.rules[1].counts.starts, 1);
        let text = serde_json::to_string(&seen).unwrap();
        assert_eq!(serde_json::from_str::<Overview>(&text).unwrap(), seen);
    }
}
