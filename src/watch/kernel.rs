//! The system calls the watcher makes, behind a boundary into which a model of the kernel fits.

use std::io;
use std::os::unix::ffi::OsStringExt;

use crate::event::{EventMask, as_path};
use crate::sys::{Dir, Entry, Identity, Inotify, Status, Wd};

/// inotify and the directory reads.
pub(super) trait Kernel {
    /// An open directory.
    type Dir;

    /// Opens an absolute path, following symbolic links.
    fn open(&self, path: &[u8]) -> io::Result<Self::Dir>;
    /// Opens a path below an open directory, not following a link at its end.
    fn open_below(&self, dir: &Self::Dir, relative: &[u8]) -> io::Result<Self::Dir>;
    /// Opens the directory that a name in an open one leads to, following a symbolic link.
    fn follow(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<Self::Dir>;
    /// What a symbolic link at an absolute path holds; `EINVAL` where there is something else.
    fn read_link(&self, path: &[u8]) -> io::Result<Vec<u8>>;
    /// Watches an open directory, or answers the watch it has.
    fn watch_dir(&self, dir: &Self::Dir, mask: EventMask) -> io::Result<Wd>;
    /// Watches what an absolute path names, the link itself where it is one.
    fn watch_path(&self, path: &[u8], mask: EventMask) -> io::Result<Wd>;
    /// Which directory an open one is.
    fn identity(&self, dir: &Self::Dir) -> io::Result<Identity>;
    /// Whether inotify hears of every change in it.
    fn notifies(&self, dir: &Self::Dir) -> bool;
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
    fn file_clock(&self) -> i128;
}

/// The real one.
#[derive(Debug)]
pub(super) struct Linux {
    pub(super) inotify: Inotify,
}

impl Kernel for Linux {
    type Dir = Dir;

    fn open(&self, path: &[u8]) -> io::Result<Dir> {
        Dir::open(path)
    }

    fn open_below(&self, dir: &Dir, relative: &[u8]) -> io::Result<Dir> {
        dir.open_below(relative)
    }

    fn follow(&self, dir: &Dir, name: &[u8]) -> io::Result<Dir> {
        dir.follow(name)
    }

    fn read_link(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        std::fs::read_link(as_path(path)).map(|target| target.into_os_string().into_vec())
    }

    fn watch_dir(&self, dir: &Dir, mask: EventMask) -> io::Result<Wd> {
        self.inotify.watch_dir(dir, mask.kernel_bits())
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

    fn file_clock(&self) -> i128 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(i128::MAX))
    }
}
