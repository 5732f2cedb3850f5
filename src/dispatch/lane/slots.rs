//! Job slots: how many runs may go on, all together and for each rule, how often, and who is next.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::LaneId;
use crate::rules::RuleId;
use crate::time::MonoTime;

/// Free slots, and the lanes that stand in line for one.
#[derive(Debug)]
pub(crate) struct Slots {
    jobs: usize,
    taken: usize,
    turn: u64,
    rules: Vec<Line>,
    /// The rules of which a lane stands in line: of thousands, a few.
    in_line: BTreeSet<RuleId>,
}

/// What keeps all of a rule from a slot, however many are free.
#[derive(Clone, Copy, Debug)]
enum Gate {
    OpensAt(MonoTime),
    Shut,
}

/// One rule's slots and its line; each lane with its turn among all lanes.
#[derive(Debug)]
struct Line {
    limit: usize,
    taken: usize,
    /// The least time between two slots, and when the next may be given.
    throttle: Duration,
    opens: MonoTime,
    gate: Gate,
    held: bool,
    paused: bool,
    /// How many slots it is given although it is paused.
    passes: usize,
    waiting: VecDeque<(u64, LaneId)>,
}

impl Slots {
    /// `jobs` slots for all together, and for each rule as many as `limits` says, and its throttle.
    pub(crate) fn new(jobs: usize, limits: impl Iterator<Item = (usize, Duration)>) -> Self {
        let rules = limits.map(|(limit, throttle)| Line::new(limit, throttle)).collect();
        Self { jobs, taken: 0, turn: 0, rules, in_line: BTreeSet::new() }
    }

    /// Other limits, for rules that have other numbers now: `ids` has the new one of each that is left. What is
    /// taken stays taken, and who stands in line keeps the turn. What was shut is open.
    pub(crate) fn renumber(
        &mut self,
        jobs: usize,
        limits: impl Iterator<Item = (usize, Duration)>,
        ids: &BTreeMap<RuleId, RuleId>,
    ) {
        let mut old: HashMap<_, _> = (0..).map(RuleId).zip(std::mem::take(&mut self.rules)).collect();
        let mut known: HashMap<_, _> =
            ids.iter().filter_map(|(before, now)| Some((*now, old.remove(before)?))).collect();
        let line = |(number, (limit, throttle))| {
            let line = known.remove(&RuleId(number)).unwrap_or_else(|| Line::new(limit, throttle));
            Line { limit, throttle, gate: Gate::OpensAt(MonoTime::default()), ..line }
        };
        self.rules = limits.enumerate().map(line).collect();
        self.jobs = jobs;
        let waits = |(_, line): &(RuleId, &Line)| !line.waiting.is_empty();
        self.in_line = (0..).map(RuleId).zip(&self.rules).filter(waits).map(|(id, _)| id).collect();
    }

    /// Takes back a slot of `rule` of which no use was made.
    pub(crate) fn take_back(&mut self, rule: RuleId, now: MonoTime) {
        self.release(rule);
        self.rules[rule.0].opens = now;
    }

    /// Takes a lane of `rule` out of the line.
    pub(crate) fn leave(&mut self, rule: RuleId, lane: LaneId) {
        let line = &mut self.rules[rule.0];
        line.waiting.retain(|&(_, waiting)| waiting != lane);
        if line.waiting.is_empty() {
            self.in_line.remove(&rule);
        }
    }

    /// Puts a lane at the end of the line.
    pub(crate) fn line_up(&mut self, rule: RuleId, lane: LaneId) {
        self.turn += 1;
        self.rules[rule.0].waiting.push_back((self.turn, lane));
        self.in_line.insert(rule);
    }

    /// Gives a slot to the lane that has waited longest among those whose rule has one free. A rule at
    /// its own limit, or one that had a slot a moment ago, does not hold up the others.
    pub(crate) fn take(&mut self, now: MonoTime) -> Option<LaneId> {
        if self.taken >= self.jobs {
            return None;
        }
        let may_go = |line: &Line| line.has_room() && line.opens_at().is_some_and(|at| at <= now);
        let with_room = self.in_line.iter().filter(|rule| may_go(&self.rules[rule.0]));
        let turn = |rule: &&RuleId| self.rules[rule.0].waiting.front().map(|&(turn, _)| turn);
        let rule = *with_room.min_by_key(turn)?;
        let line = &mut self.rules[rule.0];
        let (_, lane) = line.waiting.pop_front()?;
        if line.waiting.is_empty() {
            self.in_line.remove(&rule);
        }
        line.taken += 1;
        line.passes = line.passes.saturating_sub(1);
        line.opens = now + line.throttle;
        self.taken += 1;
        Some(lane)
    }

    /// When the next slot may be given that only time holds back.
    pub(crate) fn deadline(&self) -> Option<MonoTime> {
        let lines = self.in_line.iter().map(|rule| &self.rules[rule.0]);
        let with_room = lines.filter(|line| self.taken < self.jobs && line.has_room());
        with_room.filter_map(Line::opens_at).min()
    }

    /// Takes back the slot of a run of `rule`.
    pub(crate) fn release(&mut self, rule: RuleId) {
        self.taken -= 1;
        self.rules[rule.0].taken -= 1;
    }

    /// Gives the rule no slot until that moment, or until further notice.
    pub(crate) fn shut(&mut self, rule: RuleId, until: Option<MonoTime>) {
        self.rules[rule.0].gate = until.map_or(Gate::Shut, Gate::OpensAt);
    }

    /// Whether the rule gets no slot, for another reason than that it is shut.
    pub(crate) fn hold(&mut self, rule: RuleId, held: bool) {
        self.rules[rule.0].held = held;
    }

    /// Gives the rule no slot while it is paused. Answers whether it was.
    pub(crate) fn pause(&mut self, rule: RuleId, paused: bool) -> bool {
        let line = &mut self.rules[rule.0];
        line.passes = 0;
        std::mem::replace(&mut line.paused, paused)
    }

    /// Whether the rule is paused.
    pub(crate) fn is_paused(&self, rule: RuleId) -> bool {
        self.rules[rule.0].paused
    }

    /// Lets the rule have one slot although it is paused.
    pub(crate) fn let_pass(&mut self, rule: RuleId) {
        let line = &mut self.rules[rule.0];
        line.passes += usize::from(line.paused);
    }

    /// From when on the rule may be given a slot, if that is known.
    pub(crate) fn opens(&self, rule: RuleId) -> Option<MonoTime> {
        self.rules[rule.0].opens_at()
    }

    /// How many runs go on, and how many may.
    pub(crate) const fn load(&self) -> (usize, usize) {
        (self.taken, self.jobs)
    }

    /// Sends everyone in line away.
    pub(crate) fn clear_lines(&mut self) {
        self.rules.iter_mut().for_each(|line| line.waiting.clear());
        self.in_line.clear();
    }
}

impl Line {
    fn new(limit: usize, throttle: Duration) -> Self {
        let opens = MonoTime::default();
        Self {
            limit,
            taken: 0,
            throttle,
            opens,
            gate: Gate::OpensAt(opens),
            held: false,
            paused: false,
            passes: 0,
            waiting: VecDeque::new(),
        }
    }

    fn has_room(&self) -> bool {
        let may = !self.held && (!self.paused || self.passes > 0);
        self.taken < self.limit && may && !self.waiting.is_empty()
    }

    /// From when on it may be given a slot, if that is known.
    fn opens_at(&self) -> Option<MonoTime> {
        match self.gate {
            Gate::OpensAt(at) => Some(at.max(self.opens)),
            Gate::Shut => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> MonoTime {
        MonoTime::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn slots_go_in_the_order_of_the_line() {
        let mut slots = Slots::new(2, [(2, Duration::ZERO); 2].into_iter());
        slots.line_up(RuleId(1), LaneId(10));
        slots.line_up(RuleId(0), LaneId(11));
        slots.line_up(RuleId(1), LaneId(12));
        assert_eq!(slots.take(at(0)), Some(LaneId(10)));
        assert_eq!(slots.take(at(0)), Some(LaneId(11)));
        assert_eq!(slots.take(at(0)), None);
        slots.release(RuleId(0));
        assert_eq!(slots.take(at(0)), Some(LaneId(12)));
    }

    #[test]
    fn a_rule_at_its_limit_does_not_hold_up_the_others() {
        let mut slots = Slots::new(8, [(1, Duration::ZERO); 2].into_iter());
        for lane in [(0, 1), (0, 2), (1, 3)] {
            slots.line_up(RuleId(lane.0), LaneId(lane.1));
        }
        assert_eq!(
            [slots.take(at(0)), slots.take(at(0)), slots.take(at(0))],
            [Some(LaneId(1)), Some(LaneId(3)), None]
        );
    }

    #[test]
    fn a_throttled_rule_waits_and_holds_up_no_other() {
        let mut slots = Slots::new(2, [(2, Duration::from_secs(10)), (1, Duration::ZERO)].into_iter());
        for lane in [(0, 1), (0, 2), (1, 3)] {
            slots.line_up(RuleId(lane.0), LaneId(lane.1));
        }
        assert_eq!([slots.take(at(5)), slots.take(at(5))], [Some(LaneId(1)), Some(LaneId(3))]);
        assert_eq!(slots.deadline(), None, "no slot is free");
        slots.release(RuleId(1));
        assert_eq!(slots.deadline(), Some(at(15)));
        assert_eq!([slots.take(at(14)), slots.take(at(15))], [None, Some(LaneId(2))]);
    }

    #[test]
    fn what_is_taken_stays_taken_under_other_limits() {
        let mut slots = Slots::new(8, [(2, Duration::ZERO), (1, Duration::ZERO)].into_iter());
        for lane in [(0, 1), (0, 2), (1, 3), (0, 4), (1, 5)] {
            slots.line_up(RuleId(lane.0), LaneId(lane.1));
        }
        for lane in 1..=3 {
            assert_eq!(slots.take(at(0)), Some(LaneId(lane)));
        }
        // The second rule is the first now, and the first one is gone but for its runs, of which one may go on.
        let ids = BTreeMap::from([(RuleId(1), RuleId(0)), (RuleId(0), RuleId(1))]);
        slots.renumber(8, [(2, Duration::ZERO), (1, Duration::ZERO)].into_iter(), &ids);
        assert_eq!([slots.take(at(0)), slots.take(at(0))], [Some(LaneId(5)), None]);
        slots.leave(RuleId(1), LaneId(4));
        slots.release(RuleId(1));
        slots.release(RuleId(1));
        assert_eq!(slots.take(at(0)), None);
    }

    #[test]
    fn a_rule_that_is_shut_waits_until_it_is_let_in() {
        let mut slots = Slots::new(2, [(1, Duration::from_secs(10))].into_iter());
        slots.line_up(RuleId(0), LaneId(1));
        slots.shut(RuleId(0), None);
        assert_eq!((slots.take(at(5)), slots.deadline()), (None, None));
        slots.shut(RuleId(0), Some(at(8)));
        assert_eq!((slots.take(at(7)), slots.deadline()), (None, Some(at(8))));
        assert_eq!(slots.take(at(8)), Some(LaneId(1)));
        slots.release(RuleId(0));
        slots.line_up(RuleId(0), LaneId(2));
        slots.shut(RuleId(0), Some(at(9)));
        assert_eq!(slots.deadline(), Some(at(18)), "the throttle counts, too");
    }
}
