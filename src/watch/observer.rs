//! The watcher without its thread: what it knows, and the kernel it asks. One turn reads what is queued,
//! looks where something changed, and answers events under today's paths.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use super::Notice;
use super::backend::Kernel;
use super::backend::decode::{RawEvent, decode};
use super::crawl::failures::Trouble;
use super::crawl::retry::Retry;
use super::crawl::{Frame, Purpose, isdir};
use super::paths::ancestors::Ways;
use super::paths::roots::Root;
use super::pipeline::interest::LastAsked;
use super::pipeline::pending::Pending;
use super::pipeline::storm::Pace;
use super::pipeline::translate::{LIMBO, Question, Sight, State};
use super::poll::snapshot::Polls;
use super::tree::path::Route;
use super::tree::{Name, Place, RootId};
use crate::event::{Event, EventMask, Scope, Subject, Trigger};
use crate::sys::Wd;
use crate::time::{FileTime, MonoTime};

/// Holds hundreds of events; one with a 255-byte name takes 272 bytes.
const BUFFER: usize = 256 * 1024;
/// Reads before the crawl and the hand-over get their turn.
const READS: usize = 8;
/// The longest that events wait for a crawl that would tell more about them.
const HOLD: Duration = Duration::from_millis(50);
/// The longest that a loss waits for an empty queue, and that events wait for the tree to be right after one: a writer
/// that never rests would keep them for ever.
const OVERLOAD: Duration = Duration::from_secs(1);
/// Before the tree is crawled again after an overflow during a crawl; doubled up to a second.
const RESYNC_BACKOFF: Duration = Duration::from_millis(20);

/// What a turn leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// More, at once.
    Busy,
    /// Nothing until the kernel reports something, or until this moment.
    Idle(Option<MonoTime>),
    /// Nothing until this moment, although the kernel reports something.
    Rest(MonoTime),
}

pub(super) struct Observer<K: Kernel> {
    pub(super) kernel: K,
    pub(super) scope: Arc<dyn Scope>,
    /// The scope that was followed before, while its successor's directories are looked through.
    pub(super) before: Option<Arc<dyn Scope>>,
    /// Whether everything is polled: settled at the start.
    pub(super) polls_all: bool,
    pub(super) state: State,
    pub(super) last_asked: LastAsked,
    pub(super) roots: Vec<Root>,
    /// What is watched on the ways to the roots.
    pub(super) ways: Ways,
    /// Directories to look through, the last first.
    pub(super) crawl: Vec<Frame<K::Dir>>,
    /// Directories to look through again, because looking failed.
    pub(super) retries: BTreeMap<Wd, Retry>,
    pub(super) notices: Vec<Notice>,
    /// Directories that inotify does not watch.
    pub(super) polls: Polls,
    pub(super) limit_reported: bool,
    pub(super) trouble: Trouble,
    buffer: Vec<u8>,
    pub(super) ready: bool,
    /// What has left the tree without an event, as events.
    pub(super) ended: Vec<Event>,
    pub(super) overflows: usize,
    /// The file clock when the queue was last seen empty with nothing lost.
    sound: FileTime,
    resync_after: MonoTime,
    resync_wait: Duration,
    held_since: Option<MonoTime>,
    /// Since when the queue has never been seen empty.
    busy_since: Option<MonoTime>,
    pace: Pace,
    /// Events taken in by this turn.
    taken: usize,
}

impl<K: Kernel> Observer<K> {
    /// Knows nothing yet; [`start`](Self::start) comes first.
    pub(super) fn new(kernel: K, scope: Arc<dyn Scope>) -> Self {
        let roots = scope.roots().iter().map(|path| Root::new(path.as_os_str().as_bytes())).collect();
        let (mut state, sound) = (State::new(scope.mask()), kernel.file_clock());
        state.follows = scope.extent().follow_symlinks;
        let queue = kernel.queue_limit();
        let polls_all = scope.polling().always;
        Self {
            kernel,
            scope,
            before: None,
            polls_all,
            state,
            last_asked: LastAsked::default(),
            roots,
            ways: Ways::default(),
            crawl: Vec::new(),
            retries: BTreeMap::new(),
            notices: Vec::new(),
            polls: Polls::default(),
            limit_reported: false,
            trouble: Trouble::default(),
            buffer: vec![0; BUFFER],
            ready: false,
            ended: Vec::new(),
            overflows: 0,
            sound,
            resync_after: MonoTime::default(),
            resync_wait: RESYNC_BACKOFF,
            held_since: None,
            busy_since: None,
            pace: Pace::new(queue),
            taken: 0,
        }
    }

    /// Watches the roots and begins the first crawl.
    pub(super) fn start(&mut self, now: MonoTime) {
        for root in 0..self.roots.len() {
            self.resolve(root, Purpose::Initial, now);
        }
    }

    /// Follows every root's path and looks through its tree again, because mounts have changed: what was not
    /// known there before has arrived.
    pub(super) fn remounted(&mut self, now: MonoTime) {
        for root in 0..self.roots.len() {
            self.resolve(root, Purpose::arrived(), now);
            self.crawl
                .extend(self.state.tree.root(root).map(|wd| Frame::deep(wd, Purpose::Unfinished, None)));
        }
    }

    /// Reads, looks, and appends the events that are ready to `out`. With `room` false nothing is
    /// appended and pending events go on merging.
    ///
    /// # Errors
    /// The inotify descriptor cannot be read any more.
    pub(super) fn turn(&mut self, now: MonoTime, room: bool, out: &mut Vec<Event>) -> io::Result<Next> {
        let drained = match self.read(now) {
            Ok(drained) => drained,
            Err(error) => return self.read_failed(error, now),
        };
        self.read_succeeded();
        self.busy_since = if drained { None } else { self.busy_since.or(Some(now)) };
        let overloaded = self.busy_since.is_some_and(|since| now.since(since) >= OVERLOAD);
        if drained || overloaded {
            self.resync(drained, now);
            self.retry(now);
            self.retry_ways(now);
            self.poll(now);
        }
        let crawling = self.crawl(now);
        if overloaded && !crawling && !self.state.lost {
            self.state.resyncing = false;
            self.announce_ready();
        }
        // What a crawl finds may be in the queue as well by now: read again before handing over.
        if crawling || !drained {
            self.flush_if_held(now, room, out);
            return Ok(Next::Busy);
        }
        if self.state.lost {
            return Ok(Next::Idle(self.deadline(room)));
        }
        self.state.resyncing = false;
        self.polls.rest(now, self.scope.polling().interval);
        self.announce_ready();
        self.report_limit();
        self.report_trouble_over();
        self.expire(now);
        if !self.crawl.is_empty() {
            return Ok(Next::Busy);
        }
        self.flush_all(now, room, false, out);
        Ok(self.rest(now, self.deadline(room)))
    }

    /// Waits for the deadline, not looking at the queue for a while in a storm.
    fn rest(&mut self, now: MonoTime, deadline: Option<MonoTime>) -> Next {
        let taken = std::mem::take(&mut self.taken);
        match self.pace.rest(taken, self.scope.shortest_debounce(), now) {
            Some(rest) => Next::Rest(deadline.map_or(now + rest, |at| at.min(now + rest))),
            None => Next::Idle(deadline),
        }
    }

    /// Takes in what is queued; answers whether that was all.
    fn read(&mut self, now: MonoTime) -> io::Result<bool> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut drained = Ok(false);
        for _ in 0..READS {
            match self.kernel.read(&mut buffer) {
                Ok([]) => drained = Ok(true),
                Ok(bytes) => {
                    self.take_in(bytes, now);
                    continue;
                }
                Err(error) => drained = Err(error),
            }
            break;
        }
        self.buffer = buffer;
        drained
    }

    fn take_in(&mut self, bytes: &[u8], now: MonoTime) {
        for event in decode(bytes) {
            match event {
                Ok(raw) => self.event(&raw, now),
                // What follows in the buffer is lost, and looking again finds it.
                Err(_) => self.state.lost = true,
            }
        }
        if self.state.pending.is_full() {
            self.state.pending = Pending::default();
            self.state.lost = true;
        }
    }

    fn event(&mut self, raw: &RawEvent<'_>, now: MonoTime) {
        self.taken += 1;
        tracing::trace!(wd = raw.wd.0, mask = ?raw.mask, cookie = raw.cookie, name = %raw.name.escape_ascii(), "event");
        self.note_through_links(raw, now);
        for way in self.ways.changed_by(raw) {
            self.follow_way(way, now);
        }
        let ended = raw.mask.intersects(EventMask::IGNORED);
        let left = if ended { self.left_with(raw.wd) } else { Vec::new() };
        let told = self.is_told(raw);
        match self.state.translate(raw, told, now) {
            Some(Question::Name { parent, name, left }) => self.look(parent, &name, left, now),
            Some(Question::Root(root)) => self.resolve(root, Purpose::arrived(), now),
            None => {}
        }
        let purpose = self.purpose_of_events();
        left.into_iter().for_each(|place| self.seen(purpose, Sight::Left(place)));
    }

    /// The places that are left empty when a directory's watch ends. What is lost with it is told if no event
    /// has done so.
    fn left_with(&mut self, wd: Wd) -> Vec<Place> {
        let tree = &self.state.tree;
        let below = tree.children(wd).chain([wd]).filter_map(|wd| tree.place(wd)).collect();
        if tree.left_unreported(wd) {
            self.report_end(wd);
        }
        below
    }

    /// After an overflow: every directory again, reporting what changed since nothing was lost.
    fn resync(&mut self, drained: bool, now: MonoTime) {
        if !self.state.lost {
            if drained {
                self.sound = self.kernel.file_clock();
                self.state.untold.clear();
            }
            return;
        }
        if !self.crawl.is_empty() || now < self.resync_after {
            return;
        }
        self.state.lost = false;
        self.state.resyncing = true;
        self.report_loss();
        self.doubt();
        self.resync_wait = if now.since(self.resync_after) > Duration::from_secs(1) {
            RESYNC_BACKOFF
        } else {
            (self.resync_wait * 2).min(Duration::from_secs(1))
        };
        self.resync_after = now + self.resync_wait;
        let purpose = Purpose::changed_since(self.sound);
        for root in 0..self.roots.len() {
            self.resolve(root, purpose.for_new(), now);
            if let Some(wd) = self.state.tree.root(root) {
                self.crawl.push(Frame::deep(wd, purpose, None));
            }
        }
        self.sound = self.kernel.file_clock();
    }

    /// What is pending may have ended since: its names are remembered, so that looking tells. And what looking
    /// has told already may come without its event.
    fn doubt(&mut self) {
        self.state.tree.doubt();
        std::mem::take(&mut self.state.untold).iter().for_each(|sight| self.tell(sight));
        for (wd, name) in self.state.pending.doubt() {
            if let Route::Path(root, relative) = self.state.tree.route(wd)
                && self.remembers(&self.aliases(wd), &join(&self.absolute(root, &relative), &name))
            {
                self.state.kept.keep(wd, &name);
            }
        }
    }

    fn announce_ready(&mut self) {
        if !self.ready {
            self.ready = true;
            self.be_late();
            self.before = None;
            self.notices.push(Notice::Ready { directories: self.state.tree.len() });
        }
    }

    /// Ends the watches of what has left the tree.
    fn expire(&mut self, now: MonoTime) {
        for wd in self.state.tree.expired(now) {
            if self.state.tree.left_unreported(wd) {
                self.report_end(wd);
            }
            self.drop_subtree(wd);
        }
    }

    /// Makes events of what was lost with a directory: each file whose end concerns somebody, then the
    /// directory itself. What has taken the place of one has been told, or will be, and has not ended.
    pub(super) fn report_end(&mut self, top: Wd) {
        for wd in self.state.tree.subtree(top) {
            let Route::Path(root, relative) = self.state.tree.last_route(wd) else { continue };
            let now = self.state.tree.find(root, &relative);
            let there: HashSet<_> = now.into_iter().flat_map(|now| self.state.kept.of(now)).collect();
            let path = self.absolute(root, &relative);
            let names = self.state.kept.of(wd).filter(|name| now == Some(wd) || !there.contains(name));
            let files = names.map(|name| removed(join(&path, name), Subject::Gone));
            let own =
                (wd == top && now.is_none_or(|now| now == wd)).then(|| removed(path.clone(), Subject::Dir));
            let mut told = Vec::new();
            files.chain(own).for_each(|event| self.hand_over(wd, event, &mut told));
            self.ended.append(&mut told);
        }
        if let Some(place) = self.state.tree.place(top).filter(|_| !self.state.tree.is_attached(top))
            && self.state.tree.at(&place).is_some()
        {
            self.tell(&Sight::Left(place));
        }
    }

    /// Forgets a directory and all below it, their watches included.
    pub(super) fn drop_subtree(&mut self, wd: Wd) {
        tracing::trace!(wd = wd.0, "a directory has left the tree");
        let all = self.state.tree.remove_subtree(wd);
        for &gone in &all {
            self.retries.remove(&gone);
            self.state.kept.release_all(gone);
            self.polls.forget(gone);
            if !self.ways.contain(gone) {
                self.kernel.unwatch(gone);
            }
        }
        all.into_iter().for_each(|gone| self.relink(gone));
        let tree = &self.state.tree;
        self.state.denied.retain(|(parent, _)| tree.contains(*parent));
    }

    /// Takes a directory from its place, to wait for what becomes of it. No event tells what went with it after a
    /// loss, or where inotify does not watch.
    pub(super) fn orphan(&mut self, wd: Wd, purpose: Purpose, now: MonoTime) {
        let unreported = purpose.follows_loss() || self.polls.contains(wd);
        tracing::trace!(wd = wd.0, unreported, "a directory has lost its name");
        self.state.tree.orphan(wd, now + LIMBO, unreported);
    }

    fn flush_if_held(&mut self, now: MonoTime, room: bool, out: &mut Vec<Event>) {
        let since = *self.held_since.get_or_insert(now);
        let doubtful = self.state.is_doubtful();
        if now.since(since) >= if doubtful { OVERLOAD } else { HOLD } {
            self.flush_all(now, room, doubtful, out);
        }
    }

    fn flush_all(&mut self, now: MonoTime, room: bool, doubtful: bool, out: &mut Vec<Event>) {
        if room {
            self.held_since = None;
            out.append(&mut self.ended);
            self.settle(now, out);
            self.flush(now, doubtful, out);
        }
    }

    /// The next moment at which a turn has something to do by itself. What only a hand-over does needs `room`,
    /// and nothing is handed over before the tree is right again.
    fn deadline(&self, room: bool) -> Option<MonoTime> {
        let lost = self.state.lost;
        let resync = lost.then_some(self.resync_after);
        let retry = self.retries.values().map(|retry| retry.at).min();
        let ways = self.ways.deadline();
        let limbo = self.state.tree.deadline().filter(|_| !lost);
        let settle = self.state.settle.deadline().filter(|_| !lost && room);
        [resync, retry, ways, self.polls.due, limbo, settle].into_iter().flatten().min()
    }

    /// The absolute path of a root's relative one.
    pub(super) fn absolute(&self, root: RootId, relative: &[u8]) -> Vec<u8> {
        join(&self.roots[root].path, relative)
    }

    /// A name that could not be looked at for lack of permission: its parent is watched for a change of
    /// that, and the person is told once.
    pub(super) fn deny(&mut self, parent: Wd, name: &Name, path: Vec<u8>) {
        if self.state.denied.insert((parent, Arc::clone(name))) {
            self.notices.push(Notice::Unreadable { path });
        }
    }
}

/// The end of a path that was found by looking.
fn removed(path: Vec<u8>, subject: Subject) -> Event {
    let mask = EventMask::DELETE | EventMask::CHANGE | isdir(subject == Subject::Dir);
    end(mask, path, subject, Trigger::Overflow)
}

pub(super) const fn end(mask: EventMask, path: Vec<u8>, subject: Subject, trigger: Trigger) -> Event {
    Event { mask, path, subject, from: None, cookie: 0, trigger }
}

/// A path and a name, or the path itself for an empty one.
pub(super) fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(path.len() + 1 + name.len());
    joined.extend_from_slice(path);
    if !name.is_empty() {
        if joined.last() != Some(&b'/') {
            joined.push(b'/');
        }
        joined.extend_from_slice(name);
    }
    joined
}
