//! Directories that inotify cannot watch, and what was in them when they were last looked through. Pure.
//!
//! Each has a number below those of the kernel's watches, so that the tree, and everything else that goes
//! by watch descriptors, treats it like any other directory.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::sys::{Identity, Kind, Status, Wd};
use crate::time::{FileTime, MonoTime};
use crate::watch::tree::Name;

/// Looking takes at most one part in this many of the time.
const SHARE: u32 = 10;
/// The kernel's watches are above 0, and -1 is an overflow.
const FIRST: i32 = -2;

/// Why a directory is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    /// The kernel grants no more watches.
    Limit,
    /// Its file system does not report what others change in it.
    Silent,
    /// Everything is.
    Asked,
}

/// What tells that a name stands for something else than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    kind: Kind,
    inode: u64,
    size: u64,
    mtime: FileTime,
    ctime: FileTime,
}

impl Stamp {
    /// Of a directory only which one it is: what is in it is looked at by itself.
    pub(crate) fn of(status: &Status) -> Self {
        let Status { kind, inode, size, mtime, ctime, .. } = *status;
        match kind {
            Kind::Dir => {
                Self { kind, inode, size: 0, mtime: FileTime::default(), ctime: FileTime::default() }
            }
            Kind::File | Kind::Symlink | Kind::Other => Self { kind, inode, size, mtime, ctime },
        }
    }

    pub(crate) fn is_dir(&self) -> bool {
        self.kind == Kind::Dir
    }

    /// Whether only mode, owner, links or the like differ.
    pub(crate) fn has_content_of(&self, other: &Self) -> bool {
        Self { ctime: FileTime::default(), ..*self } == Self { ctime: FileTime::default(), ..*other }
    }
}

#[derive(Debug)]
struct Polled {
    identity: Identity,
    why: Why,
    names: HashMap<Name, Stamp>,
    /// Whether all that is in it is among the names.
    complete: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    by_wd: HashMap<Wd, Polled>,
    by_identity: HashMap<Identity, Wd>,
    /// How many directories of a device are polled for a reason. Devices are few, directories may be many.
    counts: HashMap<(u64, Why), usize>,
    given: i32,
    /// When to look at everything again; none while that is going on.
    pub(crate) due: Option<MonoTime>,
    began: Option<MonoTime>,
}

impl Polls {
    /// The number of a directory; a new one if it is not polled yet.
    pub(crate) fn add(&mut self, identity: Identity, why: Why) -> Wd {
        if let Some(wd) = self.known(identity) {
            return wd;
        }
        let wd = Wd(FIRST - self.given);
        self.given += 1;
        self.by_wd.insert(wd, Polled { identity, why, names: HashMap::new(), complete: false });
        self.by_identity.insert(identity, wd);
        *self.counts.entry((identity.0, why)).or_default() += 1;
        wd
    }

    pub(crate) fn known(&self, identity: Identity) -> Option<Wd> {
        self.by_identity.get(&identity).copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_wd.is_empty()
    }

    pub(crate) fn contains(&self, wd: Wd) -> bool {
        self.by_wd.contains_key(&wd)
    }

    /// Which directory a polled one is.
    pub(crate) fn identity(&self, wd: Wd) -> Option<Identity> {
        self.by_wd.get(&wd).filter(|_| wd.0 <= FIRST).map(|polled| polled.identity)
    }

    /// How many are polled for this reason.
    pub(crate) fn count(&self, why: Why) -> usize {
        self.counts.iter().filter(|((_, known), _)| *known == why).map(|(_, count)| count).sum()
    }

    /// Whether a directory on the same file system is polled.
    pub(crate) fn knows_device(&self, identity: Identity) -> bool {
        self.counts.iter().any(|((device, _), &count)| *device == identity.0 && count > 0)
    }

    pub(crate) fn forget(&mut self, wd: Wd) {
        self.remove(wd);
    }

    fn remove(&mut self, wd: Wd) -> Option<Polled> {
        let polled = self.by_wd.remove(&wd)?;
        if wd.0 <= FIRST {
            self.by_identity.remove(&polled.identity);
            if let Some(count) = self.counts.get_mut(&(polled.identity.0, polled.why)) {
                *count -= 1;
            }
        }
        Some(polled)
    }

    /// inotify watches the directory from now on, under a watch descriptor of its own. What was in it is
    /// known until it has been looked through once more.
    pub(crate) fn replace(&mut self, wd: Wd, by: Wd) {
        if let Some(polled) = self.remove(wd) {
            self.by_wd.insert(by, polled);
        }
    }

    /// A directory has been looked through. Ends what [`replace`](Self::replace) has left.
    pub(crate) fn looked_through(&mut self, wd: Wd) {
        if wd.0 > FIRST {
            self.remove(wd);
        } else if let Some(polled) = self.by_wd.get_mut(&wd) {
            polled.complete = true;
        }
    }

    /// Whether a directory has been looked through.
    pub(crate) fn is_looked_through(&self, wd: Wd) -> bool {
        self.by_wd.get(&wd).is_some_and(|polled| polled.complete)
    }

    pub(crate) fn stamp(&self, wd: Wd, name: &Name) -> Option<Stamp> {
        self.by_wd.get(&wd)?.names.get(name).copied()
    }

    pub(crate) fn set(&mut self, wd: Wd, name: &Name, stamp: Stamp) {
        if let Some(polled) = self.by_wd.get_mut(&wd) {
            polled.names.insert(Name::clone(name), stamp);
        }
    }

    /// Forgets the names that are not among those `there`; answers them, each with whether it was a directory.
    pub(crate) fn missing(&mut self, wd: Wd, there: &HashSet<&[u8]>) -> Vec<(Name, bool)> {
        let Some(polled) = self.by_wd.get_mut(&wd) else { return Vec::new() };
        let gone = polled.names.extract_if(|name, _| !there.contains(&**name));
        gone.map(|(name, stamp)| (name, stamp.kind == Kind::Dir)).collect()
    }

    /// Every directory, if it is time to look at them. Those that have left before they had a place in the tree
    /// are forgotten.
    pub(crate) fn take_due(
        &mut self,
        now: MonoTime,
        is_in_tree: impl Fn(Wd) -> bool,
    ) -> Option<Vec<(Wd, Why)>> {
        self.due.take_if(|at| *at <= now)?;
        let strangers: Vec<_> = self.by_wd.keys().copied().filter(|wd| !is_in_tree(*wd)).collect();
        strangers.into_iter().for_each(|wd| self.forget(wd));
        self.began = Some(now);
        Some(self.by_wd.iter().map(|(&wd, polled)| (wd, polled.why)).collect())
    }

    /// Everything has been looked at: the next time is in a while, the longer the more this has taken.
    pub(crate) fn rest(&mut self, now: MonoTime, interval: Duration) {
        if self.is_empty() {
            self.due = None;
        } else if self.due.is_none() {
            let took = self.began.take().map_or(Duration::ZERO, |began| now.since(began));
            self.due = Some(now + interval.max(took * (SHARE - 1)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(inode: u64, size: u64, ctime: i64) -> Status {
        Status {
            kind: Kind::File,
            links: 1,
            device: 1,
            inode,
            size,
            mtime: FileTime::new(5, 0),
            ctime: FileTime::new(ctime, 0),
        }
    }

    const INTERVAL: Duration = Duration::from_secs(2);

    fn at(seconds: u64) -> MonoTime {
        MonoTime::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn a_directory_keeps_its_number_while_it_is_polled() {
        let mut polls = Polls::default();
        let (first, second) = (Identity(1, 7), Identity(1, 8));
        assert_eq!(polls.add(first, Why::Limit), Wd(-2));
        assert_eq!(polls.add(second, Why::Limit), Wd(-3));
        assert_eq!(polls.add(first, Why::Limit), Wd(-2));
        polls.forget(Wd(-2));
        assert_eq!(polls.add(first, Why::Limit), Wd(-4));
        assert_eq!(polls.count(Why::Limit), 2);
        polls.rest(at(0), INTERVAL);
        assert_eq!(polls.take_due(at(2), |wd| wd == Wd(-3)), Some(vec![(Wd(-3), Why::Limit)]));
        assert_eq!((polls.count(Why::Limit), polls.known(first)), (1, None));
        assert!(polls.knows_device(first) && !polls.knows_device(Identity(2, 7)));
    }

    #[test]
    fn what_is_missing_is_answered_once() {
        let mut polls = Polls::default();
        let wd = polls.add(Identity(1, 7), Why::Silent);
        let name = Name::from(&b"a"[..]);
        polls.set(wd, &name, Stamp::of(&status(9, 1, 5)));
        assert!(
            polls.stamp(wd, &name).is_some_and(|known| known.has_content_of(&Stamp::of(&status(9, 1, 6))))
        );
        assert!(
            polls.stamp(wd, &name).is_some_and(|known| !known.has_content_of(&Stamp::of(&status(9, 2, 5))))
        );
        assert_eq!(polls.missing(wd, &HashSet::new()), [(name, false)]);
        assert!(polls.missing(wd, &HashSet::new()).is_empty());
    }

    #[test]
    fn a_look_that_takes_long_is_followed_by_a_long_rest() {
        let mut polls = Polls::default();
        polls.rest(at(0), INTERVAL);
        assert_eq!(polls.due, None);
        polls.add(Identity(1, 7), Why::Limit);
        polls.rest(at(0), INTERVAL);
        assert_eq!(polls.due, Some(at(2)));
        assert!(polls.take_due(at(1), |_| true).is_none());
        assert!(polls.take_due(at(2), |_| true).is_some());
        polls.rest(at(3), INTERVAL);
        assert_eq!(polls.due, Some(at(12)));
    }

    #[test]
    fn what_inotify_watches_again_is_compared_once_more() {
        let mut polls = Polls::default();
        let wd = polls.add(Identity(1, 7), Why::Limit);
        polls.replace(wd, Wd(4));
        assert!(polls.contains(Wd(4)) && polls.identity(Wd(4)).is_none());
        assert_eq!(polls.count(Why::Limit), 0);
        polls.looked_through(Wd(4));
        assert!(polls.is_empty());
    }
}
