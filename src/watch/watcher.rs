//! The watcher's thread: it drains inotify, keeps the tree and hands events over. It waits for nobody but
//! the file system.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::Notice;
use super::backend::Linux;
use super::channel::{Handoff, Load, Message, Request};
use super::crawl::failures::with_way_out;
use super::observer::{Next, Observer};
use super::paths::mounts::{Mounts, concerning};
use crate::event::{Scope, as_path};
use crate::sys::{Dir, Epoll, Inotify, MountInfo, Ready, block_all};
use crate::time::{Clock, MonoTime};

const INOTIFY: u64 = 0;
const HANDOFF: u64 = 1;
const MOUNTS: u64 = 2;

/// Why nothing can be watched.
#[derive(Debug)]
pub enum WatchError {
    /// This user has as many inotify instances as it may.
    Instances {
        /// The name of the limit, and how many it allows.
        limit: Option<(&'static str, u64)>,
    },
    /// inotify cannot be used for another reason, such as too many open files.
    Inotify(io::Error),
    /// Anything else that keeps the thread from starting.
    Start(io::Error),
}

impl WatchError {
    /// `EMFILE` stands for two limits (inotify_init(2)): if any other file can be opened, it is not the process's.
    fn instances(error: io::Error) -> Self {
        if error.raw_os_error() == Some(libc::EMFILE) && Dir::open(b"/").is_ok() {
            Self::Instances { limit: Inotify::instance_limit() }
        } else {
            Self::Inotify(error)
        }
    }
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instances { limit } => {
                let (name, limit) = limit.unwrap_or(("fs.inotify.max_user_instances", 128));
                let more = (2 * limit).clamp(512, u64::from(u32::MAX / 2));
                write!(
                    f,
                    "this user has as many inotify instances as it may, {limit}; end other watchers, or raise the \
                     limit with: sysctl {name}={more}"
                )
            }
            Self::Inotify(error) => write!(f, "cannot use inotify: {}", with_way_out(error)),
            Self::Start(error) => write!(f, "cannot start the watcher: {}", with_way_out(error)),
        }
    }
}

impl std::error::Error for WatchError {}

/// A running watcher. It ends when this is dropped.
#[derive(Debug)]
pub struct Watcher {
    handoff: Arc<Handoff>,
}

impl Watcher {
    /// Starts watching what `scope` wants. [`Notice::Ready`] comes once every watch is in place.
    ///
    /// # Errors
    /// [`WatchError`], where not even an empty tree could be watched.
    pub fn start(scope: Arc<dyn Scope>) -> Result<Self, WatchError> {
        let inotify = Inotify::new().map_err(WatchError::instances)?;
        let handoff = Arc::new(Handoff::new().map_err(WatchError::Start)?);
        let epoll = Epoll::new().map_err(WatchError::Start)?;
        epoll.add_readable(inotify.as_fd(), INOTIFY).map_err(WatchError::Start)?;
        epoll.add_readable(handoff.drained(), HANDOFF).map_err(WatchError::Start)?;
        let observer = Observer::new(Linux::new(inotify), scope);
        let theirs = Arc::clone(&handoff);
        let run = move || {
            let _farewell = Farewell(&theirs);
            run(observer, &epoll, &theirs);
        };
        thread::Builder::new().name("watcher".to_owned()).spawn(run).map_err(WatchError::Start)?;
        Ok(Self { handoff })
    }

    /// Has the watcher look through a directory again, because the scope's answers below it have changed.
    /// What is there already is no event.
    pub fn look_again(&self, dir: Vec<u8>) {
        self.handoff.ask(Request::LookAgain(dir));
    }

    /// Has the watcher follow another scope from now on. Where both want the same, nothing is missed; what is
    /// there already is no event. [`Notice::Ready`] comes again once every watch is in place. Whether everything
    /// is polled stays as it was.
    pub fn rescope(&self, scope: Arc<dyn Scope>) {
        self.handoff.ask(Request::Rescope(scope));
    }

    /// How much it watches, and how much waits to be taken.
    #[must_use]
    pub fn load(&self) -> Load {
        self.handoff.load()
    }

    /// Takes every message there is, in order.
    #[must_use]
    pub fn take(&self) -> Vec<Message> {
        self.handoff.take()
    }
}

impl AsFd for Watcher {
    /// Readable while there are messages.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handoff.filled()
    }
}

impl Drop for Watcher {
    /// Does not wait: the thread may be inside a directory read that hangs.
    fn drop(&mut self) {
        self.handoff.close();
    }
}

/// Tells the dispatcher that the thread has ended, in whatever way, so that nobody waits for it for ever.
struct Farewell<'a>(&'a Handoff);

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        let reason = "its thread has ended".to_owned();
        self.0.give(&mut vec![Notice::Failed { reason }], &mut Vec::new());
    }
}

fn run(mut observer: Observer<Linux>, epoll: &Epoll, handoff: &Handoff) {
    block_all();
    observer.kernel.roam();
    let clock = Clock::start();
    let (mut events, mut ready) = (Vec::new(), Vec::new());
    let mut mounts = MountTable::open(&observer, epoll);
    observer.start(clock.now());
    let mut called = true;
    loop {
        if called {
            let Some(asked) = handoff.asked() else { return };
            for request in asked {
                match request {
                    Request::LookAgain(dir) => observer.look_again(&dir),
                    Request::Rescope(scope) => {
                        observer.rescope(scope, clock.now());
                        mounts.known = mounts.read(&observer).unwrap_or_default();
                    }
                }
            }
        }
        let next = observer.turn(clock.now(), handoff.has_room(), &mut events);
        handoff.give(&mut observer.notices, &mut events);
        observer.kernel.go_home();
        handoff.note_watches(observer.state.tree.len());
        let failed = match next {
            Ok(Next::Rest(until)) => {
                thread::sleep(until.since(clock.now()));
                called = true;
                continue;
            }
            Ok(next) => epoll.wait(timeout(next, &clock), &mut ready).err(),
            Err(error) => Some(error),
        };
        if let Some(error) = failed {
            let reason = format!("cannot read what the kernel reports: {error}");
            handoff.give(&mut vec![Notice::Failed { reason }], &mut Vec::new());
            return;
        }
        called = ready.contains(&Ready { token: HANDOFF });
        if ready.contains(&Ready { token: MOUNTS }) {
            mounts.follow(&mut observer, clock.now());
        }
    }
}

/// The mounts that concern the roots, as they were last seen. Without `/proc` none are known, and a mount over
/// a watched directory goes unseen.
struct MountTable {
    info: Option<MountInfo>,
    known: Mounts,
}

impl MountTable {
    fn open(observer: &Observer<Linux>, epoll: &Epoll) -> Self {
        let info = MountInfo::open().ok().filter(|info| epoll.add_priority(info.as_fd(), MOUNTS).is_ok());
        let mut table = Self { info, known: Mounts::new() };
        table.known = table.read(observer).unwrap_or_default();
        table
    }

    fn read(&mut self, observer: &Observer<Linux>) -> Option<Mounts> {
        Some(concerning(&self.info.as_mut()?.read().ok()?, &root_paths(observer)))
    }

    /// Has the observer look again if what changed concerns it.
    fn follow(&mut self, observer: &mut Observer<Linux>, now: MonoTime) {
        let Some(mounts) = self.read(observer) else { return };
        if mounts != self.known {
            self.known = mounts;
            observer.remounted(now);
        }
    }
}

/// The roots' paths, as they were given and as they lead through symbolic links now.
fn root_paths(observer: &Observer<Linux>) -> Vec<Vec<u8>> {
    let given = observer.roots.iter().map(|root| root.path.clone());
    let led = observer.roots.iter().filter_map(|root| std::fs::canonicalize(as_path(&root.path)).ok());
    given.chain(led.map(|path| path.into_os_string().into_vec())).collect()
}

fn timeout(next: Next, clock: &Clock) -> Option<Duration> {
    match next {
        Next::Busy => Some(Duration::ZERO),
        Next::Rest(at) => Some(at.since(clock.now())),
        Next::Idle(deadline) => deadline.map(|at| at.since(clock.now())),
    }
}
