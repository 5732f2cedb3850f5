//! All services: found by their rules, their processes and by when they want to be called.

use std::collections::BTreeMap;

use super::table::Input;
use super::{Context, Service};
use crate::dispatch::batch::Batch;
use crate::dispatch::core::step::Turn;
use crate::dispatch::core::{Core, Phase};
use crate::dispatch::job::RunId;
use crate::dispatch::job::outcome::Status;
use crate::rules::{RuleId, Rules};
use crate::time::MonoTime;

/// The services by their rules.
#[derive(Debug, Default)]
pub(crate) struct Services(BTreeMap<RuleId, Service>);

impl Services {
    pub(crate) fn new(rules: &Rules) -> Self {
        let served = rules.rules.iter().enumerate().filter(|(_, rule)| rule.service.is_some());
        Self(served.map(|(number, _)| (RuleId(number), Service::new(RuleId(number)))).collect())
    }

    /// Rules have other numbers now: `ids` has the new one of each that is left.
    pub(crate) fn renumber(&mut self, rules: &Rules, ids: &BTreeMap<RuleId, RuleId>) {
        let old = std::mem::replace(self, Self::new(rules));
        for (rule, mut service) in old.0 {
            if let Some(&id) = ids.get(&rule)
                && let Some(place) = self.0.get_mut(&id)
            {
                service.renumber(id, ids);
                *place = service;
            }
        }
    }

    /// Whether the rule's service has a process.
    pub(crate) fn has_process(&self, rule: RuleId) -> bool {
        self.0.get(&rule).is_some_and(|service| service.run().is_some())
    }

    /// Whether it has begun, and not ended by itself.
    pub(crate) fn has_begun(&self, rule: RuleId) -> bool {
        self.0.get(&rule).is_some_and(Service::has_begun)
    }

    /// When the first of them wants to be called.
    pub(crate) fn deadline(&self) -> Option<MonoTime> {
        self.0.values().filter_map(Service::deadline).min()
    }

    /// A rule's service.
    pub(crate) fn of(&self, rule: RuleId) -> Option<&Service> {
        self.0.get(&rule)
    }

    /// Whether a rule's service is not running; none if it has none.
    pub(crate) fn is_down(&self, rule: RuleId) -> Option<bool> {
        self.of(rule).map(|service| !service.is_kept())
    }

    /// Whether none has a process.
    pub(crate) fn are_down(&self) -> bool {
        self.0.values().all(|service| service.run().is_none())
    }

    fn of_run(&self, run: RunId) -> Option<RuleId> {
        self.0.iter().find(|(_, service)| service.run() == Some(run)).map(|(&rule, _)| rule)
    }

    fn expired(&self, now: MonoTime) -> Option<RuleId> {
        let expired = |service: &Service| service.deadline().is_some_and(|limit| limit <= now);
        self.0.iter().find(|(_, service)| expired(service)).map(|(&rule, _)| rule)
    }
}

impl Turn<'_> {
    /// Has the rule's service, if it has one, replaced or started; answers whether it has one.
    pub(crate) fn serve(&mut self, rule: RuleId, batch: Batch) -> bool {
        self.with_service(rule, |service, cx| service.replace(batch, cx))
    }

    /// Tells the service that this process is of; answers whether there is one.
    pub(crate) fn tell_service(&mut self, run: RunId, input: Input) -> bool {
        let Some(rule) = self.core.services.of_run(run) else { return false };
        self.with_service(rule, |service, cx| service.apply(input, cx));
        // What was only starting when it was told to end at once has only been asked to.
        if input == Input::Spawned && self.core.phase == Phase::Killing {
            self.with_service(rule, |service, cx| service.apply(Input::Kill, cx));
        }
        true
    }

    /// The same of how its leader has ended, or that it could not begin.
    pub(crate) fn tell_service_end(&mut self, run: RunId, how: &Result<Status, String>) -> bool {
        let Some(rule) = self.core.services.of_run(run) else { return false };
        self.with_service(rule, |service, cx| service.ended(how.clone(), cx))
    }

    /// Tells the service of a rule.
    pub(crate) fn tell_service_of(&mut self, rule: RuleId, input: Input) {
        self.with_service(rule, |service, cx| service.apply(input, cx));
    }

    /// Starts the service of a rule, because somebody wants so.
    pub(crate) fn raise(&mut self, rule: RuleId) {
        self.with_service(rule, Service::raise);
    }

    /// Stops it, and has it stay down.
    pub(crate) fn park(&mut self, rule: RuleId) {
        self.with_service(rule, Service::park);
    }

    /// Has it no longer stay down.
    pub(crate) fn unpark(&mut self, rule: RuleId) {
        self.with_service(rule, |service, _| service.unpark());
    }

    /// Tells all of them.
    pub(crate) fn tell_services(&mut self, input: Input) {
        for rule in Vec::from_iter(self.core.services.0.keys().copied()) {
            self.with_service(rule, |service, cx| service.apply(input, cx));
        }
    }

    /// Calls every service whose deadline has passed.
    pub(crate) fn expire_services(&mut self) {
        while let Some(rule) = self.core.services.expired(self.now) {
            self.with_service(rule, |service, cx| service.apply(Input::Due, cx));
        }
    }

    fn with_service(&mut self, rule: RuleId, act: impl FnOnce(&mut Service, &mut Context<'_>)) -> bool {
        let Core { rules, services, slots, feedback, last_run, .. } = &mut *self.core;
        let Some(service) = services.0.get_mut(&rule) else { return false };
        let (now, effects) = (self.now, &mut *self.effects);
        let mut cx = Context { rules, now, feedback, last_run, effects, passed_on: None };
        act(service, &mut cx);
        let passed_on = cx.passed_on;
        // The next build would put another program in place of the one that is about to be started.
        slots.hold(rule, service.is_between() && !rules.rules[rule.0].steps.is_empty());
        if let Some(batch) = passed_on {
            self.pass_on(rule, &batch);
        }
        true
    }
}
