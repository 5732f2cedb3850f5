//! Raw events to what is pending, and to questions about directories. Pure.
//!
//! Directory events are hints: none is replayed, each asks what its name is now.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashSet;

use super::completion::Settle;
use super::known_files::Kept;
use super::pending::{Incident, Pending};
use super::renames::Pairs;
use crate::event::{EventMask, Trigger};
use crate::sys::Wd;
use crate::time::MonoTime;
use crate::watch::backend::decode::RawEvent;
use crate::watch::paths::symlinks::Links;
use crate::watch::tree::{Name, Place, RootId, Tree};

/// How long a directory may be without a name before its watches end. The halves of a rename are
/// microseconds apart; a reader that was stopped in between needs longer.
pub(crate) const LIMBO: Duration = Duration::from_millis(200);

/// What tells of every name that comes and goes.
pub(crate) const COMINGS_AND_GOINGS: EventMask =
    EventMask::CREATE.union(EventMask::DELETE).union(EventMask::MOVE);

/// What keeping the tree takes, and what governs it, whatever the rules ask for.
pub(crate) const STRUCTURE: EventMask = COMINGS_AND_GOINGS
    .union(EventMask::DELETE_SELF)
    .union(EventMask::MOVE_SELF)
    .union(EventMask::CLOSE_WRITE);

/// The kernel's events behind a change.
pub(crate) const CHANGES: EventMask =
    COMINGS_AND_GOINGS.union(EventMask::CLOSE_WRITE).union(EventMask::MODIFY);

/// The kernel's events that what is asked for follows from. The names of files whose end is asked for are remembered:
/// how they come is to be known, too.
pub(crate) fn behind(asked: EventMask) -> EventMask {
    let mut events = asked;
    if asked.intersects(EventMask::CHANGE) {
        events |= CHANGES;
    }
    if asked.intersects(EventMask::REMOVAL) {
        events |= COMINGS_AND_GOINGS;
    }
    if asked.intersects(EventMask::RENAME) {
        events |= EventMask::MOVE;
    }
    events
}

/// Something the file system must be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Which directory, if any, is this name? `left` if the event says that it is gone: a directory that
    /// is there all the same has come since, and what was found in it must be found after the event.
    Name { parent: Wd, name: Name, left: bool },
    /// Where does the path of this root lead?
    Root(RootId),
}

/// Something that has become of a directory's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// A directory has come to be there.
    Arrived(Place),
    /// The one that was there is no longer; another may be.
    Left(Place),
}

/// What the watcher knows, as far as events alone can tell.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) tree: Tree,
    pub(crate) pending: Pending,
    pub(crate) settle: Settle,
    pub(crate) kept: Kept,
    pub(crate) links: Links,
    /// Whether symbolic links are followed.
    pub(crate) follows: bool,
    /// Names of directories that could not be watched for lack of permission.
    pub(crate) denied: HashSet<(Wd, Name)>,
    /// Whether the kernel has dropped events since the tree was last known to be right.
    pub(crate) lost: bool,
    /// Whether the tree is being looked at again after an overflow: its paths may be wrong until then.
    pub(crate) resyncing: bool,
    /// What was found out about directories since the queue was last seen empty: the events that tell of it
    /// follow, unless the kernel drops them.
    pub(crate) untold: Vec<Sight>,
    /// The kernel's events that some rule can be concerned by.
    pub(crate) interest: EventMask,
    /// Whether anyone asks when a file's content is complete.
    pub(crate) settles: bool,
    /// Whether anyone asks for the end of files, so that their names are kept.
    pub(crate) keeps: bool,
    pairs: Pairs,
}

impl State {
    /// `asked` is what the rules ask for, tripline's own events among it.
    pub(crate) fn new(asked: EventMask) -> Self {
        let mut state = Self::silent();
        state.ask(asked);
        state
    }

    /// Takes note of what the rules ask for from now on.
    pub(crate) fn ask(&mut self, asked: EventMask) {
        self.interest = behind(asked);
        self.settles = asked.intersects(EventMask::CHANGE);
        self.keeps = asked.intersects(EventMask::REMOVAL);
        if !self.keeps {
            self.kept = Kept::default();
        }
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
    pub(crate) fn mask(&self) -> EventMask {
        self.interest | STRUCTURE
    }

    /// Whether events may be missing between what the tree is and what they have told.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.lost || self.resyncing
    }

    /// Whether some rule asks for such an event.
    pub(crate) fn is_asked(&self, mask: EventMask) -> bool {
        self.interest.intersects(mask.without(EventMask::ISDIR))
    }

    /// Takes in one event, of which somebody is `told` or not, and answers what must be asked because of it.
    pub(crate) fn translate(&mut self, raw: &RawEvent<'_>, told: bool, now: MonoTime) -> Option<Question> {
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
        if raw.name.is_empty() { self.about_itself(raw, told) } else { self.about_entry(raw, told) }
    }

    fn about_itself(&mut self, raw: &RawEvent<'_>, told: bool) -> Option<Question> {
        let itself = EventMask::DELETE_SELF | EventMask::MOVE_SELF;
        if !raw.mask.intersects(itself) {
            return None;
        }
        self.note(raw, told);
        // The end of the watch follows a removal, and asks then.
        if !raw.mask.intersects(EventMask::MOVE_SELF) {
            return None;
        }
        self.tree.set_moved(raw.wd);
        self.tree.root_of(raw.wd).map(Question::Root)
    }

    fn about_entry(&mut self, raw: &RawEvent<'_>, told: bool) -> Option<Question> {
        self.note(raw, told);
        let left = raw.mask.intersects(EventMask::DELETE | EventMask::MOVED_FROM);
        let known =
            || self.tree.child(raw.wd, raw.name).is_some() || self.links.target(raw.wd, raw.name).is_some();
        let ask = if raw.mask.intersects(EventMask::ISDIR) {
            // Of the end of one whose watch has ended nothing is left to ask: who comes in its place has an event.
            let ended = left && !self.is_doubtful() && !known();
            (raw.mask.intersects(COMINGS_AND_GOINGS) && !ended)
                || self.denied.contains(&(raw.wd, raw.name.into()))
        } else {
            let may_be_link = self.follows && raw.mask.intersects(EventMask::CREATE | EventMask::MOVED_TO);
            raw.mask.intersects(COMINGS_AND_GOINGS) && (may_be_link || known())
        };
        ask.then(|| Question::Name { parent: raw.wd, name: raw.name.into(), left })
    }

    /// Of most events of a busy tree nobody is told: they cost no memory.
    fn note(&mut self, raw: &RawEvent<'_>, told: bool) {
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

    fn translate(state: &mut State, raw: &RawEvent<'_>) -> Option<Question> {
        state.translate(raw, state.is_asked(raw.mask), NOW)
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
            assert_eq!(translate(&mut state, &raw(1, mask | EventMask::ISDIR, "a")), ask(1, "a", left));
            let unknown = translate(&mut state, &raw(1, mask | EventMask::ISDIR, "x"));
            assert_eq!(unknown, if left { None } else { ask(1, "x", left) });
        }
        state.lost = true;
        let mask = EventMask::DELETE | EventMask::ISDIR;
        assert_eq!(translate(&mut state, &raw(1, mask, "x")), ask(1, "x", true));
        assert_eq!(translate(&mut state, &raw(1, EventMask::OPEN | EventMask::ISDIR, "x")), None);
    }

    #[test]
    fn a_file_where_a_directory_was_asks_too() {
        let mut state = state(EventMask::CHANGE);
        assert_eq!(translate(&mut state, &raw(1, EventMask::CREATE, "a")), ask(1, "a", false));
        assert_eq!(translate(&mut state, &raw(1, EventMask::CREATE, "b")), None);
    }

    #[test]
    fn what_no_rule_asks_for_is_not_kept() {
        let mut state = state(EventMask::ATTRIB);
        translate(&mut state, &raw(1, EventMask::CREATE, "f"));
        assert_eq!(state.pending.take().count(), 0);
        translate(&mut state, &raw(1, EventMask::ATTRIB, "f"));
        assert_eq!(state.pending.take().count(), 1);
    }

    #[test]
    fn whose_end_is_asked_for_is_known_from_its_beginning() {
        let mut state = state(EventMask::DELETE);
        translate(&mut state, &raw(1, EventMask::CREATE, "f"));
        translate(&mut state, &raw(1, EventMask::CLOSE_WRITE, "f"));
        assert_eq!(state.pending.take().count(), 1);
    }

    #[test]
    fn of_what_nobody_is_told_nothing_is_kept_but_halves_of_renames() {
        let mut state = state(EventMask::CHANGE);
        state.translate(&raw(1, EventMask::CREATE, "f"), false, NOW);
        state.translate(&raw(1, EventMask::MOVED_FROM, "f"), false, NOW);
        state.translate(&raw(1, EventMask::MOVED_TO, "g"), true, NOW);
        let pending: Vec<_> = state.pending.take().collect();
        assert_eq!(pending.len(), 1);
        assert_eq!(pending[0].from, Some((Wd(1), Name::from(&b"f"[..]))));
    }

    #[test]
    fn unknown_watches_are_silent_and_an_overflow_is_remembered() {
        let mut state = state(EventMask::CHANGE);
        assert_eq!(translate(&mut state, &raw(9, EventMask::CREATE | EventMask::ISDIR, "x")), None);
        assert_eq!(state.pending.take().count(), 0);
        translate(&mut state, &raw(-1, EventMask::Q_OVERFLOW, ""));
        assert!(state.lost);
    }

    #[test]
    fn the_end_of_the_roots_watch_asks_where_its_path_leads() {
        let mut state = state(EventMask::CHANGE);
        assert_eq!(translate(&mut state, &raw(1, EventMask::IGNORED, "")), Some(Question::Root(0)));
        assert!(!state.tree.contains(Wd(1)));
        assert!(state.tree.contains(Wd(2)), "the child waits in limbo");
    }
}
