//! From the watcher's thread to the dispatcher's, bounded, without loss: while nobody takes what is
//! here, the watcher keeps the rest, where it merges.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Notice;
use crate::event::{Event, Scope};
use crate::sys::Wake;

/// Events that may wait here; a few hundred bytes each, so some tens of megabytes at the worst.
const CAPACITY: usize = 65_536;

/// What the watcher has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Something happened to a path.
    Event(Event),
    /// Something happened to the watcher.
    Notice(Notice),
}

/// How much there is of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Directories that are watched.
    pub watches: usize,
    /// Messages that wait to be taken.
    pub waiting: usize,
}

/// What the watcher is asked to do.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// Look through a directory again.
    LookAgain(Vec<u8>),
    /// Follow another scope.
    Rescope(Arc<dyn Scope>),
}

#[derive(Debug, Default)]
struct Queue {
    messages: Vec<Message>,
    /// The watcher waits for room.
    starved: bool,
    asked: Vec<Request>,
    closed: bool,
}

/// The place where both threads meet.
#[derive(Debug)]
pub(super) struct Handoff {
    queue: Mutex<Queue>,
    /// Directories that are watched.
    watches: AtomicUsize,
    /// Set for the dispatcher: there are messages.
    filled: Wake,
    /// Set for the watcher: there is room again, it is asked something, or it is to end.
    drained: Wake,
}

impl Handoff {
    pub(super) fn new() -> io::Result<Self> {
        let watches = AtomicUsize::new(0);
        Ok(Self { queue: Mutex::default(), watches, filled: Wake::new()?, drained: Wake::new()? })
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic elsewhere leaves a list of messages as good as it was.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether more may be given. If not, [`drained`](Self::drained) will tell when.
    pub(super) fn has_room(&self) -> bool {
        let mut queue = self.lock();
        queue.starved = queue.messages.len() >= CAPACITY;
        !queue.starved
    }

    /// Hands messages over, notices first.
    pub(super) fn give(&self, notices: &mut Vec<Notice>, events: &mut Vec<Event>) {
        if notices.is_empty() && events.is_empty() {
            return;
        }
        let mut queue = self.lock();
        queue.messages.extend(notices.drain(..).map(Message::Notice));
        queue.messages.extend(events.drain(..).map(Message::Event));
        drop(queue);
        self.filled.set();
    }

    /// Says how many directories are watched now.
    pub(super) fn note_watches(&self, watches: usize) {
        // Nothing else is to be seen in any order with it.
        self.watches.store(watches, Ordering::Relaxed);
    }

    pub(super) fn load(&self) -> Load {
        Load { watches: self.watches.load(Ordering::Relaxed), waiting: self.lock().messages.len() }
    }

    /// Takes all that is here.
    pub(super) fn take(&self) -> Vec<Message> {
        self.filled.clear();
        let mut queue = self.lock();
        let messages = std::mem::take(&mut queue.messages);
        if std::mem::take(&mut queue.starved) {
            self.drained.set();
        }
        messages
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.drained.set();
    }

    pub(super) fn ask(&self, request: Request) {
        self.lock().asked.push(request);
        self.drained.set();
    }

    /// Acknowledges [`drained`](Self::drained); answers what the watcher is asked, none if it is to end.
    pub(super) fn asked(&self) -> Option<Vec<Request>> {
        self.drained.clear();
        let mut queue = self.lock();
        if queue.closed { None } else { Some(std::mem::take(&mut queue.asked)) }
    }

    pub(super) fn filled(&self) -> BorrowedFd<'_> {
        self.filled.as_fd()
    }

    pub(super) fn drained(&self) -> BorrowedFd<'_> {
        self.drained.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventMask, Subject, Trigger};

    #[test]
    fn a_full_hand_over_refuses_and_says_when_there_is_room() {
        let handoff = Handoff::new().unwrap();
        let (mask, subject, trigger) = (EventMask::CREATE, Subject::File, Trigger::Event);
        let event = Event { mask, path: b"/a".to_vec(), subject, from: None, cookie: 0, trigger };
        assert!(handoff.has_room());
        handoff.give(&mut Vec::new(), &mut vec![event; CAPACITY]);
        assert!(!handoff.has_room());
        assert_eq!(handoff.take().len(), CAPACITY);
        assert!(handoff.has_room());
        handoff.ask(Request::LookAgain(b"/w".to_vec()));
        let asked = handoff.asked().unwrap();
        assert!(matches!(&asked[..], [Request::LookAgain(dir)] if dir == b"/w"));
        handoff.close();
        assert!(handoff.asked().is_none());
    }
}
