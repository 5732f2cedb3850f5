//! Runs from their begin to when they are remembered.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::dispatch::lane::run::outcome;
use crate::dispatch::{Cause, Excerpt, Job, Outcome, Part, Record, Report, RunId, Status};
use crate::rules::Rule;
use crate::time::MonoTime;

/// Takes what is remembered, and how many bytes all of it together may take. It never makes who calls it wait.
pub type Remember = Box<dyn FnMut(Record, u64)>;

/// The runs that go on.
#[derive(Default)]
pub(super) struct Memory {
    /// Where they go in the end; none if nothing is remembered.
    remember: Option<Remember>,
    /// How many bytes are remembered.
    bound: u64,
    going: HashMap<RunId, Going>,
}

/// What is known of a run so far.
struct Going {
    rule: String,
    cause: Option<Cause>,
    started: Timestamp,
    since: MonoTime,
    /// The service that it is.
    service: Option<Arc<Rule>>,
    program: Vec<u8>,
    stopped: bool,
    end: Option<(Outcome, std::time::Duration)>,
}

impl Memory {
    pub(super) fn new(remember: Option<Remember>, bound: u64) -> Self {
        Self { remember, bound, going: HashMap::new() }
    }

    /// That many bytes are remembered from now on.
    pub(super) const fn limit(&mut self, bound: u64) {
        self.bound = bound;
    }

    /// Whether runs are remembered.
    pub(super) const fn is_kept(&self) -> bool {
        self.remember.is_some() && self.bound > 0
    }

    /// Takes in what is said of a run.
    pub(super) fn see(&mut self, report: &Report, now: MonoTime) {
        match report {
            Report::Started { rule, run, cause } => self.begin(*run, rule, Some(cause.clone()), now),
            Report::Ended { run, outcome, stopped, elapsed, .. } => {
                if let Some(going) = self.going.get_mut(run) {
                    going.stopped = *stopped;
                    going.end = Some((outcome.clone(), *elapsed));
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, run: RunId, rule: &str, cause: Option<Cause>, since: MonoTime) {
        if self.is_kept() {
            let (rule, started) = (rule.to_owned(), Timestamp::now());
            let (service, program) = (None, Vec::new());
            let going = Going { rule, cause, started, since, service, program, stopped: false, end: None };
            self.going.insert(run, going);
        }
    }

    /// Takes in that a process is started: a service is not spoken of by its run.
    pub(super) fn start(&mut self, job: &Job, now: MonoTime) {
        if job.part == Part::Service {
            self.begin(job.run, &job.rule.name, None, now);
            if let Some(going) = self.going.get_mut(&job.run) {
                going.service = Some(Arc::clone(&job.rule));
                going.program = job.argv.first().cloned().unwrap_or_default();
            }
        }
    }

    /// A service is told to end.
    pub(super) fn tell(&mut self, run: RunId) {
        if let Some(going) = self.going.get_mut(&run) {
            going.stopped |= going.service.is_some();
        }
    }

    /// A service has ended so, or could not begin.
    pub(super) fn end(&mut self, run: RunId, how: Result<Status, String>, now: MonoTime) {
        if let Some(going) = self.going.get_mut(&run)
            && let Some(rule) = &going.service
        {
            let outcome = outcome(how, &going.program, &rule.exit_codes);
            going.end = Some((outcome, now.since(going.since)));
        }
    }

    /// Whether it is a service that goes on.
    pub(super) fn is_service(&self, run: RunId) -> bool {
        self.going.get(&run).is_some_and(|going| going.service.is_some())
    }

    /// Nothing more comes of a run, which has written this.
    pub(super) fn finish(&mut self, run: RunId, output: Excerpt) {
        if let Some(Going { rule, cause, started, stopped, end: Some((outcome, elapsed)), .. }) =
            self.going.remove(&run)
            && let Some(remember) = self.remember.as_mut().filter(|_| self.bound > 0)
        {
            let record = Record { rule, run, cause, started, elapsed, outcome, stopped, output };
            remember(record, self.bound);
        }
    }
}
