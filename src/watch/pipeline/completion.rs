//! Files that changed in a way that may or may not end in a `CLOSE_WRITE`. Pure.
//!
//! A hard link, an `O_TMPFILE` linked in, a mknod(2) and a truncate(2) never do; a file that was opened
//! for writing always does. Only the kernel knows which it is, and not at the very instant: between
//! `CREATE` and the moment the writer counts as one lies a gap of microseconds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use crate::sys::Wd;
use crate::time::MonoTime;
use crate::watch::tree::Name;

/// Long enough for an open(2) under way to be counted, on a busy machine too; short beside a debounce.
const WAIT: Duration = Duration::from_millis(20);

/// The files to ask about, and when.
#[derive(Debug, Default)]
pub(crate) struct Settle {
    files: HashMap<(Wd, Name), MonoTime>,
    order: BTreeSet<(MonoTime, Wd, Name)>,
}

impl Settle {
    /// Asks about the file in a while.
    pub(crate) fn note(&mut self, wd: Wd, name: &Name, now: MonoTime) {
        self.forget(wd, name);
        let at = now + WAIT;
        self.files.insert((wd, Arc::clone(name)), at);
        self.order.insert((at, wd, Arc::clone(name)));
    }

    /// The question has answered itself.
    pub(crate) fn forget(&mut self, wd: Wd, name: &Name) {
        if !self.files.is_empty()
            && let Some(at) = self.files.remove(&(wd, Arc::clone(name)))
        {
            self.order.remove(&(at, wd, Arc::clone(name)));
        }
    }

    /// The files to ask about now, each once.
    pub(crate) fn due(&mut self, now: MonoTime) -> Vec<(Wd, Name)> {
        let mut due = Vec::new();
        while self.deadline().is_some_and(|at| at <= now) {
            let Some((_, wd, name)) = self.order.pop_first() else { break };
            self.files.remove(&(wd, Arc::clone(&name)));
            due.push((wd, name));
        }
        due
    }

    /// When the next is to be asked about.
    pub(crate) fn deadline(&self) -> Option<MonoTime> {
        self.order.first().map(|(at, _, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> MonoTime {
        MonoTime::from_origin(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_file_is_asked_about_once_after_its_last_change() {
        let (mut settle, name) = (Settle::default(), Name::from(&b"a"[..]));
        settle.note(Wd(1), &name, at(0));
        settle.note(Wd(1), &name, at(15));
        assert_eq!(settle.deadline(), Some(at(35)));
        assert!(settle.due(at(34)).is_empty());
        assert_eq!(settle.due(at(35)), [(Wd(1), name)]);
        assert_eq!(settle.deadline(), None);
    }

    #[test]
    fn a_file_that_was_closed_is_not_asked_about() {
        let (mut settle, name) = (Settle::default(), Name::from(&b"a"[..]));
        settle.note(Wd(1), &name, at(0));
        settle.forget(Wd(1), &name);
        assert_eq!(settle.deadline(), None);
        assert!(settle.due(at(100)).is_empty());
    }
}
