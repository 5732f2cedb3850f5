//! What happened and has not been handed over, each name with each kind of event at most once. Pure.
//!
//! Events are levels, not counts: the kernel itself merges them. A kind that happens again takes its
//! latest place in the order, so that the last event of a name tells its present state.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};
use smallvec::{SmallVec, smallvec};

use crate::event::{EventMask, Subject, Trigger};
use crate::sys::Wd;
use crate::watch::tree::Name;

/// Something that happened to a name in a watched directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incident {
    pub(crate) wd: Wd,
    /// Empty for the directory itself.
    pub(crate) name: Name,
    pub(crate) mask: EventMask,
    pub(crate) cookie: u32,
    /// The other half of a rename.
    pub(crate) from: Option<(Wd, Name)>,
    pub(crate) trigger: Trigger,
    /// Where the kind is known already.
    pub(crate) subject: Option<Subject>,
    /// Whether the kernel dropped events after it: the name may have ended since.
    pub(crate) doubtful: bool,
}

impl Incident {
    /// Whether looking has told of it, and that something is there.
    pub(crate) fn was_found(&self) -> bool {
        let ends = EventMask::DELETE | EventMask::MOVED_FROM;
        self.trigger != Trigger::Event && !self.mask.intersects(ends)
    }

    /// Whether something may be there by that name, and is to be asked about.
    pub(crate) fn is_to_be_asked(&self) -> bool {
        self.was_found() && self.subject.is_none()
    }

    /// Whether a later incident of the same name says all that this one does. A file that is made and
    /// then closed after writing is a regular one, which saves asking; one that was found, and then closed,
    /// is complete by that.
    fn yields_to(&mut self, later: &Self) -> bool {
        if self.mask == EventMask::CREATE && later.mask.intersects(EventMask::CLOSE_WRITE) {
            self.subject = Some(Subject::File);
        }
        let found = self.was_found() && later.trigger == Trigger::Event;
        if found && later.mask.intersects(EventMask::CLOSE_WRITE) {
            self.mask = self.mask.without(EventMask::CHANGE) | EventMask::CREATE;
        }
        self.mask == later.mask || (found && later.mask.intersects(ARRIVALS))
    }
}

const ENDS_OR_DIRECTORIES: EventMask = EventMask::DELETE.union(EventMask::MOVED_FROM).union(EventMask::ISDIR);

/// What the kernel reports of a name's arrival; finding the name by looking says no more.
const ARRIVALS: EventMask = EventMask::CREATE.union(EventMask::MOVED_TO);

/// What the kernel reports of a name's existence or content.
const DECISIVE: EventMask =
    EventMask::CREATE.union(EventMask::CLOSE_WRITE).union(EventMask::MOVE).union(EventMask::DELETE);

/// Names held before the watcher gives up naming them and looks at the whole tree again: some 200 bytes
/// each, so at most 200 MB while nobody takes them.
pub(crate) const CAPACITY: usize = 1_000_000;

/// Empty places that are not worth closing.
const GAPS: usize = 256;

/// Where the incidents of one name stand, none of them in a gap. What happens to a file is mostly that it is made and
/// closed.
type Places = SmallVec<[usize; 2]>;

/// The incidents in their order.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    incidents: Vec<Option<Incident>>,
    /// How many places are empty, because what stood there has been given a later one.
    gaps: usize,
    /// By the name that stands at the first of the places, so that no name is kept twice.
    by_name: HashTable<Places>,
    hasher: DefaultHashBuilder,
}

impl Pending {
    /// Whether there are more names than it is meant to hold.
    pub(crate) fn is_full(&self) -> bool {
        self.by_name.len() >= CAPACITY
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Adds an incident, in place of an earlier one of its kind.
    pub(crate) fn note(&mut self, incident: Incident) {
        let Self { incidents, gaps, by_name, hasher } = self;
        let (place, hash) = (incidents.len(), hasher.hash_one((incident.wd, &*incident.name)));
        let known = |places: &Places| is_at(incidents, places, incident.wd, &incident.name);
        if let Some(places) = by_name.find_mut(hash, known) {
            let before = places.len();
            places.retain(|&mut at| {
                let gone = incidents[at].as_mut().is_none_or(|known| known.yields_to(&incident));
                if gone {
                    incidents[at] = None;
                }
                !gone
            });
            *gaps += before - places.len();
            places.push(place);
        } else {
            by_name.insert_unique(hash, smallvec![place], |places| hash_at(incidents, places, hasher));
        }
        incidents.push(Some(incident));
        self.close_gaps();
    }

    /// Where the incidents of a name stand.
    fn places(&self, wd: Wd, name: &[u8]) -> &[usize] {
        let hash = self.hasher.hash_one((wd, name));
        let places = self.by_name.find(hash, |places| is_at(&self.incidents, places, wd, name));
        places.map_or(&[], |places| places.as_slice())
    }

    /// Gives every incident a new place once most are empty, so that the list stays as long as what it holds.
    fn close_gaps(&mut self) {
        if self.gaps < GAPS || self.gaps < self.incidents.len() / 2 {
            return;
        }
        let mut new = 0;
        let moved: Vec<_> = self
            .incidents
            .iter()
            .map(|incident| {
                let at = new;
                new += usize::from(incident.is_some());
                at
            })
            .collect();
        self.by_name.iter_mut().flatten().for_each(|at| *at = moved[*at]);
        self.incidents.retain(Option::is_some);
        self.gaps = 0;
    }

    /// Gives all that happened to a name the latest places in the order: its directory has arrived since.
    pub(crate) fn renew(&mut self, wd: Wd, name: &Name) {
        let hash = self.hasher.hash_one((wd, &**name));
        let Self { incidents, gaps, by_name, .. } = self;
        let known = |places: &Places| is_at(incidents, places, wd, name);
        for at in by_name.find_mut(hash, known).into_iter().flatten() {
            let incident = incidents[*at].take();
            incidents.push(incident);
            *at = incidents.len() - 1;
            *gaps += 1;
        }
        self.close_gaps();
    }

    /// Whether the kernel has reported the name's existence or content already, and nothing was lost
    /// since.
    pub(crate) fn is_decided(&self, wd: Wd, name: &Name) -> bool {
        self.has(wd, name, DECISIVE)
    }

    /// Whether all that the kernel has reported of the name is that its content is complete.
    pub(crate) fn is_only_closed(&self, wd: Wd, name: &Name) -> bool {
        let others = DECISIVE.without(EventMask::CLOSE_WRITE);
        self.has(wd, name, EventMask::CLOSE_WRITE) && !self.has(wd, name, others)
    }

    fn has(&self, wd: Wd, name: &Name, mask: EventMask) -> bool {
        let decides = |incident: &Incident| !incident.doubtful && incident.mask.intersects(mask);
        let decisive = |at: &usize| self.incidents[*at].as_ref().is_some_and(decides);
        self.places(wd, name).iter().any(decisive)
    }

    /// The kernel has dropped events that came after all these. Answers the files that were there.
    pub(crate) fn doubt(&mut self) -> Vec<(Wd, Name)> {
        let mut there = Vec::new();
        for incident in self.incidents.iter_mut().flatten() {
            incident.doubtful = true;
            if !incident.mask.intersects(ENDS_OR_DIRECTORIES) && !incident.is_to_be_asked() {
                there.push((incident.wd, Arc::clone(&incident.name)));
            }
        }
        there
    }

    /// Takes everything out, in order.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Incident> + use<> {
        self.by_name.clear();
        self.gaps = 0;
        let room = Vec::with_capacity(self.incidents.len());
        std::mem::replace(&mut self.incidents, room).into_iter().flatten()
    }
}

/// The first of the incidents that stand there, which have one name.
fn first<'i>(incidents: &'i [Option<Incident>], places: &[usize]) -> Option<&'i Incident> {
    places.first().and_then(|&at| incidents[at].as_ref())
}

/// Whether it is the incidents of this name that stand there.
fn is_at(incidents: &[Option<Incident>], places: &[usize], wd: Wd, name: &[u8]) -> bool {
    first(incidents, places).is_some_and(|incident| incident.wd == wd && *incident.name == *name)
}

/// The hash of the name whose incidents stand there.
fn hash_at(incidents: &[Option<Incident>], places: &[usize], hasher: &DefaultHashBuilder) -> u64 {
    first(incidents, places).map_or(0, |incident| hasher.hash_one((incident.wd, &*incident.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(name: &str, mask: EventMask) -> Incident {
        let (wd, name) = (Wd(1), name.as_bytes().into());
        Incident {
            wd,
            name,
            mask,
            cookie: 0,
            from: None,
            trigger: Trigger::Event,
            subject: None,
            doubtful: false,
        }
    }

    fn after(steps: &[(&str, EventMask)]) -> Vec<(String, String)> {
        let mut pending = Pending::default();
        for (name, mask) in steps {
            pending.note(incident(name, *mask));
        }
        pending.take().map(|i| (String::from_utf8(i.name.to_vec()).unwrap(), i.mask.to_string())).collect()
    }

    fn listed(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, mask)| ((*name).to_owned(), (*mask).to_owned())).collect()
    }

    #[test]
    fn a_kind_that_repeats_takes_its_latest_place() {
        let (create, close, delete) = (EventMask::CREATE, EventMask::CLOSE_WRITE, EventMask::DELETE);
        let steps = [("a", create), ("a", close), ("b", close), ("a", delete), ("a", create), ("a", close)];
        let expected = [("b", "close_write"), ("a", "delete"), ("a", "create"), ("a", "close_write")];
        assert_eq!(after(&steps), listed(&expected));
    }

    #[test]
    fn however_often_a_file_is_written_it_is_two_incidents() {
        let mut pending = Pending::default();
        pending.note(incident("b", EventMask::CREATE));
        for _ in 0..10_000 {
            pending.note(incident("a", EventMask::MODIFY));
            pending.note(incident("a", EventMask::CLOSE_WRITE));
            pending.renew(Wd(1), &Name::from(&b"b"[..]));
        }
        assert!(pending.incidents.len() <= 3 + GAPS);
        assert_eq!(pending.take().count(), 3);
        assert_eq!(pending.take().count(), 0);
    }

    #[test]
    fn what_the_kernel_reports_replaces_what_a_scan_found() {
        let mut pending = Pending::default();
        pending.note(Incident {
            trigger: Trigger::Scan,
            ..incident("a", EventMask::CREATE | EventMask::CHANGE)
        });
        pending.note(incident("a", EventMask::CREATE));
        pending.note(incident("a", EventMask::CLOSE_WRITE));
        assert!(pending.is_decided(Wd(1), &Name::from(&b"a"[..])));
        let all: Vec<_> = pending.take().collect();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].mask, all[0].subject), (EventMask::CREATE, Some(Subject::File)));
    }

    #[test]
    fn two_names_never_merge() {
        let steps = [("a", EventMask::CREATE), ("b", EventMask::CREATE)];
        assert_eq!(after(&steps).len(), 2);
    }
}
