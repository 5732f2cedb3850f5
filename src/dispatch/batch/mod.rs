//! A batch: what one run is told, and the queue of batches that wait for theirs.

pub(super) mod change;
pub(super) mod content;
pub(super) mod debounce;

use std::collections::{BTreeMap, VecDeque};

use hashbrown::DefaultHashBuilder;
use indexmap::IndexMap;
use indexmap::map::Entry;

use self::change::Change;
use super::loop_guard::lineage::Lineage;
use crate::event::{Event, EventMask, Trigger};
use crate::rules::{Per, RuleId};
use crate::time::MonoTime;

/// By path, in the order of the first events.
type Changes = IndexMap<Vec<u8>, Change, DefaultHashBuilder>;

/// The changes that one run answers.
///
/// It is bounded by the number of distinct paths: however often a path changes, it is one entry. A batch
/// that nothing but the start made has no path at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    trigger: Trigger,
    /// The rule whose success passed it on.
    after: Option<RuleId>,
    /// How often it is told to a run, with this time; from 1.
    attempt: usize,
    /// What its changes may have come of.
    lineage: Lineage,
    /// Since when its first event is known, while no run has begun for it.
    since: Option<MonoTime>,
    changes: Changes,
}

impl Batch {
    /// A run that no path caused.
    pub(crate) fn at_start() -> Self {
        let (lineage, changes) = (Lineage::default(), Changes::default());
        Self { trigger: Trigger::Start, after: None, attempt: 1, lineage, since: None, changes }
    }

    /// A run that somebody asked for, and no path caused.
    pub(crate) fn by_hand() -> Self {
        Self { trigger: Trigger::Manual, ..Self::at_start() }
    }

    /// The same, because somebody asked for it.
    pub(crate) fn once_more(self) -> Self {
        Self { changes: self.changes, ..Self::by_hand() }
    }

    /// The same, with what its changes may have come of.
    pub(crate) fn of(self, lineage: Lineage) -> Self {
        Self { lineage, ..self }
    }

    /// The same, of an event that became known at that time.
    pub(crate) fn known(self, since: MonoTime) -> Self {
        Self { since: Some(since), ..self }
    }

    /// A run begins: since when its first event is known, if an event has caused it that no run has begun for.
    pub(crate) fn begin(&mut self) -> Option<MonoTime> {
        self.since.take()
    }

    /// What its changes may have come of.
    pub(crate) fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// The same, passed on by the success of `rule`: as one, or with each path by itself.
    pub(crate) fn passed_on(self, rule: RuleId, per: Per) -> Vec<Self> {
        let (trigger, after, lineage) = (Trigger::Chain, Some(rule), self.lineage.with(rule));
        Self { trigger, after, attempt: 1, lineage, since: None, changes: self.changes }.parts(per)
    }

    /// As one, or with each path by itself.
    pub(crate) fn parts(mut self, per: Per) -> Vec<Self> {
        if per == Per::Batch || self.len() < 2 {
            return vec![self];
        }
        let changes = std::mem::take(&mut self.changes);
        let one = |change| Self { changes: Changes::from_iter([change]), ..self.clone() };
        changes.into_iter().map(one).collect()
    }

    /// Rules have other numbers now; what its changes may have come of is no longer told.
    pub(crate) fn renumber(&mut self, ids: &BTreeMap<RuleId, RuleId>) {
        self.after = self.after.and_then(|rule| ids.get(&rule).copied());
        self.lineage = Lineage::default();
    }

    /// The rule whose success passed it on.
    pub(crate) fn after(&self) -> Option<RuleId> {
        self.after
    }

    /// How its first event became known, or that it is told again.
    pub(crate) fn trigger(&self) -> Trigger {
        if self.attempt > 1 { Trigger::Retry } else { self.trigger }
    }

    /// How often it is told to a run, with this time; from 1.
    pub(crate) fn attempt(&self) -> usize {
        self.attempt
    }

    /// The same, to be told to a run once more.
    pub(crate) fn again(self) -> Self {
        Self { attempt: self.attempt + 1, ..self }
    }

    /// Every event of every path.
    pub(crate) fn mask(&self) -> EventMask {
        self.changes.values().fold(EventMask::default(), |mask, change| mask | change.mask)
    }

    /// How many distinct paths it holds.
    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    /// The path of its first event, and what became of that path.
    pub(crate) fn first(&self) -> Option<(&[u8], &Change)> {
        self.iter().next()
    }

    /// The paths in the order of their first events.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &Change)> {
        self.changes.iter().map(|(path, change)| (path.as_slice(), change))
    }

    /// Adds what happened later. Keeps the order of first events and every path.
    pub(crate) fn merge(&mut self, later: Self) {
        self.came_of(later.lineage);
        self.since = self.since.or(later.since);
        later.changes.into_iter().for_each(|(path, change)| self.absorb(path, change));
    }

    /// Adds one event that came later, and what it may have come of.
    pub(crate) fn add(&mut self, event: Event, lineage: Lineage) {
        self.came_of(lineage);
        let (path, change) = Change::of(event);
        self.absorb(path, change);
    }

    /// Of two ways the shorter one counts.
    fn came_of(&mut self, lineage: Lineage) {
        if lineage.len() < self.lineage.len() {
            self.lineage = lineage;
        }
    }

    fn absorb(&mut self, path: Vec<u8>, change: Change) {
        match self.changes.entry(path) {
            Entry::Occupied(mut known) => known.get_mut().absorb(change),
            Entry::Vacant(new) => _ = new.insert(change),
        }
    }

    /// Each change as an event of its own.
    pub(crate) fn into_events(self) -> impl Iterator<Item = Event> {
        let trigger = self.trigger;
        self.changes.into_iter().map(move |(path, change)| change.into_event(path, trigger))
    }

    /// The paths, to change what is known of them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&[u8], &mut Change)> {
        self.changes.iter_mut().map(|(path, change)| (path.as_slice(), change))
    }

    /// The changes of which something holds, and the others. Without a path it is among the others, whole.
    pub(crate) fn divide(
        self,
        mut holds: impl FnMut(&[u8], &Change) -> bool,
    ) -> (Option<Self>, Option<Self>) {
        if self.changes.is_empty() {
            return (None, Some(self));
        }
        let (trigger, after, attempt, lineage) = (self.trigger, self.after, self.attempt, self.lineage);
        let since = self.since;
        let (yes, no): (Changes, Changes) =
            self.changes.into_iter().partition(|(path, change)| holds(path, change));
        let part = |changes: Changes| {
            let lineage = lineage.clone();
            (!changes.is_empty()).then_some(Self { trigger, after, attempt, lineage, since, changes })
        };
        (part(yes), part(no))
    }

    /// Takes off everything after the first `keep` paths; none if there is no more.
    pub(crate) fn split_off(&mut self, keep: usize) -> Option<Self> {
        (keep < self.len()).then(|| Self {
            trigger: self.trigger,
            after: self.after,
            attempt: 1,
            lineage: self.lineage.clone(),
            since: self.since,
            changes: self.changes.split_off(keep),
        })
    }
}

impl From<Event> for Batch {
    fn from(event: Event) -> Self {
        let trigger = event.trigger;
        let (lineage, changes) = (Lineage::default(), Changes::from_iter([Change::of(event)]));
        Self { trigger, after: None, attempt: 1, lineage, since: None, changes }
    }
}

/// Batches in the order in which they are to run.
///
/// With `per = "batch"` or `"file"` it never holds more than one: the next merges into it. With
/// `per = "event"` nothing is merged, so it grows with every event that waits.
#[derive(Debug, Default)]
pub(crate) struct Queue(VecDeque<Batch>);

impl Queue {
    /// Adds batches that came later.
    pub(crate) fn append(&mut self, later: Self, per: Per) {
        for batch in later.0 {
            match self.0.back_mut() {
                Some(last) if per != Per::Event => last.merge(batch),
                _ => self.0.push_back(batch),
            }
        }
    }

    /// The batch that the next change merges into.
    pub(crate) fn last_mut(&mut self, per: Per) -> Option<&mut Batch> {
        self.0.back_mut().filter(|_| per != Per::Event)
    }

    /// Gives back a batch that came before all others.
    pub(crate) fn put_back(&mut self, mut earlier: Batch, per: Per) {
        if per != Per::Event
            && let Some(next) = self.0.pop_front()
        {
            // It runs again because of what came later.
            let lineage = next.lineage.clone();
            earlier.merge(next);
            earlier.lineage = lineage;
        }
        self.0.push_front(earlier);
    }

    /// Counts the attempts of the first batch anew, if what came later has merged with it.
    pub(crate) fn renew(&mut self, per: Per) {
        if let Some(first) = self.0.front_mut().filter(|_| per != Per::Event) {
            first.attempt = 1;
        }
    }

    /// Takes the batch that is to run first.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        self.0.pop_front()
    }

    /// Each batch.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Batch> {
        self.0.iter()
    }

    /// Each batch, to change it.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Batch> {
        self.0.iter_mut()
    }

    /// All of it as one batch.
    pub(crate) fn into_one(self) -> Option<Batch> {
        self.0.into_iter().reduce(|mut all, later| {
            all.merge(later);
            all
        })
    }

    /// The batch that is to run first.
    pub(crate) fn first(&self) -> Option<&Batch> {
        self.0.front()
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many changes wait, where a batch without a path counts as one.
    pub(crate) fn changes(&self) -> usize {
        self.0.iter().map(|batch| batch.len().max(1)).sum()
    }
}

impl IntoIterator for Queue {
    type Item = Batch;
    type IntoIter = std::collections::vec_deque::IntoIter<Batch>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<Batch> for Queue {
    fn from_iter<T: IntoIterator<Item = Batch>>(batches: T) -> Self {
        Self(batches.into_iter().collect())
    }
}

impl From<Batch> for Queue {
    fn from(batch: Batch) -> Self {
        Self(VecDeque::from([batch]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Subject;

    fn event(path: &str, mask: EventMask) -> Event {
        let path = path.into();
        Event { mask, path, subject: Subject::File, from: None, cookie: 0, trigger: Trigger::Event }
    }

    fn batch(paths: &[&str]) -> Batch {
        let mut batch = Batch::at_start();
        for path in paths {
            batch.merge(event(path, EventMask::CREATE).into());
        }
        batch
    }

    fn paths(batch: &Batch) -> Vec<&[u8]> {
        batch.iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn merging_keeps_the_order_of_first_events_and_every_path() {
        let mut first = batch(&["b", "a"]);
        first.merge(batch(&["c", "b"]));
        assert_eq!(paths(&first), [b"b", b"a", b"c"]);
        assert_eq!(first.trigger(), Trigger::Start);
    }

    #[test]
    fn splitting_loses_nothing() {
        let mut first = batch(&["a", "b", "c"]);
        let rest = first.split_off(2).unwrap();
        assert_eq!((paths(&first).len(), paths(&rest)), (2, vec![&b"c"[..]]));
        assert_eq!(first.split_off(2), None);
    }

    #[test]
    fn what_is_passed_on_stays_whole_or_comes_path_by_path() {
        let passed_on = |per| batch(&["a", "b"]).passed_on(RuleId(7), per);
        assert_eq!(passed_on(Per::Batch).len(), 1);
        let each = passed_on(Per::File);
        assert_eq!(each.iter().map(paths).collect::<Vec<_>>(), [[b"a"], [b"b"]]);
        assert_eq!((each[1].trigger(), each[1].after()), (Trigger::Chain, Some(RuleId(7))));
        assert_eq!(Batch::at_start().passed_on(RuleId(7), Per::File).len(), 1);
    }

    #[test]
    fn a_queue_merges_batches_but_never_single_events() {
        let mut merged = Queue::from(batch(&["b"]));
        merged.append(batch(&["c"]).into(), Per::Batch);
        merged.put_back(batch(&["a"]), Per::Batch);
        assert_eq!(paths(&merged.take().unwrap()), [b"a", b"b", b"c"]);
        assert!(merged.is_empty());

        let mut single = Queue::from(batch(&["a"]));
        single.append(batch(&["a"]).into(), Per::Event);
        single.put_back(batch(&["a"]), Per::Event);
        assert_eq!((single.changes(), single.take().unwrap().len()), (3, 1));
    }

    #[test]
    fn a_batch_without_a_path_is_one_change() {
        let mut queue = Queue::from(Batch::at_start());
        assert_eq!(queue.changes(), 1);
        queue.append(batch(&["a"]).into(), Per::Batch);
        assert_eq!(queue.changes(), 1);
        assert_eq!(queue.take().unwrap().trigger(), Trigger::Start);
    }
}
