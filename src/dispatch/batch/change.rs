//! What became of one path of a batch.

use super::content::Content;
use crate::event::{Event, EventMask, Subject, Trigger};

/// What is known of one path. A batch may hold hundreds of thousands: what few of them have is kept apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Everything that happened to it.
    pub(crate) mask: EventMask,
    /// What it was when last seen.
    pub(crate) subject: Subject,
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct More {
    from: Option<Vec<u8>>,
    cookie: u32,
    content: Option<Content>,
}

impl Change {
    /// What an event tells, and of which path.
    pub(crate) fn of(event: Event) -> (Vec<u8>, Self) {
        let Event { mask, path, subject, from, cookie, .. } = event;
        let more = More { from, cookie, content: None };
        (path, Self { mask, subject, more: (more != More::default()).then(|| more.into()) })
    }

    /// The same as an event.
    pub(crate) fn into_event(self, path: Vec<u8>, trigger: Trigger) -> Event {
        let Self { mask, subject, more } = self;
        let More { from, cookie, .. } = more.map(|more| *more).unwrap_or_default();
        Event { mask, path, subject, from, cookie, trigger }
    }

    /// Takes in what became of it later.
    pub(crate) fn absorb(&mut self, later: Self) {
        self.mask |= later.mask;
        self.subject = later.subject;
        self.set_content(later.content());
        let Some(later) = later.more else { return };
        let known = self.more.get_or_insert_default();
        known.from = later.from.or_else(|| known.from.take());
        if later.cookie != 0 {
            known.cookie = later.cookie;
        }
    }

    /// Its old path, where a rename brought it.
    pub(crate) fn from(&self) -> Option<&[u8]> {
        self.more.as_ref()?.from.as_deref()
    }

    /// The label of that rename; 0 if there was none.
    pub(crate) fn cookie(&self) -> u32 {
        self.more.as_ref().map_or(0, |more| more.cookie)
    }

    /// What it holds, where that was asked.
    pub(crate) fn content(&self) -> Option<Content> {
        self.more.as_ref()?.content
    }

    /// Takes note of what it holds.
    pub(crate) fn set_content(&mut self, content: Option<Content>) {
        if content.is_some() || self.more.is_some() {
            self.more.get_or_insert_default().content = content;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_path_takes_little_room() {
        assert!(size_of::<Change>() <= 16);
    }

    #[test]
    fn a_path_gathers_its_events_and_keeps_its_old_name() {
        let (mask, subject, trigger) = (EventMask::MOVED_TO, Subject::File, Trigger::Event);
        let from = Some(b"old".to_vec());
        let moved = Event { mask, path: b"a".to_vec(), subject, from, cookie: 7, trigger };
        let gone =
            Event { mask: EventMask::DELETE, subject: Subject::Gone, from: None, cookie: 0, ..moved.clone() };
        let (path, mut change) = Change::of(moved);
        change.absorb(Change::of(gone).1);
        assert_eq!((change.from(), change.cookie()), (Some(&b"old"[..]), 7));
        let event = change.into_event(path, trigger);
        assert_eq!((event.mask, event.subject), (EventMask::MOVED_TO | EventMask::DELETE, Subject::Gone));
        assert_eq!((event.path, event.from), (b"a".to_vec(), Some(b"old".to_vec())));
    }

    #[test]
    fn what_it_holds_is_what_was_asked_last() {
        let event = Event {
            mask: EventMask::CREATE,
            path: b"a".to_vec(),
            subject: Subject::File,
            from: None,
            cookie: 0,
            trigger: Trigger::Event,
        };
        let (_, mut change) = Change::of(event.clone());
        let read = Content::Hash(1);
        change.set_content(Some(read));
        assert_eq!(change.content(), Some(read));
        change.absorb(Change::of(event).1);
        assert_eq!(change.content(), None);
    }
}
