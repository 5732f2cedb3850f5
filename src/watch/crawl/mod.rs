//! Looking through directories: what is in them. A directory is always watched before it is listed, so that
//! nothing falls between the two.

pub(super) mod failures;
pub(super) mod lookup;
pub(super) mod renamed_dir;
pub(super) mod rescope;
pub(super) mod retry;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use self::failures::is_passing;
use self::lookup::Looking;
use self::retry::Scan;
use super::backend::Kernel;
use super::observer::{Observer, join};
use super::pipeline::pending::Incident;
use super::pipeline::translate::State;
use super::tree::Name;
use super::tree::path::Route;
use crate::event::{EventMask, Subject, Trigger};
use crate::sys::{Entry, Identity, Kind, Wd};
use crate::time::{FileTime, MonoTime};

/// Directories looked through before the queue is read again: about a millisecond, in which the busiest
/// writer fills a fiftieth of the kernel's queue.
const SLICE: usize = 128;
/// Directories of the crawl held open at once; those further up are opened again when their turn comes.
const OPEN: usize = 64;
/// File times are as coarse as the clock tick, and some file systems round to two seconds.
const COARSE: Duration = Duration::from_secs(2);

/// Why a directory is looked through, which decides what of it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It was there before tripline was ready: nothing.
    Initial,
    /// As that, but it could not be looked at before this moment of the file clock: what changed since.
    Late { since: FileTime },
    /// It has just arrived: everything.
    Arrived(Trigger),
    /// A directory in it could not be looked at before: nothing of its own, which its watch has reported,
    /// and everything in directories not known before.
    Unfinished,
    /// The scope has changed: nothing, but for what has arrived meanwhile where it was wanted before.
    Rescoped,
    /// Events were lost: what changed at or after this moment of the file clock, and everything in
    /// directories not known before.
    Changed { since: FileTime },
}

impl Purpose {
    pub(super) const fn arrived() -> Self {
        Self::Arrived(Trigger::Scan)
    }

    pub(super) fn late(ready: FileTime) -> Self {
        Self::Late { since: ready.saturating_sub(COARSE) }
    }

    pub(super) fn changed_since(sound: FileTime) -> Self {
        Self::Changed { since: sound.saturating_sub(COARSE) }
    }

    /// Whether it is looked through because the kernel dropped events.
    pub(super) const fn follows_loss(self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Arrived(Trigger::Overflow))
    }

    /// For a directory found on the way that was not known there.
    pub(super) const fn for_new(self) -> Self {
        match self {
            Self::Initial => Self::Initial,
            Self::Late { since } => Self::Late { since },
            Self::Rescoped => Self::Rescoped,
            Self::Arrived(trigger) => Self::Arrived(trigger),
            Self::Unfinished => Self::arrived(),
            Self::Changed { .. } => Self::Arrived(Trigger::Overflow),
        }
    }
}

/// A directory being looked through.
#[derive(Debug)]
pub(super) struct Frame<D> {
    pub(super) wd: Wd,
    pub(super) scan: Scan,
    dir: Option<D>,
    /// What is left to look at, once it is listed.
    names: Option<Vec<Name>>,
}

impl<D> Frame<D> {
    pub(super) const fn new(wd: Wd, scan: Scan, dir: Option<D>) -> Self {
        Self { wd, scan, dir, names: None }
    }

    /// For some of the names in it only.
    pub(super) const fn partly(wd: Wd, scan: Scan, names: Vec<Name>) -> Self {
        Self { wd, scan, dir: None, names: Some(names) }
    }

    pub(super) const fn deep(wd: Wd, purpose: Purpose, dir: Option<D>) -> Self {
        Self::new(wd, Scan { purpose, deep: true }, dir)
    }
}

impl<K: Kernel> Observer<K> {
    pub(super) fn push(&mut self, frame: Frame<K::Dir>) {
        self.crawl.push(frame);
        if let Some(above) = self.crawl.len().checked_sub(OPEN) {
            self.crawl[above].dir = None;
        }
    }

    /// Looks through some of the directories that wait for it; answers whether any did.
    pub(super) fn crawl(&mut self, now: MonoTime) -> bool {
        let worked = !self.crawl.is_empty();
        let mut left = SLICE;
        while left > 0 {
            let Some(mut frame) = self.crawl.pop() else { break };
            left -= usize::from(frame.names.is_none());
            match self.open_and_list(&mut frame) {
                Ok((dir, path)) => self.descend(frame, dir, &path, now),
                Err(error) => {
                    self.cannot_look_in(frame.wd, &error);
                    self.retry_frame_later(frame, now);
                }
            }
        }
        worked
    }

    fn open_and_list(&mut self, frame: &mut Frame<K::Dir>) -> io::Result<(K::Dir, Vec<u8>)> {
        let (dir, path) = self.open_frame(frame)?;
        if frame.names.is_none() {
            frame.names = Some(self.list(frame, &dir, &path)?);
        }
        self.has_looked_in(frame.wd);
        Ok((dir, path))
    }

    fn retry_frame_later(&mut self, frame: Frame<K::Dir>, now: MonoTime) {
        let Frame { wd, scan, names, .. } = frame;
        match names {
            Some(names) => names.iter().for_each(|name| self.retry_name_later(wd, name, scan, now)),
            None => self.retry_later(wd, scan, now),
        }
    }

    fn open_frame(&self, frame: &mut Frame<K::Dir>) -> io::Result<(K::Dir, Vec<u8>)> {
        let attached = self.state.tree.is_attached(frame.wd);
        match (frame.dir.take().filter(|_| attached), self.state.tree.route(frame.wd)) {
            (Some(dir), Route::Path(root, relative)) => Ok((dir, self.absolute(root, &relative))),
            _ => self.try_open_verified(frame.wd),
        }
    }

    /// Looks at names until one leads to a directory that comes first, or none is left.
    fn descend(&mut self, mut frame: Frame<K::Dir>, dir: K::Dir, path: &[u8], now: MonoTime) {
        let depth = self.crawl.len();
        let (mut names, also) = (frame.names.take().unwrap_or_default(), self.aliases(frame.wd));
        let leaves_on = if names.is_empty() { None } else { self.leaves_on(&frame, &dir) };
        while let Some(name) = names.pop() {
            let (parent, scan) = (frame.wd, frame.scan);
            if !self.look_in(&Looking { parent, dir: &dir, path, also: &also, scan, leaves_on }, &name, now) {
                self.retry_name_later(parent, &name, scan, now);
            }
            if self.crawl.len() > depth && !names.is_empty() {
                frame.names = Some(names);
                frame.dir = Some(dir);
                self.crawl.insert(depth, frame);
                return;
            }
        }
        self.looked_through(frame.wd);
    }

    /// The file system of a directory, if those in it need not be listed that have no directories in them: it counts
    /// their links, nothing of their files is to be told or kept, and no link to be followed.
    fn leaves_on(&self, frame: &Frame<K::Dir>, dir: &K::Dir) -> Option<u64> {
        let State { follows, keeps, .. } = self.state;
        let nameless = frame.scan.purpose == Purpose::Initial && !follows && !keeps && self.polls.is_empty();
        let counted = nameless && self.kernel.counts_links(dir);
        let identity = if counted { self.kernel.identity(dir).ok() } else { None };
        identity.map(|Identity(device, _)| device)
    }

    /// Lists a directory: files are noted as the purpose wants it, directories are answered, along with
    /// the children and links that were known and are not there.
    fn list(&mut self, frame: &Frame<K::Dir>, dir: &K::Dir, path: &[u8]) -> io::Result<Vec<Name>> {
        let mut names = Vec::new();
        let entries = self.kernel.list(dir)?;
        let also = self.aliases(frame.wd);
        if !self.polls.contains(frame.wd) {
            self.scope.record_listing(path, &mut entries.iter().map(|entry| &*entry.name));
        }
        self.report_missing(frame, &entries);
        self.compare_missing(frame, &entries);
        for Entry { name, kind } in entries {
            let kind = match kind {
                Some(kind) => kind,
                None => match self.kernel.status(dir, &name) {
                    Ok(status) => status.kind,
                    Err(error) if is_passing(&error) => return Err(error),
                    Err(_) => continue,
                },
            };
            let name = Name::from(name);
            if self.polls.contains(frame.wd) {
                self.compare(frame, dir, &name, kind);
            } else {
                self.found(frame, dir, &name, kind);
            }
            if kind != Kind::Dir && self.remembers(&also, &join(path, &name)) {
                self.state.kept.keep(frame.wd, &name);
            }
            if kind == Kind::Dir || (kind == Kind::Symlink && self.state.follows) {
                names.push(name);
            }
        }
        self.polls.looked_through(frame.wd);
        names.extend(self.state.tree.names_below(frame.wd));
        names.extend(self.state.links.of(frame.wd).into_iter().map(|(_, name)| name));
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// After a loss: notes the end of files that were remembered and are not there.
    fn report_missing(&mut self, frame: &Frame<K::Dir>, entries: &[Entry]) {
        if !frame.scan.purpose.follows_loss() {
            return;
        }
        let files = entries.iter().filter(|entry| entry.kind != Some(Kind::Dir));
        let there = files.map(|entry| entry.name.as_slice()).collect();
        for name in self.state.kept.release_missing(frame.wd, &there) {
            let mask = EventMask::DELETE | EventMask::CHANGE;
            self.note_found(frame.wd, name, mask, Subject::Gone, Trigger::Overflow);
        }
    }

    pub(super) fn note_found(
        &mut self,
        wd: Wd,
        name: Name,
        mask: EventMask,
        subject: Subject,
        trigger: Trigger,
    ) {
        let (cookie, from, subject, doubtful) = (0, None, Some(subject), false);
        self.state.pending.note(Incident { wd, name, mask, cookie, from, trigger, subject, doubtful });
    }

    pub(super) fn found(&mut self, frame: &Frame<K::Dir>, dir: &K::Dir, name: &Name, kind: Kind) {
        let trigger = match frame.scan.purpose {
            Purpose::Initial | Purpose::Unfinished | Purpose::Rescoped => return,
            Purpose::Arrived(trigger) => trigger,
            Purpose::Late { since } if self.has_changed(dir, name, since) => Trigger::Scan,
            Purpose::Changed { since } if kind != Kind::Dir && self.has_changed(dir, name, since) => {
                Trigger::Overflow
            }
            Purpose::Late { .. } | Purpose::Changed { .. } => return,
        };
        let wd = frame.wd;
        let closed = self.state.pending.is_only_closed(wd, name);
        if !self.state.interest.intersects(EventMask::FOUND) && !self.scope.affects_scope(name) {
            return;
        }
        if self.state.pending.is_decided(wd, name) && !closed {
            return self.state.pending.renew(wd, name);
        }
        // A CLOSE_WRITE has come or, the directory being watched, will come, and tells the rest.
        if kind == Kind::File && (closed || self.is_being_written(dir, name) == Some(true)) {
            return self.note_found(wd, Arc::clone(name), EventMask::CREATE, Subject::File, trigger);
        }
        let create = if trigger == Trigger::Scan { EventMask::CREATE } else { EventMask::default() };
        let mask = EventMask::CHANGE | create | isdir(kind == Kind::Dir);
        self.note_found(wd, Arc::clone(name), mask, subject(kind), trigger);
    }

    fn has_changed(&self, dir: &K::Dir, name: &[u8], since: FileTime) -> bool {
        match self.kernel.status(dir, name) {
            Ok(status) => status.ctime >= since,
            // It may have.
            Err(error) => is_passing(&error),
        }
    }

    /// Whether a file is open for writing. None where that cannot be told, or not without causing the
    /// very events that a rule asks for.
    pub(super) fn is_being_written(&self, dir: &K::Dir, name: &[u8]) -> Option<bool> {
        let heard = EventMask::OPEN | EventMask::CLOSE_NOWRITE;
        if self.state.interest.intersects(heard) {
            return None;
        }
        match self.kernel.is_being_written(dir, name) {
            Ok(written) => Some(written),
            // Gone, or no regular file any more: nothing to wait for.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ELOOP)) => Some(false),
            Err(_) => None,
        }
    }
}

/// What a mask holds besides for a directory.
pub(super) fn isdir(is_dir: bool) -> EventMask {
    if is_dir { EventMask::ISDIR } else { EventMask::default() }
}

/// What an entry's kind is to a rule.
pub(super) const fn subject(kind: Kind) -> Subject {
    match kind {
        Kind::File => Subject::File,
        Kind::Dir => Subject::Dir,
        Kind::Symlink => Subject::Symlink,
        Kind::Other => Subject::Other,
    }
}
