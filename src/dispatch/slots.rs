//! Job slots: how many runs may go on, all together and for each rule, and who is next.

use std::collections::VecDeque;

use super::lane::LaneId;
use crate::rules::RuleId;

/// Free slots, and the lanes that stand in line for one.
#[derive(Debug)]
pub(crate) struct Slots {
    free: usize,
    turn: u64,
    rules: Vec<Line>,
}

/// One rule's slots and its line; each lane with its turn among all lanes.
#[derive(Debug)]
struct Line {
    free: usize,
    waiting: VecDeque<(u64, LaneId)>,
}

impl Slots {
    /// `jobs` slots for all together, and for each rule as many as `limits` says.
    pub(crate) fn new(jobs: usize, limits: impl Iterator<Item = usize>) -> Self {
        let rules = limits.map(|free| Line { free, waiting: VecDeque::new() }).collect();
        Self { free: jobs, turn: 0, rules }
    }

    /// Puts a lane at the end of the line.
    pub(crate) fn line_up(&mut self, rule: RuleId, lane: LaneId) {
        self.turn += 1;
        self.rules[rule.0].waiting.push_back((self.turn, lane));
    }

    /// Gives a slot to the lane that has waited longest among those whose rule has one free. A rule at
    /// its own limit does not hold up the others.
    pub(crate) fn take(&mut self) -> Option<LaneId> {
        if self.free == 0 {
            return None;
        }
        let with_room = self.rules.iter_mut().filter(|line| line.free > 0 && !line.waiting.is_empty());
        let line = with_room.min_by_key(|line| line.waiting.front().map(|&(turn, _)| turn))?;
        let (_, lane) = line.waiting.pop_front()?;
        line.free -= 1;
        self.free -= 1;
        Some(lane)
    }

    /// Takes back the slot of a run of `rule`.
    pub(crate) fn release(&mut self, rule: RuleId) {
        self.free += 1;
        self.rules[rule.0].free += 1;
    }

    /// Sends everyone in line away.
    pub(crate) fn clear_lines(&mut self) {
        self.rules.iter_mut().for_each(|line| line.waiting.clear());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_go_in_the_order_of_the_line() {
        let mut slots = Slots::new(2, [2, 2].into_iter());
        slots.line_up(RuleId(1), LaneId(10));
        slots.line_up(RuleId(0), LaneId(11));
        slots.line_up(RuleId(1), LaneId(12));
        assert_eq!(slots.take(), Some(LaneId(10)));
        assert_eq!(slots.take(), Some(LaneId(11)));
        assert_eq!(slots.take(), None);
        slots.release(RuleId(0));
        assert_eq!(slots.take(), Some(LaneId(12)));
    }

    #[test]
    fn a_rule_at_its_limit_does_not_hold_up_the_others() {
        let mut slots = Slots::new(8, [1, 1].into_iter());
        for lane in [(0, 1), (0, 2), (1, 3)] {
            slots.line_up(RuleId(lane.0), LaneId(lane.1));
        }
        assert_eq!([slots.take(), slots.take(), slots.take()], [Some(LaneId(1)), Some(LaneId(3)), None]);
    }
}
