//! Other rules take the place of those there are, while everything goes on.
//!
//! A rule goes on in the one of its name. If that is the same, nothing happens to it; if it says something else,
//! what waits is matched and collects anew, and what runs runs on. A rule that is no more takes in nothing, and
//! what it runs is stopped; if it comes back before that has ended, it waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::step::Turn;
use super::{Effect, Phase};
use crate::dispatch::batch::Batch;
use crate::dispatch::lane::table as lane_table;
use crate::dispatch::lane::{self, Key};
use crate::dispatch::loop_guard::lineage::Lineage;
use crate::dispatch::report::Report;
use crate::dispatch::service::table as service_table;
use crate::event::Trigger;
use crate::rules::{Per, Rule, RuleId, Rules, Successor};

impl Turn<'_> {
    /// Goes on with these rules. Those that were not there before begin with the next
    /// [`Input::Ready`](crate::dispatch::Input::Ready).
    pub(crate) fn swap(&mut self, new: Arc<Rules>) {
        if self.core.phase != Phase::Live {
            return;
        }
        let (old, live) = (Arc::clone(&self.core.rules), self.core.live);
        let successors = &old.successors(&new)[..live];
        let ids = self.renumber(successors, new);
        self.effects.push(Effect::Report(told(successors, self.core.live)));
        if self.core.pauses_new {
            (0..self.core.live).for_each(|number| _ = self.pause_rule(RuleId(number)));
        }
        for (before, id) in ids {
            match successors.get(before.0) {
                Some(Successor::Same(_)) => {}
                Some(Successor::None) => self.retire(id),
                Some(Successor::Changed(_)) => {
                    self.match_anew(id);
                    self.serve_anew(id, &old.rules[before.0]);
                }
                // It was no more, and may be back.
                None => self.match_anew(id),
            }
        }
    }

    /// Puts the rules in place. Answers the new number of every rule that is left, or still has something to do:
    /// those that are no more are numbered after all others.
    fn renumber(&mut self, successors: &[Successor], mut new: Arc<Rules>) -> BTreeMap<RuleId, RuleId> {
        let core = &mut *self.core;
        let (mut ids, mut retired, live) = (BTreeMap::new(), Vec::new(), new.rules.len());
        let renewed: BTreeSet<_> = successors.iter().filter_map(|successor| successor.id()).collect();
        let added = |id: &RuleId| !renewed.contains(id);
        for (old, rule) in (0..).map(RuleId).zip(&core.rules.rules) {
            let back =
                || new.rules.iter().position(|known| known.name == rule.name).map(RuleId).filter(added);
            let id = successors.get(old.0).map_or_else(back, |successor| successor.id());
            if let Some(id) = id {
                ids.insert(old, id);
            } else if core.lanes.any_of(old) || core.services.has_process(old) {
                ids.insert(old, RuleId(live + retired.len()));
                retired.push(Arc::clone(rule));
            }
        }
        let waiting = core.starting.iter().filter_map(|id| ids.get(id)).copied();
        core.starting = waiting.filter(|id| id.0 < live).chain((0..live).map(RuleId).filter(added)).collect();
        if !retired.is_empty() {
            Arc::make_mut(&mut new).rules.extend(retired);
        }
        core.slots.renumber(new.settings.jobs, new.rules.iter().map(|rule| lane::limits(rule)), &ids);
        core.lanes.renumber(&ids);
        core.services.renumber(&new, &ids);
        core.tally.renumber(new.rules.len(), &ids);
        let last = std::mem::take(&mut core.last).into_iter();
        core.last = last.filter_map(|(rule, batch)| Some((*ids.get(&rule)?, batch))).collect();
        core.feedback.renumber(&new, &ids);
        core.holds.clear();
        let same = |(old, _): &(&RuleId, &RuleId)| matches!(successors.get(old.0), Some(Successor::Same(_)));
        core.contents.renumber(&ids.iter().filter(same).map(|(&old, &id)| (old, id)).collect());
        (core.live, core.rules) = (live, new);
        ids
    }

    /// Stops what a rule runs that is no more, and refuses what waits.
    fn retire(&mut self, rule: RuleId) {
        self.clear(rule, lane_table::Input::Halt);
        self.tell_service_of(rule, service_table::Input::Halt);
    }

    /// Has a service that goes on begin anew, if it is to be run in another way.
    fn serve_anew(&mut self, id: RuleId, old: &Rule) {
        let new = &self.core.rules.rules[id.0];
        let same = (&old.service, &old.cwd, &old.env) == (&new.service, &new.cwd, &new.env)
            && (&old.setup, old.contain, old.tty) == (&new.setup, new.contain, new.tty);
        if !same && self.core.services.has_begun(id) {
            self.serve(id, Batch::at_start());
        }
    }

    /// Has what waits for a rule that says something else now collect as if it had just come, if it still
    /// matches.
    fn match_anew(&mut self, rule: RuleId) {
        if rule.0 >= self.core.live {
            return;
        }
        let by_path = self.core.rules.rules[rule.0].per == Per::File;
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

    fn collect_anew(&mut self, id: RuleId, batch: Batch) {
        let rule = &self.core.rules.rules[id.0];
        let passed_on = batch.after().is_some_and(|after| rule.after.contains(&after));
        if batch.len() == 0 || (passed_on && rule.per != Per::File) {
            return self.fall_due(Key { rule: id, path: None }, batch);
        }
        for event in batch.into_events() {
            let mut matches = Vec::new();
            self.core.rules.matches(&event, &mut matches);
            let asked_for = event.trigger == Trigger::Manual;
            if passed_on || asked_for || matches.iter().any(|found| found.rule == id) {
                self.hand_out(id, event, Lineage::default(), lane_table::Input::Match);
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
