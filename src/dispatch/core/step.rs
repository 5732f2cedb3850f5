//! One step of the core: each input finds the lanes that it concerns.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Core, Effect, Input, Phase, Until};
use crate::dispatch::batch::{Batch, Queue};
use crate::dispatch::job::RunId;
use crate::dispatch::job::outcome::{Outcome, Status};
use crate::dispatch::lane::table as lane_table;
use crate::dispatch::lane::{Context, Key, KeyOf, Lane, Over};
use crate::dispatch::loop_guard::lineage::Lineage;
use crate::dispatch::report::Report;
use crate::dispatch::service::table as service_table;
use crate::event::Event;
use crate::rules::{Match, Per, Rule, RuleId};
use crate::time::MonoTime;

/// A step in progress.
pub(crate) struct Turn<'a> {
    pub(crate) core: &'a mut Core,
    pub(crate) now: MonoTime,
    pub(crate) effects: &'a mut Vec<Effect>,
}

impl Turn<'_> {
    /// Sees to the input itself.
    pub(crate) fn take(&mut self, input: Input) {
        match input {
            Input::Event(event) => self.event(event),
            Input::Ready => self.ready(),
            Input::Once(events) => self.once(&events),
            Input::Due => {}
            Input::Spawned { run } => self.spawned(run),
            Input::SpawnFailed { run, error } => self.ended(run, Err(error), lane_table::Input::SpawnFailed),
            Input::Exited { run, status } => self.ended(run, Ok(status), lane_table::Input::Exited),
            Input::Gone { run } => self.gone(run),
            Input::ServiceReady { run } => drop(self.tell_service(run, service_table::Input::Ready)),
            Input::Command(command) => self.obey(command),
            Input::Reload(rules) => self.swap(rules),
            Input::Halt => self.halt(),
            Input::Kill => self.kill(),
        }
    }

    /// Calls every lane whose deadline has passed.
    pub(crate) fn expire(&mut self) {
        while let Some(id) = self.core.lanes.expired(self.now) {
            let Some(mut lane) = self.core.lanes.take(id) else { return };
            let Some((input, fresh)) = lane.expire(self.now) else { return self.core.lanes.put(lane) };
            let fresh = if input == lane_table::Input::Quiet {
                let due = self.sift(&mut lane, fresh);
                if due.is_empty() {
                    self.core.lanes.put(lane);
                    continue;
                }
                due
            } else {
                fresh
            };
            self.apply(lane, input, fresh);
        }
        self.expire_services();
    }

    /// Gives every free slot to a lane that stands in line.
    pub(crate) fn fill_slots(&mut self) {
        while let Some(id) = self.core.slots.take(self.now) {
            let Some(mut lane) = self.core.lanes.take(id) else { continue };
            if !lane.is_in_line() {
                self.core.slots.take_back(lane.rule(), self.now);
                self.core.lanes.put(lane);
            } else if self.is_held(lane.rule()) {
                self.core.slots.take_back(lane.rule(), self.now);
                let (due, id, rules) = (lane.take_due(), lane.rule(), Arc::clone(&self.core.rules));
                self.hold(&mut lane, due, &rules.rules[id.0]);
                self.core.lanes.put(lane);
            } else {
                self.apply(lane, lane_table::Input::Slot, Queue::default());
            }
        }
    }

    /// Says that everything is over, once it is.
    pub(crate) fn finish(&mut self) {
        let done = match self.core.phase {
            Phase::Live | Phase::Over => false,
            Phase::Draining => self.core.lanes.is_empty(),
            Phase::Halting | Phase::Killing => self.core.runs.is_empty() && self.core.services.are_down(),
        };
        if done {
            self.core.phase = Phase::Over;
            self.effects.push(Effect::Exit);
        }
    }

    fn event(&mut self, event: Event) {
        if self.core.phase != Phase::Live {
            return;
        }
        self.core.tally.events += 1;
        let again = self.core.rules.note(&event).map(|dir| Effect::LookAgain { dir: dir.to_vec() });
        self.effects.extend(again);
        let mut matches = std::mem::take(&mut self.core.matches);
        self.core.rules.matches(&event, &mut matches);
        matches.retain(|found| !self.is_output(found.rule, &event));
        if let Some(Match { rule: last }) = matches.pop() {
            for Match { rule } in matches.drain(..) {
                self.concern(rule, event.clone());
            }
            self.concern(last, event);
        }
        self.core.matches = matches;
    }

    /// Whether a run of the rule that goes on, or has just ended, is declared to write this.
    fn is_output(&self, rule: RuleId, event: &Event) -> bool {
        self.core.feedback.may_have_written(rule, self.now) && self.core.rules.is_output(rule, &event.path)
    }

    /// Gives a change to the lane of the rule that is for it.
    fn concern(&mut self, id: RuleId, event: Event) {
        self.core.tally.matched(id);
        let noted = self.core.feedback.note(id, &event.path, self.now);
        if noted.acquits {
            self.core.slots.shut(id, Some(self.now + self.core.rules.rules[id.0].debounce));
        }
        let rule = &self.core.rules.rules[id.0];
        let path = (rule.per == Per::File).then_some(event.path.as_slice());
        let lane = self.core.lanes.find(KeyOf { rule: id, path });
        if let Err(event) = self.core.lanes.join(lane, event, &noted.lineage, rule, self.now) {
            self.hand_out(id, event, noted.lineage, lane_table::Input::Match);
        }
    }

    pub(crate) fn hand_out(
        &mut self,
        rule: RuleId,
        event: Event,
        lineage: Lineage,
        input: lane_table::Input,
    ) {
        let per_file = self.core.rules.rules[rule.0].per == Per::File;
        let lane = self.core.lanes.open(Key { rule, path: per_file.then(|| event.path.clone()) });
        self.apply(lane, input, Batch::from(event).of(lineage).known(self.now).into());
    }

    /// What is there is due at once, and each rule that nothing there concerns says so.
    fn once(&mut self, events: &[Event]) {
        if self.core.phase != Phase::Live {
            return;
        }
        self.core.phase = Phase::Draining;
        let rules = Arc::clone(&self.core.rules);
        // A rule that comes after others waits for them.
        let follows_none = |rule: RuleId| {
            let rule = &rules.rules[rule.0];
            rule.after.is_empty() && !rule.steps.is_empty()
        };
        let (mut told, mut matches) = (vec![false; rules.rules.len()], Vec::new());
        for event in events {
            rules.matches(event, &mut matches);
            for Match { rule } in matches.drain(..).filter(|found| follows_none(found.rule)) {
                told[rule.0] = true;
                self.hand_out(rule, event.clone(), Lineage::default(), lane_table::Input::Quiet);
            }
        }
        for (number, rule) in rules.rules.iter().enumerate().filter(|(number, _)| !told[*number]) {
            self.once_for_nothing(RuleId(number), rule);
        }
    }

    /// A rule that nothing there concerns: it says so, unless it needs nothing or waits for others.
    fn once_for_nothing(&mut self, id: RuleId, rule: &Rule) {
        if rule.steps.is_empty() {
            self.effects.push(Effect::Report(Report::NotOnce { rule: rule.name.clone() }));
        } else if rule.after.is_empty() && rule.paths.is_empty() {
            let lane = self.core.lanes.open(Key { rule: id, path: None });
            self.apply(lane, lane_table::Input::Quiet, Batch::at_start().into());
        } else if rule.after.is_empty() {
            self.effects.push(Effect::Report(Report::NothingThere { rule: rule.name.clone() }));
        }
    }

    fn ready(&mut self) {
        if self.core.phase != Phase::Live {
            return;
        }
        for rule in std::mem::take(&mut self.core.starting) {
            self.begin(rule);
        }
    }

    /// A rule begins: it runs what it runs at the start, or its service.
    fn begin(&mut self, id: RuleId) {
        let rule = &self.core.rules.rules[id.0];
        if rule.on_start && !rule.steps.is_empty() {
            self.fall_due(Key { rule: id, path: None }, Batch::at_start());
        } else if rule.service.is_some() && rule.after.is_empty() {
            self.serve(id, Batch::at_start());
        }
    }

    fn spawned(&mut self, run: RunId) {
        if self.tell_service(run, service_table::Input::Spawned) {
            return;
        }
        let Some(lane) = self.lane_of(run) else { return };
        let (retired, cancelled) = (lane.rule().0 >= self.core.live, lane.is_doomed());
        self.apply(lane, lane_table::Input::Spawned, Queue::default());
        let order = match self.core.phase {
            Phase::Live if retired => lane_table::Input::Halt,
            Phase::Live | Phase::Draining if cancelled => lane_table::Input::Cancel,
            Phase::Live | Phase::Draining | Phase::Over => return,
            Phase::Halting => lane_table::Input::Halt,
            Phase::Killing => lane_table::Input::Kill,
        };
        if let Some(lane) = self.lane_of(run) {
            self.apply(lane, order, Queue::default());
        }
    }

    fn ended(&mut self, run: RunId, how: Result<Status, String>, input: lane_table::Input) {
        if self.tell_service_end(run, &how) {
            return;
        }
        let Some(mut lane) = self.lane_of(run) else { return };
        lane.note_end(how, &self.core.rules.rules[lane.rule().0], self.now);
        let next = input == lane_table::Input::SpawnFailed && lane.goes_on(&self.core.rules);
        let input = if next { lane_table::Input::Next } else { input };
        self.apply(lane, input, Queue::default());
    }

    fn gone(&mut self, run: RunId) {
        if self.tell_service(run, service_table::Input::Gone) {
            return;
        }
        let Some(lane) = self.lane_of(run) else { return };
        if lane.end_is_known() {
            let goes_on = lane.goes_on(&self.core.rules);
            let input = if goes_on { lane_table::Input::Next } else { lane_table::Input::Gone };
            self.apply(lane, input, Queue::default());
        } else {
            self.core.lanes.put(lane);
        }
    }

    pub(crate) fn halt(&mut self) {
        if !matches!(self.core.phase, Phase::Live | Phase::Draining) {
            return;
        }
        self.core.phase = Phase::Halting;
        self.tell_services(service_table::Input::Halt);
        self.refuse(lane_table::Input::Halt);
    }

    /// Takes away what waits, by an input that has each lane do so, and says of each rule how much that was.
    fn refuse(&mut self, input: lane_table::Input) {
        self.core.slots.clear_lines();
        let mut refused = BTreeMap::new();
        for id in self.core.lanes.ids() {
            let Some(lane) = self.core.lanes.take(id) else { continue };
            let rule = lane.rule();
            *refused.entry(rule).or_insert(0) += self.apply(lane, input, Queue::default());
        }
        for (rule, changes) in refused.into_iter().filter(|&(_, changes)| changes > 0) {
            let rule = self.core.rules.rules[rule.0].name.clone();
            self.effects.push(Effect::Report(Report::Dropped { rule, changes }));
        }
    }

    fn kill(&mut self) {
        self.halt();
        if self.core.phase != Phase::Halting {
            return;
        }
        self.core.phase = Phase::Killing;
        self.tell_services(service_table::Input::Kill);
        for id in self.core.lanes.ids() {
            if let Some(lane) = self.core.lanes.take(id) {
                self.apply(lane, lane_table::Input::Kill, Queue::default());
            }
        }
    }

    fn lane_of(&mut self, run: RunId) -> Option<Lane> {
        let id = *self.core.runs.get(&run)?;
        self.core.lanes.take(id)
    }

    /// Lets a lane take its next step and puts it back. Returns how many changes it refused.
    pub(crate) fn apply(&mut self, mut lane: Lane, input: lane_table::Input, fresh: Queue) -> usize {
        let Core { rules, limits, lanes, slots, feedback, jitter, tally, runs, last_run, .. } =
            &mut *self.core;
        let effects = &mut *self.effects;
        let (now, detached, refused, over) = (self.now, None, 0, None);
        let mut cx = Context {
            rules,
            limits,
            now,
            slots,
            feedback,
            jitter,
            tally,
            runs,
            last_run,
            effects,
            detached,
            refused,
            over,
        };
        lane.apply(input, fresh, &mut cx);
        let (detached, refused, over) = (cx.detached, cx.refused, cx.over);
        if let Some(run) = detached {
            let id = run.id;
            let beside = lanes.open_beside(lane.rule(), run);
            runs.insert(id, beside.id());
            lanes.put(beside);
        }
        let lane_rule = lane.rule();
        lanes.put(lane);
        if let Some(over) = over {
            self.over(lane_rule, over);
        }
        refused
    }

    /// A run is over. One that was stopped to begin anew says nothing.
    fn over(&mut self, rule: RuleId, over: Over) {
        let going_on = matches!(self.core.phase, Phase::Live | Phase::Draining);
        if over.stopped && going_on {
            return;
        }
        self.core.worst = self.core.worst.max(over.outcome.code());
        if self.core.until == Until::FirstRun && self.core.phase == Phase::Live && !over.unfinished {
            self.core.phase = Phase::Draining;
            self.refuse(lane_table::Input::Drain);
        }
        let done = matches!(over.outcome, Outcome::Ok(_) | Outcome::Skipped(_));
        if let Some(batch) = over.batch.as_ref().filter(|_| done && self.core.rules.rules[rule.0].if_changed)
        {
            self.core.contents.keep(rule, batch);
        }
        if let (Outcome::Ok(_), Some(batch), true) = (&over.outcome, &over.batch, going_on) {
            // What comes after a rule with a service comes after that is ready.
            let once = self.core.phase == Phase::Draining;
            let serves = !once && self.core.rules.rules[rule.0].service.is_some();
            if !serves || !self.serve(rule, batch.clone()) {
                self.pass_on(rule, batch);
            }
        }
        if let Some(batch) = over.batch {
            self.core.last.insert(rule, batch);
        }
    }

    /// Something is due that has not collected before; while its rule is paused, it waits.
    pub(crate) fn fall_due(&mut self, key: Key, batch: Batch) {
        let rule = key.rule;
        let mut lane = self.core.lanes.open(key);
        if self.core.slots.is_paused(rule) {
            lane.put_off(batch.into(), self.core.rules.rules[rule.0].per);
            self.core.lanes.put(lane);
        } else {
            self.apply(lane, lane_table::Input::Quiet, batch.into());
        }
    }

    /// Gives the batch of what has succeeded to the rules that come after its rule.
    pub(crate) fn pass_on(&mut self, rule: RuleId, batch: &Batch) {
        let rules = Arc::clone(&self.core.rules);
        // Run once, no service is started.
        let takes = |next: &Rule| self.core.phase != Phase::Draining || !next.steps.is_empty();
        let after = rules.rules.iter().enumerate().filter(|(_, next)| next.after.contains(&rule));
        let after: Vec<_> = after.filter(|(_, next)| takes(next)).collect();
        for (number, next) in after {
            for part in batch.clone().passed_on(rule, next.per) {
                let path = part.first().filter(|_| next.per == Per::File).map(|(path, _)| path.to_vec());
                self.fall_due(Key { rule: RuleId(number), path }, part);
            }
        }
    }
}
