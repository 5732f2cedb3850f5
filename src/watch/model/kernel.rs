//! The model as the watcher's kernel: before each call, others may have done something.

use crate::time::FileTime;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;

use super::queue::{Ino, Queue};
use super::world::{Inode, Op, World};
use crate::event::EventMask;
use crate::sys::{Entry, Identity, Kind, Status, Wd};
use crate::watch::backend::Kernel;

/// What others do, each so many calls of the watcher after the one before.
pub(super) type Schedule = VecDeque<(usize, Op)>;

/// The calls that can fail for a reason of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Open,
    Watch,
    List,
    Status,
    Lease,
    Read,
    /// Never fails.
    Other,
}

/// Calls of a kind that fail after some have gone well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) call: Call,
    pub(super) after: usize,
    pub(super) times: usize,
    pub(super) code: i32,
    /// How often it has struck.
    pub(super) struck: usize,
}

impl Fault {
    /// The error of the next call of a kind, if it is to fail.
    fn strike(&mut self, call: Call) -> Option<io::Error> {
        if call != self.call {
            return None;
        }
        if self.after > 0 {
            self.after -= 1;
            return None;
        }
        self.times = self.times.checked_sub(1)?;
        self.struck += 1;
        Some(errno(self.code))
    }
}

/// The world with what happens to it.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) world: World,
    pub(super) schedule: Schedule,
    pub(super) fault: Option<Fault>,
    /// Calls of the watcher.
    pub(super) calls: usize,
    /// Operations done.
    pub(super) done: usize,
    /// Of each path below the root's that ever led somewhere: what was there last, its time unless it is a
    /// directory, and the operation that brought it there or changed it.
    pub(super) seen: BTreeMap<Vec<u8>, (Ino, FileTime, usize)>,
    /// The root of the scope.
    root: &'static str,
    /// Whether the root's path has come to lead elsewhere.
    pub(super) root_changed: bool,
    /// Events that one read(2) answers.
    batch: usize,
    /// The working directory of the watcher, which it keeps from being freed.
    place: Option<Ino>,
}

impl Machine {
    pub(super) fn new(root: &'static str, limit: usize, batch: usize) -> Self {
        let world = World::new(Queue::new(limit));
        let seen = BTreeMap::new();
        Self {
            world,
            schedule: Schedule::new(),
            fault: None,
            calls: 0,
            done: 0,
            seen,
            root,
            root_changed: false,
            batch,
            place: None,
        }
    }

    /// Does an operation now; answers whether the kernel let it be.
    pub(super) fn apply(&mut self, op: Op) -> bool {
        let root = self.world.find(self.root.as_bytes());
        let applied = self.world.apply(op);
        self.done += 1;
        self.root_changed |= root != self.world.find(self.root.as_bytes());
        for (path, ino) in self.world.all(self.root).into_iter().skip(1) {
            let inode = &self.world.inodes[ino];
            let time = if inode.kind() == Kind::Dir { FileTime::default() } else { inode.ctime };
            let known = self.seen.get(&path).filter(|known| (known.0, known.1) == (ino, time));
            let changed = known.map_or(self.done, |known| known.2);
            self.seen.insert(path, (ino, time, changed));
        }
        applied
    }

    /// The watcher leaves its working directory.
    pub(super) fn go_home(&mut self) {
        if let Some(place) = self.place.take() {
            self.world.close(place);
        }
    }

    /// Does the next scheduled operation, due or not.
    pub(super) fn hurry(&mut self) -> bool {
        let next = self.schedule.pop_front();
        next.map(|(_, op)| self.apply(op)).is_some()
    }
}

/// The machine as the watcher sees it.
#[derive(Clone, Debug)]
pub(super) struct Model(pub(super) Rc<RefCell<Machine>>);

impl Model {
    /// A call, before which others may have done something.
    fn call<T>(&self, call: Call, answer: impl FnOnce(&mut World) -> io::Result<T>) -> io::Result<T> {
        let mut machine = self.0.borrow_mut();
        machine.calls += 1;
        while let Some((0, op)) = machine.schedule.front().copied() {
            machine.schedule.pop_front();
            machine.apply(op);
        }
        if let Some((wait, _)) = machine.schedule.front_mut() {
            *wait -= 1;
        }
        match machine.fault.as_mut().and_then(|fault| fault.strike(call)) {
            Some(error) => Err(error),
            None => answer(&mut machine.world),
        }
    }

    /// The thread is in the directory that it watched last.
    fn go_to(&self, dir: &Handle) {
        let mut machine = self.0.borrow_mut();
        machine.world.inodes[dir.ino].opened += 1;
        if let Some(before) = machine.place.replace(dir.ino) {
            machine.world.close(before);
        }
    }

    fn opened(&self, find: impl FnOnce(&World) -> Option<Ino>) -> io::Result<Handle> {
        let ino = self.call(Call::Open, |world| {
            let ino = find(world).ok_or_else(|| errno(libc::ENOENT))?;
            if world.inodes[ino].kind() != Kind::Dir {
                return Err(errno(libc::ENOTDIR));
            }
            world.inodes[ino].opened += 1;
            Ok(ino)
        })?;
        Ok(Handle { machine: Rc::clone(&self.0), ino })
    }
}

/// An open directory.
#[derive(Debug)]
pub(super) struct Handle {
    machine: Rc<RefCell<Machine>>,
    ino: Ino,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.machine.borrow_mut().world.close(self.ino);
    }
}

fn errno(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

impl Kernel for Model {
    type Dir = Handle;

    fn open(&self, path: &[u8]) -> io::Result<Handle> {
        self.opened(|world| world.find(path))
    }

    fn open_below(&self, dir: &Handle, name: &[u8]) -> io::Result<Handle> {
        self.opened(|world| world.find_below(dir.ino, name))
    }

    /// Nothing is mounted anywhere.
    fn open_inside(&self, dir: &Handle, name: &[u8]) -> io::Result<Handle> {
        self.open_below(dir, name)
    }

    /// There are no links.
    fn follow(&self, dir: &Handle, name: &[u8]) -> io::Result<Handle> {
        self.open_below(dir, name)
    }

    fn read_link(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        self.call(Call::Status, |world| {
            let ino = world.find_itself(path).ok_or_else(|| errno(libc::ENOENT))?;
            world.inodes[ino].link.map(|target| target.as_bytes().to_vec()).ok_or_else(|| errno(libc::EINVAL))
        })
    }

    fn watch_dir(&self, dir: &Handle, mask: EventMask) -> io::Result<Wd> {
        self.go_to(dir);
        self.call(Call::Watch, |world| Ok(world.queue.watch(dir.ino, mask)))
    }

    fn watch_name(&self, dir: &Handle, name: &[u8], mask: EventMask) -> Option<Wd> {
        self.go_to(dir);
        let watched = self.call(Call::Watch, |world| {
            let ino = world.find_below(dir.ino, name).ok_or_else(|| errno(libc::ENOENT))?;
            if world.inodes[ino].kind() != Kind::Dir {
                return Err(errno(libc::ENOTDIR));
            }
            Ok(world.queue.watch(ino, mask))
        });
        watched.ok()
    }

    fn watch_path(&self, path: &[u8], mask: EventMask) -> io::Result<Wd> {
        self.call(Call::Watch, |world| {
            let ino = world.find_itself(path).ok_or_else(|| errno(libc::ENOENT))?;
            Ok(world.queue.watch(ino, mask))
        })
    }

    fn identity(&self, dir: &Handle) -> io::Result<Identity> {
        self.call(Call::Status, |_| Ok(Identity(0, dir.ino as u64)))
    }

    fn notifies(&self, _: &Handle) -> bool {
        self.call(Call::Other, |_| Ok(true)).is_ok()
    }

    fn counts_links(&self, _: &Handle) -> bool {
        self.call(Call::Other, |_| Ok(true)).is_ok()
    }

    fn unwatch(&self, wd: Wd) {
        let _ = self.call(Call::Other, |world| {
            world.queue.unwatch(wd);
            Ok(())
        });
    }

    fn list(&self, dir: &Handle) -> io::Result<Vec<Entry>> {
        self.call(Call::List, |world| {
            let inode = &world.inodes[dir.ino];
            if !inode.linked {
                return Err(errno(libc::ENOENT));
            }
            let entry = |(name, ino): (&Vec<u8>, &Ino)| Entry {
                name: name.clone(),
                kind: Some(world.inodes[*ino].kind()),
            };
            Ok(inode.entries.iter().flatten().map(entry).collect())
        })
    }

    fn status(&self, dir: &Handle, name: &[u8]) -> io::Result<Status> {
        self.call(Call::Status, |world| {
            let ino = world.find_below(dir.ino, name).ok_or_else(|| errno(libc::ENOENT))?;
            let inode = &world.inodes[ino];
            let (kind, &Inode { mtime, ctime, .. }) = (inode.kind(), inode);
            let (links, inode) = (world.links(ino), ino as u64);
            Ok(Status { kind, links, device: 0, inode, size: 0, mtime, ctime })
        })
    }

    fn is_being_written(&self, dir: &Handle, name: &[u8]) -> io::Result<bool> {
        self.call(Call::Lease, |world| {
            world.find_below(dir.ino, name).map(|_| false).ok_or_else(|| errno(libc::ENOENT))
        })
    }

    fn read<'b>(&self, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let batch = self.0.borrow().batch;
        let bytes = self.call(Call::Read, |world| Ok(world.queue.read(batch)))?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(&buffer[..bytes.len()])
    }

    fn queue_limit(&self) -> u32 {
        self.0.borrow().batch as u32
    }

    fn file_clock(&self) -> FileTime {
        self.call(Call::Other, |world| Ok(world.clock)).unwrap_or_default()
    }
}
