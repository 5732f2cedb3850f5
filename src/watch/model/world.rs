//! A file system in memory, and the operations that others do on it.

use std::collections::BTreeMap;

use super::queue::{Ino, Queue};
use crate::event::EventMask;
use crate::sys::Kind;

/// What somebody does to the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Mkdir(&'static str),
    Rmdir(&'static str),
    /// Opens for writing, making the file where there is none; writes; closes.
    Write(&'static str),
    /// truncate(2): no descriptor is closed.
    Truncate(&'static str),
    Unlink(&'static str),
    Rename(&'static str, &'static str),
}

#[derive(Debug)]
pub(super) struct Inode {
    /// What it holds; none for a regular file.
    pub(super) entries: Option<BTreeMap<Vec<u8>, Ino>>,
    /// When its content last changed, by [`World::clock`].
    pub(super) mtime: i128,
    /// When its content or its name last changed.
    pub(super) ctime: i128,
    /// Whether it has a name.
    pub(super) linked: bool,
    /// Open descriptors, which keep it from being freed.
    pub(super) opened: usize,
}

impl Inode {
    pub(super) fn kind(&self) -> Kind {
        if self.entries.is_some() { Kind::Dir } else { Kind::File }
    }
}

/// The file system with the instance that watches it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) inodes: Vec<Inode>,
    pub(super) queue: Queue,
    /// Nanoseconds.
    pub(super) clock: i128,
    cookie: u32,
}

const ROOT: Ino = 0;
const TICK: i128 = 1_000_000;

impl World {
    pub(super) fn new(queue: Queue) -> Self {
        let mut world = Self { inodes: Vec::new(), queue, clock: 1_000_000_000_000, cookie: 0 };
        world.make(true);
        world
    }

    fn make(&mut self, dir: bool) -> Ino {
        let entries = dir.then(BTreeMap::new);
        self.inodes.push(Inode { entries, mtime: self.clock, ctime: self.clock, linked: true, opened: 0 });
        self.inodes.len() - 1
    }

    /// The inode at a path below a directory.
    pub(super) fn find_below(&self, dir: Ino, relative: &[u8]) -> Option<Ino> {
        let names = relative.split(|&b| b == b'/').filter(|name| !name.is_empty());
        names.into_iter().try_fold(dir, |at, name| self.inodes[at].entries.as_ref()?.get(name).copied())
    }

    pub(super) fn find(&self, path: &[u8]) -> Option<Ino> {
        self.find_below(ROOT, path)
    }

    /// The directory that a path's last name is in, and that name.
    fn parent<'p>(&self, path: &'p str) -> Option<(Ino, &'p [u8])> {
        let (dir, name) = path.rsplit_once('/')?;
        let dir = self.find(dir.as_bytes())?;
        self.inodes[dir].entries.as_ref().map(|_| (dir, name.as_bytes()))
    }

    fn enter(&mut self, dir: Ino, name: &[u8], ino: Ino) {
        self.inodes[dir].entries.as_mut().unwrap().insert(name.to_vec(), ino);
    }

    fn leave(&mut self, dir: Ino, name: &[u8]) {
        self.inodes[dir].entries.as_mut().unwrap().remove(name);
    }

    /// Does it; answers false, with nothing changed, where the kernel would refuse.
    pub(super) fn apply(&mut self, op: Op) -> bool {
        self.clock += TICK;
        let done = match op {
            Op::Mkdir(path) => self.mkdir(path),
            Op::Rmdir(path) => self.remove(path, Kind::Dir),
            Op::Write(path) => self.write(path),
            Op::Truncate(path) => self.truncate(path),
            Op::Unlink(path) => self.remove(path, Kind::File),
            Op::Rename(from, to) => self.rename(from, to),
        };
        done.is_some()
    }

    fn mkdir(&mut self, path: &str) -> Option<()> {
        let (dir, name) = self.parent(path)?;
        if self.find_below(dir, name).is_some() {
            return None;
        }
        let ino = self.make(true);
        self.enter(dir, name, ino);
        self.queue.notify(dir, EventMask::CREATE | EventMask::ISDIR, name, 0);
        Some(())
    }

    fn write(&mut self, path: &str) -> Option<()> {
        let (dir, name) = self.parent(path)?;
        let ino = if let Some(known) = self.find_below(dir, name) {
            known
        } else {
            let made = self.make(false);
            self.enter(dir, name, made);
            self.queue.notify(dir, EventMask::CREATE, name, 0);
            made
        };
        if self.inodes[ino].kind() == Kind::Dir {
            return None;
        }
        (self.inodes[ino].mtime, self.inodes[ino].ctime) = (self.clock, self.clock);
        self.queue.notify(dir, EventMask::MODIFY, name, 0);
        self.queue.notify(dir, EventMask::CLOSE_WRITE, name, 0);
        Some(())
    }

    fn truncate(&mut self, path: &str) -> Option<()> {
        let (dir, name) = self.parent(path)?;
        let ino = self.find_below(dir, name).filter(|ino| self.inodes[*ino].kind() == Kind::File)?;
        (self.inodes[ino].mtime, self.inodes[ino].ctime) = (self.clock, self.clock);
        self.queue.notify(dir, EventMask::MODIFY, name, 0);
        Some(())
    }

    /// rmdir(2) or unlink(2). The directory's own watch ends before its parent hears of it, unless
    /// somebody holds it open.
    fn remove(&mut self, path: &str, kind: Kind) -> Option<()> {
        let (dir, name) = self.parent(path)?;
        let ino = self.find_below(dir, name)?;
        if self.inodes[ino].kind() != kind || !self.is_empty(ino) {
            return None;
        }
        self.leave(dir, name);
        self.unlink(ino);
        let isdir = if kind == Kind::Dir { EventMask::ISDIR } else { EventMask::default() };
        self.queue.notify(dir, EventMask::DELETE | isdir, name, 0);
        Some(())
    }

    fn is_empty(&self, ino: Ino) -> bool {
        self.inodes[ino].entries.as_ref().is_none_or(BTreeMap::is_empty)
    }

    fn unlink(&mut self, ino: Ino) {
        self.inodes[ino].linked = false;
        if self.inodes[ino].opened == 0 {
            self.queue.free(ino);
        }
    }

    /// A descriptor is closed.
    pub(super) fn close(&mut self, ino: Ino) {
        self.inodes[ino].opened -= 1;
        if self.inodes[ino].opened == 0 && !self.inodes[ino].linked {
            self.queue.free(ino);
        }
    }

    /// rename(2). A directory that is replaced must be empty, and no parent says that it has gone.
    fn rename(&mut self, from: &str, to: &str) -> Option<()> {
        let (old_dir, old_name) = self.parent(from)?;
        let (new_dir, new_name) = self.parent(to)?;
        let ino = self.find_below(old_dir, old_name)?;
        let replaced = self.find_below(new_dir, new_name);
        let allowed =
            |other: Ino| self.inodes[other].kind() == self.inodes[ino].kind() && self.is_empty(other);
        let inside = to.strip_prefix(from).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if inside || !replaced.is_none_or(allowed) {
            return None;
        }
        self.leave(old_dir, old_name);
        self.enter(new_dir, new_name, ino);
        self.inodes[ino].ctime = self.clock;
        self.cookie += 1;
        let cookie = self.cookie;
        let dir = self.inodes[ino].kind() == Kind::Dir;
        let isdir = if dir { EventMask::ISDIR } else { EventMask::default() };
        self.queue.notify(old_dir, EventMask::MOVED_FROM | isdir, old_name, cookie);
        self.queue.notify(new_dir, EventMask::MOVED_TO | isdir, new_name, cookie);
        self.queue.notify(ino, EventMask::MOVE_SELF, b"", 0);
        if let Some(replaced) = replaced {
            self.unlink(replaced);
        }
        Some(())
    }

    /// chmod(2) of every directory below a path.
    pub(super) fn chmod_below(&mut self, path: &str) {
        for (path, ino) in self.all(path).into_iter().skip(1) {
            let at = path.iter().rposition(|&b| b == b'/').unwrap();
            if self.inodes[ino].kind() == Kind::Dir {
                let dir = self.find(&path[..at]).unwrap();
                let mask = EventMask::ATTRIB | EventMask::ISDIR;
                self.queue.notify(dir, mask, &path[at + 1..], 0);
                self.queue.notify(ino, mask, b"", 0);
            }
        }
    }

    /// Everything at and below a path, with its inode.
    pub(super) fn all(&self, path: &str) -> BTreeMap<Vec<u8>, Ino> {
        let mut all: BTreeMap<Vec<u8>, Ino> = BTreeMap::new();
        let mut left: Vec<_> =
            self.find(path.as_bytes()).map(|ino| (path.as_bytes().to_vec(), ino)).into_iter().collect();
        while let Some((path, ino)) = left.pop() {
            for (name, &below) in self.inodes[ino].entries.iter().flatten() {
                left.push(([&path, &b"/"[..], name].concat(), below));
            }
            all.insert(path, ino);
        }
        all
    }
}
