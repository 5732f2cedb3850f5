//! The system calls the watcher makes, behind a boundary into which a model of the kernel fits.

pub(super) mod decode;

use crate::time::FileTime;
use std::cell::Cell;
use std::io;
use std::os::unix::ffi::OsStringExt;

use crate::event::{EventMask, as_path};
use crate::sys::{Dir, Entry, Identity, Inotify, Status, Wd, leave_working_directory, own_working_directory};

/// inotify and the directory reads.
pub(super) trait Kernel {
    /// An open directory.
    type Dir;

    /// Opens an absolute path, following symbolic links.
    fn open(&self, path: &[u8]) -> io::Result<Self::Dir>;
    /// Opens a directory by its name in an open one, not following a link.
    fn open_below(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<Self::Dir>;
    /// As [`open_below`](Self::open_below), but `EXDEV` if the name is on another mount, or that cannot be told.
    fn open_inside(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<Self::Dir>;
    /// Opens the directory that a name in an open one leads to, following a symbolic link.
    fn follow(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<Self::Dir>;
    /// What a symbolic link at an absolute path holds; `EINVAL` where there is something else.
    fn read_link(&self, path: &[u8]) -> io::Result<Vec<u8>>;
    /// Watches an open directory, or answers the watch it has.
    fn watch_dir(&self, dir: &Self::Dir, mask: EventMask) -> io::Result<Wd>;
    /// Watches the directory of that name in an open one without opening it; no link. None where that cannot be done.
    fn watch_name(&self, dir: &Self::Dir, name: &[u8], mask: EventMask) -> Option<Wd>;
    /// Watches what an absolute path names, the link itself where it is one.
    fn watch_path(&self, path: &[u8], mask: EventMask) -> io::Result<Wd>;
    /// Which directory an open one is.
    fn identity(&self, dir: &Self::Dir) -> io::Result<Identity>;
    /// Whether inotify hears of every change in it.
    fn notifies(&self, dir: &Self::Dir) -> bool;
    /// Whether the link count of a directory on its file system tells how many directories are in it.
    fn counts_links(&self, dir: &Self::Dir) -> bool;
    /// Ends a watch, if it has not ended.
    fn unwatch(&self, wd: Wd);
    /// The names in an open directory.
    fn list(&self, dir: &Self::Dir) -> io::Result<Vec<Entry>>;
    /// What a name in an open directory is.
    fn status(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<Status>;
    /// Whether a regular file is open for writing anywhere.
    fn is_being_written(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<bool>;
    /// Queued events; empty if there are none.
    fn read<'b>(&self, buffer: &'b mut [u8]) -> io::Result<&'b [u8]>;
    /// How many events the queue holds before it drops any.
    fn queue_limit(&self) -> u32;
    /// The clock that file times are taken from, in nanoseconds since the epoch.
    fn file_clock(&self) -> FileTime;
}

/// The real one.
#[derive(Debug)]
pub(super) struct Linux {
    inotify: Inotify,
    /// Whether the thread has a working directory of its own: a directory is watched by going there, which takes
    /// half of the time that the way through `/proc/self/fd` takes.
    roams: Cell<bool>,
    /// Whether it is in one that it has watched.
    away: Cell<bool>,
}

impl Linux {
    pub(super) fn new(inotify: Inotify) -> Self {
        Self { inotify, roams: Cell::new(false), away: Cell::new(false) }
    }

    /// Gives the calling thread, which makes all further calls, a working directory of its own.
    pub(super) fn roam(&self) {
        self.roams.set(own_working_directory().is_ok());
    }

    /// Lets go of the directory that was watched last. To be called before any wait.
    pub(super) fn go_home(&self) {
        if self.away.take() && leave_working_directory().is_err() {
            self.away.set(true);
            self.roams.set(false);
        }
    }

    fn enter(&self, dir: &Dir) -> bool {
        let entered = self.roams.get() && dir.enter().is_ok();
        self.away.set(self.away.get() || entered);
        entered
    }
}

impl Kernel for Linux {
    type Dir = Dir;

    fn open(&self, path: &[u8]) -> io::Result<Dir> {
        Dir::open(path)
    }

    fn open_below(&self, dir: &Dir, name: &[u8]) -> io::Result<Dir> {
        dir.open_below(name)
    }

    fn open_inside(&self, dir: &Dir, name: &[u8]) -> io::Result<Dir> {
        dir.open_inside(name)
    }

    fn follow(&self, dir: &Dir, name: &[u8]) -> io::Result<Dir> {
        dir.follow(name)
    }

    fn read_link(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        std::fs::read_link(as_path(path)).map(|target| target.into_os_string().into_vec())
    }

    fn watch_dir(&self, dir: &Dir, mask: EventMask) -> io::Result<Wd> {
        let mask = mask.kernel_bits();
        if self.enter(dir) { self.inotify.watch_here(mask) } else { self.inotify.watch_dir(dir, mask) }
    }

    fn watch_name(&self, dir: &Dir, name: &[u8], mask: EventMask) -> Option<Wd> {
        if self.enter(dir) { self.inotify.watch_name(name, mask.kernel_bits()).ok() } else { None }
    }

    fn watch_path(&self, path: &[u8], mask: EventMask) -> io::Result<Wd> {
        self.inotify.watch_path(path, mask.kernel_bits())
    }

    fn identity(&self, dir: &Dir) -> io::Result<Identity> {
        dir.identity()
    }

    fn notifies(&self, dir: &Dir) -> bool {
        dir.notifies()
    }

    fn counts_links(&self, dir: &Dir) -> bool {
        dir.counts_links()
    }

    fn unwatch(&self, wd: Wd) {
        // EINVAL: it had ended by itself.
        let _ = self.inotify.unwatch(wd);
    }

    fn list(&self, dir: &Dir) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        dir.list(|entry| entries.push(entry)).map(|()| entries)
    }

    fn status(&self, dir: &Dir, name: &[u8]) -> io::Result<Status> {
        dir.status(name)
    }

    fn is_being_written(&self, dir: &Dir, name: &[u8]) -> io::Result<bool> {
        dir.is_being_written(name)
    }

    fn read<'b>(&self, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        self.inotify.read(buffer)
    }

    fn queue_limit(&self) -> u32 {
        self.inotify.queue_limit()
    }

    fn file_clock(&self) -> FileTime {
        FileTime::now()
    }
}
