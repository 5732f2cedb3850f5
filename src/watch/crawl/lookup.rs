//! Looking: which directory is a name now? `inotify_add_watch` is the judge.

use std::io;
use std::sync::Arc;

use super::retry::Scan;
use super::{Frame, Purpose};
use crate::event::{EventMask, Subject, Trigger};
use crate::sys::{Identity, Kind, Status, Wd};
use crate::time::MonoTime;
use crate::watch::backend::Kernel;
use crate::watch::observer::{Observer, join};
use crate::watch::paths::symlinks::Alias;
use crate::watch::pipeline::translate::Sight;
use crate::watch::tree::path::Route;
use crate::watch::tree::{Name, Place};

/// The directory whose entries are looked at, open.
pub(crate) struct Looking<'a, D> {
    pub(crate) parent: Wd,
    pub(crate) dir: &'a D,
    pub(crate) path: &'a [u8],
    /// The other paths of the directory.
    pub(crate) also: &'a [Alias],
    pub(crate) scan: Scan,
    /// Its file system, if a directory there that has two links need not be listed.
    pub(crate) leaves_on: Option<u64>,
}

/// What a directory is that was watched without being opened.
enum Probed {
    /// There is no directory in it.
    Leaf(Wd),
    /// There may be.
    Other(Wd),
}

impl<K: Kernel> Observer<K> {
    /// Opens a node's directory and proves that it is the inode its watch is on. None if the tree is
    /// stale there, which an event on its way will mend.
    pub(crate) fn open_verified(&self, wd: Wd) -> Option<(K::Dir, Vec<u8>)> {
        self.try_open_verified(wd).ok()
    }

    /// As [`open_verified`](Self::open_verified), with `ESTALE` where another inode is in its place.
    pub(crate) fn try_open_verified(&self, wd: Wd) -> io::Result<(K::Dir, Vec<u8>)> {
        let stale = || io::Error::from_raw_os_error(libc::ESTALE);
        let Route::Path(root, relative) = self.state.tree.route(wd) else { return Err(stale()) };
        let path = self.absolute(root, &relative);
        let dir = self.kernel.open(&path)?;
        if let Some(identity) = self.polls.identity(wd) {
            return if self.kernel.identity(&dir)? == identity { Ok((dir, path)) } else { Err(stale()) };
        }
        let found = self.kernel.watch_dir(&dir, self.state.mask() | self.state.tree.extra(wd))?;
        if found == wd {
            return Ok((dir, path));
        }
        self.unwatch_stranger(found);
        Err(stale())
    }

    /// Asks which directory a name is now; `left` if an event says that the one known has gone.
    pub(crate) fn look(&mut self, parent: Wd, name: &Name, left: bool, now: MonoTime) {
        // What could not be looked at before may have gone unseen since it was known.
        let deep = left || self.is_denied(parent, name);
        let scan = Scan { purpose: self.purpose_of_events(), deep };
        let told = self.look_at(parent, name, scan, now);
        if !told {
            self.retry_name_later(parent, name, scan, now);
        } else if left
            && self.is_denied(parent, name)
            && let Some(known) = self.state.tree.child(parent, name)
        {
            // Which one that is cannot be asked; the event has said that it is another.
            self.orphan(known, scan.purpose, now);
        }
    }

    /// As [`look`](Self::look), for that purpose; answers whether it could be told.
    pub(crate) fn look_at(&mut self, parent: Wd, name: &Name, scan: Scan, now: MonoTime) -> bool {
        match self.try_open_verified(parent) {
            Ok((dir, path)) => {
                let also = self.aliases(parent);
                let at = Looking { parent, dir: &dir, path: &path, also: &also, scan, leaves_on: None };
                self.look_in(&at, name, now)
            }
            Err(error) => {
                self.cannot_look_in(parent, &error);
                false
            }
        }
    }

    fn is_denied(&self, parent: Wd, name: &Name) -> bool {
        self.state.denied.contains(&(parent, Arc::clone(name)))
    }

    /// From a loss until the tree has been looked at again, what an event leads to may be more than the event
    /// tells.
    pub(crate) fn purpose_of_events(&self) -> Purpose {
        if self.state.is_doubtful() { Purpose::Arrived(Trigger::Overflow) } else { Purpose::arrived() }
    }

    /// Asks which directory a name in an open one is; answers whether that could be told.
    pub(crate) fn look_in(&mut self, at: &Looking<'_, K::Dir>, name: &Name, now: MonoTime) -> bool {
        let known = self.state.tree.child(at.parent, name);
        let path = join(at.path, name);
        let link = (at.parent, Arc::clone(name));
        if !self.wants_dir(at, &path) {
            if let Some(known) = known {
                self.drop_subtree(known);
            }
            if self.state.follows && self.wants_file(at, &path) && self.is_followed(at.dir, name) {
                return self.follow_link(at, name, now);
            }
            self.forget_link(at, &link, now);
            return true;
        }
        let probed = if known.is_none() { self.probe(at, name) } else { None };
        if let Some(Probed::Leaf(wd)) = probed {
            return self.place(at, name, (wd, None), now);
        }
        let told = match self.open_and_watch(at, name, &path) {
            Ok((wd, dir)) => {
                self.forget_link(at, &link, now);
                self.place(at, name, (wd, Some(dir)), now)
            }
            Err(_) if self.is_followed(at.dir, name) => self.follow_link(at, name, now),
            Err(error) => {
                self.forget_link(at, &link, now);
                self.look_failed(at, name, path, &error, now)
            }
        };
        if let Some(Probed::Other(wd)) = probed {
            // Another directory may have come to have the name.
            self.unwatch_stranger(wd);
        }
        told
    }

    /// Watches a directory that was not known before, and then asks for its link count: one that is made in it
    /// afterwards is an event. That it is the watched one that was asked about is certain, unless its parent has an
    /// event of the name.
    fn probe(&self, at: &Looking<'_, K::Dir>, name: &[u8]) -> Option<Probed> {
        let device = at.leaves_on?;
        let wd = self.kernel.watch_name(at.dir, name, self.state.mask())?;
        let is_leaf = |status: Status| {
            let Status { kind, links, .. } = status;
            kind == Kind::Dir && links == 2 && status.device == device
        };
        let leaf = self.kernel.status(at.dir, name).is_ok_and(is_leaf);
        Some(if leaf { Probed::Leaf(wd) } else { Probed::Other(wd) })
    }

    fn open_and_watch(
        &mut self,
        at: &Looking<'_, K::Dir>,
        name: &[u8],
        path: &[u8],
    ) -> io::Result<(Wd, K::Dir)> {
        match self.kernel.open_inside(at.dir, name) {
            Err(error) if error.raw_os_error() == Some(libc::EXDEV) => {
                let dir = self.kernel.open_below(at.dir, name).and_then(|dir| self.stay(at.dir, dir))?;
                Ok((self.watch(&dir, path)?, dir))
            }
            opened => {
                let dir = opened.and_then(|dir| self.stay(at.dir, dir))?;
                Ok((self.watch_inside(&dir, path)?, dir))
            }
        }
    }

    /// The directory, with `EXDEV` if the watcher is to stay on the file system of the one that holds it.
    pub(crate) fn stay(&self, parent: &K::Dir, dir: K::Dir) -> io::Result<K::Dir> {
        let device = |dir| self.kernel.identity(dir).map(|Identity(device, _)| device);
        if self.scope.extent().one_file_system && device(parent)? != device(&dir)? {
            return Err(io::Error::from_raw_os_error(libc::EXDEV));
        }
        Ok(dir)
    }

    /// Hangs the directory that a name turned out to be where it belongs. Closed, there is nothing to look through.
    fn place(
        &mut self,
        at: &Looking<'_, K::Dir>,
        name: &Name,
        (wd, dir): (Wd, Option<K::Dir>),
        now: MonoTime,
    ) -> bool {
        self.state.denied.remove(&(at.parent, Arc::clone(name)));
        tracing::trace!(wd = wd.0, parent = at.parent.0, name = %name.escape_ascii(), "found a directory");
        let known = self.state.tree.child(at.parent, name);
        let place = Place::Below(at.parent, Arc::clone(name));
        let purpose = at.scan.purpose;
        if known == Some(wd) {
            if at.scan.deep {
                if matches!(purpose, Purpose::Arrived(_)) {
                    self.seen(purpose, Sight::Arrived(place));
                }
                self.push(Frame::deep(wd, purpose, dir));
            }
            return true;
        }
        if let Some(known) = known {
            self.orphan(known, purpose, now);
            self.seen(purpose, Sight::Left(place.clone()));
        }
        let by_link = |place: &Place| match place {
            Place::Below(dir, name) => self.state.links.target(*dir, name).is_some(),
            Place::Root(_) => false,
        };
        let before = self.state.tree.place(wd).filter(|place| !by_link(place));
        let unreported = self.state.tree.left_unreported(wd);
        let path = join(at.path, name);
        let found = self.purpose_at(wd, &path, purpose.for_new());
        let known_as = self.known_path(wd, found);
        if !self.state.tree.attach(wd, &place) {
            return false;
        }
        if let Some(before) = before.filter(|before| self.state.tree.at(before).is_none()) {
            let left = Sight::Left(before);
            if unreported { self.tell(&left) } else { self.seen(purpose, left) }
        }
        // What is only wanted now has not arrived.
        if found != Purpose::Rescoped {
            self.seen(purpose, Sight::Arrived(place));
        }
        let recalled = known_as.is_some_and(|from| self.recall(wd, &from, &path));
        if dir.is_some() && !recalled {
            self.push(Frame::deep(wd, found, dir));
        }
        true
    }

    /// Looking has told before an event has, if one comes at all.
    pub(crate) fn seen(&mut self, purpose: Purpose, sight: Sight) {
        match purpose {
            Purpose::Initial | Purpose::Late { .. } | Purpose::Rescoped => {}
            purpose if purpose.follows_loss() => self.tell(&sight),
            _ => self.state.untold.push(sight),
        }
    }

    /// Notes what no event tells. What has come to a place since another left it is found once more, after that.
    pub(crate) fn tell(&mut self, sight: &Sight) {
        let (Sight::Left(place) | Sight::Arrived(place)) = sight;
        let (Place::Below(parent, name), there) = (place, self.state.tree.at(place)) else { return };
        let mask = EventMask::CHANGE | EventMask::ISDIR;
        let mut note = |mask| {
            self.note_found(*parent, Arc::clone(name), mask, Subject::Dir, Trigger::Overflow);
        };
        let left = matches!(sight, Sight::Left(_));
        if left {
            note(mask | EventMask::MOVED_FROM);
        }
        if let Some(wd) = there {
            note(mask);
            if left {
                self.push(Frame::deep(wd, Purpose::Arrived(Trigger::Overflow), None));
            }
        }
    }

    fn look_failed(
        &mut self,
        at: &Looking<'_, K::Dir>,
        name: &Name,
        path: Vec<u8>,
        error: &io::Error,
        now: MonoTime,
    ) -> bool {
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::EXDEV) => {
                if let Some(known) = self.state.tree.child(at.parent, name) {
                    self.orphan(known, at.scan.purpose, now);
                }
                self.state.untold.push(Sight::Left(Place::Below(at.parent, Arc::clone(name))));
                true
            }
            Some(libc::EACCES | libc::EPERM) => {
                self.deny(at.parent, name, path);
                let extra = EventMask::ATTRIB;
                self.state.tree.set_extra(at.parent, extra);
                // Without that watch, the change of a permission is found by trying.
                self.kernel.watch_dir(at.dir, self.state.mask() | extra).is_ok()
            }
            _ => {
                self.cannot_look(&path, error);
                false
            }
        }
    }
}
