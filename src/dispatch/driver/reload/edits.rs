//! When rules files that somebody edits are to be read again. Pure.

use std::collections::HashSet;
use std::time::Duration;

use crate::dispatch::batch::debounce::Debounce;
use crate::event::{Event, EventMask};
use crate::time::MonoTime;

/// How long all must be quiet: a save takes several steps, and one of all files takes several saves.
const QUIET: Duration = Duration::from_millis(100);
/// The longest wait, however many saves follow.
const LATEST: Duration = Duration::from_secs(2);
/// How long a file that is being written holds up what was saved beside it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a file that has become empty may take to be filled.
const EMPTY: Duration = Duration::from_secs(1);

/// What has been saved since the files were last read.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    saved: Option<(Debounce, MonoTime)>,
    /// Files that are written and not complete yet.
    open: HashSet<Vec<u8>>,
}

impl Edits {
    /// Something happened to one of the files.
    pub(crate) fn note(&mut self, event: &Event, now: MonoTime) {
        if event.mask.intersects(EventMask::CHANGE) {
            self.open.remove(&event.path);
            self.ask(now);
        } else {
            self.open.insert(event.path.clone());
        }
    }

    /// The files are to be read in any case.
    pub(crate) fn ask(&mut self, now: MonoTime) {
        let start = || (Debounce::start(QUIET, LATEST, now), now + PATIENCE);
        self.saved.get_or_insert_with(start).0.note(now);
    }

    /// What was read was empty: that is looked at once more.
    pub(crate) fn postpone(&mut self, now: MonoTime) {
        self.saved = Some((Debounce::start(EMPTY, EMPTY, now), now + PATIENCE));
    }

    /// When to read.
    pub(crate) fn due(&self) -> Option<MonoTime> {
        let (debounce, latest) = self.saved.as_ref()?;
        Some(if self.open.is_empty() { debounce.due() } else { *latest })
    }

    /// Whether it is time to read; if so, all that is known is done with.
    pub(crate) fn take(&mut self, now: MonoTime) -> bool {
        let due = self.due().is_some_and(|due| due <= now);
        if due {
            *self = Self::default();
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Subject, Trigger};

    fn at(ms: u64) -> MonoTime {
        MonoTime::from_origin(Duration::from_millis(ms))
    }

    fn event(path: &str, mask: EventMask) -> Event {
        let (subject, trigger) = (Subject::File, Trigger::Event);
        Event { mask, path: path.into(), subject, from: None, cookie: 0, trigger }
    }

    fn saved(path: &str) -> Event {
        event(path, EventMask::CLOSE_WRITE | EventMask::CHANGE)
    }

    #[test]
    fn several_saves_are_read_once_when_all_is_quiet() {
        let mut edits = Edits::default();
        assert_eq!(edits.due(), None);
        edits.note(&saved("a"), at(0));
        edits.note(&saved("b"), at(60));
        assert_eq!(edits.due(), Some(at(160)));
        assert!(!edits.take(at(159)));
        assert!(edits.take(at(160)));
        assert_eq!(edits.due(), None);
    }

    #[test]
    fn a_file_that_is_being_written_is_waited_for() {
        let mut edits = Edits::default();
        edits.note(&event("a", EventMask::MODIFY), at(0));
        assert_eq!(edits.due(), None, "it alone is nothing to read");
        edits.note(&saved("b"), at(50));
        assert_eq!(edits.due(), Some(at(10_050)), "for ever it is not waited for");
        edits.note(&saved("a"), at(1_000));
        assert_eq!(edits.due(), Some(at(1_100)));
    }

    #[test]
    fn what_was_empty_is_looked_at_again_unless_it_is_saved_before() {
        let mut edits = Edits::default();
        edits.postpone(at(0));
        assert_eq!(edits.due(), Some(at(1_000)));
        edits.note(&saved("a"), at(200));
        assert_eq!(edits.due(), Some(at(1_000)));
        assert!(edits.take(at(1_000)));
    }
}
