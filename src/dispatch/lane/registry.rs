//! All lanes that have something to do, found by what they collect and by when they want to be called.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::run::Run;
use super::{Key, KeyOf, Lane, LaneId};
use crate::dispatch::loop_guard::lineage::Lineage;
use crate::event::Event;
use crate::rules::{Rule, RuleId};
use crate::time::MonoTime;

/// The lanes. One that is idle is not kept, so that as many come and go as there are files.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    by_id: BTreeMap<LaneId, Lane>,
    by_key: HashMap<Key, LaneId>,
    by_deadline: BTreeSet<(MonoTime, LaneId)>,
    last: u64,
}

impl Lanes {
    /// The lane that collects for `key`; a new one if there is none. To be [`put`](Self::put) back.
    pub(crate) fn open(&mut self, key: Key) -> Lane {
        if let Some(lane) = self.by_key.get(&key).copied().and_then(|id| self.take(id)) {
            return lane;
        }
        let id = self.new_id();
        self.by_key.insert(key.clone(), id);
        Lane::collecting_for(id, key)
    }

    /// Has a lane take one more change into the batch that collects. Gives it back if there is no such lane, or
    /// something else is to be done.
    pub(crate) fn join(
        &mut self,
        id: Option<LaneId>,
        event: Event,
        lineage: &Lineage,
        rule: &Rule,
        now: MonoTime,
    ) -> Result<(), Event> {
        let Some(lane) = id.and_then(|id| self.by_id.get_mut(&id)) else { return Err(event) };
        let (id, before) = (lane.id(), lane.deadline());
        lane.join(event, lineage, rule, now)?;
        let after = lane.deadline();
        if after != before {
            before.inspect(|&at| _ = self.by_deadline.remove(&(at, id)));
            after.inspect(|&at| _ = self.by_deadline.insert((at, id)));
        }
        Ok(())
    }

    /// The lane that collects for `key`, if there is one.
    pub(crate) fn find(&self, key: KeyOf<'_>) -> Option<LaneId> {
        self.by_key.get(&key).copied()
    }

    /// A lane for a run that goes on beside the one that it came from. To be [`put`](Self::put) back.
    pub(crate) fn open_beside(&mut self, rule: RuleId, run: Run) -> Lane {
        Lane::beside(self.new_id(), rule, run)
    }

    /// Takes a lane out, to change it and [`put`](Self::put) it back.
    pub(crate) fn take(&mut self, id: LaneId) -> Option<Lane> {
        let lane = self.by_id.remove(&id)?;
        if let Some(deadline) = lane.deadline() {
            self.by_deadline.remove(&(deadline, id));
        }
        Some(lane)
    }

    /// Puts a lane back, or forgets it if it is idle.
    pub(crate) fn put(&mut self, lane: Lane) {
        if lane.is_idle() {
            if let Some(key) = lane.key() {
                self.by_key.remove(key);
            }
            return;
        }
        if let Some(deadline) = lane.deadline() {
            self.by_deadline.insert((deadline, lane.id()));
        }
        self.by_id.insert(lane.id(), lane);
    }

    /// When the first lane wants to be called.
    pub(crate) fn deadline(&self) -> Option<MonoTime> {
        self.by_deadline.first().map(|&(deadline, _)| deadline)
    }

    /// The lane that has wanted to be called for the longest time.
    pub(crate) fn expired(&self, now: MonoTime) -> Option<LaneId> {
        self.by_deadline.first().filter(|&&(deadline, _)| deadline <= now).map(|&(_, id)| id)
    }

    /// Whether no lane has anything to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Every lane, oldest first.
    pub(crate) fn ids(&self) -> Vec<LaneId> {
        self.by_id.keys().copied().collect()
    }

    /// Gives the lanes of each rule the rule's new number.
    pub(crate) fn renumber(&mut self, ids: &BTreeMap<RuleId, RuleId>) {
        self.by_key.clear();
        for (&id, lane) in &mut self.by_id {
            lane.renumber(ids);
            self.by_key.extend(lane.key().map(|key| (key.clone(), id)));
        }
    }

    /// The lanes of a rule, oldest first.
    pub(crate) fn of(&self, rule: RuleId) -> Vec<LaneId> {
        self.by_id.values().filter(|lane| lane.rule() == rule).map(Lane::id).collect()
    }

    /// The lanes of a rule, oldest first, to look at.
    pub(crate) fn each_of(&self, rule: RuleId) -> impl Iterator<Item = &Lane> {
        self.by_id.values().filter(move |lane| lane.rule() == rule)
    }

    /// Whether a rule has a lane.
    pub(crate) fn any_of(&self, rule: RuleId) -> bool {
        self.by_id.values().any(|lane| lane.rule() == rule)
    }

    /// Has a lane that was taken out collect nothing any more.
    pub(crate) fn part(&mut self, lane: &mut Lane) {
        if let Some(key) = lane.part() {
            self.by_key.remove(&key);
        }
    }

    fn new_id(&mut self) -> LaneId {
        self.last += 1;
        LaneId(self.last)
    }
}
