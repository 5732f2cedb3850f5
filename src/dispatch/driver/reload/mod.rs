//! Reading the rules again when their files have changed: a thread of its own, so that a slow file system holds
//! up no run.

pub(super) mod apply;
pub(super) mod edits;

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use self::edits::Edits;
use super::{Remember, RunError};
use crate::rules::{Diagnostics, Loaded, Reread, Sources};
use crate::sys::{Epoll, Wake, block_all};
use crate::time::{Clock, MonoTime};
use crate::watch::{Message, Notice, Watcher};

const ASKED: u64 = 0;
const WATCHER: u64 = 1;

/// Reads rules again, to be compiled unless they say the same as what is known.
type Read = Box<dyn FnMut(Option<&Sources>) -> Reread + Send>;

/// Where rules come from.
pub struct Origin {
    /// Reads them again.
    pub read: Read,
    /// What was read when they were first read.
    pub sources: Sources,
    /// Takes what is remembered of their runs.
    pub remember: Remember,
}

/// What came of reading rules again.
type Outcome = Result<Loaded, Diagnostics>;

#[derive(Debug, Default)]
struct State {
    /// The last outcome that was not taken.
    outcome: Option<Outcome>,
    /// Whether the files are watched.
    watching: bool,
    asked: bool,
    closed: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    filled: Wake,
    asked: Wake,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread, seen from outside. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Reloader {
    shared: Arc<Shared>,
}

impl Reloader {
    /// Begins to watch the files. A change since they were read is noticed, too.
    pub(super) fn start(read: Read, sources: Sources) -> Result<Self, RunError> {
        let state = Mutex::default();
        let shared = Arc::new(Shared { state, filled: Wake::new()?, asked: Wake::new()? });
        let watcher = Watcher::start(Arc::new(sources.clone())).map_err(RunError::Watch)?;
        let epoll = Epoll::new()?;
        epoll.add_readable(shared.asked.as_fd(), ASKED)?;
        epoll.add_readable(watcher.as_fd(), WATCHER)?;
        let (edits, theirs) = (Edits::default(), Arc::clone(&shared));
        let (asked, patient) = (false, false);
        let reader = Reader { read, sources, watcher, edits, asked, patient, shared: theirs };
        thread::Builder::new().name("reload".to_owned()).spawn(move || reader.run(&epoll))?;
        Ok(Self { shared })
    }

    /// Has the rules read again, whether or not anything has changed.
    pub(super) fn ask(&self) {
        self.shared.lock().asked = true;
        self.shared.asked.set();
    }

    /// Whether the files are watched yet.
    pub(super) fn is_watching(&self) -> bool {
        self.shared.lock().watching
    }

    /// What came of it, if there is something new.
    pub(super) fn take(&self) -> Option<Outcome> {
        self.shared.filled.clear();
        self.shared.lock().outcome.take()
    }
}

impl AsFd for Reloader {
    /// Readable when there is something to take, and when the files are watched.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.filled.as_fd()
    }
}

impl Drop for Reloader {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.asked.set();
    }
}

/// The thread, seen from inside.
struct Reader {
    read: Read,
    sources: Sources,
    watcher: Watcher,
    edits: Edits,
    /// Whether somebody wants to be told in any case.
    asked: bool,
    /// Whether a file that has become empty was waited for.
    patient: bool,
    shared: Arc<Shared>,
}

impl Reader {
    fn run(mut self, epoll: &Epoll) {
        block_all();
        let clock = Clock::start();
        let mut ready = Vec::new();
        while self.listen(clock.now()) {
            if self.edits.take(clock.now()) {
                self.read(clock.now());
            }
            let timeout = self.edits.due().map(|at| at.since(clock.now()));
            if let Err(error) = epoll.wait(timeout, &mut ready) {
                return give_up(&error);
            }
        }
    }

    /// Takes in what has happened; answers whether to go on.
    fn listen(&mut self, now: MonoTime) -> bool {
        self.shared.asked.clear();
        let mut state = self.shared.lock();
        if state.closed {
            return false;
        }
        if std::mem::take(&mut state.asked) {
            self.asked = true;
            self.edits.ask(now);
        }
        drop(state);
        for message in self.watcher.take() {
            match message {
                Message::Event(event) if self.sources.concern(&event) => self.edits.note(&event, now),
                Message::Notice(Notice::Ready { .. }) => {
                    // They may have changed before they were watched.
                    self.edits.ask(now);
                    self.shared.lock().watching = true;
                    self.shared.filled.set();
                }
                Message::Notice(Notice::Failed { reason }) => {
                    give_up(&reason);
                    return false;
                }
                Message::Event(_) | Message::Notice(_) => {}
            }
        }
        true
    }

    fn read(&mut self, now: MonoTime) {
        let Reread { loaded, sources } = (self.read)((!self.asked).then_some(&self.sources));
        if !self.asked && sources.are_emptied(&self.sources) && !std::mem::replace(&mut self.patient, true) {
            return self.edits.postpone(now);
        }
        self.patient = false;
        if !sources.lie_where(&self.sources) {
            self.watcher.rescope(Arc::new(sources.clone()));
        }
        self.sources = sources;
        if let Some(loaded) = loaded {
            self.asked = false;
            self.shared.lock().outcome = Some(loaded);
            self.shared.filled.set();
        }
    }
}

fn give_up(reason: &dyn std::fmt::Display) {
    tracing::error!("rules files are no longer watched: {reason}");
}
