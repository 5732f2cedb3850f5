//! A file system in memory, and the operations that others do on it.

use crate::time::FileTime;
use std::collections::BTreeMap;
use std::time::Duration;

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
    /// `RENAME_EXCHANGE`.
    Exchange(&'static str, &'static str),
    /// Makes a symbolic link with this target at a path, in place of the link that is there (`ln -sfn`).
    Link(&'static str, &'static str),
}

#[derive(Debug)]
pub(super) struct Inode {
    /// What it holds; none for a regular file.
    pub(super) entries: Option<BTreeMap<Vec<u8>, Ino>>,
    /// Where a symbolic link leads.
    pub(super) link: Option<&'static str>,
    /// When its content last changed, by [`World::clock`].
    pub(super) mtime: FileTime,
    /// When its content or its name last changed.
    pub(super) ctime: FileTime,
    /// Whether it has a name.
    pub(super) linked: bool,
    /// Open descriptors, which keep it from being freed.
    pub(super) opened: usize,
}

impl Inode {
    pub(super) fn kind(&self) -> Kind {
        match (&self.entries, self.link) {
            (Some(_), _) => Kind::Dir,
            (None, Some(_)) => Kind::Symlink,
            (None, None) => Kind::File,
        }
    }
}

/// The file system with the instance that watches it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) inodes: Vec<Inode>,
    pub(super) queue: Queue,
    /// Nanoseconds.
    pub(super) clock: FileTime,
    cookie: u32,
}

const ROOT: Ino = 0;
/// Symbolic links followed in one path.
const LINKS: usize = 8;
const TICK: Duration = Duration::from_millis(1);

impl World {
    pub(super) fn new(queue: Queue) -> Self {
        let mut world = Self { inodes: Vec::new(), queue, clock: FileTime::new(1_000, 0), cookie: 0 };
        world.make(true);
        world
    }

    fn make(&mut self, dir: bool) -> Ino {
        let entries = dir.then(BTreeMap::new);
        let link = None;
        self.inodes.push(Inode {
            entries,
            link,
            mtime: self.clock,
            ctime: self.clock,
            linked: true,
            opened: 0,
        });
        self.inodes.len() - 1
    }

    /// The inode at a path below a directory.
    pub(super) fn find_below(&self, dir: Ino, relative: &[u8]) -> Option<Ino> {
        let names = relative.split(|&b| b == b'/').filter(|name| !name.is_empty());
        names.into_iter().try_fold(dir, |at, name| self.inodes[at].entries.as_ref()?.get(name).copied())
    }

    /// The inode that an absolute path leads to.
    pub(super) fn find(&self, path: &[u8]) -> Option<Ino> {
        self.follow(path, true, LINKS)
    }

    /// As [`find`](Self::find), not following a link at the end.
    pub(super) fn find_itself(&self, path: &[u8]) -> Option<Ino> {
        self.follow(path, false, LINKS)
    }

    fn follow(&self, path: &[u8], last_too: bool, links: usize) -> Option<Ino> {
        let mut names = path.split(|&b| b == b'/').filter(|name| !name.is_empty()).peekable();
        let mut at = ROOT;
        while let Some(name) = names.next() {
            at = *self.inodes[at].entries.as_ref()?.get(name)?;
            if let Some(target) = self.inodes[at].link.filter(|_| last_too || names.peek().is_some()) {
                at = self.follow(target.as_bytes(), true, links.checked_sub(1)?)?;
            }
        }
        Some(at)
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
        self.clock = self.clock.saturating_add(TICK);
        let done = match op {
            Op::Mkdir(path) => self.mkdir(path),
            Op::Rmdir(path) => self.remove(path, Kind::Dir),
            Op::Write(path) => self.write(path),
            Op::Truncate(path) => self.truncate(path),
            Op::Unlink(path) => self.remove(path, Kind::File),
            Op::Rename(from, to) => self.rename(from, to),
            Op::Exchange(one, other) => self.exchange(one, other),
            Op::Link(target, path) => self.link(target, path),
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
        if self.inodes[ino].kind() != Kind::File {
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
        let is_dir = self.inodes[ino].kind() == Kind::Dir;
        if is_dir != (kind == Kind::Dir) || !self.is_empty(ino) {
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

    /// Two and one for each directory in it, of a directory; a file has one name.
    pub(super) fn links(&self, ino: Ino) -> u64 {
        let Some(entries) = &self.inodes[ino].entries else { return 1 };
        2 + entries.values().filter(|&&below| self.inodes[below].kind() == Kind::Dir).count() as u64
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
        let is_dir = |ino: Ino| self.inodes[ino].kind() == Kind::Dir;
        let allowed = |other: Ino| is_dir(other) == is_dir(ino) && self.is_empty(other);
        let inside = to.strip_prefix(from).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if inside || !replaced.is_none_or(allowed) {
            return None;
        }
        self.leave(old_dir, old_name);
        self.enter(new_dir, new_name, ino);
        self.moved(ino, (old_dir, old_name), (new_dir, new_name));
        if let Some(replaced) = replaced {
            self.unlink(replaced);
        }
        Some(())
    }

    /// Tells of a rename.
    fn moved(&mut self, ino: Ino, (old_dir, old_name): (Ino, &[u8]), (new_dir, new_name): (Ino, &[u8])) {
        self.inodes[ino].ctime = self.clock;
        self.cookie += 1;
        let cookie = self.cookie;
        let dir = self.inodes[ino].kind() == Kind::Dir;
        let isdir = if dir { EventMask::ISDIR } else { EventMask::default() };
        self.queue.notify(old_dir, EventMask::MOVED_FROM | isdir, old_name, cookie);
        self.queue.notify(new_dir, EventMask::MOVED_TO | isdir, new_name, cookie);
        self.queue.notify(ino, EventMask::MOVE_SELF, b"", 0);
    }

    /// renameat2(2): two renames at once.
    fn exchange(&mut self, one: &str, other: &str) -> Option<()> {
        let (one_at, other_at) = (self.parent(one)?, self.parent(other)?);
        let (ino, with) = (self.find_below(one_at.0, one_at.1)?, self.find_below(other_at.0, other_at.1)?);
        let below = |path: &str, of: &str| path.strip_prefix(of).is_some_and(|rest| rest.starts_with('/'));
        if ino == with || below(one, other) || below(other, one) {
            return None;
        }
        self.enter(one_at.0, one_at.1, with);
        self.enter(other_at.0, other_at.1, ino);
        self.moved(ino, one_at, other_at);
        self.moved(with, other_at, one_at);
        Some(())
    }

    fn link(&mut self, target: &'static str, path: &str) -> Option<()> {
        let (dir, name) = self.parent(path)?;
        let before = self.find_below(dir, name);
        if before.is_some_and(|before| self.inodes[before].link.is_none_or(|known| known == target)) {
            return None;
        }
        let ino = self.make(false);
        self.inodes[ino].link = Some(target);
        self.enter(dir, name, ino);
        let Some(before) = before else {
            self.queue.notify(dir, EventMask::CREATE, name, 0);
            return Some(());
        };
        // It was made elsewhere, and renamed over the other.
        self.cookie += 1;
        self.queue.notify(dir, EventMask::MOVED_TO, name, self.cookie);
        self.unlink(before);
        Some(())
    }

    /// chmod(2) of every directory below a path.
    #[cfg(test)]
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
