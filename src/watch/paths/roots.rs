//! The directories that the scope starts from, and where paths lead. A root may be missing, come, go
//! and be replaced: each component of its path is watched for its own removal and renaming, and the
//! nearest that exists for the arrival of the next.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use super::ancestors::{ARRIVALS, ITSELF, WayId};
use crate::event::{EventMask, Subject, Trigger};
use crate::sys::Wd;
use crate::time::MonoTime;
use crate::watch::Notice;
use crate::watch::backend::Kernel;
use crate::watch::crawl::failures::is_passing;
use crate::watch::crawl::{Frame, Purpose};
use crate::watch::observer::{Observer, end, join};
use crate::watch::tree::{Place, RootId};

/// One root.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) path: Vec<u8>,
    /// Whether its absence has been reported.
    missing: bool,
}

impl Root {
    pub(crate) fn new(path: &[u8]) -> Self {
        Self { path: path.to_vec(), missing: false }
    }
}

/// Where a path ends before its last name: the directory, and the name that is missing there.
pub(crate) type Missing = (Vec<u8>, Vec<u8>);

/// A path that changes while it is followed is followed anew; one that never rests is left to the next
/// event.
const ATTEMPTS: usize = 50;
/// As many symbolic links as the kernel follows in one path (path_resolution(7)).
const LINKS: usize = 40;
/// Between tries where a limit or a permission on the way is in the way.
pub(crate) const RETRY: Duration = Duration::from_secs(5);

impl<K: Kernel> Observer<K> {
    /// Follows a root's path to the directory that it names now, if any, and watches all on the way.
    pub(crate) fn resolve(&mut self, root: RootId, purpose: Purpose, now: MonoTime) {
        let way = WayId::Root(root);
        if !self.follow_anew(&way, |own| own.follow(root, purpose, now)) {
            self.ways.again(&way, now + RETRY);
        }
    }

    /// Follows a way, again and again until `follow` answers that it did not change meanwhile. What is watched
    /// afterwards is what the last time has watched.
    pub(crate) fn follow_anew(&mut self, way: &WayId, mut follow: impl FnMut(&mut Self) -> bool) -> bool {
        let mut before = Vec::new();
        let settled = (0..ATTEMPTS).any(|_| {
            before.extend(self.ways.forget(way));
            follow(self)
        });
        before.into_iter().for_each(|wd| self.unwatch_stranger(wd));
        self.ways.followed(way);
        settled
    }

    /// Ends a watch that stands for nothing.
    pub(crate) fn unwatch_stranger(&self, wd: Wd) {
        if !self.ways.contain(wd) && !self.state.tree.contains(wd) {
            self.kernel.unwatch(wd);
        }
    }

    /// Follows the path once; answers false if it changed meanwhile. Afterwards an event or a moment to try
    /// again will tell of the next change.
    fn follow(&mut self, root: RootId, purpose: Purpose, now: MonoTime) -> bool {
        let (way, path) = (WayId::Root(root), self.roots[root].path.clone());
        let led = self.watch_way(&way, &path, now);
        match self.watch_proven(|own| own.kernel.open(&path).and_then(|dir| own.watch(&dir, &path))) {
            Ok(Some(wd)) => {
                self.settle_root(root, wd, purpose);
                // It has come since, and nothing beyond that name is watched.
                led.is_ok()
            }
            Ok(None) => false,
            Err(error) if is_passing(&error) => {
                self.refuse(&way, &path, &error, now);
                self.roots[root].missing |= self.state.tree.root(root).is_none();
                true
            }
            Err(error) => {
                self.lose_root(root, &error, purpose, now);
                match led {
                    Err(missing) => self.await_name(&way, missing, now),
                    // The directory above reports that its permissions change.
                    Ok(path) if is_forbidden(&error) => self.await_name(&way, split(&path), now),
                    // It was there a moment ago; or it is there and cannot be watched, which is tried again.
                    Ok(_) => !is_absent(&error),
                }
            }
        }
    }

    /// Watches each directory and symbolic link that a path leads through, links in the targets of links
    /// too. Answers the path without any, or where it ends before that.
    pub(crate) fn watch_way(&mut self, way: &WayId, path: &[u8], now: MonoTime) -> Result<Vec<u8>, Missing> {
        let mut rest: VecDeque<Vec<u8>> = components(path).collect();
        let (mut at, mut links) = (b"/".to_vec(), 0);
        while let Some(name) = rest.pop_front() {
            if !self.watch_itself(way, &at, now) {
                return Err(split(&at));
            }
            if name == b".." {
                at.truncate(at.iter().rposition(|&b| b == b'/').unwrap_or(0).max(1));
                continue;
            }
            let next = join(&at, &name);
            match self.kernel.read_link(&next) {
                Ok(target) if links < LINKS => {
                    links += 1;
                    let watched = self.watch_itself(way, &next, now);
                    if !watched || self.kernel.read_link(&next).is_ok_and(|now| now != target) {
                        // Another has taken its place meanwhile.
                        rest.push_front(name);
                        continue;
                    }
                    if target.starts_with(b"/") {
                        at = b"/".to_vec();
                    }
                    components(&target).rev().for_each(|name| rest.push_front(name));
                }
                Err(error) if is_no_link(&error) => at = next,
                Err(error) if is_passing(&error) => {
                    self.refuse(way, &next, &error, now);
                    at = next;
                }
                _ => return Err((at, name)),
            }
        }
        Ok(at)
    }

    /// Watches one component of a path for its own end; answers false if it has gone meanwhile. A watch that is
    /// refused leaves a change there unreported, so the path is followed again from time to time.
    fn watch_itself(&mut self, way: &WayId, path: &[u8], now: MonoTime) -> bool {
        match self.kernel.watch_path(path, ITSELF) {
            Ok(wd) => self.ways.add(way, wd),
            Err(error) if is_absent(&error) => return false,
            // Such as another user's home.
            Err(error) if is_forbidden(&error) => self.ways.again(way, now + RETRY),
            Err(error) => self.refuse(way, path, &error, now),
        }
        true
    }

    /// Follows a way again later, because something on it could not be looked at.
    fn refuse(&mut self, way: &WayId, path: &[u8], error: &io::Error, now: MonoTime) {
        self.cannot_look(path, error);
        self.ways.refuse(way, now);
    }

    /// Opens a path and watches the directory there, and proves that it led there once the watch was active:
    /// from then on the watch tells of its end. None if the path has changed meanwhile.
    pub(crate) fn watch_proven(
        &mut self,
        mut watch: impl FnMut(&mut Self) -> io::Result<Wd>,
    ) -> io::Result<Option<Wd>> {
        let wd = watch(self)?;
        let again = watch(self);
        if again.as_ref().is_ok_and(|again| *again == wd) {
            return Ok(Some(wd));
        }
        self.unwatch_stranger(wd);
        match again {
            Ok(other) => self.unwatch_stranger(other),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(None)
    }

    fn settle_root(&mut self, root: RootId, wd: Wd, purpose: Purpose) {
        let before = self.state.tree.root(root);
        if before == Some(wd) {
            return;
        }
        if let Some(before) = before {
            if purpose.follows_loss() {
                self.report_end(before);
            } else {
                self.report_departure(root);
            }
        }
        if std::mem::take(&mut self.roots[root].missing) {
            self.notices.push(Notice::RootFound { path: self.roots[root].path.clone() });
        }
        let purpose = self.purpose_at(wd, &self.roots[root].path, purpose);
        if self.state.tree.root_of(wd).is_none() && self.state.tree.attach(wd, &Place::Root(root)) {
            self.crawl.push(Frame::deep(wd, purpose, None));
        }
        // The new root may have been in the old one, and is not to go with it.
        before.into_iter().for_each(|before| self.drop_subtree(before));
    }

    fn lose_root(&mut self, root: RootId, error: &io::Error, purpose: Purpose, now: MonoTime) {
        if let Some(wd) = self.state.tree.root(root) {
            if !purpose.follows_loss() {
                self.report_departure(root);
            }
            self.orphan(wd, purpose, now);
            // A root that was removed has no watch any more: this one is where its path does not lead.
            self.state.tree.set_moved(wd);
        }
        if !is_absent(error) {
            self.ways.again(&WayId::Root(root), now + RETRY);
        }
        if !std::mem::replace(&mut self.roots[root].missing, true) {
            let path = self.roots[root].path.clone();
            self.notices.push(match error.raw_os_error() {
                Some(libc::EACCES | libc::EPERM) => Notice::Unreadable { path },
                _ => Notice::RootMissing { path },
            });
        }
    }

    /// Makes an event of it that a root's path does not lead to its directory any more. Unlike a removal, which
    /// reports every file, nothing else tells of that.
    fn report_departure(&mut self, root: RootId) {
        let mask = EventMask::MOVED_FROM | EventMask::CHANGE | EventMask::ISDIR;
        self.ended.push(end(mask, self.roots[root].path.clone(), Subject::Dir, Trigger::Event));
    }

    /// Has the arrival of the missing name reported. Answers false if it has arrived meanwhile, or if the
    /// directory where it is missing has gone too.
    pub(crate) fn await_name(&mut self, way: &WayId, (at, name): Missing, now: MonoTime) -> bool {
        match self.watch_for(&at, ITSELF | ARRIVALS) {
            Ok(Some(wd)) => {
                let next = join(&at, &name);
                self.ways.wait(way, wd, name);
                match self.kernel.open(&next) {
                    Ok(_) => false,
                    Err(error) => {
                        if !is_absent(&error) {
                            self.ways.again(way, now + RETRY);
                        }
                        true
                    }
                }
            }
            Ok(None) => false,
            Err(error) if is_absent(&error) => false,
            Err(error) => {
                self.refuse(way, &at, &error, now);
                true
            }
        }
    }

    /// Watches a directory on the way to a path for these events; none if the path to it has changed meanwhile.
    pub(crate) fn watch_for(&mut self, path: &[u8], mask: EventMask) -> io::Result<Option<Wd>> {
        self.watch_proven(|own| own.kernel.open(path).and_then(|dir| own.kernel.watch_dir(&dir, mask)))
    }

    /// Follows the ways again that failed for a reason no event will tell the end of.
    pub(crate) fn retry_ways(&mut self, now: MonoTime) {
        for way in self.ways.due(now) {
            self.follow_way(way, now);
        }
    }

    /// Follows a way again, because it may have changed.
    pub(crate) fn follow_way(&mut self, way: WayId, now: MonoTime) {
        match way {
            WayId::Root(root) => self.resolve(root, Purpose::arrived(), now),
            WayId::Link((dir, name)) => self.look(dir, &name, false, now),
        }
    }
}

/// The directory and the name of an absolute path.
pub(crate) fn split(path: &[u8]) -> Missing {
    let slash = path.iter().rposition(|&b| b == b'/').unwrap_or(0);
    (path[..slash.max(1)].to_vec(), path[slash + 1..].to_vec())
}

/// The names in a path.
fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = Vec<u8>> {
    let named = |name: &&[u8]| !name.is_empty() && *name != b".";
    path.split(|&b| b == b'/').filter(named).map(<[u8]>::to_vec)
}

/// No such path.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR))
}

/// A directory that may be searched but not read, such as another user's home, cannot be watched.
pub(crate) fn is_forbidden(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EACCES)
}

/// readlink(2) on what is there and no symbolic link.
fn is_no_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINVAL)
}
