//! Where a run comes from: the runs that may have made the changes that led to it.

use crate::rules::RuleId;

/// How often each rule has run on the way to a run or a change. Nothing, if somebody else made the change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lineage(Vec<(RuleId, usize)>);

impl Lineage {
    /// How often the rule has run on the way.
    pub(crate) fn count(&self, rule: RuleId) -> usize {
        self.0.iter().find(|(known, _)| *known == rule).map_or(0, |&(_, count)| count)
    }

    /// How many runs are on the way.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// The rules that have run about as often on the way as this one, itself among them.
    pub(crate) fn circle(&self, rule: RuleId) -> impl Iterator<Item = RuleId> {
        let count = self.count(rule);
        self.0.iter().filter(move |(_, other)| other * 2 >= count).map(|&(rule, _)| rule)
    }

    /// One run of the rule further.
    pub(crate) fn with(mut self, rule: RuleId) -> Self {
        match self.0.iter_mut().find(|(known, _)| *known == rule) {
            Some((_, count)) => *count += 1,
            None => self.0.push((rule, 1)),
        }
        self
    }

    /// Takes in another way by which it may have come, as far as it concerns these rules.
    pub(crate) fn join(mut self, other: &Self, concerned: impl Fn(RuleId) -> bool) -> Self {
        for &(rule, count) in other.0.iter().filter(|(rule, _)| concerned(*rule)) {
            match self.0.iter_mut().find(|(known, _)| *known == rule) {
                Some((_, known)) => *known = count.max(*known),
                None => self.0.push((rule, count)),
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: RuleId = RuleId(0);
    const B: RuleId = RuleId(1);

    #[test]
    fn each_run_on_the_way_counts_for_its_rule() {
        let way = Lineage::default().with(A).with(B).with(A);
        assert_eq!((way.count(A), way.count(B)), (2, 1));
        assert_eq!(way.circle(A).collect::<Vec<_>>(), [A, B]);
        assert_eq!(way.with(A).circle(A).collect::<Vec<_>>(), [A]);
    }

    #[test]
    fn of_two_ways_the_longer_one_counts_for_each_rule() {
        let (long, other) = (Lineage::default().with(A).with(A), Lineage::default().with(A).with(B));
        let way = long.clone().join(&other, |_| true);
        assert_eq!((way.count(A), way.count(B)), (2, 1));
        assert_eq!(long.clone().join(&other, |rule| rule == A), long);
    }
}
