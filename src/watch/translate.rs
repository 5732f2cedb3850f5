//! Raw events to what is pending, and to questions about directories. Pure.
//!
//! Directory events are hints: none is replayed, each asks what its name is now.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::decode::RawEvent;
use super::kept::Kept;
use super::links::Links;
use super::pair::Pairs;
use super::pending::{Incident, Pending};
use super::settle::Settle;
use super::tree::{Name, Place, RootId, Tree};
use crate::event::{EventMask, Trigger};
use crate::sys::Wd;
use crate::time::MonoTime;

/// How long a directory may be without a name before its watches end. The halves of a rename are
/// microseconds apart; a reader that was stopped in between needs longer.
pub(super) const LIMBO: Duration = Duration::from_millis(200);

/// What keeping the tree takes, whatever the rules ask for.
pub(super) const STRUCTURE: EventMask = EventMask::CREATE
    .union(EventMask::DELETE)
    .union(EventMask::MOVE)
    .union(EventMask::DELETE_SELF)
    .union(EventMask::MOVE_SELF);

/// The kernel's events behind tripline's own.
const CHANGES: EventMask = EventMask::CLOSE_WRITE
    .union(EventMask::MODIFY)
    .union(EventMask::CREATE)
    .union(EventMask::DELETE)
    .union(EventMask::MOVE);

/// Something the file system must be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Which directory, if any, is this name? `left` if the event says that it is gone: a directory that
    /// is there all the same has come since, and what was found in it must be found after the event.
    Name { parent: Wd, name: Name, left: bool },
    /// Where does the path of this root lead?
    Root(RootId),
}

/// Something that has become of a directory's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// A directory has come to be there.
    Arrived(Place),
    /// The one that was there is no longer; another may be.
    Left(Place),
}

/// What the watcher knows, as far as events alone can tell.
#[derive(Debug)]
pub(super) struct State {
    pub(super) tree: Tree,
    pub(super) pending: Pending,
    pub(super) settle: Settle,
    pub(super) kept: Kept,
    pub(super) links: Links,
    /// Whether symbolic links are followed.
    pub(super) follows: bool,
    /// Names of directories that could not be watched for lack of permission.
    pub(super) denied: HashSet<(Wd, Name)>,
    /// Whether the kernel has dropped events since the tree was last known to be right.
    pub(super) lost: bool,
    /// Whether the tree is being looked at again after an overflow: its paths may be wrong until then.
    pub(super) resyncing: bool,
    /// What was found out about directories since the queue was last seen empty: the events that tell of it
    /// follow, unless the kernel drops them.
    pub(super) untold: Vec<Sight>,
    /// The kernel's events that some rule can be concerned by.
    pub(super) interest: EventMask,
    /// Whether anyone asks when a file's content is complete.
    pub(super) settles: bool,
    /// Whether anyone asks for the end of files, so that their names are kept.
    pub(super) keeps: bool,
    pairs: Pairs,
}

impl State {
    /// `asked` is what the rules ask for, tripline's own events among it.
    pub(super) fn new(asked: EventMask) -> Self {
        let mut state = Self::silent();
        state.ask(asked);
        state
    }

    /// Takes note of what the rules ask for from now on.
    pub(super) fn ask(&mut self, asked: EventMask) {
        self.interest = asked;
        if asked.intersects(EventMask::CHANGE) {
            self.interest |= CHANGES;
        }
        if asked.intersects(EventMask::RENAME) {
            self.interest |= EventMask::MOVE;
        }
        self.settles = asked.intersects(EventMask::CHANGE);
        self.keeps = asked.intersects(EventMask::END);
    }

    fn silent() -> Self {
        Self {
            tree: Tree::default(),
            pending: Pending::default(),
            settle: Settle::default(),
            kept: Kept::default(),
            links: Links::default(),
            follows: false,
            denied: HashSet::new(),
            lost: false,
            resyncing: false,
            untold: Vec::new(),
            interest: EventMask::default(),
            settles: false,
            keeps: false,
            pairs: Pairs::default(),
        }
    }

    /// The mask of every directory's watch.
    pub(super) fn mask(&self) -> EventMask {
        self.interest | STRUCTURE
    }

    /// Whether events may be missing between what the tree is and what they have told.
    pub(super) fn is_doubtful(&self) -> bool {
        self.lost || self.resyncing
    }

    /// Takes in one event and answers what must be asked because of it.
    pub(super) fn translate(&mut self, raw: &RawEvent<'_>, now: MonoTime) -> Option<Question> {
        if raw.mask.intersects(EventMask::Q_OVERFLOW) {
            self.lost = true;
            return None;
        }
        // Events of a watch that was ended go on arriving for a while.
        if !self.tree.contains(raw.wd) {
            return None;
        }
        if raw.mask.intersects(EventMask::IGNORED) {
            let root = self.tree.root_of(raw.wd);
            self.tree.bury(raw.wd, now + LIMBO, self.is_doubtful());
            return root.map(Question::Root);
        }
        if raw.name.is_empty() { self.about_itself(raw) } else { self.about_entry(raw) }
    }

    fn about_itself(&mut self, raw: &RawEvent<'_>) -> Option<Question> {
        let itself = EventMask::DELETE_SELF | EventMask::MOVE_SELF;
        if !raw.mask.intersects(itself) {
            return None;
        }
        self.note(raw);
        // The end of the watch follows a removal, and asks then.
        if !raw.mask.intersects(EventMask::MOVE_SELF) {
            return None;
        }
        self.tree.set_moved(raw.wd);
        self.tree.root_of(raw.wd).map(Question::Root)
    }

    fn about_entry(&mut self, raw: &RawEvent<'_>) -> Option<Question> {
        self.note(raw);
        let names = EventMask::CREATE | EventMask::DELETE | EventMask::MOVE;
        let left = raw.mask.intersects(EventMask::DELETE | EventMask::MOVED_FROM);
        let known =
            || self.tree.child(raw.wd, raw.name).is_some() || self.links.target(raw.wd, raw.name).is_some();
        let ask = if raw.mask.intersects(EventMask::ISDIR) {
            // Of the end of one whose watch has ended nothing is left to ask: who comes in its place has an event.
            let ended = left && !self.is_doubtful() && !known();
            (raw.mask.intersects(names) && !ended) || self.denied.contains(&(raw.wd, raw.name.into()))
        } else {
            let may_be_link = self.follows && raw.mask.intersects(EventMask::CREATE | EventMask::MOVED_TO);
            raw.mask.intersects(names) && (may_be_link || known())
        };
        ask.then(|| Question::Name { parent: raw.wd, name: raw.name.into(), left })
    }

    /// Of most events of a busy tree nobody is told: they cost no memory.
    fn note(&mut self, raw: &RawEvent<'_>) {
        let told = self.interest.intersects(raw.mask.without(EventMask::ISDIR));
        if !told && !raw.mask.intersects(EventMask::MOVE) {
            return;
        }
        let name = &Name::from(raw.name);
        let mut from = None;
        if raw.mask.intersects(EventMask::MOVED_FROM) {
            self.pairs.moved_from(raw.cookie, raw.wd, Arc::clone(name));
        } else if raw.mask.intersects(EventMask::MOVED_TO) {
            from = self.pairs.moved_to(raw.cookie, raw.wd, Arc::clone(name));
        }
        if told {
            self.pending.note(Incident {
                wd: raw.wd,
                name: Arc::clone(name),
                mask: raw.mask,
                cookie: raw.cookie,
                from,
                trigger: Trigger::Event,
                subject: None,
                doubtful: false,
            });
            self.ask_whether_left(raw, name);
        }
    }
}

impl State {
    /// After an exchange of names, that one was left is the last that is reported of it, though it is there.
    fn ask_whether_left(&mut self, raw: &RawEvent<'_>, name: &Name) {
        if raw.mask.intersects(EventMask::MOVED_FROM)
            && self.interest.intersects(EventMask::FOUND)
            && self.pairs.has_arrived(raw.wd, name)
        {
            self.pending.note(Incident {
                wd: raw.wd,
                name: Arc::clone(name),
                mask: EventMask::CHANGE,
                cookie: 0,
                from: None,
                trigger: Trigger::Scan,
                subject: None,
                doubtful: false,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: MonoTime = MonoTime::from_origin(Duration::ZERO);

    fn state(asked: EventMask) -> State {
        let mut state = State::new(asked);
        state.tree.attach(Wd(1), &Place::Root(0));
        state.tree.attach(Wd(2), &Place::Below(Wd(1), Name::from(&b"a"[..])));
        state
    }

    fn raw(wd: i32, mask: EventMask, name: &str) -> RawEvent<'_> {
        RawEvent { wd: Wd(wd), mask, cookie: 0, name: name.as_bytes() }
    }

    fn ask(wd: i32, name: &str, left: bool) -> Option<Question> {
        Some(Question::Name { parent: Wd(wd), name: name.as_bytes().into(), left })
    }

    #[test]
    fn directory_events_ask_what_the_name_is_now() {
        let mut state = state(EventMask::CHANGE);
        for (mask, left) in [
            (EventMask::CREATE, false),
            (EventMask::DELETE, true),
            (EventMask::MOVED_FROM, true),
            (EventMask::MOVED_TO, false),
        ] {
            assert_eq!(state.translate(&raw(1, mask | EventMask::ISDIR, "a"), NOW), ask(1, "a", left));
            let unknown = state.translate(&raw(1, mask | EventMask::ISDIR, "x"), NOW);
            assert_eq!(unknown, if left { None } else { ask(1, "x", left) });
        }
        state.lost = true;
        let mask = EventMask::DELETE | EventMask::ISDIR;
        assert_eq!(state.translate(&raw(1, mask, "x"), NOW), ask(1, "x", true));
        assert_eq!(state.translate(&raw(1, EventMask::OPEN | EventMask::ISDIR, "x"), NOW), None);
    }

    #[test]
    fn a_file_where_a_directory_was_asks_too() {
        let mut state = state(EventMask::CHANGE);
        assert_eq!(state.translate(&raw(1, EventMask::CREATE, "a"), NOW), ask(1, "a", false));
        assert_eq!(state.translate(&raw(1, EventMask::CREATE, "b"), NOW), None);
    }

    #[test]
    fn what_no_rule_asks_for_is_not_kept() {
        let mut state = state(EventMask::ATTRIB);
        state.translate(&raw(1, EventMask::CREATE, "f"), NOW);
        assert_eq!(state.pending.take().count(), 0);
        state.translate(&raw(1, EventMask::ATTRIB, "f"), NOW);
        assert_eq!(state.pending.take().count(), 1);
    }

    #[test]
    fn unknown_watches_are_silent_and_an_overflow_is_remembered() {
        let mut state = state(EventMask::CHANGE);
        assert_eq!(state.translate(&raw(9, EventMask::CREATE | EventMask::ISDIR, "x"), NOW), None);
        assert_eq!(state.pending.take().count(), 0);
        state.translate(&raw(-1, EventMask::Q_OVERFLOW, ""), NOW);
        assert!(state.lost);
    }

    #[test]
    fn the_end_of_the_roots_watch_asks_where_its_path_leads() {
        let mut state = state(EventMask::CHANGE);
        assert_eq!(state.translate(&raw(1, EventMask::IGNORED, ""), NOW), Some(Question::Root(0)));
        assert!(!state.tree.contains(Wd(1)));
        assert!(state.tree.contains(Wd(2)), "the child waits in limbo");
    }
}
