//! Rules that feed themselves: whose own runs, or those of each other, make the changes that they run for.
//!
//! inotify does not say who wrote. So a change that comes while a rule runs, or shortly after, is perhaps its
//! own, and the run that it leads to one generation further. A rule that has come far is put to the test: it
//! starts nothing for a while. Who saves by himself saves in that time, too, as likely as during a run; then
//! the rule goes on, and is trusted for twice as long. What only its runs write stays as it is. When the rule
//! has stood still often and long enough without any change, there is no other explanation, and it is
//! suspended.

pub(super) mod lineage;
mod trial;

use std::collections::BTreeMap;
use std::time::Duration;

use self::lineage::Lineage;
use self::trial::{Record, Trial};
use super::job::RunId;
use crate::event::Scope;
use crate::rules::{OnBusy, RuleId, Rules};
use crate::time::MonoTime;

/// How long after a run a change may still be its own: what the watcher takes to tell of it, on a busy machine. Not
/// longer, since somebody who waits for the end of a run to write again is no loop.
const SETTLE: Duration = Duration::from_millis(200);
/// The same for what is declared to be its own: a file that is found to be complete only by looking takes a second.
const OUTPUTS_SETTLE: Duration = Duration::from_secs(1);
/// What is restarted for each change may run for hours, as a server does: only what comes so shortly after its
/// start counts as perhaps its own. A build that generates code first takes no longer.
const RESTART_WINDOW: Duration = Duration::from_secs(10);
/// The same for a service, which goes on while its rule is put to the test.
const SERVICE_WINDOW: Duration = Duration::from_secs(3);
/// From so many generations on a rule is put to the test.
const GENERATIONS: usize = 10;
/// How long it stands still then: twice as long as a generation takes, so that a person who saved once in each of
/// them would save now; within bounds that a person bears.
const SHORTEST_TEST: Duration = Duration::from_secs(2);
const LONGEST_TEST: Duration = Duration::from_secs(60);
/// So many tests, as long together as so many generations, leave no doubt: whoever saves at random moments, and
/// yet by chance in every one of fifteen runs and in none of the tests, comes once in twenty million times.
const TESTS: usize = 5;
const EVIDENCE: u32 = 10;
/// Then it is tried again: what made it run in circles may be mended.
const SUSPENSION: Duration = Duration::from_secs(10 * 60);

/// What all rules do to each other.
#[derive(Debug)]
pub(crate) struct Feedback {
    /// How much longer the watcher may take.
    delay: Duration,
    rules: Vec<Record>,
    /// What runs.
    running: Vec<Trace>,
    /// Rules whose last run has ended so recently that changes may be its own.
    settling: Vec<(MonoTime, RuleId, Lineage)>,
}

#[derive(Debug)]
struct Trace {
    run: RunId,
    rule: RuleId,
    lineage: Lineage,
    /// From when on changes are not its own.
    until: Option<MonoTime>,
    /// Whether it is a service: not a run that its rule waits for.
    serves: bool,
}

/// A change, as far as it concerns one rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    /// What it may have come of.
    pub(crate) lineage: Lineage,
    /// Whether it ends a test or a suspension of the rule.
    pub(crate) acquits: bool,
}

/// What is to be done about a rule that is about to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It starts nothing until further notice, or until that moment.
    Test {
        /// How long it is to stand still.
        wait: Duration,
        /// Until when, if nothing of it runs.
        until: Option<MonoTime>,
    },
    /// It is suspended until then.
    Suspend(MonoTime),
}

impl Feedback {
    /// `delay` is how long the watcher may take to see a change, if it does not get told.
    pub(crate) fn new(rules: usize, delay: Duration) -> Self {
        let rules = vec![Record::new(); rules];
        Self { delay, rules, running: Vec::new(), settling: Vec::new() }
    }

    /// For these rules.
    pub(crate) fn of(rules: &Rules) -> Self {
        let polling = rules.plan().polling();
        let delay = if polling.always { polling.interval } else { Duration::ZERO };
        Self::new(rules.rules.len(), delay)
    }

    /// Other rules have taken the place of those there were, with the numbers in `ids`. It is still known what runs;
    /// what spoke against a rule is forgotten.
    pub(crate) fn renumber(&mut self, rules: &Rules, ids: &BTreeMap<RuleId, RuleId>) {
        let old = std::mem::replace(self, Self::of(rules));
        let alone = |rule| Lineage::default().with(rule);
        let running = old.running.into_iter().filter_map(|trace| {
            let rule = *ids.get(&trace.rule)?;
            Some(Trace { rule, lineage: alone(rule), ..trace })
        });
        self.running = running.collect();
        let settling = old.settling.into_iter();
        self.settling =
            settling.filter_map(|(at, rule, _)| ids.get(&rule).map(|&id| (at, id, alone(id)))).collect();
        for trace in &self.running {
            self.rules[trace.rule.0].running += usize::from(!trace.serves);
        }
    }

    /// Whether the rule runs, or has so recently that changes may be its own.
    pub(crate) fn may_have_written(&self, rule: RuleId, now: MonoTime) -> bool {
        let recent = |at: MonoTime| now.since(at) < OUTPUTS_SETTLE + self.delay;
        let mut ended = self.settling.iter().filter(|(_, other, _)| *other == rule);
        self.running.iter().any(|trace| trace.rule == rule) || ended.any(|&(at, ..)| recent(at))
    }

    /// Notes a change that concerns the rule.
    pub(crate) fn note(&mut self, rule: RuleId, path: &[u8], now: MonoTime) -> Noted {
        self.settling.retain(|&(at, ..)| now.since(at) < OUTPUTS_SETTLE + self.delay);
        let lineage = self.origin(rule, now);
        let generation = lineage.count(rule);
        let record = &mut self.rules[rule.0];
        if generation + 1 >= record.trusted {
            record.path.clear();
            record.path.extend_from_slice(path);
        }
        let acquits = generation == 0 && record.trial != Trial::None;
        if acquits {
            let proven = record.trial == Trial::Suspended;
            record.trusted = if proven { GENERATIONS } else { record.trusted.saturating_mul(2) };
            record.acquit();
        }
        Noted { lineage, acquits }
    }

    /// What a change that comes now may have come of: of the rule's own runs the one that speaks least against it.
    /// If none goes on, the last one, and all that others do.
    fn origin(&self, rule: RuleId, now: MonoTime) -> Lineage {
        let running = self.running.iter().filter(|trace| trace.until.is_none_or(|until| now < until));
        let own = running.clone().filter(|trace| trace.rule == rule).map(|trace| &trace.lineage);
        let own = own.min_by_key(|lineage| lineage.count(rule));
        let settling = self.settling.iter().filter(|(at, ..)| now.since(*at) < SETTLE + self.delay);
        let ended = settling.clone().find(|(_, other, _)| *other == rule).map(|(.., lineage)| lineage);
        if let Some(own) = own {
            return own.clone();
        }
        let others = running.map(|trace| &trace.lineage).chain(settling.map(|(.., lineage)| lineage));
        others.fold(ended.cloned().unwrap_or_default(), |all, other| match ended {
            Some(_) => all.join(other, |known| known != rule),
            None => all.join(other, |_| true),
        })
    }

    /// What is to be done about a rule that a batch of this lineage is due for.
    pub(crate) fn judge(&mut self, rule: RuleId, lineage: &Lineage, now: MonoTime) -> Option<Verdict> {
        let settled = self.settled(rule, now);
        let tried = |other: &Record| other.tests > 0 || other.trial != Trial::None;
        // Of rules that start each other, one is enough.
        if lineage.circle(rule).any(|other| other != rule && tried(&self.rules[other.0])) {
            return None;
        }
        let record = &mut self.rules[rule.0];
        let generation = lineage.count(rule);
        if record.trial != Trial::None || generation < record.trusted || generation <= record.tested {
            return None;
        }
        record.tested = generation;
        record.cycle = record.cycle.max(now.since(record.last_start));
        if record.tests >= TESTS && record.evidence >= record.cycle * EVIDENCE {
            record.trial = Trial::Suspended;
            return Some(Verdict::Suspend(now + SUSPENSION));
        }
        let wait = (record.cycle * 2).clamp(SHORTEST_TEST, LONGEST_TEST);
        record.trial = Trial::Called(wait);
        let until = record.settled(settled);
        Some(Verdict::Test { wait: settled.since(now) + wait, until })
    }

    /// Notes that a run starts.
    pub(crate) fn begin(&mut self, run: RunId, rule: RuleId, busy: OnBusy, batch: &Lineage, now: MonoTime) {
        let record = &mut self.rules[rule.0];
        match record.trial {
            Trial::Going(wait) => {
                record.tests += 1;
                record.evidence += wait;
            }
            _ if batch.count(rule) == 0 || record.trial == Trial::Suspended => record.acquit(),
            _ => {}
        }
        record.trial = Trial::None;
        record.running += 1;
        record.last_start = now;
        let until = (busy == OnBusy::Restart).then(|| now + RESTART_WINDOW);
        self.running.push(Trace { run, rule, lineage: batch.clone().with(rule), until, serves: false });
    }

    /// Notes that a service starts.
    pub(crate) fn serve(&mut self, run: RunId, rule: RuleId, batch: &Lineage, now: MonoTime) {
        let (lineage, until) = (batch.clone().with(rule), Some(now + SERVICE_WINDOW));
        self.running.push(Trace { run, rule, lineage, until, serves: true });
    }

    /// Somebody has the rule run: whatever spoke against it is forgotten.
    pub(crate) fn acquit(&mut self, rule: RuleId) {
        self.rules[rule.0].acquit();
    }

    /// Whether the rule is suspended.
    pub(crate) fn is_suspended(&self, rule: RuleId) -> bool {
        self.rules[rule.0].trial == Trial::Suspended
    }

    /// From when on no change can come of what the rule has started, if it starts nothing more.
    fn settled(&self, rule: RuleId, now: MonoTime) -> MonoTime {
        let services = self.running.iter().filter(|trace| trace.rule == rule && trace.serves);
        let open = services.filter_map(|trace| trace.until).max().unwrap_or_default();
        open.max(now) + SETTLE + self.delay
    }

    /// Notes that a run has ended, whole. Answers until when its rule is to start nothing, if it is only now that
    /// this can be said.
    pub(crate) fn end(&mut self, run: RunId, now: MonoTime) -> Option<MonoTime> {
        let at = self.running.iter().position(|trace| trace.run == run)?;
        let Trace { rule, lineage, serves, .. } = self.running.swap_remove(at);
        self.settling.retain(|&(_, other, _)| other != rule);
        self.settling.push((now, rule, lineage));
        if serves {
            return None;
        }
        let settled = self.settled(rule, now);
        let record = &mut self.rules[rule.0];
        record.running -= 1;
        record.settled(settled)
    }

    /// The path that the rule's last run may have written.
    pub(crate) fn path(&self, rule: RuleId) -> &[u8] {
        &self.rules[rule.0].path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: RuleId = RuleId(0);

    fn at(seconds: f64) -> MonoTime {
        MonoTime::from_origin(Duration::from_secs_f64(seconds))
    }

    /// One rule that runs as soon as it may, for so many seconds, and what has become of it.
    struct Bench {
        feedback: Feedback,
        takes: f64,
        runs: u64,
        ends: Option<f64>,
        due: Option<Lineage>,
        shut: f64,
        tests: usize,
        suspended: bool,
    }

    impl Bench {
        fn new(takes: f64) -> Self {
            let feedback = Feedback::new(1, Duration::ZERO);
            Self { feedback, takes, runs: 0, ends: None, due: None, shut: 0.0, tests: 0, suspended: false }
        }

        /// Lets time pass until somebody writes.
        fn write(&mut self, now: f64) {
            while let Some(next) = self.next().filter(|&next| next <= now) {
                self.turn(next);
            }
            let Noted { lineage, acquits } = self.feedback.note(RULE, b"a", at(now));
            if acquits {
                (self.shut, self.suspended) = (now, false);
            }
            let first = self.due.is_none();
            let known = self.due.take().filter(|known| known.len() < lineage.len());
            self.due = Some(known.unwrap_or(lineage));
            if first && self.ends.is_none() {
                self.judge(now);
            }
        }

        fn next(&self) -> Option<f64> {
            self.ends.or(self.due.as_ref().map(|_| self.shut))
        }

        fn turn(&mut self, now: f64) {
            if self.ends.take().is_some() {
                self.feedback.end(RunId(self.runs), at(now));
                self.shut = now;
                self.judge(now);
            } else if let Some(lineage) = self.due.take() {
                self.runs += 1;
                self.feedback.begin(RunId(self.runs), RULE, OnBusy::Queue, &lineage, at(now));
                self.ends = Some(now + self.takes);
            }
        }

        fn judge(&mut self, now: f64) {
            let Some(lineage) = &self.due else { return };
            match self.feedback.judge(RULE, lineage, at(now)) {
                None => {}
                Some(Verdict::Test { until, .. }) => {
                    self.tests += 1;
                    self.shut = until.unwrap().since_origin().as_secs_f64();
                }
                Some(Verdict::Suspend(until)) => {
                    self.suspended = true;
                    self.shut = until.since_origin().as_secs_f64();
                }
            }
        }
    }

    #[test]
    fn what_writes_in_each_of_its_runs_is_suspended() {
        for takes in [0.01, 1.0, 20.0] {
            let mut bench = Bench::new(takes);
            bench.write(0.0);
            while !bench.suspended {
                assert!(bench.runs < 100, "{takes}");
                let now = bench.next().unwrap();
                bench.turn(now);
                if bench.ends.is_some() {
                    bench.write(now + takes / 2.0);
                }
            }
            assert_eq!((bench.runs, bench.tests), (15, 5), "{takes}");
        }
    }

    /// Moments that are as random as a person's: the waits between them are of no certain length.
    fn moments(mean: f64, seed: u64) -> impl Iterator<Item = f64> {
        let mut state = seed;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let uniform = ((state >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
            -mean * uniform.ln()
        })
        .scan(0.0, |now, wait| {
            *now += wait;
            Some(*now)
        })
    }

    #[test]
    fn who_saves_at_random_moments_is_never_taken_for_a_loop() {
        for (seed, takes) in [(1, 0.05), (2, 1.0), (3, 5.0), (4, 30.0), (5, 300.0)] {
            for saves_per_run in [0.3, 1.0, 2.0, 5.0, 50.0] {
                let mut bench = Bench::new(takes);
                for now in moments(takes / saves_per_run, seed).take(20_000) {
                    bench.write(now);
                    assert!(!bench.suspended, "{takes} s, {saves_per_run} saves a run");
                }
                assert!(bench.runs < 100 || bench.tests < 12, "{} tests in {} runs", bench.tests, bench.runs);
            }
        }
    }

    #[test]
    fn a_suspension_ends_with_a_change_that_is_not_its_own_or_after_ten_minutes() {
        let mut bench = Bench::new(0.1);
        bench.write(0.0);
        let mut now = 0.0;
        while !bench.suspended {
            now = bench.next().unwrap();
            bench.turn(now);
            if bench.ends.is_some() {
                bench.write(now + 0.05);
            }
        }
        assert!((bench.next().unwrap() - now - 600.0).abs() < 0.001);
        let runs = bench.runs;
        bench.write(now + 0.1);
        assert!(bench.suspended, "that may have been the last run");
        bench.write(now + 2.0);
        assert!(!bench.suspended);
        bench.write(now + 3.0);
        assert_eq!(bench.runs, runs + 1);
    }
}
