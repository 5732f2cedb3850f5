//! Other rules take the place of those there are, while everything goes on.
//!
//! A rule goes on in the one of its name. If that is the same, nothing happens to it; if it says something else,
//! what waits is matched and collects anew, and what runs runs on. A rule that is no more takes in nothing, and
//! what it runs is stopped; if it comes back before that has ended, it waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::batch::{Batch, Queue};
use super::core::{Effect, Phase};
use super::lane::{self, Key};
use super::report::Report;
use super::schedule;
use super::turn::Turn;
use crate::rules::{Per, RuleId, Rules, Successor};

impl Turn<'_> {
    /// Goes on with these rules. Those with `on_start` that were not there before run with the next
    /// [`Input::Ready`](super::Input::Ready).
    pub(super) fn swap(&mut self, new: Arc<Rules>) {
        if self.core.phase != Phase::Live {
            return;
        }
        let successors = self.core.rules.successors(&new);
        let ids = self.renumber(&successors, new);
        self.effects.push(Effect::Report(told(&successors, self.core.rules.rules.len())));
        for (old, id) in ids {
            match successors.get(old.0) {
                Some(Successor::Same(_)) => {}
                Some(Successor::None) => self.retire(id),
                Some(Successor::Changed(_)) | None => self.match_anew(id),
            }
        }
    }

    /// Puts the rules in place. Answers the new number of every rule that is left, or still has something to do:
    /// those that are no more are numbered after all others.
    fn renumber(&mut self, successors: &[Successor], new: Arc<Rules>) -> BTreeMap<RuleId, RuleId> {
        let core = &mut *self.core;
        let (mut ids, mut retired) = (BTreeMap::new(), Vec::new());
        for old in (0..core.rules.rules.len() + core.retired.len()).map(RuleId) {
            let back = || new.rules.iter().position(|rule| rule.name == core.rule(old).name).map(RuleId);
            let id = successors.get(old.0).map_or_else(back, |successor| successor.id());
            if let Some(id) = id {
                ids.insert(old, id);
            } else if core.lanes.any_of(old) {
                ids.insert(old, RuleId(new.rules.len() + retired.len()));
                retired.push(core.rule(old).clone());
            }
        }
        let renewed = |id: &RuleId| successors.iter().any(|successor| successor.id() == Some(*id));
        let added = (0..new.rules.len()).map(RuleId).filter(|id| !renewed(id));
        let waiting = core.starting.iter().filter_map(|id| ids.get(id)).copied();
        let starting = waiting.chain(added.filter(|id| new.rules[id.0].on_start)).collect();
        let limits = new.rules.iter().chain(&retired).map(lane::limits);
        core.slots.renumber(new.settings.jobs, limits, &ids);
        core.lanes.renumber(&ids);
        (core.starting, core.retired, core.rules) = (starting, retired, new);
        ids
    }

    /// Stops what a rule runs that is no more, and refuses what waits.
    fn retire(&mut self, rule: RuleId) {
        let mut changes = 0;
        for id in self.core.lanes.of(rule) {
            self.core.slots.leave(rule, id);
            if let Some(lane) = self.core.lanes.take(id) {
                changes += self.apply(lane, schedule::Input::Halt, Queue::default());
            }
        }
        if changes > 0 {
            let rule = self.core.rule(rule).name.clone();
            self.effects.push(Effect::Report(Report::Dropped { rule, changes }));
        }
    }

    /// Has what waits for a rule that says something else now collect as if it had just come, if it still
    /// matches.
    fn match_anew(&mut self, rule: RuleId) {
        let Some(by_path) = self.core.rules.rules.get(rule.0).map(|rule| rule.per == Per::File) else {
            return;
        };
        let mut waiting = Vec::new();
        for id in self.core.lanes.of(rule) {
            self.core.slots.leave(rule, id);
            let Some(mut lane) = self.core.lanes.take(id) else { continue };
            waiting.extend(lane.pull());
            if lane.key().is_some_and(|key| key.path.is_some() != by_path) {
                self.core.lanes.part(&mut lane);
            }
            self.core.lanes.put(lane);
        }
        for batch in waiting {
            self.collect_anew(rule, batch);
        }
    }

    fn collect_anew(&mut self, rule: RuleId, batch: Batch) {
        if batch.len() == 0 {
            let lane = self.core.lanes.open(Key { rule, path: None });
            self.apply(lane, schedule::Input::Quiet, batch.into());
            return;
        }
        for event in batch.into_events() {
            let mut matches = Vec::new();
            self.core.rules.matches(&event, &mut matches);
            if matches.iter().any(|found| found.rule == rule) {
                self.hand_out(&event, rule, schedule::Input::Match);
            }
        }
    }
}

fn told(successors: &[Successor], rules: usize) -> Report {
    let count = |wanted: fn(&Successor) -> bool| successors.iter().filter(|known| wanted(known)).count();
    let changed = count(|known| matches!(known, Successor::Changed(_)));
    let unchanged = count(|known| matches!(known, Successor::Same(_)));
    let removed = successors.len() - changed - unchanged;
    Report::Reloaded { added: rules - changed - unchanged, changed, removed, unchanged }
}
