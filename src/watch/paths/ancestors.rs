//! What is watched on the ways to paths that are followed: a root's, and a symbolic link's below one. Pure.

use std::collections::BTreeSet;
use std::mem::take;
use std::time::Duration;

use hashbrown::HashMap;

use super::symlinks::LinkId;
use crate::event::EventMask;
use crate::sys::Wd;
use crate::time::MonoTime;
use crate::watch::backend::decode::RawEvent;
use crate::watch::crawl::retry;
use crate::watch::tree::RootId;

/// What ends a component: it is renamed, removed, or its file system goes.
pub(crate) const ITSELF: EventMask = EventMask::MOVE_SELF.union(EventMask::DELETE_SELF);
const ENDS: EventMask = ITSELF.union(EventMask::IGNORED).union(EventMask::UNMOUNT);
/// What may let a path be followed further: a name that comes, or a permission.
pub(crate) const ARRIVALS: EventMask = EventMask::CREATE.union(EventMask::MOVED_TO).union(EventMask::ATTRIB);

/// Whose way it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum WayId {
    Root(RootId),
    Link(LinkId),
}

/// One way.
#[derive(Debug, Default)]
struct Way {
    /// The watches on it.
    above: Vec<Wd>,
    /// Where it ends while it leads nowhere, or to a file, and the name awaited there.
    waiting: Option<(Wd, Vec<u8>)>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    ways: HashMap<WayId, Way>,
    by_wd: HashMap<Wd, BTreeSet<WayId>>,
    /// Ways to follow again without an event that says so.
    again: HashMap<WayId, MonoTime>,
    /// Those of them on which something could not be looked at.
    refused: BTreeSet<WayId>,
    /// How long the last wait was of each that has been refused time and again.
    waits: HashMap<WayId, Duration>,
}

impl Ways {
    /// The ways that an event may have changed.
    pub(crate) fn changed_by(&self, raw: &RawEvent<'_>) -> Vec<WayId> {
        let Some(ways) = self.by_wd.get(&raw.wd) else { return Vec::new() };
        let ended = raw.mask.intersects(ENDS);
        let arrived = |way: &&WayId| raw.mask.intersects(ARRIVALS) && self.awaits(way, raw);
        ways.iter().filter(|way| ended || arrived(way)).cloned().collect()
    }

    /// The links that wait for the name that an event is about.
    pub(crate) fn links_awaiting(&self, raw: &RawEvent<'_>) -> Vec<LinkId> {
        let ways = self.by_wd.get(&raw.wd).into_iter().flatten();
        let awaiting = ways.filter(|way| self.awaits(way, raw));
        awaiting
            .filter_map(|way| if let WayId::Link(link) = way { Some(link.clone()) } else { None })
            .collect()
    }

    fn awaits(&self, way: &WayId, raw: &RawEvent<'_>) -> bool {
        let waiting = self.ways.get(way).and_then(|way| way.waiting.as_ref());
        waiting.is_some_and(|(wd, name)| *wd == raw.wd && name == raw.name)
    }

    /// Whether a watch is on some way.
    pub(crate) fn contain(&self, wd: Wd) -> bool {
        self.by_wd.contains_key(&wd)
    }

    /// The watches on all ways.
    pub(crate) fn watches(&self) -> impl Iterator<Item = Wd> {
        self.by_wd.keys().copied()
    }

    /// Adds a watch to a way.
    pub(crate) fn add(&mut self, way: &WayId, wd: Wd) {
        if self.by_wd.entry(wd).or_default().insert(way.clone()) {
            self.ways.entry(way.clone()).or_default().above.push(wd);
        }
    }

    /// Has a way wait for a name in a directory.
    pub(crate) fn wait(&mut self, way: &WayId, wd: Wd, name: Vec<u8>) {
        self.add(way, wd);
        self.ways.entry(way.clone()).or_default().waiting = Some((wd, name));
    }

    /// Forgets a way; answers its watches.
    pub(crate) fn forget(&mut self, way: &WayId) -> Vec<Wd> {
        self.again.remove(way);
        self.refused.remove(way);
        let above = self.ways.remove(way).unwrap_or_default().above;
        for wd in &above {
            if let Some(ways) = self.by_wd.get_mut(wd) {
                ways.remove(way);
                if ways.is_empty() {
                    self.by_wd.remove(wd);
                }
            }
        }
        above
    }

    /// Has a way followed again at that moment, for a reason no event will tell the end of.
    pub(crate) fn again(&mut self, way: &WayId, at: MonoTime) {
        self.again.insert(way.clone(), at);
    }

    /// As [`again`](Self::again), because something on the way could not be looked at: soon, and later each time. What
    /// the tree has at the end of the way may be wrong until then, and nothing in it can be asked about.
    pub(crate) fn refuse(&mut self, way: &WayId, now: MonoTime) {
        let wait = self.waits.entry(way.clone()).or_default();
        *wait = retry::after(*wait);
        let at = now + *wait;
        self.again(way, at);
        self.refused.insert(way.clone());
    }

    /// A way has been followed: unless it was refused again, the next refusal is a new one.
    pub(crate) fn followed(&mut self, way: &WayId) {
        if !self.refused.contains(way) {
            self.waits.remove(way);
        }
    }

    pub(crate) fn is_any_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Takes the ways to follow again now.
    pub(crate) fn due(&mut self, now: MonoTime) -> Vec<WayId> {
        self.again.extract_if(|_, at| *at <= now).map(|(way, _)| way).collect()
    }

    /// Gives roots other numbers, and forgets those that get none.
    pub(crate) fn renumber_roots(&mut self, ids: &[Option<RootId>]) {
        let renamed = |way| match way {
            WayId::Root(root) => ids.get(root).copied().flatten().map(WayId::Root),
            WayId::Link(_) => Some(way),
        };
        let ways = take(&mut self.ways).into_iter();
        self.ways = ways.filter_map(|(way, value)| Some((renamed(way)?, value))).collect();
        let again = take(&mut self.again).into_iter();
        self.again = again.filter_map(|(way, at)| Some((renamed(way)?, at))).collect();
        self.refused = take(&mut self.refused).into_iter().filter_map(renamed).collect();
        let waits = take(&mut self.waits).into_iter();
        self.waits = waits.filter_map(|(way, wait)| Some((renamed(way)?, wait))).collect();
        for ways in self.by_wd.values_mut() {
            *ways = take(ways).into_iter().filter_map(renamed).collect();
        }
    }

    /// When the next is to be followed again.
    pub(crate) fn deadline(&self) -> Option<MonoTime> {
        self.again.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(wd: i32, mask: EventMask, name: &[u8]) -> RawEvent<'_> {
        RawEvent { wd: Wd(wd), mask, cookie: 0, name }
    }

    #[test]
    fn a_way_changes_when_a_part_of_it_ends_or_what_it_waits_for_comes() {
        let mut ways = Ways::default();
        let (root, link) = (WayId::Root(0), WayId::Link((Wd(9), b"link"[..].into())));
        ways.add(&root, Wd(1));
        ways.add(&link, Wd(1));
        ways.wait(&link, Wd(2), b"a".to_vec());
        assert_eq!(ways.changed_by(&raw(1, EventMask::MOVE_SELF, b"")), [root.clone(), link.clone()]);
        assert_eq!(ways.changed_by(&raw(2, EventMask::CREATE, b"a")), std::slice::from_ref(&link));
        assert_eq!(ways.changed_by(&raw(2, EventMask::IGNORED, b"")), std::slice::from_ref(&link));
        for silent in
            [raw(1, EventMask::CREATE, b"a"), raw(2, EventMask::CREATE, b"b"), raw(2, EventMask::OPEN, b"a")]
        {
            assert!(ways.changed_by(&silent).is_empty(), "{silent:?}");
        }
        assert_eq!(ways.links_awaiting(&raw(2, EventMask::CLOSE_WRITE, b"a")).len(), 1);
        assert_eq!(ways.forget(&link), [Wd(1), Wd(2)]);
        assert!(ways.contain(Wd(1)) && !ways.contain(Wd(2)));
        assert_eq!(ways.forget(&root), [Wd(1)]);
        assert_eq!(ways.watches().count(), 0);
    }

    #[test]
    fn a_way_is_due_once_and_not_when_it_is_forgotten() {
        let (mut ways, now) = (Ways::default(), MonoTime::from_origin(Duration::from_secs(1)));
        ways.again(&WayId::Root(0), now);
        ways.again(&WayId::Root(1), now);
        assert_eq!((ways.deadline(), ways.due(MonoTime::default())), (Some(now), Vec::new()));
        ways.add(&WayId::Root(1), Wd(1));
        ways.forget(&WayId::Root(0));
        ways.renumber_roots(&[None, Some(0)]);
        assert_eq!(ways.changed_by(&raw(1, EventMask::IGNORED, b"")), [WayId::Root(0)]);
        assert_eq!(ways.due(now), [WayId::Root(0)]);
        assert_eq!(ways.deadline(), None);
    }

    #[test]
    fn a_way_that_is_refused_again_waits_longer_until_it_has_been_followed() {
        let (mut ways, root, now) = (Ways::default(), WayId::Root(0), MonoTime::default());
        for waits in [5, 10, 20] {
            ways.forget(&root);
            ways.refuse(&root, now);
            ways.followed(&root);
            assert_eq!(ways.deadline(), Some(now + Duration::from_millis(waits)));
        }
        ways.forget(&root);
        ways.followed(&root);
        ways.refuse(&root, now);
        assert_eq!(ways.deadline(), Some(now + Duration::from_millis(5)));
    }
}
