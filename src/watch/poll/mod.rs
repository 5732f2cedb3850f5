//! Looking from time to time, where inotify does not watch: what differs from the last look is what happened.

pub(super) mod snapshot;

use std::collections::HashSet;
use std::io;

use self::snapshot::{Stamp, Why};
use super::Notice;
use super::backend::Kernel;
use super::crawl::retry::Scan;
use super::crawl::{Frame, Purpose, isdir, subject};
use super::observer::Observer;
use super::pipeline::emit::UNCHANGED;
use super::tree::Name;
use crate::event::{EventMask, Polling, Subject, Trigger};
use crate::sys::{Entry, Kind, Status, Wd};
use crate::time::MonoTime;

impl<K: Kernel> Observer<K> {
    /// The watch on an open directory; where inotify has none to give, the number it is polled under.
    pub(super) fn watch(&mut self, dir: &K::Dir, path: &[u8]) -> io::Result<Wd> {
        if !self.polls.is_empty()
            && let Some(wd) = self.polls.known(self.kernel.identity(dir)?)
        {
            return Ok(wd);
        }
        let Polling { interval: every, .. } = self.scope.polling();
        if self.polls_all {
            return Ok(self.polls.add(self.kernel.identity(dir)?, Why::Asked));
        }
        if !self.kernel.notifies(dir) {
            let identity = self.kernel.identity(dir)?;
            if !self.polls.knows_device(identity) {
                self.notices.push(Notice::Polled { path: path.to_vec(), every });
            }
            return Ok(self.polls.add(identity, Why::Silent));
        }
        self.have_watched(dir)
    }

    /// As [`watch`](Self::watch), of a directory on the mount of the one that holds it: where none is polled, inotify
    /// watches that one, and so hears of every change in this one, too.
    pub(super) fn watch_inside(&mut self, dir: &K::Dir, path: &[u8]) -> io::Result<Wd> {
        if self.polls.is_empty() { self.have_watched(dir) } else { self.watch(dir, path) }
    }

    fn have_watched(&mut self, dir: &K::Dir) -> io::Result<Wd> {
        match self.kernel.watch_dir(dir, self.state.mask()) {
            Err(error) if is_limit(&error) => Ok(self.polls.add(self.kernel.identity(dir)?, Why::Limit)),
            watched => watched,
        }
    }

    /// Begins to look at every polled directory, if it is time.
    pub(super) fn poll(&mut self, now: MonoTime) {
        let tree = &self.state.tree;
        let Some(all) = self.polls.take_due(now, |wd| tree.contains(wd)) else { return };
        let polled_root = |root: &usize| self.state.tree.root(*root).is_none_or(|wd| self.polls.contains(wd));
        let roots: Vec<_> = (0..self.roots.len()).filter(polled_root).collect();
        for root in roots {
            self.resolve(root, Purpose::arrived(), now);
        }
        // What is pending is known by the old number.
        let mut granted = self.state.pending.is_empty();
        for (wd, why) in all {
            let mut at = wd;
            if granted && why == Why::Limit {
                match self.watch_again(wd) {
                    Ok(new) => at = new,
                    Err(error) => granted = !is_limit(&error),
                }
            }
            self.push(Frame::new(at, Scan::UNFINISHED, None));
        }
    }

    /// Has inotify watch a directory that was polled; answers the watch, or the old number if that is still
    /// the one.
    fn watch_again(&mut self, wd: Wd) -> io::Result<Wd> {
        let Some((dir, _)) = self.open_verified(wd) else { return Ok(wd) };
        let new = self.kernel.watch_dir(&dir, self.state.mask())?;
        if self.state.tree.contains(new) {
            return Ok(wd);
        }
        self.state.tree.replace(wd, new);
        self.state.kept.replace(wd, new);
        self.polls.replace(wd, new);
        self.relink(wd);
        self.retries.remove(&wd);
        Ok(new)
    }

    /// Tells that the limit is reached, and that it no longer is.
    pub(super) fn report_limit(&mut self) {
        let polled = self.polls.count(Why::Limit);
        match (polled, self.limit_reported) {
            (0, true) => self.notices.push(Notice::WatchLimitOver),
            (1.., false) => {
                let above = self.ways.watches().filter(|wd| !self.state.tree.contains(*wd)).count();
                let needed = self.state.tree.len() + above;
                let used = needed.saturating_sub(polled + self.polls.count(Why::Silent));
                let every = self.scope.polling().interval;
                self.notices.push(Notice::WatchLimit { used, needed, every });
            }
            _ => return,
        }
        self.limit_reported = polled > 0;
    }

    /// Notes how a name in a polled directory differs from what it was.
    pub(super) fn compare(&mut self, frame: &Frame<K::Dir>, dir: &K::Dir, name: &Name, kind: Kind) {
        let Ok(status) = self.kernel.status(dir, name) else { return };
        let (wd, stamp) = (frame.wd, Stamp::of(&status));
        let first = match frame.scan.purpose {
            Purpose::Initial | Purpose::Late { .. } | Purpose::Arrived(_) => true,
            Purpose::Rescoped => !self.polls.is_looked_through(wd),
            Purpose::Unfinished | Purpose::Changed { .. } => false,
        };
        if first {
            self.polls.set(wd, name, stamp);
            return self.found(frame, dir, name, kind);
        }
        let known = self.polls.stamp(wd, name);
        if known == Some(stamp) || (kind == Kind::File && !self.is_at_rest(dir, name, &status)) {
            return;
        }
        self.polls.set(wd, name, stamp);
        let (mask, trigger) = match known {
            None => (EventMask::CREATE | EventMask::CHANGE, Trigger::Scan),
            Some(known) if known.is_dir() || kind == Kind::Dir => {
                (EventMask::CREATE | EventMask::CHANGE, Trigger::Scan)
            }
            Some(known) if known.has_content_of(&stamp) => (EventMask::ATTRIB, Trigger::Event),
            Some(_) => (EventMask::MODIFY | EventMask::CLOSE_WRITE | EventMask::CHANGE, Trigger::Event),
        };
        self.note_found(wd, Name::clone(name), mask | isdir(kind == Kind::Dir), subject(kind), trigger);
    }

    /// Notes the end of names that were in a polled directory.
    pub(super) fn compare_missing(&mut self, frame: &Frame<K::Dir>, entries: &[Entry]) {
        if !self.polls.contains(frame.wd) {
            return;
        }
        let there: HashSet<_> = entries.iter().map(|entry| entry.name.as_slice()).collect();
        for (name, was_dir) in self.polls.missing(frame.wd, &there) {
            let (left, subject) = match was_dir {
                // What was in it is asked about before it counts as gone.
                true if self.state.tree.child(frame.wd, &name).is_some() => continue,
                true => (EventMask::MOVED_FROM | EventMask::ISDIR, Subject::Dir),
                false => (EventMask::DELETE, Subject::Gone),
            };
            self.note_found(frame.wd, name, left | EventMask::CHANGE, subject, Trigger::Event);
        }
    }

    /// Whether nobody is writing a file. Where that cannot be told, it has not changed for a while.
    fn is_at_rest(&self, dir: &K::Dir, name: &[u8], status: &Status) -> bool {
        match self.is_being_written(dir, name) {
            Some(written) => !written,
            None => self.kernel.file_clock() >= status.ctime.saturating_add(UNCHANGED),
        }
    }
}

/// The limit of watches, or of the memory for them (inotify_add_watch(2)).
fn is_limit(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::ENOMEM))
}
