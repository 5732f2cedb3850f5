//! What waits in a lane is put off, taken out, dropped, or told that its rule has another number.

use std::collections::BTreeMap;
use std::time::Duration;

use super::table::{self, Action, Input, State};
use super::{Key, Lane};
use crate::dispatch::batch::debounce::Debounce;
use crate::dispatch::batch::{Batch, Queue};
use crate::dispatch::loop_guard::lineage::Lineage;
use crate::event::Event;
use crate::rules::{Per, Rule, RuleId, Stamp};
use crate::time::MonoTime;

impl Lane {
    /// Takes one more change into the batch that collects, which is what becomes of nearly all of them. Gives it back
    /// if there is no such batch, or something else is to be done.
    pub(crate) fn join(
        &mut self,
        event: Event,
        lineage: &Lineage,
        rule: &Rule,
        now: MonoTime,
    ) -> Result<(), Event> {
        let busy = self.run.as_ref().map_or(rule.on_busy, |run| run.busy(rule));
        let collects = table::next(self.state, Input::Match, busy) == (self.state, Action::Collect);
        let collecting = self.collecting.as_mut().filter(|_| collects && !self.backing_off);
        let Some((queue, debounce)) = collecting else { return Err(event) };
        let Some(batch) = queue.last_mut(rule.per) else { return Err(event) };
        batch.add(event, lineage.clone());
        debounce.note(now);
        Ok(())
    }

    /// Its rule has another number now.
    pub(crate) fn renumber(&mut self, ids: &BTreeMap<RuleId, RuleId>) {
        self.rule = ids.get(&self.rule).copied().unwrap_or(self.rule);
        if let Some(key) = &mut self.key {
            key.rule = self.rule;
        }
        let collecting = self.collecting.iter_mut().flat_map(|(queue, _)| queue.iter_mut());
        let batches =
            collecting.chain(self.due.iter_mut()).chain(self.run.as_mut().map(|run| &mut run.batch));
        batches.for_each(|batch| batch.renumber(ids));
    }

    /// Collects nothing any more, and ends with its run.
    pub(crate) fn part(&mut self) -> Option<Key> {
        self.key.take()
    }

    /// Takes out what collects and what is due, oldest first. It no longer stands in line.
    pub(crate) fn pull(&mut self) -> impl Iterator<Item = Batch> + use<> {
        if self.state == State::Ready {
            self.state = State::Settling;
        }
        self.backing_off = false;
        let collecting = self.collecting.take().map(|(queue, _)| queue).unwrap_or_default();
        std::mem::take(&mut self.due).into_iter().chain(collecting)
    }

    /// Has what is due wait and collect on. It no longer stands in line.
    pub(crate) fn wait(&mut self, due: Queue, debounce: Debounce, per: Per) {
        let mut queue = due;
        for batch in self.pull() {
            queue.append(batch.into(), per);
        }
        self.collecting = Some((queue, debounce));
    }

    /// Has what waits, if anything does, wait until further notice.
    pub(crate) fn rest(&mut self, per: Per) {
        if self.waits() {
            self.wait(Queue::default(), Debounce::never(), per);
        }
    }

    /// Has what came collect until further notice. What is due already stays so.
    pub(crate) fn put_off(&mut self, late: Queue, per: Per) {
        self.backing_off = false;
        let (mut queue, _) = self.collecting.take().unwrap_or((Queue::default(), Debounce::never()));
        queue.append(late, per);
        self.collecting = Some((queue, Debounce::never()));
    }

    /// Has what collects be due as if all of it had come now.
    pub(crate) fn wake(&mut self, rule: &Rule, now: MonoTime) {
        if let Some((_, debounce)) = &mut self.collecting {
            *debounce = Debounce::start(rule.debounce, rule.max_wait, now);
        }
    }

    /// Has what has failed not be done again; what came later is due as if it had come now. Answers how many
    /// changes are given up.
    pub(crate) fn give_up(&mut self, rule: &Rule, now: MonoTime) -> usize {
        self.backing_off = false;
        let Some((mut queue, _)) = self.collecting.take() else { return 0 };
        let given_up = queue.take().map_or(0, |batch| batch.len().max(1));
        if !queue.is_empty() {
            self.collecting = Some((queue, Debounce::start(rule.debounce, rule.max_wait, now)));
        }
        given_up
    }

    fn waits(&self) -> bool {
        self.collecting.is_some() || !self.due.is_empty()
    }

    /// Drops what waits. How a run ends says nothing. Answers how many changes were dropped.
    pub(super) fn refuse(&mut self) -> usize {
        self.abandon();
        self.drop_waiting()
    }

    /// How a run ends says nothing.
    pub(super) fn abandon(&mut self) {
        if let Some(run) = &mut self.run {
            run.stopped = true;
        }
    }

    pub(super) fn drop_waiting(&mut self) -> usize {
        let collecting = self.collecting.take().map_or(0, |(queue, _)| queue.changes());
        collecting + std::mem::take(&mut self.due).changes()
    }

    /// What is due, taken out of the line.
    pub(crate) fn take_due(&mut self) -> Queue {
        self.state = State::Settling;
        std::mem::take(&mut self.due)
    }

    /// For how long a file is known to have had this size and time; none if it is not.
    pub(crate) fn since_stamp(&mut self, path: &[u8], stamp: Stamp, now: MonoTime) -> Option<Duration> {
        match self.stamps.get(path) {
            Some(&(known, since)) if known == stamp => Some(now.since(since)),
            _ => {
                self.stamps.insert(path.to_vec(), (stamp, now));
                None
            }
        }
    }

    /// It no longer matters.
    pub(crate) fn forget_stamp(&mut self, path: &[u8]) {
        self.stamps.remove(path);
    }
}
