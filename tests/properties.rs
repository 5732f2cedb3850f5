//! What holds for the dispatcher whatever happens, tried with random inputs on a virtual clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tripline::dispatch::{
    Command, Core, Effect, Input, Job, Limits, Outcome, Part, Refusal, Report, RunId, Status,
};
use tripline::event::{Event, EventMask, Subject, Trigger};
use tripline::rules::{IgnoreFiles, Rules, SourceFile, Surroundings};
use tripline::time::MonoTime;

/// One thing that happens; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Act {
    /// A path of its own changes below `b`.
    Batch,
    /// A path of its own changes that runs of `b` are declared to write.
    Output,
    /// One of three paths changes below `f`.
    File(u8),
    /// A path of its own changes below `e`.
    Event,
    /// A path of its own changes below `s`.
    Service,
    /// The service says that it is ready.
    Serve,
    Ready,
    /// A spawn that was asked for is answered.
    Answer {
        which: usize,
        fails: bool,
    },
    Exit(usize),
    Gone(usize),
    /// The rules are read again, in another order and with another quiet period.
    Reload(usize),
    /// Somebody asks for something.
    Ask(Command),
    Halt,
    Kill,
}

/// The throttle of a rule that has one.
const THROTTLE: Duration = Duration::from_secs(2);

/// How long after a run what it is declared to write does not count.
const SETTLE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
struct Settings {
    jobs: usize,
    max_parallel: usize,
    batch: &'static str,
    event: &'static str,
    exec_bytes: usize,
    seed: Option<u64>,
    throttle: bool,
    timeout: bool,
    retry: &'static str,
}

impl Settings {
    /// The rules as they are at first, or in one of the ways in which they change.
    fn rules(&self, way: usize) -> Rules {
        let debounce = ["50ms", "10ms", "50ms", "1s"][way % 4];
        let Self { jobs, max_parallel, batch, event, retry, .. } = self;
        let throttle = if self.throttle { "throttle = \"2s\"" } else { "" };
        let timeout = if self.timeout { "timeout = \"4s\"" } else { "" };
        let parallel = |policy: &str| match policy {
            "parallel" => format!("on_busy = \"parallel\"\nmax_parallel = {max_parallel}"),
            _ => format!("on_busy = \"{policy}\""),
        };
        let head = format!("[settings]\njobs = {jobs}\ndebounce = \"{debounce}\"\n");
        let mut parts = [
            format!(
                "[rules.b]\npaths = [\"b/*\"]\nrun = [\"b\", \"{{paths}}\"]\non_start = true\n\
                 outputs = [\"b/out*\"]\n{retry}\n{timeout}\n{}\n",
                parallel(batch)
            ),
            format!(
                "[rules.f]\npaths = [\"f/*\"]\nrun = [\"f\"]\nper = \"file\"\nmax_parallel = {max_parallel}\n\
                 on_busy = \"restart\"\ntimeout = \"4s\"\n{throttle}\nretry = {{ max = 2 }}\n"
            ),
            "[rules.s]\npaths = [\"s/*\"]\nrun = [\"s\"]\nservice = [\"serve\"]\nready = { port = 1 }\n"
                .to_owned(),
            format!(
                "[rules.e]\npaths = [\"e/*\"]\nrun = [\"e\"]\nper = \"event\"\n{retry}\n{throttle}\n{}\n",
                parallel(event)
            ),
        ];
        parts.rotate_left(way % 4);
        let text = head + &parts.concat();
        let files = Arc::new(HashMap::<PathBuf, IgnoreFiles>::new());
        let around = Surroundings { directory: "/w".into(), home: None, files };
        Rules::parse(SourceFile { name: "rules".into(), text }, &around).map_err(|e| e.render(false)).unwrap()
    }

    fn limit(&self, rule: &str) -> usize {
        let parallel = match rule {
            "b" => self.batch == "parallel",
            "e" => self.event == "parallel",
            "s" => false,
            _ => true,
        };
        if parallel { self.max_parallel } else { 1 }
    }
}

/// What the driver knows of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Asked,
    Running,
    Exited,
}

struct World {
    settings: Settings,
    core: Core,
    now: MonoTime,
    runs: BTreeMap<RunId, (Stage, Job)>,
    /// The paths that changed before the end was asked for, and those that some run was told which was not
    /// stopped to start again.
    changed: BTreeSet<Vec<u8>>,
    told: BTreeSet<Vec<u8>>,
    /// How many paths of their own there have been: each has its number in its name.
    made: usize,
    /// Those that `b` itself is taken to have written.
    outputs: BTreeSet<Vec<u8>>,
    /// Those that some run was told, and those of them that another may be told: theirs was stopped or failed.
    numbered: BTreeMap<&'static str, BTreeSet<usize>>,
    again: BTreeSet<Vec<u8>>,
    /// Those that somebody has had run once more.
    rerun: BTreeSet<Vec<u8>>,
    jobs: BTreeMap<RunId, Vec<Vec<u8>>>,
    /// The rule of each run.
    started: BTreeMap<RunId, String>,
    /// Whether somebody has cancelled a run, and with it what it had no room for.
    cancelled: bool,
    b_ended: Option<MonoTime>,
    /// Changes that the reports account for without a run.
    refused: usize,
    spawned: usize,
    last: BTreeMap<String, MonoTime>,
    ended: BTreeSet<RunId>,
    over: BTreeSet<RunId>,
    halted: bool,
    exits: usize,
}

impl World {
    fn new(settings: &Settings) -> Self {
        let rules = Arc::new(settings.rules(0));
        let core = Core::new(Arc::clone(&rules), Limits { exec_bytes: settings.exec_bytes });
        Self {
            core: settings.seed.into_iter().fold(core, Core::seeded),
            settings: settings.clone(),
            now: MonoTime::default(),
            runs: BTreeMap::new(),
            changed: BTreeSet::new(),
            told: BTreeSet::new(),
            made: 0,
            outputs: BTreeSet::new(),
            numbered: BTreeMap::new(),
            again: BTreeSet::new(),
            rerun: BTreeSet::new(),
            jobs: BTreeMap::new(),
            b_ended: None,
            started: BTreeMap::new(),
            cancelled: false,
            refused: 0,
            spawned: 0,
            last: BTreeMap::new(),
            ended: BTreeSet::new(),
            over: BTreeSet::new(),
            halted: false,
            exits: 0,
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Batch => self.change_new("b/"),
            Act::Output => self.change_new("b/out"),
            Act::Event => self.change_new("e/"),
            Act::Service => self.change_new("s/"),
            Act::Serve => self.serve(),
            Act::File(n) => self.change(format!("/w/f/{n}")),
            Act::Ready => self.step(Input::Ready),
            Act::Answer { which, fails } => self.answer(which, fails),
            Act::Exit(which) => self.exit(which),
            Act::Gone(which) => self.gone(which),
            Act::Reload(way) => self.step(Input::Reload(Arc::new(self.settings.rules(way)))),
            Act::Ask(ref command) => self.ask(command),
            Act::Halt => self.end(Input::Halt),
            Act::Kill => self.end(Input::Kill),
        }
    }

    fn change_new(&mut self, start: &str) {
        self.made += 1;
        self.change(format!("/w/{start}{}", self.made));
    }

    fn of_rule(&self, run: RunId) -> &str {
        &self.runs[&run].1.rule.name
    }

    fn change(&mut self, path: String) {
        let runs = self.runs.keys().any(|&run| self.of_rule(run) == "b");
        let settles = self.b_ended.is_some_and(|at| self.now.since(at) < SETTLE);
        let own = path.starts_with("/w/b/out") && (runs || settles);
        let path = path.into_bytes();
        if own {
            self.outputs.insert(path.clone());
        } else if !self.halted {
            self.changed.insert(path.clone());
        }
        let mask = EventMask::CLOSE_WRITE | EventMask::CHANGE;
        let (subject, trigger) = (Subject::File, Trigger::Event);
        self.step(Input::Event(Event { mask, path, subject, from: None, cookie: 0, trigger }));
    }

    fn ask(&mut self, command: &Command) {
        self.cancelled |= matches!(command, Command::Cancel { .. });
        let rule = if let Command::Rerun { rule } = command { Some(rule) } else { None };
        for (_, paths) in self.jobs.iter().filter(|(run, _)| rule == self.started.get(run)) {
            self.rerun.extend(paths.iter().cloned());
        }
        self.step(Input::Command(command.clone()));
    }

    fn end(&mut self, input: Input) {
        self.halted = true;
        self.step(input);
    }

    fn pick(&self, which: usize, stage: Stage) -> Option<RunId> {
        let found: Vec<_> = self.runs.iter().filter(|(_, run)| run.0 == stage).map(|(&id, _)| id).collect();
        (!found.is_empty()).then(|| found[which % found.len()])
    }

    fn answer(&mut self, which: usize, fails: bool) {
        let Some(run) = self.pick(which, Stage::Asked) else { return };
        if fails {
            self.note_end(run);
            self.runs.remove(&run);
            self.step(Input::SpawnFailed { run, error: "no".to_owned() });
        } else {
            self.enter(run, Stage::Running);
            self.step(Input::Spawned { run });
        }
    }

    fn exit(&mut self, which: usize) {
        let Some(run) = self.pick(which, Stage::Running) else { return };
        self.enter(run, Stage::Exited);
        self.step(Input::Exited { run, status: Status::Exited((which % 2) as i32) });
    }

    fn gone(&mut self, which: usize) {
        let Some(run) = self.pick(which, Stage::Exited) else { return };
        self.note_end(run);
        self.runs.remove(&run);
        self.step(Input::Gone { run });
    }

    fn note_end(&mut self, run: RunId) {
        if self.of_rule(run) == "b" {
            self.b_ended = Some(self.now);
        }
    }

    fn serve(&mut self) {
        let running = self.runs.iter().find(|(_, run)| run.0 == Stage::Running && is_service(&run.1));
        if let Some((&run, _)) = running {
            self.step(Input::ServiceReady { run });
        }
    }

    fn enter(&mut self, run: RunId, stage: Stage) {
        self.runs.get_mut(&run).unwrap().0 = stage;
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        if self.core.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.step(Input::Due);
        }
    }

    fn step(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.core.step(input, self.now, &mut effects);
        for effect in effects {
            match effect {
                Effect::Spawn(job) => self.spawn(job),
                Effect::Signal { run, .. } => {
                    let known = self.runs.get(&run).map(|run| run.0);
                    assert!(known.is_some_and(|stage| stage != Stage::Asked), "no process to signal");
                }
                Effect::Report(report) => self.hear(&report),
                Effect::Look { run } => assert!(is_service(&self.runs[&run].1)),
                Effect::Over { run } => assert!(self.over.insert(run), "a run is over once"),
                Effect::LookAgain { dir } => panic!("no ignore file has changed below {dir:?}"),
                Effect::Answer(answer) => assert!(
                    matches!(
                        answer,
                        Ok(()) | Err(Refusal::NotRunning(_) | Refusal::NoRule { .. } | Refusal::Ending)
                    ),
                    "{answer:?}"
                ),
                Effect::Exit => self.exits += 1,
            }
        }
        assert!(self.core.deadline().is_none_or(|deadline| deadline > self.now), "called in the past");
    }

    fn spawn(&mut self, job: Job) {
        assert!(!self.halted, "nothing new starts after the first signal");
        assert_eq!(self.exits, 0);
        if is_service(&job) {
            assert!(self.runs.values().all(|(_, other)| !is_service(other)), "two services at once");
            self.runs.insert(job.run, (Stage::Asked, job));
            return;
        }
        let paths: Vec<Vec<u8>> = job.paths.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
        let paths: Vec<_> = paths.into_iter().filter(|path| !path.is_empty()).collect();
        paths.iter().for_each(|path| self.tell(path));
        self.told.extend(paths.iter().cloned());
        self.jobs.insert(job.run, paths);
        self.started.insert(job.run, job.rule.name.clone());
        self.spawned += 1;
        let rule = job.rule.name.clone();
        if rule == "f" {
            let one = !job.paths.is_empty();
            let same = |other: &Job| one && other.rule.name == rule && other.paths == job.paths;
            assert!(!self.runs.values().any(|(_, other)| same(other)), "two runs of one path");
        }
        if self.settings.throttle && (rule == "e" || rule == "f") {
            let last = self.last.insert(rule.clone(), self.now);
            assert!(last.is_none_or(|last| self.now.since(last) >= THROTTLE), "too soon");
        }
        let of_rule = |other: &Job| other.rule.name == job.rule.name && !is_service(other);
        let beside = self.runs.values().filter(|(_, other)| of_rule(other)).count();
        assert!(beside < self.settings.limit(&rule), "too many runs of {rule}");
        self.runs.insert(job.run, (Stage::Asked, job));
        let running = self.runs.values().filter(|(_, other)| !is_service(other)).count();
        assert!(running <= self.settings.jobs, "too many runs");
    }

    /// A path of its own is told to one run, in the order in which such paths changed; to another only after that was
    /// stopped to start again or has failed.
    fn tell(&mut self, path: &[u8]) {
        assert!(!self.outputs.contains(path), "{} was written by a run", path.escape_ascii());
        let text = std::str::from_utf8(path).unwrap();
        let rule = ["b", "s", "e"].into_iter().find(|rule| text.starts_with(&format!("/w/{rule}/")));
        let Ok(number) = text.trim_start_matches(|c: char| !c.is_ascii_digit()).parse() else { return };
        let Some(rule) = rule else { return };
        let told = self.numbered.entry(rule).or_default();
        if told.contains(&number) {
            assert!(self.again.remove(path) || self.rerun.contains(path), "{text} is told twice");
        } else {
            assert!(told.last().is_none_or(|&last| last < number), "{text} after {told:?}");
            told.insert(number);
        }
    }

    fn hear(&mut self, report: &Report) {
        match report {
            Report::Ended { run, outcome, .. } => {
                assert!(self.ended.insert(*run), "a run ends once");
                if matches!(outcome, Outcome::Failed(_)) {
                    self.again.extend(self.jobs[run].iter().cloned());
                }
            }
            Report::Skipped { changes, .. } | Report::Dropped { changes, .. } => self.refused += changes,
            Report::Signalled { cause, .. } => {
                self.refused += usize::from(cause.first.is_some()) + cause.more;
            }
            Report::Stopping { run, cause: Some(_), .. } => {
                for path in &self.jobs[run] {
                    self.told.remove(path);
                    self.again.insert(path.clone());
                }
            }
            Report::Started { .. }
            | Report::Stopping { .. }
            | Report::TimedOut { .. }
            | Report::Retry { .. }
            | Report::Reloaded { .. }
            | Report::Held { .. }
            | Report::Unchanged { .. }
            | Report::NothingThere { .. }
            | Report::HookFailed { .. }
            | Report::NotOnce { .. }
            | Report::Service { .. }
            | Report::Killing { .. }
            | Report::Paused { .. }
            | Report::Resumed { .. }
            | Report::Suspected { .. } => {}
            Report::Suspended { .. } => panic!("nothing here is written by a run"),
        }
    }

    /// Lets every process end that still runs, and time pass until nothing waits for it.
    fn wind_down(&mut self) {
        self.step(Input::Command(Command::Resume { rule: None, forget: false }));
        for _ in 0..1_000 {
            self.answer(0, false);
            self.exit(0);
            self.gone(0);
            match self.core.deadline() {
                Some(deadline) => self.pass(deadline.since(self.now)),
                None if self.runs.is_empty() => return,
                None => {}
            }
        }
        panic!("the core never comes to rest");
    }
}

fn is_service(job: &Job) -> bool {
    job.part == Part::Service
}

fn settings() -> impl Strategy<Value = Settings> {
    let policy = || prop::sample::select(vec!["queue", "restart", "signal", "parallel", "skip"]);
    let retry = prop::sample::select(vec!["# none", "retry = {}", "retry = { max = 1, initial = \"50ms\" }"]);
    let numbers = (1..4_usize, 2..4_usize, prop::sample::select(vec![0, 700, 100_000]), any::<Option<u64>>());
    (numbers, policy(), policy(), retry, any::<bool>(), any::<bool>()).prop_map(
        |((jobs, max_parallel, exec_bytes, seed), batch, event, retry, throttle, timeout)| Settings {
            jobs,
            max_parallel,
            batch,
            event,
            exec_bytes,
            seed,
            throttle,
            timeout,
            retry,
        },
    )
}

/// What somebody may ask for, but to end.
fn commands() -> impl Strategy<Value = Command> {
    let rule = || prop::sample::select(vec!["b", "e", "f", "s"]).prop_map(str::to_owned);
    prop_oneof![
        prop::option::of(rule()).prop_map(|rule| Command::Pause { rule }),
        prop::option::of(rule()).prop_map(|rule| Command::Resume { rule, forget: false }),
        rule().prop_map(|rule| Command::Trigger { rule, paths: Vec::new() }),
        rule().prop_map(|rule| Command::Rerun { rule }),
        rule().prop_map(|rule| Command::Cancel { rule }),
    ]
}

/// Acts that leave tripline running, each after a wait in milliseconds.
fn acts() -> impl Strategy<Value = Vec<(u64, Act)>> {
    let act = prop_oneof![
        4 => Just(Act::Batch),
        2 => Just(Act::Output),
        4 => (0..3_u8).prop_map(Act::File),
        3 => Just(Act::Event),
        2 => Just(Act::Service),
        1 => Just(Act::Serve),
        1 => Just(Act::Ready),
        6 => (any::<usize>(), prop::bool::weighted(0.1)).prop_map(|(which, fails)| Act::Answer { which, fails }),
        4 => any::<usize>().prop_map(Act::Exit),
        4 => any::<usize>().prop_map(Act::Gone),
        1 => (0..12_usize).prop_map(Act::Reload),
        2 => commands().prop_map(Act::Ask),
    ];
    prop::collection::vec((prop::sample::select(vec![0, 1, 20, 60, 3_000, 11_000]), act), 0..80)
}

fn run(settings: &Settings, acts: &[(u64, Act)]) -> World {
    let mut world = World::new(settings);
    assert_eq!(world.core.deadline(), None, "nothing has happened yet");
    for (wait, act) in acts {
        world.pass(Duration::from_millis(*wait));
        world.act(act);
    }
    world
}

proptest! {
    #[test]
    fn every_change_is_run_or_accounted_for(settings in settings(), acts in acts()) {
        let mut world = run(&settings, &acts);
        world.wind_down();
        prop_assert_eq!(world.exits, 0);
        prop_assert_eq!(world.ended.len(), world.spawned);
        let missing = world.changed.difference(&world.told).count();
        prop_assert!(missing <= world.refused, "{} lost, {} accounted for", missing, world.refused);
        let drops = |policy| policy == "skip" || policy == "signal";
        if !drops(settings.batch) && !drops(settings.event) && !world.cancelled {
            prop_assert_eq!(missing, 0);
        }
    }

    #[test]
    fn after_the_first_signal_everything_ends_and_exit_comes_once(
        settings in settings(),
        before in acts(),
        after in acts(),
        second in any::<bool>(),
    ) {
        let mut world = run(&settings, &before);
        world.act(&Act::Halt);
        for (i, (wait, act)) in after.iter().enumerate() {
            world.pass(Duration::from_millis(*wait));
            world.act(act);
            if second && i == 5 {
                world.act(&Act::Kill);
            }
        }
        world.wind_down();
        prop_assert_eq!(world.exits, 1);
        prop_assert_eq!(world.ended.len(), world.spawned);
        let missing = world.changed.difference(&world.told).count();
        prop_assert!(missing <= world.refused, "{} lost, {} accounted for", missing, world.refused);
    }
}
