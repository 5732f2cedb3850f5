//! A service: what runs of it, and how the actions of its life are done.

pub(super) mod event;
pub(super) mod registry;
pub(super) mod table;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use self::event::News;
use self::table::{Action, Input, State};
use super::batch::Batch;
use super::core::Effect;
use super::job::outcome::Status;
use super::job::{self, Part, RunId};
use super::lane::run;
use super::loop_guard::Feedback;
use super::report::Report;
use crate::rules::{Readiness, Rule, RuleId, Rules, Service as Kept};
use crate::time::MonoTime;

/// Between two looks whether a service is ready: first, and at most. Each wait is twice the one before.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LAST_LOOK: Duration = Duration::from_secs(1);

/// What the actions of a service work on.
pub(crate) struct Context<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) now: MonoTime,
    pub(crate) feedback: &'a mut Feedback,
    pub(crate) last_run: &'a mut RunId,
    pub(crate) effects: &'a mut Vec<Effect>,
    /// What it was started for, now that it is ready.
    pub(crate) passed_on: Option<Batch>,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Service {
    rule: RuleId,
    state: State,
    /// Its process, from when it is asked for until nothing is left of it.
    run: Option<RunId>,
    program: Vec<u8>,
    /// What it was last started for, or is to be.
    batch: Batch,
    /// Whether it has not been ready with that yet.
    fresh: bool,
    started: MonoTime,
    /// Whether somebody has stopped it, so that it stays down.
    parked: bool,
    /// When it wants to be called: to look, to start again, or for SIGKILL.
    limit: Option<MonoTime>,
    look: Duration,
    /// The crashes since the last one after a long life, and when those were that may count as too many.
    in_a_row: usize,
    crashes: VecDeque<MonoTime>,
}

impl Service {
    pub(crate) fn new(rule: RuleId) -> Self {
        Self {
            rule,
            state: State::Down,
            run: None,
            program: Vec::new(),
            batch: Batch::at_start(),
            fresh: false,
            started: MonoTime::default(),
            parked: false,
            limit: None,
            look: FIRST_LOOK,
            in_a_row: 0,
            crashes: VecDeque::new(),
        }
    }

    /// Its process, if it has one or has asked for one.
    pub(crate) fn run(&self) -> Option<RunId> {
        self.run
    }

    /// Whether it has begun, and not ended by itself.
    pub(crate) fn has_begun(&self) -> bool {
        self.state != State::Down
    }

    /// Whether it runs, or is about to.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self.state, State::Starting | State::Stale | State::Waking | State::Up | State::Replacing)
    }

    /// Where it stands.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Since when it has run, if it does.
    pub(crate) fn since(&self) -> Option<MonoTime> {
        let begun = !matches!(self.state, State::Starting | State::Stale | State::Doomed);
        self.run.filter(|_| begun).map(|_| self.started)
    }

    /// Rules have other numbers now, and its own this one.
    pub(crate) fn renumber(&mut self, rule: RuleId, ids: &BTreeMap<RuleId, RuleId>) {
        self.rule = rule;
        self.batch.renumber(ids);
    }

    /// Whether what was built is about to be started.
    pub(crate) fn is_between(&self) -> bool {
        matches!(self.state, State::Starting | State::Stale | State::Replacing)
    }

    pub(crate) fn deadline(&self) -> Option<MonoTime> {
        self.limit
    }

    /// Starts it, or what is new in its place, for these changes.
    pub(crate) fn replace(&mut self, batch: Batch, cx: &mut Context<'_>) {
        if self.fresh {
            self.batch.merge(batch);
        } else {
            self.batch = batch;
        }
        self.fresh = true;
        (self.in_a_row, self.crashes) = (0, VecDeque::new());
        if !self.parked {
            self.apply(Input::Replace, cx);
        }
    }

    /// Starts it, if it is not running.
    pub(crate) fn raise(&mut self, cx: &mut Context<'_>) {
        self.parked = false;
        if !self.is_kept() {
            self.replace(Batch::by_hand(), cx);
        }
    }

    /// Stops it, and has it stay down, whatever changes.
    pub(crate) fn park(&mut self, cx: &mut Context<'_>) {
        self.parked = true;
        self.apply(Input::Halt, cx);
    }

    /// Has it no longer stay down.
    pub(crate) const fn unpark(&mut self) {
        self.parked = false;
    }

    /// The leader of its process group has ended, or could not begin.
    pub(crate) fn ended(&mut self, how: Result<Status, String>, cx: &mut Context<'_>) {
        let rule = &cx.rules.rules[self.rule.0];
        let failed = how.is_err();
        let outcome = run::outcome(how, &self.program, &rule.exit_codes);
        let input = match outcome.code() {
            _ if failed => Input::SpawnFailed,
            0 => Input::Finished,
            _ => Input::Crashed,
        };
        // How what was told to end has ended says nothing.
        let by_itself = matches!(self.state, State::Starting | State::Waking | State::Up);
        if by_itself {
            self.say(News::Ended(outcome), cx);
        }
        if failed {
            self.note_end(cx);
        }
        self.apply(input, cx);
    }

    /// Takes the table's next step.
    pub(crate) fn apply(&mut self, input: Input, cx: &mut Context<'_>) {
        let rule = &cx.rules.rules[self.rule.0];
        let Some(kept) = &rule.service else { return };
        let (state, action) = table::next(self.state, input);
        if input == Input::Gone && state != self.state {
            self.note_end(cx);
        }
        if state != self.state {
            self.limit = None;
        }
        self.state = state;
        match action {
            Action::Nothing => {}
            Action::Start => self.start(cx),
            Action::Begin => self.begin(kept, cx),
            Action::Look => self.look(cx),
            Action::Announce => self.announce(kept, cx),
            Action::Replace => self.stop(News::Replacing, rule, cx),
            Action::Stop => self.stop(News::Stopping, rule, cx),
            Action::Fall | Action::End => self.signal(rule, cx),
            Action::BackOff => self.back_off(kept, cx),
            Action::Suspend => self.say(News::Suspended(kept.max_crashes, kept.within), cx),
            Action::Kill => self.kill(cx),
        }
    }

    fn say(&self, news: News, cx: &mut Context<'_>) {
        let rule = cx.rules.rules[self.rule.0].name.clone();
        cx.effects.push(Effect::Report(Report::Service { rule, news }));
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        cx.last_run.0 += 1;
        let run = *cx.last_run;
        self.say(News::Starting, cx);
        if let Some(job) = job::build(cx.rules, self.rule, run, Part::Service, &self.batch, None) {
            self.program = job.argv.first().cloned().unwrap_or_default();
            self.run = Some(run);
            cx.feedback.serve(run, self.rule, self.batch.lineage(), cx.now);
            cx.effects.push(Effect::Spawn(job));
        }
    }

    /// Nothing is left of its process, or it had none.
    fn note_end(&mut self, cx: &mut Context<'_>) {
        if let Some(run) = self.run.take() {
            cx.feedback.end(run, cx.now);
        }
    }

    fn begin(&mut self, kept: &Kept, cx: &mut Context<'_>) {
        self.started = cx.now;
        self.look = FIRST_LOOK;
        match &kept.ready {
            None => self.apply(Input::Ready, cx),
            Some(ready) if ready.takes_looking() => self.limit = Some(cx.now + self.look),
            Some(Readiness { .. }) => {}
        }
    }

    fn look(&mut self, cx: &mut Context<'_>) {
        let Some(run) = self.run else { return };
        self.look = (2 * self.look).min(LAST_LOOK);
        self.limit = Some(cx.now + self.look);
        cx.effects.push(Effect::Look { run });
    }

    fn announce(&mut self, kept: &Kept, cx: &mut Context<'_>) {
        if kept.ready.is_some() {
            self.say(News::Ready(cx.now.since(self.started)), cx);
        }
        if std::mem::replace(&mut self.fresh, false) {
            cx.passed_on = Some(self.batch.clone());
        }
    }

    fn stop(&mut self, news: News, rule: &Rule, cx: &mut Context<'_>) {
        self.say(news, cx);
        self.signal(rule, cx);
    }

    fn signal(&mut self, rule: &Rule, cx: &mut Context<'_>) {
        let Some(run) = self.run else { return };
        self.limit = Some(cx.now + rule.stop_timeout);
        cx.effects.push(Effect::Signal { run, signal: rule.stop_signal });
    }

    fn kill(&mut self, cx: &mut Context<'_>) {
        let Some(run) = self.run else { return };
        self.limit = None;
        self.say(News::Killing, cx);
        cx.effects.push(Effect::Signal { run, signal: libc::SIGKILL });
    }

    fn back_off(&mut self, kept: &Kept, cx: &mut Context<'_>) {
        let lived = cx.now.since(self.started);
        self.in_a_row = if lived >= kept.reset { 1 } else { self.in_a_row + 1 };
        self.crashes.push_back(cx.now);
        self.crashes.retain(|&crash| cx.now.since(crash) < kept.within);
        if self.crashes.len() >= kept.max_crashes {
            return self.apply(Input::Limit, cx);
        }
        self.batch = self.batch.clone().again();
        let delay = kept.delay(self.in_a_row);
        self.limit = Some(cx.now + delay);
        self.say(News::Again(delay), cx);
    }
}
