//! What somebody asks of a running tripline, and what there is to be seen of it. Pure.
//!
//! A [`Command`] is an [`Input`](super::Input) of the core like any other, and answered by
//! [`Effect::Answer`]; an [`Overview`] is what [`Core::overview`](super::Core::overview) says
//! when it is asked. Nothing is prepared for that: while nobody asks, some numbers are counted, and that is all.
//!
//! Another thread, such as a view of the terminal, speaks to the dispatcher through a
//! [`Control`](super::Control), which it can clone:
//!
//! ```no_run
//! # use tripline::dispatch::{Command, Control};
//! # fn view(control: &Control) {
//! // Neither call waits; both answers come soon, or never if tripline has ended by then.
//! let done = control.send(Command::Rerun { rule: "test".to_owned() });
//! let seen = control.ask();
//! match done.recv() {
//!     Ok(Ok(())) => {}
//!     Ok(Err(refusal)) => eprintln!("{refusal}"),
//!     Err(_) => eprintln!("tripline has ended"),
//! }
//! if let Ok(overview) = seen.recv() {
//!     println!("{} rules", overview.rules.len());
//! }
//! # }
//! ```

mod event_json;
mod prometheus;
mod refusal;
mod request;
pub(super) mod status;

use std::path::{Path, PathBuf};

pub(super) use self::event_json::Happening;
pub use self::refusal::Refusal;
pub use self::request::{Asked, LONGEST_REQUEST, Reply, Request};
pub use self::status::{
    Counts, Last, Overview, Queues, RuleOverview, RunOverview, ServiceOverview, ServiceState, State,
};
pub use super::report::histogram::{BOUNDS, Durations};
pub(super) use super::report::stats::Tally;

use serde::{Deserialize, Serialize};

use super::batch::{Batch, Queue};
use super::core::step::Turn;
use super::core::{Effect, Phase};
use super::lane::Key;
use super::lane::table;
use super::report::Report;
use crate::event::{Event, EventMask, Trigger};
use crate::rules::{Per, RuleId};

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The rule, or all rules, start nothing until they are resumed. What runs goes on, and so do services; changes
    /// collect.
    Pause {
        /// Which; none stands for all, and for those that come by a reload.
        rule: Option<String>,
    },
    /// The rule, or all rules, go on.
    Resume {
        /// Which; none stands for all.
        rule: Option<String>,
        /// Whether the changes that came meanwhile are forgotten.
        forget: bool,
    },
    /// The rule runs, although nothing has changed and whether or not it is paused or suspended. While it runs,
    /// its `on_busy` counts.
    Trigger {
        /// Which.
        rule: String,
        /// What it is told; relative ones are relative to the root of the rules.
        paths: Vec<PathBuf>,
    },
    /// The same, told what it was told last.
    Rerun {
        /// Which.
        rule: String,
    },
    /// The rule's runs end, with the stop signal and a grace period, and are not done again. What waits stays.
    Cancel {
        /// Which.
        rule: String,
    },
    /// Something is done to the rule's service.
    Service {
        /// The rule.
        rule: String,
        /// What.
        order: ServiceOrder,
    },
    /// The rules are read again.
    Reload,
    /// tripline ends, as on SIGTERM: asked twice, at once.
    Stop,
}

/// What can be done to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceOrder {
    /// It starts, if it is not running.
    Start,
    /// It ends, and stays down until it is started again, whatever changes.
    Stop,
    /// One or the other.
    Toggle,
}

impl Turn<'_> {
    /// Does what somebody asks for, as far as it is the core's.
    pub(super) fn obey(&mut self, command: Command) {
        let done = match command {
            Command::Pause { rule } => self.pause(rule.as_deref()),
            Command::Resume { rule, forget } => self.resume(rule.as_deref(), forget),
            Command::Trigger { rule, paths } => self.trigger(&rule, &paths),
            Command::Rerun { rule } => self.rerun(&rule),
            Command::Cancel { rule } => self.cancel(&rule),
            Command::Service { rule, order } => self.order(&rule, order),
            Command::Reload => Err(Refusal::NoRulesFile),
            Command::Stop => {
                self.halt();
                Ok(())
            }
        };
        self.effects.push(Effect::Answer(done));
    }

    /// The rule of that name, while something may start.
    fn named(&self, name: &str) -> Result<RuleId, Refusal> {
        if self.core.phase != Phase::Live {
            return Err(Refusal::Ending);
        }
        let rules = &self.core.rules.rules[..self.core.live];
        let found = rules.iter().position(|rule| rule.name == name).map(RuleId);
        found.ok_or_else(|| Refusal::no_rule(name, rules.iter().map(|rule| rule.name.as_str())))
    }

    /// That rule, or all.
    fn each(&self, name: Option<&str>) -> Result<Vec<RuleId>, Refusal> {
        match name {
            Some(name) => Ok(vec![self.named(name)?]),
            None if self.core.phase != Phase::Live => Err(Refusal::Ending),
            None => Ok((0..self.core.live).map(RuleId).collect()),
        }
    }

    fn pause(&mut self, name: Option<&str>) -> Result<(), Refusal> {
        let mut fresh = false;
        for rule in self.each(name)? {
            fresh |= self.pause_rule(rule);
        }
        self.core.pauses_new |= name.is_none();
        if fresh {
            self.effects.push(Effect::Report(Report::Paused { rule: name.map(str::to_owned) }));
        }
        Ok(())
    }

    /// Pauses a rule; answers whether it was not.
    pub(super) fn pause_rule(&mut self, rule: RuleId) -> bool {
        if self.core.slots.pause(rule, true) {
            return false;
        }
        let per = self.core.rules.rules[rule.0].per;
        for id in self.core.lanes.of(rule) {
            self.core.slots.leave(rule, id);
            let Some(mut lane) = self.core.lanes.take(id) else { continue };
            lane.rest(per);
            self.core.lanes.put(lane);
        }
        true
    }

    fn resume(&mut self, name: Option<&str>, forget: bool) -> Result<(), Refusal> {
        let rules = self.each(name)?;
        let paused: Vec<_> = rules.into_iter().filter(|&rule| self.core.slots.pause(rule, false)).collect();
        self.core.pauses_new &= name.is_some();
        if !paused.is_empty() {
            self.effects.push(Effect::Report(Report::Resumed { rule: name.map(str::to_owned) }));
        }
        paused.into_iter().for_each(|rule| self.resume_rule(rule, forget));
        Ok(())
    }

    fn resume_rule(&mut self, id: RuleId, forget: bool) {
        if forget {
            return self.clear(id, table::Input::Drain);
        }
        for lane in self.core.lanes.of(id) {
            let Some(mut lane) = self.core.lanes.take(lane) else { continue };
            lane.wake(&self.core.rules.rules[id.0], self.now);
            self.core.lanes.put(lane);
        }
    }

    /// Takes a rule's lanes out of the line, tells them that, and says what is dropped.
    pub(super) fn clear(&mut self, id: RuleId, input: table::Input) {
        let mut changes = 0;
        for lane in self.core.lanes.of(id) {
            self.core.slots.leave(id, lane);
            if let Some(lane) = self.core.lanes.take(lane) {
                changes += self.apply(lane, input, Queue::default());
            }
        }
        self.say_dropped(id, changes);
    }

    fn say_dropped(&mut self, id: RuleId, changes: usize) {
        if changes > 0 {
            let rule = self.core.rules.rules[id.0].name.clone();
            self.effects.push(Effect::Report(Report::Dropped { rule, changes }));
        }
    }

    fn trigger(&mut self, name: &str, paths: &[PathBuf]) -> Result<(), Refusal> {
        let id = self.named(name)?;
        let per = self.core.rules.rules[id.0].per;
        let told = paths.iter().map(|path| Batch::from(self.asked_for(path)));
        if paths.is_empty() {
            self.run_by_hand(id, Batch::by_hand());
        } else if per == Per::Batch {
            let whole = told.reduce(|mut all, one| {
                all.merge(one);
                all
            });
            whole.into_iter().for_each(|batch| self.run_by_hand(id, batch));
        } else {
            Vec::from_iter(told).into_iter().for_each(|batch| self.run_by_hand(id, batch));
        }
        Ok(())
    }

    /// A path that somebody names, as if it had changed.
    fn asked_for(&self, path: &Path) -> Event {
        let rules = &self.core.rules;
        let path = rules.settings.root.join(path);
        let subject = rules.files().subject(&path);
        let path = path.into_os_string().into_encoded_bytes();
        let (mask, from, cookie) = (EventMask::CHANGE, None, 0);
        Event { mask, path, subject, from, cookie, trigger: Trigger::Manual }
    }

    fn rerun(&mut self, name: &str) -> Result<(), Refusal> {
        let id = self.named(name)?;
        let going = self.core.lanes.each_of(id).find_map(|lane| lane.told().cloned());
        let told = going.or_else(|| self.core.last.get(&id).cloned());
        let per = self.core.rules.rules[id.0].per;
        for batch in told.map_or_else(Batch::by_hand, Batch::once_more).parts(per) {
            self.run_by_hand(id, batch);
        }
        Ok(())
    }

    /// Runs a rule, whatever keeps it from running by itself.
    fn run_by_hand(&mut self, id: RuleId, batch: Batch) {
        self.core.feedback.acquit(id);
        self.core.slots.shut(id, Some(self.now));
        self.unpark(id);
        let by_file = self.core.rules.rules[id.0].per == Per::File;
        let path = batch.first().map(|(path, _)| path.to_vec()).filter(|_| by_file);
        let lane = self.core.lanes.open(Key { rule: id, path });
        let lane_id = lane.id();
        self.apply(lane, table::Input::Quiet, batch.into());
        if let Some(lane) = self.core.lanes.take(lane_id) {
            if lane.has_due() {
                self.core.slots.let_pass(id);
            }
            self.core.lanes.put(lane);
        }
    }

    fn cancel(&mut self, name: &str) -> Result<(), Refusal> {
        let id = self.named(name)?;
        let (mut found, mut changes) = (false, 0);
        for lane in self.core.lanes.of(id) {
            let Some(mut lane) = self.core.lanes.take(lane) else { continue };
            if lane.going().is_some() {
                found = true;
                self.apply(lane, table::Input::Cancel, Queue::default());
            } else if lane.is_backing_off() {
                found = true;
                changes += lane.give_up(&self.core.rules.rules[id.0], self.now);
                self.core.lanes.put(lane);
            } else {
                self.core.lanes.put(lane);
            }
        }
        self.say_dropped(id, changes);
        if found { Ok(()) } else { Err(Refusal::NotRunning(name.to_owned())) }
    }

    fn order(&mut self, name: &str, order: ServiceOrder) -> Result<(), Refusal> {
        let id = self.named(name)?;
        let Some(down) = self.core.services.is_down(id) else {
            return Err(Refusal::NoService(name.to_owned()));
        };
        match order {
            ServiceOrder::Start | ServiceOrder::Toggle if down => self.raise(id),
            ServiceOrder::Stop | ServiceOrder::Toggle => self.park(id),
            ServiceOrder::Start => {}
        }
        Ok(())
    }
}
