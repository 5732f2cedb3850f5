//! inotify(7) as the kernel does it: watches by inode, and a queue that merges and overflows.

use std::collections::{BTreeMap, VecDeque};

use crate::event::EventMask;
use crate::sys::Wd;

/// An inode's number; never used twice.
pub(super) type Ino = usize;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Queued {
    wd: Wd,
    mask: EventMask,
    cookie: u32,
    name: Vec<u8>,
}

/// One instance.
#[derive(Debug)]
pub(super) struct Queue {
    watches: BTreeMap<Wd, (Ino, EventMask)>,
    events: VecDeque<Queued>,
    last: i32,
    /// Events it holds; the next one is dropped for an overflow.
    limit: usize,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        Self { watches: BTreeMap::new(), events: VecDeque::new(), last: 0, limit }
    }

    /// The watch on an inode, with these events added to it (`IN_MASK_ADD`).
    pub(super) fn watch(&mut self, ino: Ino, mask: EventMask) -> Wd {
        if let Some((wd, (_, known))) = self.watches.iter_mut().find(|(_, (at, _))| *at == ino) {
            *known |= mask;
            return *wd;
        }
        self.last += 1;
        self.watches.insert(Wd(self.last), (ino, mask));
        Wd(self.last)
    }

    /// Ends a watch, which queues `IN_IGNORED`.
    pub(super) fn unwatch(&mut self, wd: Wd) {
        if self.watches.remove(&wd).is_some() {
            self.push(Queued { wd, mask: EventMask::IGNORED, cookie: 0, name: Vec::new() });
        }
    }

    /// The inode is freed: its watch says so and ends.
    pub(super) fn free(&mut self, ino: Ino) {
        self.notify(ino, EventMask::DELETE_SELF, b"", 0);
        if let Some(wd) = self.wd(ino) {
            self.unwatch(wd);
        }
    }

    pub(super) fn wd(&self, ino: Ino) -> Option<Wd> {
        self.watches.iter().find(|(_, (at, _))| *at == ino).map(|(&wd, _)| wd)
    }

    /// All watches, with what they are on.
    pub(super) fn watches(&self) -> impl Iterator<Item = (Wd, Ino)> {
        self.watches.iter().map(|(&wd, &(ino, _))| (wd, ino))
    }

    pub(super) fn notify(&mut self, ino: Ino, mask: EventMask, name: &[u8], cookie: u32) {
        let found = self.watches.iter().find(|(_, (at, _))| *at == ino);
        if let Some((&wd, &(_, asked))) = found
            && asked.intersects(mask.without(EventMask::ISDIR))
        {
            self.push(Queued { wd, mask, cookie, name: name.to_vec() });
        }
    }

    /// Merges with the last event only, whatever the cookie; one overflow is queued at a time.
    fn push(&mut self, event: Queued) {
        let same = |last: &Queued| last.wd == event.wd && last.mask == event.mask && last.name == event.name;
        if self.events.back().is_some_and(same) {
            return;
        }
        if self.events.len() < self.limit {
            self.events.push_back(event);
        } else if !self.events.iter().any(|event| event.mask == EventMask::Q_OVERFLOW) {
            let mask = EventMask::Q_OVERFLOW;
            self.events.push_back(Queued { wd: Wd(-1), mask, cookie: 0, name: Vec::new() });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Takes out at most `count` events, as read(2) lays them out.
    pub(super) fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Queued { wd, mask, cookie, name } in self.events.drain(..count.min(self.events.len())) {
            let padded = if name.is_empty() { 0 } else { (name.len() / 16 + 1) * 16 };
            bytes.extend(wd.0.to_ne_bytes());
            bytes.extend(mask.kernel_bits().to_ne_bytes());
            bytes.extend(cookie.to_ne_bytes());
            bytes.extend(u32::try_from(padded).unwrap().to_ne_bytes());
            let end = bytes.len() + padded;
            bytes.extend(name);
            bytes.resize(end, 0);
        }
        bytes
    }
}
