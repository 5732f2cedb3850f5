//! The directories that the scope starts from, and what is above them. A root may be missing, come, go
//! and be replaced: each component of its path is watched for its own removal and renaming, and the
//! nearest that exists for the arrival of the next.

use std::io;

use super::Notice;
use super::decode::RawEvent;
use super::kernel::Kernel;
use super::observer::{Observer, join};
use super::scan::{Frame, Purpose};
use super::tree::{Place, RootId};
use crate::event::EventMask;
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
}

impl Root {
    pub(super) fn new(path: &[u8]) -> Self {
        Self { path: path.to_vec(), above: Vec::new(), waiting: None, missing: false }
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
        for _ in 0..ATTEMPTS {
            let reached = self.watch_above(root);
            match self.open_root(root) {
                Ok(found) => {
                    self.settle_root(root, found, purpose);
                    break;
                }
                Err(error) => {
                    self.lose_root(root, &error, purpose, now);
                    if self.await_next(root, &reached) {
                        break;
                    }
                }
            }
        }
        for wd in before {
            if !self.spine.contains_key(&wd) && !self.state.tree.contains(wd) {
                self.kernel.unwatch(wd);
            }
        }
    }

    fn forget_above(&mut self, root: RootId) -> Vec<Wd> {
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

    /// Watches each directory and symbolic link above the root; answers the longest path that exists.
    fn watch_above(&mut self, root: RootId) -> Vec<u8> {
        let path = self.roots[root].path.clone();
        let mut reached = b"/".to_vec();
        for component in path.split(|&b| b == b'/').filter(|name| !name.is_empty()) {
            match self.kernel.watch_path(&reached, ITSELF) {
                Ok(wd) => self.add_above(root, wd),
                Err(_) => break,
            }
            let next = join(&reached, component);
            if self.kernel.open(&next).is_err() {
                break;
            }
            reached = next;
        }
        reached
    }

    fn open_root(&self, root: RootId) -> io::Result<(Wd, K::Dir)> {
        let dir = self.kernel.open(&self.roots[root].path)?;
        Ok((self.kernel.watch_dir(&dir, self.state.mask())?, dir))
    }

    fn settle_root(&mut self, root: RootId, (wd, _): (Wd, K::Dir), purpose: Purpose) {
        // The path may end in a symbolic link, which is a component of its own.
        let path = self.roots[root].path.clone();
        if let Ok(link) = self.kernel.watch_path(&path, ITSELF)
            && link != wd
        {
            self.add_above(root, link);
        }
        let before = self.state.tree.root(root);
        if before == Some(wd) {
            return;
        }
        if let Some(before) = before {
            if purpose.follows_loss() {
                self.report_end(before);
            }
            self.drop_subtree(before);
        }
        if std::mem::take(&mut self.roots[root].missing) {
            self.notices.push(Notice::RootFound { path });
        }
        if self.state.tree.root_of(wd).is_none() && self.state.tree.attach(wd, Place::Root(root)) {
            self.crawl.push(Frame::deep(wd, purpose));
        }
    }

    fn lose_root(&mut self, root: RootId, error: &io::Error, purpose: Purpose, now: MonoTime) {
        if let Some(wd) = self.state.tree.root(root) {
            self.orphan(wd, purpose, now);
        }
        if !std::mem::replace(&mut self.roots[root].missing, true) {
            let path = self.roots[root].path.clone();
            self.notices.push(match error.raw_os_error() {
                Some(libc::EACCES | libc::EPERM) => Notice::Unreadable { path },
                Some(libc::ENOSPC) => Notice::WatchLimit { used: self.state.tree.len() },
                _ => Notice::RootMissing { path },
            });
        }
    }

    /// Has the arrival of the next component reported. Answers false if it has arrived meanwhile.
    fn await_next(&mut self, root: RootId, reached: &[u8]) -> bool {
        let rest = &self.roots[root].path[reached.len()..];
        let name = rest.split(|&b| b == b'/').find(|name| !name.is_empty()).unwrap_or_default().to_vec();
        let next = join(reached, &name);
        let watched =
            self.kernel.open(reached).and_then(|dir| self.kernel.watch_dir(&dir, ITSELF | ARRIVALS));
        if let Ok(wd) = watched {
            self.add_above(root, wd);
            self.roots[root].waiting = Some((wd, name));
        }
        self.kernel.open(&next).is_err()
    }
}
