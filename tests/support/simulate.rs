//! Carries out a script on a clock that only the script moves, without kernel and processes.
//!
//! The root is `/w`, and it is empty but for what `-- before` makes. A process does nothing by itself: it ends when the script says
//! so, whatever signals it was sent. What a rename takes out of `/w` leaves the watched tree.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tripline::dispatch::{
    Core, Effect, Escaped, Input, Job, Limits, Part, RunId, Status, StdinSource, Until,
};
use tripline::event::{Event, EventMask, Subject, Trigger};
use tripline::rules::{Rules, SignalName, SourceFile, Surroundings};
use tripline::time::MonoTime;

use super::disk::Disk;
use super::trip::{Line, Script, Show, Step};
use super::verb::{FileOp, How, Verb};

const ROOT: &[u8] = b"/w/";

/// Room for argv and environment: small, so that a script can show how a batch is split.
const EXEC_BYTES: usize = 4096;

/// More arguments than this are counted, not shown.
const SHOWN_ARGUMENTS: usize = 6;

/// More turns of the clock after the last step than any script needs: something asks to be called for ever.
const TOO_MANY_TURNS: usize = 10_000;

/// The rules of a script, with the root `/w` and no ignore file anywhere.
pub(crate) fn rules(script: &Script, text: &str, files: Arc<Disk>) -> Result<Rules, String> {
    let file = SourceFile { name: script.file.display().to_string(), text: text.to_owned() };
    let around = Surroundings { directory: PathBuf::from("/w"), home: None, files };
    Rules::parse(file, &around).map_err(|diagnostics| diagnostics.render(false))
}

/// What came of the script, in order. The error names the line of the step that makes no sense.
pub(crate) fn simulate(script: &Script) -> Result<Vec<Line>, String> {
    let disk = Arc::new(Disk::default());
    let mut world = World::new(rules(script, &script.rules, Arc::clone(&disk))?, disk, script);
    for step in &script.before {
        world.before(step).map_err(|error| format!("{}:{}: {error}", script.file.display(), step.line))?;
    }
    while let Some(next) = world.next() {
        world.take(&next).map_err(|error| format!("{}:{}: {error}", script.file.display(), next.line))?;
    }
    Ok(world.log)
}

struct World<'a> {
    rules: Arc<Rules>,
    core: Core,
    now: MonoTime,
    script: &'a Script,
    /// What is to happen, by its time and then in the order in which it was planned.
    agenda: BTreeMap<(Duration, usize), Planned>,
    planned: usize,
    log: Vec<Line>,
    files: BTreeMap<Vec<u8>, Subject>,
    disk: Arc<Disk>,
    cookie: u32,
    runs: Vec<Run>,
    /// The services that are found ready when they are looked at.
    ready: HashSet<RunId>,
    failures: HashMap<String, VecDeque<String>>,
}

/// Something that is to happen.
struct Planned {
    line: usize,
    verb: Verb,
    /// Only while the leader of this run lives.
    by: Option<RunId>,
}

struct Run {
    id: RunId,
    rule: String,
    service: bool,
    /// Among the runs of its rule, from 1.
    number: usize,
    leader_lives: bool,
    group_lives: bool,
}

impl<'a> World<'a> {
    fn new(rules: Rules, disk: Arc<Disk>, script: &'a Script) -> Self {
        let rules = Arc::new(rules);
        let plan = |(number, step): (usize, &Step)| {
            ((step.at, number), Planned { line: step.line, verb: step.verb.clone(), by: None })
        };
        let until = if script.first_run { Until::FirstRun } else { Until::Stopped };
        let core = Core::new(Arc::clone(&rules), Limits { exec_bytes: EXEC_BYTES }).until(until);
        Self {
            core: script.seed.into_iter().fold(core, Core::seeded),
            rules,
            now: MonoTime::default(),
            script,
            agenda: script.steps.iter().enumerate().map(plan).collect(),
            planned: script.steps.len(),
            log: Vec::new(),
            files: BTreeMap::new(),
            disk,
            cookie: 0,
            runs: Vec::new(),
            ready: HashSet::new(),
            failures: HashMap::new(),
        }
    }

    /// What is planned next, the clock moved to it with a stop at each deadline before; none once nothing is, and
    /// nothing waits for a time.
    fn next(&mut self) -> Option<Planned> {
        for _ in 0..TOO_MANY_TURNS {
            let planned = self.agenda.keys().next().map(|&(at, _)| MonoTime::from_origin(at));
            match self.core.deadline() {
                Some(deadline) if planned.is_none_or(|at| deadline <= at) => {
                    assert!(deadline > self.now, "the core asks to be called in the past");
                    self.now = deadline;
                    self.feed(Input::Due);
                }
                _ => {
                    let (_, next) = self.agenda.pop_first()?;
                    self.now = self.now.max(planned?);
                    let lives = |id| self.runs.iter().any(|run| run.id == id && run.leader_lives);
                    if next.by.is_none_or(lives) {
                        return Some(next);
                    }
                }
            }
        }
        panic!("the core never comes to rest");
    }

    /// Plans what a run of the rule does, after its start or on SIGTERM.
    fn plan_run(&mut self, run: RunId, number: usize, rule: &str, on_term: bool) {
        let acts = self.script.runs.iter().filter(|act| act.rule == rule && act.after.is_none() == on_term);
        for act in acts {
            // It was tried when it was read.
            let Ok(verb) = act.of_run(number) else { continue };
            let at = self.now.since_origin() + act.after.unwrap_or_default();
            self.agenda.insert((at, self.planned), Planned { line: act.line, verb, by: Some(run) });
            self.planned += 1;
        }
    }

    /// Makes what is there from the start.
    fn before(&mut self, step: &Step) -> Result<(), String> {
        let (subject, name) = match &step.verb {
            Verb::File(FileOp::Mkdir, name) => (Subject::Dir, name),
            Verb::File(FileOp::Write, name) => (Subject::File, name),
            _ => return Err("only `mkdir` and `write` come before the start".to_owned()),
        };
        self.disk.write(&absolute(name));
        self.files.insert(absolute(name), subject);
        Ok(())
    }

    fn take(&mut self, step: &Planned) -> Result<(), String> {
        match &step.verb {
            Verb::File(op, name) => self.file(*op, &absolute(name))?,
            Verb::Rename(from, to) => self.rename(&absolute(from), &absolute(to))?,
            Verb::Sh(_) | Verb::Hup => return Err("there is no shell and no signal here".to_owned()),
            Verb::Exchange(..) | Verb::Stop | Verb::Cont => {
                return Err("there is no kernel here".to_owned());
            }
            Verb::Ask(command) => self.feed(Input::Command(command.clone())),
            Verb::Ready => self.feed(Input::Ready),
            Verb::Reload(name) => self.reload(name)?,
            Verb::Once => self.once(),
            Verb::Halt => self.feed(Input::Halt),
            Verb::Kill => self.feed(Input::Kill),
            Verb::Exit { rule, how } => self.exit(rule, *how)?,
            Verb::Serve { rule } => {
                let id = self.oldest(rule, |run| run.leader_lives)?.id;
                self.ready.insert(id);
            }
            Verb::Straggle { rule } => self.straggle(rule)?,
            Verb::Gone { rule } => self.gone(rule)?,
            Verb::SpawnFail { rule, error } => {
                self.rule(rule)?;
                self.failures.entry(rule.clone()).or_default().push_back(error.clone());
            }
        }
        Ok(())
    }

    fn reload(&mut self, name: &str) -> Result<(), String> {
        self.rules = Arc::new(rules(self.script, self.script.later(name)?, Arc::clone(&self.disk))?);
        self.feed(Input::Reload(Arc::clone(&self.rules)));
        self.feed(Input::Ready);
        Ok(())
    }

    fn file(&mut self, op: FileOp, path: &[u8]) -> Result<(), String> {
        const COMPLETE: EventMask = EventMask::CREATE.union(EventMask::CHANGE);
        let known = self.files.get(path).copied();
        match (op, known) {
            (FileOp::Write, known) => {
                if known.is_none() {
                    self.make(path, Subject::File, EventMask::CREATE);
                }
                self.happen(path, Subject::File, EventMask::MODIFY);
                self.happen(path, Subject::File, EventMask::CLOSE_WRITE | EventMask::CHANGE);
            }
            (FileOp::Create, None) => self.make(path, Subject::File, EventMask::CREATE),
            (FileOp::Mkdir, None) => self.make(path, Subject::Dir, COMPLETE | EventMask::ISDIR),
            (FileOp::Link, None) => self.make(path, Subject::File, COMPLETE),
            (FileOp::Symlink, None) => self.make(path, Subject::Symlink, COMPLETE),
            (FileOp::Rm | FileOp::Rmdir, Some(subject)) => {
                self.files.remove(path);
                let (subject, isdir) = gone(subject);
                self.happen(path, subject, EventMask::DELETE | EventMask::CHANGE | isdir);
            }
            (FileOp::Touch, Some(subject)) => {
                self.disk.touch(path);
                self.happen(path, subject, EventMask::CLOSE_WRITE | EventMask::CHANGE);
            }
            (FileOp::Attrib, Some(subject)) => self.happen(path, subject, EventMask::ATTRIB),
            (FileOp::Modify, Some(subject)) => self.happen(path, subject, EventMask::MODIFY),
            (FileOp::Close, Some(subject)) => {
                self.happen(path, subject, EventMask::CLOSE_WRITE | EventMask::CHANGE);
            }
            (FileOp::Read, Some(subject)) => {
                for mask in [EventMask::OPEN, EventMask::ACCESS, EventMask::CLOSE_NOWRITE] {
                    self.happen(path, subject, mask);
                }
            }
            (FileOp::Unseen, known) => self.unseen(path, known),
            (_, Some(_)) => return Err(format!("{} exists", Escaped(path))),
            (_, None) => return Err(format!("{} does not exist", Escaped(path))),
        }
        Ok(())
    }

    /// Runs everything once, for what is there; an end is as good as the code that it comes with.
    fn once(&mut self) {
        let there = |(path, &subject): (&Vec<u8>, &Subject)| {
            let mask = EventMask::CHANGE | gone(subject).1;
            Event { trigger: Trigger::Start, ..event(path, subject, mask) }
        };
        let events = self.files.iter().map(there).collect();
        self.feed(Input::Once(events));
    }

    fn unseen(&mut self, path: &[u8], known: Option<Subject>) {
        let found = match known {
            Some(subject) => {
                self.files.remove(path);
                let (subject, isdir) = gone(subject);
                event(path, subject, EventMask::DELETE | EventMask::CHANGE | isdir)
            }
            None => {
                self.files.insert(path.to_vec(), Subject::File);
                event(path, Subject::File, EventMask::CHANGE)
            }
        };
        self.event(Event { trigger: Trigger::Overflow, ..found });
    }

    fn make(&mut self, path: &[u8], subject: Subject, mask: EventMask) {
        self.files.insert(path.to_vec(), subject);
        self.happen(path, subject, mask);
    }

    /// Both halves of a rename, as far as they lie in the tree; what a directory brings is found by a scan.
    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), String> {
        let subject = self.files.remove(from).ok_or_else(|| format!("{} does not exist", Escaped(from)))?;
        self.files.insert(to.to_vec(), subject);
        self.disk.rename(from, to);
        let (leaves, arrives) = (from.starts_with(ROOT), to.starts_with(ROOT));
        self.cookie += 1;
        let cookie = self.cookie;
        let (was, isdir) = gone(subject);
        if leaves {
            let mask = EventMask::MOVED_FROM | EventMask::CHANGE | isdir;
            self.event(Event { cookie, ..event(from, was, mask) });
        }
        if arrives {
            let mask = EventMask::MOVED_TO | EventMask::CHANGE | isdir;
            let mask = if leaves { mask | EventMask::RENAME } else { mask };
            let old = leaves.then(|| from.to_vec());
            self.event(Event { cookie, from: old, ..event(to, subject, mask) });
        }
        self.move_below(&[from, b"/"].concat(), &[to, b"/"].concat(), arrives);
        Ok(())
    }

    fn move_below(&mut self, from: &[u8], to: &[u8], arrives: bool) {
        let below: Vec<_> = self.files.keys().filter(|path| path.starts_with(from)).cloned().collect();
        for old in below {
            let Some(subject) = self.files.remove(&old) else { continue };
            let new = [to, &old[from.len()..]].concat();
            if arrives {
                let mask = EventMask::CREATE | EventMask::CHANGE | gone(subject).1;
                self.event(Event { trigger: Trigger::Scan, ..event(&new, subject, mask) });
            }
            self.files.insert(new, subject);
        }
    }

    fn happen(&mut self, path: &[u8], subject: Subject, mask: EventMask) {
        if mask.intersects(EventMask::DELETE) {
            self.disk.remove(path);
        } else if mask.intersects(EventMask::CREATE | EventMask::MODIFY) {
            self.disk.write(path);
        }
        self.event(event(path, subject, mask));
    }

    fn event(&mut self, event: Event) {
        self.feed(Input::Event(event));
    }

    fn exit(&mut self, rule: &str, how: How) -> Result<(), String> {
        let run = self.oldest(rule, |run| run.leader_lives)?;
        (run.leader_lives, run.group_lives) = (false, false);
        let id = run.id;
        let status = match how {
            How::Code(code) => Status::Exited(code),
            How::Signal(signal) => Status::Signaled(signal),
        };
        self.feed(Input::Exited { run: id, status });
        self.feed(Input::Gone { run: id });
        Ok(())
    }

    fn straggle(&mut self, rule: &str) -> Result<(), String> {
        let run = self.oldest(rule, |run| run.leader_lives)?;
        run.leader_lives = false;
        let id = run.id;
        self.feed(Input::Exited { run: id, status: Status::Exited(0) });
        Ok(())
    }

    fn gone(&mut self, rule: &str) -> Result<(), String> {
        let run = self.oldest(rule, |run| !run.leader_lives && run.group_lives)?;
        run.group_lives = false;
        let id = run.id;
        self.feed(Input::Gone { run: id });
        Ok(())
    }

    fn oldest(&mut self, rule: &str, wanted: impl Fn(&Run) -> bool) -> Result<&mut Run, String> {
        let (name, service) = match rule.strip_suffix(".service") {
            Some(name) => (name, true),
            None => (rule, self.has_only_a_service(rule)),
        };
        let mut runs = self.runs.iter_mut().filter(|run| run.rule == name && run.service == service);
        let found = runs.find(|run| wanted(run));
        found.ok_or_else(|| format!("{rule} has no such run now"))
    }

    fn rule(&self, name: &str) -> Result<(), String> {
        let found = self.rules.rules.iter().any(|rule| rule.name == name);
        if found { Ok(()) } else { Err(format!("there is no rule {name}")) }
    }

    /// Gives the core an input, carries out its effects in order, and answers them in that order.
    fn feed(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut effects = Vec::new();
            self.core.step(input, self.now, &mut effects);
            for effect in effects {
                match effect {
                    Effect::Spawn(job) => inputs.push_back(self.spawn(&job)),
                    Effect::Signal { run, signal } => self.signal(run, signal),
                    Effect::Report(report) => self.say(report.to_string()),
                    Effect::Over { .. } | Effect::Answer(Ok(())) => {}
                    Effect::Answer(Err(refusal)) => self.say(format!("refused: {refusal}")),
                    Effect::Look { run } if self.ready.contains(&run) => {
                        inputs.push_back(Input::ServiceReady { run });
                    }
                    Effect::Look { .. } => self.say("look".to_owned()),
                    Effect::LookAgain { dir } => self.say(format!("look again at {}", shown(&dir))),
                    Effect::Exit => self.say(match self.core.worst_code() {
                        0 => "exit".to_owned(),
                        code => format!("exit, worst code {code}"),
                    }),
                }
            }
        }
    }

    fn spawn(&mut self, job: &Job) -> Input {
        let name = &job.rule.name;
        let label = self.label(name, job.part == Part::Service);
        self.say(format!("spawn {label}: {}", command_line(&job.argv)));
        for show in &self.script.show {
            self.say(detail(show, job));
        }
        if let Some(error) = self.failures.get_mut(name).and_then(VecDeque::pop_front) {
            return Input::SpawnFailed { run: job.run, error };
        }
        let number = self.runs.iter().filter(|run| run.rule == job.rule.name).count() + 1;
        let (id, rule, service) = (job.run, job.rule.name.clone(), job.part == Part::Service);
        self.runs.push(Run { id, rule, service, number, leader_lives: true, group_lives: true });
        self.plan_run(job.run, number, name, false);
        Input::Spawned { run: job.run }
    }

    /// A signal to a process group that is empty is not worth a line.
    fn signal(&mut self, run: RunId, signal: i32) {
        let Some(run) = self.runs.iter().find(|known| known.id == run && known.group_lives) else { return };
        let (id, number, name) = (run.id, run.number, run.rule.clone());
        let label = self.label(&name, run.service);
        self.say(format!("signal {label}: {}", SignalName(signal)));
        if signal == libc::SIGTERM {
            self.plan_run(id, number, &name, true);
        }
    }

    /// What a script calls the runs of a rule, or its service if it has both.
    fn label(&self, rule: &str, service: bool) -> String {
        let suffix = if service && !self.has_only_a_service(rule) { ".service" } else { "" };
        format!("{rule}{suffix}")
    }

    fn has_only_a_service(&self, name: &str) -> bool {
        self.core.rules().rules.iter().any(|rule| rule.name == name && rule.steps.is_empty())
    }

    fn say(&mut self, text: String) {
        self.log.push(Line { at: self.now.since_origin(), text });
    }
}

fn event(path: &[u8], subject: Subject, mask: EventMask) -> Event {
    Event { mask, path: path.to_vec(), subject, from: None, cookie: 0, trigger: Trigger::Event }
}

/// What is left of a thing once it is gone, and the bit that tells a directory.
fn gone(subject: Subject) -> (Subject, EventMask) {
    match subject {
        Subject::Dir => (Subject::Dir, EventMask::ISDIR),
        _ => (Subject::Gone, EventMask::default()),
    }
}

fn absolute(name: &[u8]) -> Vec<u8> {
    if name.starts_with(b"/") { name.to_vec() } else { [ROOT, name].concat() }
}

fn detail(show: &Show, job: &Job) -> String {
    match show {
        Show::Env(name) => {
            let value = job.env.iter().rfind(|(known, _)| known == name.as_bytes());
            let value = value.map_or("unset".to_owned(), |(_, value)| format!("= {}", shown(value)));
            format!("env {name} {value}")
        }
        Show::Paths => format!("paths {}", shown(&job.paths)),
        Show::Stdin => match &job.stdin {
            StdinSource::Null => "stdin null".to_owned(),
            StdinSource::Inherit => "stdin inherit".to_owned(),
            StdinSource::Bytes(bytes) => format!("stdin {}", shown(bytes)),
        },
    }
}

/// An argv on one line; of a long one the beginning.
fn command_line(argv: &[Vec<u8>]) -> String {
    let (head, rest) = argv.split_at(argv.len().min(SHOWN_ARGUMENTS));
    let mut words: Vec<_> = head.iter().map(|element| shown(element)).collect();
    if !rest.is_empty() {
        words.push(format!("... {} more", rest.len()));
    }
    words.join(" ")
}

/// Bytes as one readable word.
fn shown(bytes: &[u8]) -> String {
    let text = Escaped(bytes).to_string();
    if text.is_empty() || text.contains(' ') { format!("'{text}'") } else { text }
}
