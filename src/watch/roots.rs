//! The directories that the scope starts from, and what is above them. A root may be missing, come, go
//! and be replaced: each component of its path is watched for its own removal and renaming, and the
//! nearest that exists for the arrival of the next.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use super::Notice;
use super::decode::RawEvent;
use super::kernel::Kernel;
use super::observer::{Observer, end, join};
use super::scan::{Frame, Purpose};
use super::tree::{Place, RootId};
use super::trouble::is_passing;
use crate::event::{EventMask, Subject, Trigger};
use crate::sys::Wd;
use crate::time::MonoTime;

/// One root.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) path: Vec<u8>,
    /// The watches on the directories above.
    above: Vec<Wd>,
    /// Where the path ends while the root is missing, and the name awaited there.
    waiting: Option<(Wd, Vec<u8>)>,
    /// Whether its absence has been reported.
    missing: bool,
    /// When to try again, where the reason of its absence ends without an event.
    pub(super) retry: Option<MonoTime>,
    /// Whether it could not be looked at on the way to it.
    pub(super) refused: bool,
}

impl Root {
    pub(super) fn new(path: &[u8]) -> Self {
        Self {
            path: path.to_vec(),
            above: Vec::new(),
            waiting: None,
            missing: false,
            retry: None,
            refused: false,
        }
    }
}

/// What ends a component: it is renamed, removed, or its file system goes.
const ITSELF: EventMask = EventMask::MOVE_SELF.union(EventMask::DELETE_SELF);
const ENDS: EventMask = ITSELF.union(EventMask::IGNORED).union(EventMask::UNMOUNT);
/// What may let a path be followed further: a name that comes, or a permission.
const ARRIVALS: EventMask = EventMask::CREATE.union(EventMask::MOVED_TO).union(EventMask::ATTRIB);
/// A path that changes while it is followed is followed anew; one that never rests is left to the next
/// event.
const ATTEMPTS: usize = 50;
/// As many symbolic links as the kernel follows in one path (path_resolution(7)).
const LINKS: usize = 40;
/// Between tries where a limit or a permission above the root is in the way.
const RETRY: Duration = Duration::from_secs(5);

impl<K: Kernel> Observer<K> {
    /// The roots whose path an event may have changed.
    pub(super) fn roots_above(&self, raw: &RawEvent<'_>) -> Vec<RootId> {
        let Some(roots) = self.spine.get(&raw.wd) else { return Vec::new() };
        let ended = raw.mask.intersects(ENDS);
        let arrived = |root: &RootId| match &self.roots[*root].waiting {
            Some((wd, name)) => *wd == raw.wd && name == raw.name && raw.mask.intersects(ARRIVALS),
            None => false,
        };
        roots.iter().filter(|root| ended || arrived(root)).copied().collect()
    }

    /// Follows a root's path to the directory that it names now, if any, and watches all on the way.
    pub(super) fn resolve(&mut self, root: RootId, purpose: Purpose, now: MonoTime) {
        let before = self.forget_above(root);
        self.roots[root].refused = false;
        let settled = (0..ATTEMPTS).any(|_| self.follow(root, purpose, now));
        if !settled {
            self.roots[root].retry = Some(now + RETRY);
        }
        before.into_iter().for_each(|wd| self.unwatch_stranger(wd));
    }

    /// Ends a watch that stands for nothing.
    pub(super) fn unwatch_stranger(&self, wd: Wd) {
        if !self.spine.contains_key(&wd) && !self.state.tree.contains(wd) {
            self.kernel.unwatch(wd);
        }
    }

    /// Follows the path once; answers false if it changed meanwhile. Afterwards an event or a moment to try
    /// again will tell of the next change.
    fn follow(&mut self, root: RootId, purpose: Purpose, now: MonoTime) -> bool {
        let missing = self.watch_above(root, now);
        let path = self.roots[root].path.clone();
        match self.watch_proven(&path, |own, dir| own.watch(dir, &path)) {
            Ok(Some(wd)) => {
                self.settle_root(root, wd, purpose);
                // It has come since, and nothing beyond that name is watched.
                missing.is_none()
            }
            Ok(None) => false,
            Err(error) if is_passing(&error) => {
                self.refuse(root, &path, &error, now);
                self.roots[root].missing |= self.state.tree.root(root).is_none();
                true
            }
            Err(error) => {
                self.lose_root(root, &error, purpose, now);
                match missing {
                    Some(missing) => self.await_name(root, missing, now),
                    // It was there a moment ago; or it is there and cannot be watched, which is tried again.
                    None => !is_absent(&error),
                }
            }
        }
    }

    pub(super) fn forget_above(&mut self, root: RootId) -> Vec<Wd> {
        let mut before = std::mem::take(&mut self.roots[root].above);
        before.extend(self.roots[root].waiting.take().map(|(wd, _)| wd));
        for wd in &before {
            if let Some(roots) = self.spine.get_mut(wd) {
                roots.retain(|other| *other != root);
                if roots.is_empty() {
                    self.spine.remove(wd);
                }
            }
        }
        before
    }

    fn add_above(&mut self, root: RootId, wd: Wd) {
        let roots = self.spine.entry(wd).or_default();
        if !roots.contains(&root) {
            roots.push(root);
            self.roots[root].above.push(wd);
        }
    }

    /// Watches each directory and symbolic link that the root's path leads through, links in the targets of
    /// links too. Answers where it ends before the root, and the name that is missing there.
    fn watch_above(&mut self, root: RootId, now: MonoTime) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut rest: VecDeque<Vec<u8>> = components(&self.roots[root].path).collect();
        let (mut at, mut links) = (b"/".to_vec(), 0);
        while let Some(name) = rest.pop_front() {
            if name == b".." {
                at.truncate(at.iter().rposition(|&b| b == b'/').unwrap_or(0).max(1));
                continue;
            }
            if !self.watch_itself(root, &at, now) {
                return Some(split(&at));
            }
            let next = join(&at, &name);
            match self.kernel.read_link(&next) {
                Ok(target) if links < LINKS => {
                    links += 1;
                    let watched = self.watch_itself(root, &next, now);
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
                    self.refuse(root, &next, &error, now);
                    at = next;
                }
                _ => return Some((at, name)),
            }
        }
        None
    }

    /// Watches one component of a root's path for its own end; answers false if it has gone meanwhile. A watch
    /// that is refused leaves a change there unreported, so the path is followed again from time to time.
    fn watch_itself(&mut self, root: RootId, path: &[u8], now: MonoTime) -> bool {
        match self.kernel.watch_path(path, ITSELF) {
            Ok(wd) => self.add_above(root, wd),
            Err(error) if is_absent(&error) => return false,
            // Such as another user's home.
            Err(error) if is_forbidden(&error) => self.roots[root].retry = Some(now + RETRY),
            Err(error) => self.refuse(root, path, &error, now),
        }
        true
    }

    /// Follows the root's path again later, because something on it could not be looked at.
    fn refuse(&mut self, root: RootId, path: &[u8], error: &io::Error, now: MonoTime) {
        self.cannot_look(path, error);
        self.roots[root].retry = Some(now + RETRY);
        self.roots[root].refused = true;
    }

    /// Watches the directory that a path leads to, and proves that it led there once the watch was active:
    /// from then on the watch tells of its end. None if the path has changed meanwhile.
    fn watch_proven(
        &mut self,
        path: &[u8],
        mut watch: impl FnMut(&mut Self, &K::Dir) -> io::Result<Wd>,
    ) -> io::Result<Option<Wd>> {
        let mut once = |own: &mut Self| own.kernel.open(path).and_then(|dir| watch(own, &dir));
        let wd = once(self)?;
        let again = once(self);
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
            self.drop_subtree(before);
        }
        if std::mem::take(&mut self.roots[root].missing) {
            self.notices.push(Notice::RootFound { path: self.roots[root].path.clone() });
        }
        let purpose = self.purpose_at(wd, &self.roots[root].path, purpose);
        if self.state.tree.root_of(wd).is_none() && self.state.tree.attach(wd, &Place::Root(root)) {
            self.crawl.push(Frame::deep(wd, purpose, None));
        }
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
            self.roots[root].retry = Some(now + RETRY);
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
    fn await_name(&mut self, root: RootId, (at, name): (Vec<u8>, Vec<u8>), now: MonoTime) -> bool {
        match self.watch_proven(&at, |own, dir| own.kernel.watch_dir(dir, ITSELF | ARRIVALS)) {
            Ok(Some(wd)) => {
                self.add_above(root, wd);
                let next = join(&at, &name);
                self.roots[root].waiting = Some((wd, name));
                match self.kernel.open(&next) {
                    Ok(_) => false,
                    Err(error) => {
                        if !is_absent(&error) {
                            self.roots[root].retry = Some(now + RETRY);
                        }
                        true
                    }
                }
            }
            Ok(None) => false,
            Err(error) if is_absent(&error) => false,
            Err(error) => {
                self.refuse(root, &at, &error, now);
                true
            }
        }
    }

    /// Follows the paths of roots again that failed for a reason no event will tell the end of.
    pub(super) fn retry_roots(&mut self, now: MonoTime) {
        for root in 0..self.roots.len() {
            if self.roots[root].retry.take_if(|at| *at <= now).is_some() {
                self.resolve(root, Purpose::arrived(), now);
            }
        }
    }
}

/// The names in a path.
fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = Vec<u8>> {
    let named = |name: &&[u8]| !name.is_empty() && *name != b".";
    path.split(|&b| b == b'/').filter(named).map(<[u8]>::to_vec)
}

/// The directory that a path's last name is in, and that name.
fn split(path: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let at = path.iter().rposition(|&b| b == b'/').unwrap_or(0);
    (path[..at.max(1)].to_vec(), path[at + 1..].to_vec())
}

/// No such path.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR))
}

/// A directory that may be searched but not read, such as another user's home, cannot be watched.
fn is_forbidden(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EACCES)
}

/// readlink(2) on what is there and no symbolic link.
fn is_no_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINVAL)
}
