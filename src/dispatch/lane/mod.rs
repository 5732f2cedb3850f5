//! A lane: what collects, what is due and what runs for one key, and how the table's actions are done.

pub(super) mod jitter;
mod key;
pub(super) mod registry;
pub(super) mod run;
pub(super) mod slots;
pub(super) mod table;
mod waiting;

use std::collections::HashMap;
use std::time::Duration;

use self::jitter::Jitter;
pub(crate) use self::key::{Key, KeyOf};
use self::run::Run;
use self::slots::Slots;
use self::table::{Action, Input, State};
use super::batch::debounce::Debounce;
use super::batch::{Batch, Queue};
use super::control::Tally;
use super::core::Effect;
use super::job::outcome::{Outcome, Status};
use super::job::{self, Ended, Limits, Part, RunId};
use super::loop_guard::{Feedback, Verdict};
use super::report::{self, Cause, Report};
use crate::rules::{OnBusy, Per, Retry, Rule, RuleId, Rules, Stamp};
use crate::time::MonoTime;

/// A lane, as the line for slots and the deadlines name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LaneId(pub(crate) u64);

/// What the actions of a lane work on.
pub(crate) struct Context<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) limits: &'a Limits,
    pub(crate) now: MonoTime,
    pub(crate) slots: &'a mut Slots,
    pub(crate) feedback: &'a mut Feedback,
    pub(crate) jitter: &'a mut Jitter,
    pub(crate) tally: &'a mut Tally,
    pub(crate) runs: &'a mut HashMap<RunId, LaneId>,
    pub(crate) last_run: &'a mut RunId,
    pub(crate) effects: &'a mut Vec<Effect>,
    /// A run that goes on beside its lane, which needs a lane of its own now.
    pub(crate) detached: Option<Run>,
    /// How many changes were refused.
    pub(crate) refused: usize,
    /// A run that has ended and is not done again.
    pub(crate) over: Option<Over>,
}

/// What is to be known of a run that is over.
#[derive(Debug)]
pub(crate) struct Over {
    pub(crate) outcome: Outcome,
    /// What it was told; none for a command after a run.
    pub(crate) batch: Option<Batch>,
    /// Whether it was told to end, to begin anew or because tripline ends.
    pub(crate) stopped: bool,
    /// Whether another follows with the paths that its arguments had no room for.
    pub(crate) unfinished: bool,
}

impl Context<'_> {
    fn report(&mut self, report: Report) {
        self.effects.push(Effect::Report(report));
    }

    fn signal(&mut self, run: RunId, signal: i32) {
        self.effects.push(Effect::Signal { run, signal });
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Lane {
    id: LaneId,
    rule: RuleId,
    key: Option<Key>,
    state: State,
    collecting: Option<(Queue, Debounce)>,
    due: Queue,
    run: Option<Run>,
    /// Whether what collects has failed and waits to be tried again.
    backing_off: bool,
    /// Since when files that are to keep their size and time have had these.
    stamps: HashMap<Vec<u8>, (Stamp, MonoTime)>,
}

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
    /// An empty lane.
    pub(crate) fn collecting_for(id: LaneId, key: Key) -> Self {
        let rule = key.rule;
        let state = State::Settling;
        Self {
            id,
            rule,
            key: Some(key),
            state,
            collecting: None,
            due: Queue::default(),
            run: None,
            backing_off: false,
            stamps: HashMap::new(),
        }
    }

    /// A lane that collects nothing and ends with `run`.
    pub(crate) fn beside(id: LaneId, rule: RuleId, run: Run) -> Self {
        let (due, run) = (Queue::default(), Some(run));
        let (state, stamps) = (State::Running, HashMap::new());
        Self { id, rule, key: None, state, collecting: None, due, run, backing_off: false, stamps }
    }

    pub(crate) fn id(&self) -> LaneId {
        self.id
    }

    pub(crate) fn rule(&self) -> RuleId {
        self.rule
    }

    /// What it collects for, unless it is a run beside others.
    pub(crate) fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Notes how its run ended.
    pub(crate) fn note_end(&mut self, how: Result<Status, String>, rule: &Rule, now: MonoTime) {
        if let Some(run) = &mut self.run {
            run.note_end(how, rule, now);
        }
    }

    /// Whether it is known how its run ended.
    pub(crate) fn end_is_known(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.outcome.is_some())
    }

    /// Whether another command of its run follows the one that has ended.
    pub(crate) fn goes_on(&self, rules: &Rules) -> bool {
        self.run.as_ref().is_some_and(|run| run.next(&rules.rules[self.rule.0]).is_some())
    }

    /// Whether nothing collects, waits or runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.state == State::Settling && self.collecting.is_none() && self.due.is_empty()
    }

    /// When it wants to be called.
    pub(crate) fn deadline(&self) -> Option<MonoTime> {
        let debounce = self.settles_at();
        match self.state {
            State::Starting => None,
            State::Running | State::Stopping => [self.limit(), debounce].into_iter().flatten().min(),
            State::Settling | State::Ready | State::Killing => debounce,
        }
    }

    /// What its deadline means, now that it has passed. Takes it away, so that the next can be asked for.
    pub(crate) fn expire(&mut self, now: MonoTime) -> Option<(Input, Queue)> {
        if self.limit().is_some_and(|limit| limit <= now) {
            let input = if self.state == State::Running { Input::Timeout } else { Input::Grace };
            return Some((input, Queue::default()));
        }
        let (due, _) = self.collecting.take_if(|(_, debounce)| debounce.due() <= now)?;
        self.backing_off = false;
        Some((Input::Quiet, due))
    }

    fn limit(&self) -> Option<MonoTime> {
        self.run.as_ref().and_then(|run| run.limit)
    }

    /// Takes the table's next step. `fresh` is what came with the input: the change of a match, or what
    /// is due.
    pub(crate) fn apply(&mut self, input: Input, fresh: Queue, cx: &mut Context<'_>) {
        let rule = &cx.rules.rules[self.rule.0];
        let busy = self.run.as_ref().map_or(rule.on_busy, |run| run.busy(rule));
        let (state, action) = table::next(self.state, input, busy);
        self.state = state;
        match action {
            Action::Nothing => {}
            Action::Collect => self.collect(fresh, rule, cx.now),
            // What is to rest first does not join what has, nor what comes during a pause what runs in spite of it.
            Action::Keep
                if input == Input::Match && (rule.stable_for.is_some() || cx.slots.is_paused(self.rule)) =>
            {
                self.collect(fresh, rule, cx.now);
            }
            Action::Keep => self.keep(fresh, rule, cx.slots),
            Action::LineUp => self.line_up(fresh, rule, cx),
            Action::Start => self.start(rule, cx),
            Action::Begin => self.begin(rule, cx),
            Action::Proceed => self.proceed(rule, cx),
            Action::Detach => {
                cx.detached = self.run.take();
                self.line_up(fresh, rule, cx);
            }
            Action::Restart => self.restart(fresh, rule, cx),
            Action::Deliver(signal) => self.deliver(signal, fresh, rule, cx),
            Action::Skip => cx.report(Report::Skipped { rule: rule.name.clone(), changes: fresh.changes() }),
            Action::Term => self.term(rule, cx),
            Action::TimeOut => self.time_out(rule, cx),
            Action::Cancel => {
                self.abandon();
                self.stop(None, rule, cx);
            }
            Action::Abandon => self.abandon(),
            Action::Drop => cx.refused = self.drop_waiting(),
            Action::Refuse => cx.refused = self.refuse(),
            Action::Stop => {
                cx.refused = self.refuse();
                self.stop(None, rule, cx);
            }
            Action::Kill => self.kill(rule, cx),
            Action::Finish => self.finish(rule, cx),
        }
    }

    fn collect(&mut self, fresh: Queue, rule: &Rule, now: MonoTime) {
        let start = || (Queue::default(), Debounce::start(rule.debounce, rule.max_wait, now));
        let (queue, debounce) = self.collecting.get_or_insert_with(start);
        queue.append(fresh, rule.per);
        // Whoever saves a correction does not wait. Of single events each has its own attempts.
        if self.backing_off && rule.per != Per::Event {
            self.backing_off = false;
            queue.renew(rule.per);
            *debounce = Debounce::start(rule.debounce, rule.max_wait, now);
        }
        debounce.note(now);
    }

    /// Has what still collects run with what is due, behind which it came.
    fn take_along(&mut self, rule: &Rule, slots: &Slots) {
        let may = rule.stable_for.is_none() && !slots.is_paused(self.rule);
        if let Some((collecting, _)) = self.collecting.take_if(|_| may) {
            self.backing_off = false;
            self.due.append(collecting, rule.per);
        }
    }

    fn keep(&mut self, fresh: Queue, rule: &Rule, slots: &Slots) {
        if let Some(run) = &mut self.run {
            run.overtaken |= !fresh.is_empty();
        }
        if self.state == State::Ready {
            self.take_along(rule, slots);
        }
        self.due.append(fresh, rule.per);
    }

    fn line_up(&mut self, fresh: Queue, rule: &Rule, cx: &mut Context<'_>) {
        self.due.append(fresh, rule.per);
        cx.slots.line_up(self.rule, self.id);
        let Some(lineage) = self.due.first().filter(|_| !rule.may_loop).map(Batch::lineage) else { return };
        let name = || rule.name.clone();
        match cx.feedback.judge(self.rule, lineage, cx.now) {
            None => {}
            Some(Verdict::Test { wait, until }) => {
                let (path, generations) = (self.written(cx), lineage.count(self.rule));
                cx.report(Report::Suspected { rule: name(), path, generations, wait });
                cx.slots.shut(self.rule, until);
            }
            Some(Verdict::Suspend(until)) => {
                let names =
                    lineage.circle(self.rule).map(|other| cx.rules.rules[other.0].name.clone()).collect();
                let path = self.written(cx);
                cx.report(Report::Suspended { rule: name(), path, circle: names });
                cx.slots.shut(self.rule, Some(until));
            }
        }
    }

    /// The path that the last run may have written, as it is shown.
    fn written(&self, cx: &Context<'_>) -> Vec<u8> {
        report::shown(cx.feedback.path(self.rule), cx.rules).to_vec()
    }

    /// Spawns the first batch. What still collects is taken along: the run starts after it, too.
    fn start(&mut self, rule: &Rule, cx: &mut Context<'_>) {
        self.take_along(rule, cx.slots);
        let Some(mut batch) = self.due.take() else { return };
        cx.last_run.0 += 1;
        let id = *cx.last_run;
        let rest = job::split(cx.rules, self.rule, id, &mut batch, cx.limits);
        let unfinished = rest.is_some();
        if let Some(rest) = rest {
            self.due.put_back(rest, rule.per);
        }
        let (name, cause) = (rule.name.clone(), Cause::of(&batch, cx.rules));
        cx.report(Report::Started { rule: name, run: id, cause });
        cx.feedback.begin(id, self.rule, rule.on_busy, batch.lineage(), cx.now);
        let mut run = Run::new(id, batch, cx.now);
        run.unfinished = unfinished;
        cx.runs.insert(id, self.id);
        self.spawn(run, None, cx);
    }

    /// Asks for the command that the run is at.
    fn spawn(&mut self, mut run: Run, ended: Option<Ended>, cx: &mut Context<'_>) {
        if let Some(job) = job::build(cx.rules, self.rule, run.id, run.part, &run.batch, ended) {
            run.program = job.argv.first().cloned().unwrap_or_default();
            cx.effects.push(Effect::Spawn(job));
            self.run = Some(run);
        } else {
            run.outcome = Some((Outcome::Ok(0), cx.now));
            self.run = Some(run);
            self.apply(Input::Done, Queue::default(), cx);
        }
    }

    fn proceed(&mut self, rule: &Rule, cx: &mut Context<'_>) {
        let Some(mut run) = self.run.take() else { return };
        let next = run.next(rule);
        if !matches!(next, Some(Part::Step(_))) {
            cx.effects.extend(run.end_report(rule).map(Effect::Report));
            cx.over = run.over();
        }
        let ended = next.and_then(|part| run.go_on(part));
        self.spawn(run, ended, cx);
    }

    fn begin(&mut self, rule: &Rule, cx: &mut Context<'_>) {
        let Some(run) = &mut self.run else { return };
        if let Some(since) = run.begin(rule, cx.now) {
            cx.tally.reacted(self.rule, cx.now.since(since));
        }
        if rule.on_busy == OnBusy::Parallel && !self.due.is_empty() {
            self.apply(Input::Quiet, Queue::default(), cx);
        }
    }

    fn restart(&mut self, fresh: Queue, rule: &Rule, cx: &mut Context<'_>) {
        let cause = fresh.first().map(|batch| Cause::of(batch, cx.rules));
        self.due.append(fresh, rule.per);
        if let Some(run) = &mut self.run {
            run.stopped = true;
            self.due.put_back(run.batch.clone(), rule.per);
            self.due.renew(rule.per);
        }
        self.stop(cause, rule, cx);
    }

    fn deliver(&mut self, signal: i32, fresh: Queue, rule: &Rule, cx: &mut Context<'_>) {
        let (Some(run), Some(batch)) = (&self.run, fresh.into_one()) else { return };
        let cause = Cause::of(&batch, cx.rules);
        cx.report(Report::Signalled { rule: rule.name.clone(), run: run.id, signal, cause });
        cx.signal(run.id, signal);
    }

    fn stop(&mut self, cause: Option<Cause>, rule: &Rule, cx: &mut Context<'_>) {
        if let Some(run) = &self.run {
            cx.report(Report::Stopping { rule: rule.name.clone(), run: run.id, cause });
        }
        self.term(rule, cx);
    }

    fn time_out(&mut self, rule: &Rule, cx: &mut Context<'_>) {
        let Some(run) = &mut self.run else { return };
        run.timed_out = true;
        cx.report(Report::TimedOut { rule: rule.name.clone(), run: run.id });
        self.term(rule, cx);
    }

    fn term(&mut self, rule: &Rule, cx: &mut Context<'_>) {
        let Some(run) = &mut self.run else { return };
        run.limit = Some(cx.now + rule.stop_timeout);
        cx.signal(run.id, rule.stop_signal);
    }

    fn kill(&mut self, rule: &Rule, cx: &mut Context<'_>) {
        let Some(run) = &mut self.run else { return };
        run.limit = None;
        cx.report(Report::Killing { rule: rule.name.clone(), run: run.id });
        cx.signal(run.id, libc::SIGKILL);
    }

    /// Has what a failed run was told wait for its next attempt, in front of what is due. A change that came
    /// during the run ends the wait.
    fn again(&mut self, failed: Run, retry: Retry, rule: &Rule, cx: &mut Context<'_>) {
        let attempt = failed.batch.attempt();
        let merges = rule.per != Per::Event;
        self.due.put_back(failed.batch.again(), rule.per);
        if failed.overtaken && merges {
            return self.due.renew(rule.per);
        }
        let mut queue = std::mem::take(&mut self.due);
        let later = self.collecting.take();
        let debounce = later.as_ref().map(|(_, debounce)| *debounce).filter(|_| merges);
        queue.append(later.map(|(later, _)| later).unwrap_or_default(), rule.per);
        if let Some(debounce) = debounce {
            queue.renew(rule.per);
            self.collecting = Some((queue, debounce));
            return;
        }
        let delay = cx.jitter.spread(retry.delay(attempt));
        cx.report(Report::Retry { rule: rule.name.clone(), attempt: attempt + 1, delay });
        self.collecting = Some((queue, Debounce::start(delay, delay, cx.now)));
        self.backing_off = true;
    }

    fn finish(&mut self, rule: &Rule, cx: &mut Context<'_>) {
        cx.slots.release(self.rule);
        if let Some(run) = self.run.take() {
            cx.runs.remove(&run.id);
            if let Some(until) = cx.feedback.end(run.id, cx.now) {
                cx.slots.shut(self.rule, Some(until));
            }
            cx.effects.extend(run.end_report(rule).map(Effect::Report));
            cx.effects.push(Effect::Over { run: run.id });
            match run.retry(rule) {
                Some(retry) => self.again(run, retry, rule, cx),
                None => cx.over = run.into_over(),
            }
        }
        if !self.due.is_empty() {
            self.apply(Input::Quiet, Queue::default(), cx);
        }
    }

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

/// How many runs of the rule may go on at once, and how long after one start the next may follow.
pub(crate) fn limits(rule: &Rule) -> (usize, Duration) {
    let runs = match (rule.per, rule.on_busy) {
        (Per::File, _) | (_, OnBusy::Parallel) => rule.max_parallel,
        (Per::Batch | Per::Event, _) => 1,
    };
    (runs, rule.throttle.unwrap_or_default())
}
