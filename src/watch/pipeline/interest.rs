//! What somebody is told of, as far as its name tells: the first test of an event, and the last before it is
//! handed over.

use super::pending::Incident;
use super::translate::{CHANGES, behind};
use crate::event::{Event, EventMask, Scope, Trigger};
use crate::watch::backend::Kernel;
use crate::watch::backend::decode::RawEvent;
use crate::watch::observer::Observer;

/// What is asked of the last name. The events of a file mostly come one after the other: made, written, closed.
#[derive(Debug, Default)]
pub(crate) struct LastAsked {
    name: Vec<u8>,
    is_dir: bool,
    /// None before the first name.
    asked: Option<EventMask>,
}

impl LastAsked {
    fn of(&mut self, name: &[u8], is_dir: bool, scope: &dyn Scope) -> EventMask {
        match self.asked {
            Some(asked) if self.is_dir == is_dir && self.name == name => asked,
            _ => {
                self.name.clear();
                self.name.extend_from_slice(name);
                self.is_dir = is_dir;
                *self.asked.insert(scope.events_wanted(name, is_dir))
            }
        }
    }
}

impl<K: Kernel> Observer<K> {
    /// Whether somebody may be concerned by an event of the kernel.
    pub(crate) fn is_told(&mut self, raw: &RawEvent<'_>) -> bool {
        let is_asked = self.state.is_asked(raw.mask)
            && (is_for_whoever(raw.name, raw.mask)
                || behind(self.events_wanted(raw.name, raw.mask)).intersects(raw.mask));
        is_asked || (raw.mask.intersects(CHANGES) && self.scope.affects_scope(raw.name))
    }

    /// Whether somebody asks for the event, now that all is known of it: that a file is being written is mostly told for
    /// the sake of its end.
    pub(crate) fn is_news(&mut self, incident: &Incident, event: &Event) -> bool {
        let asked = self.events_wanted(&incident.name, event.mask);
        is_for_whoever(&incident.name, event.mask)
            || asked.intersects(event.mask)
            || (event.trigger != Trigger::Event
                && !(event.mask.intersects(EventMask::ISDIR) && asked.is_empty()))
            || self.scope.affects_scope(&incident.name)
    }

    fn events_wanted(&mut self, name: &[u8], mask: EventMask) -> EventMask {
        self.last_asked.of(name, mask.intersects(EventMask::ISDIR), &*self.scope)
    }
}

/// Whether an event may matter to rules that ask nothing of the name: half a rename does to who asks for the other
/// half, and who asks for files is concerned by a directory that takes them along.
fn is_for_whoever(name: &[u8], mask: EventMask) -> bool {
    name.is_empty() || mask.intersects(EventMask::MOVE)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// Asks for the making of directories, and for what files are called.
    #[derive(Debug)]
    struct ByName;

    impl Scope for ByName {
        fn roots(&self) -> &[PathBuf] {
            &[]
        }
        fn wants_dir(&self, _: &[u8]) -> bool {
            true
        }
        fn wants_file(&self, _: &[u8]) -> bool {
            true
        }
        fn remembers(&self, _: &[u8]) -> bool {
            true
        }
        fn mask(&self) -> EventMask {
            EventMask::ALL
        }
        fn events_wanted(&self, name: &[u8], is_dir: bool) -> EventMask {
            match name {
                _ if is_dir => EventMask::CREATE,
                b"a" => EventMask::DELETE,
                _ => EventMask::MODIFY,
            }
        }
    }

    #[test]
    fn each_name_is_asked_for_what_is_its_own() {
        let mut last = LastAsked::default();
        let (create, delete, modify) = (EventMask::CREATE, EventMask::DELETE, EventMask::MODIFY);
        for (name, is_dir, asked) in [
            ("", false, modify),
            ("a", false, delete),
            ("a", false, delete),
            ("a", true, create),
            ("a", false, delete),
            ("ab", false, modify),
        ] {
            assert_eq!(last.of(name.as_bytes(), is_dir, &ByName), asked, "{name} {is_dir}");
        }
    }
}
