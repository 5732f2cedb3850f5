//! What is due is looked at before it runs: whether it is to wait for something, and whether there is anything
//! new in it.

use std::sync::Arc;
use std::time::Duration;

use super::Effect;
use super::hold::LOOK;
use super::step::Turn;
use crate::dispatch::batch::content::Budget;
use crate::dispatch::batch::debounce::Debounce;
use crate::dispatch::batch::{Batch, Queue};
use crate::dispatch::lane::Lane;
use crate::dispatch::report::{Cause, Report};
use crate::event::as_path;
use crate::rules::{Rule, RuleId};

impl Turn<'_> {
    /// What of that which is due for a lane may run now. What is to wait collects on.
    pub(crate) fn sift(&mut self, lane: &mut Lane, due: Queue) -> Queue {
        let rules = Arc::clone(&self.core.rules);
        let rule = &rules.rules[lane.rule().0];
        if self.core.slots.is_paused(lane.rule()) {
            lane.put_off(due, rule.per);
            return Queue::default();
        }
        if !due.is_empty() && self.is_held(lane.rule()) {
            self.hold(lane, due, rule);
            return Queue::default();
        }
        let due = self.settle(lane, due, rule);
        if rule.if_changed { self.leave_out(lane.rule(), rule, due) } else { due }
    }

    /// Whether a rule may start nothing now; says so once.
    pub(crate) fn is_held(&mut self, id: RuleId) -> bool {
        let rules = &self.core.rules;
        let (held, report) = self.core.holds.holds(id, &rules.rules[id.0], rules.files(), self.now);
        self.effects.extend(report.map(Effect::Report));
        held
    }

    /// Has what is due collect on, and what comes join it, until a while after the end of what holds it.
    pub(crate) fn hold(&mut self, lane: &mut Lane, due: Queue, rule: &Rule) {
        let (quiet, cap) = (rule.debounce.max(LOOK), rule.max_wait.max(LOOK));
        lane.wait(due, Debounce::start(quiet, cap, self.now), rule.per);
    }

    /// Has files wait that have not kept their size and time for long enough.
    fn settle(&mut self, lane: &mut Lane, due: Queue, rule: &Rule) -> Queue {
        let Some(time) = rule.stable_for else { return due };
        let (now, rules) = (self.now, Arc::clone(&self.core.rules));
        let (mut ready, mut later, mut wait) = (Queue::default(), Queue::default(), Duration::MAX);
        for batch in due {
            let (no, yes) = batch.divide(|path, _| {
                let Some(stamp) = rules.files().stamp(as_path(path)) else { return false };
                let left = lane.since_stamp(path, stamp, now).map_or(time, |kept| time.saturating_sub(kept));
                if !left.is_zero() {
                    wait = wait.min(left);
                }
                !left.is_zero()
            });
            ready.append(yes.into_iter().collect(), rule.per);
            later.append(no.into_iter().collect(), rule.per);
        }
        ready.iter().flat_map(Batch::iter).for_each(|(path, _)| lane.forget_stamp(path));
        if !later.is_empty() {
            lane.wait(later, Debounce::start(wait, wait, now), rule.per);
        }
        ready
    }

    /// Leaves out what has the content that the rule last ran for.
    fn leave_out(&mut self, id: RuleId, rule: &Rule, due: Queue) -> Queue {
        let rules = Arc::clone(&self.core.rules);
        let mut changed = Queue::default();
        for mut batch in due {
            let mut budget = Budget::new();
            batch.iter_mut().for_each(|(path, change)| change.set_content(budget.read(rules.files(), path)));
            let contents = &self.core.contents;
            let (old, new) = batch.divide(|path, change| {
                change.content().is_some_and(|content| contents.knows(id, path, content))
            });
            if let Some(old) = old {
                let (name, cause) = (rule.name.clone(), Cause::of(&old, &rules));
                self.effects.push(Effect::Report(Report::Unchanged { rule: name, cause }));
            }
            changed.append(new.into_iter().collect(), rule.per);
        }
        changed
    }
}
