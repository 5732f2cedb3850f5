//! inotify(7): one instance and its watches.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::{Dir, cvt, cvt_len, own, retry};

/// A watch descriptor. The kernel hands them out in rising order and never reuses one within an
/// instance, so it identifies a watched inode for as long as the instance lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wd(pub i32);

/// The kernel's own default (inotify(7), "/proc interfaces").
const QUEUE_LIMIT: u32 = 16_384;

/// An inotify instance, non-blocking.
#[derive(Debug)]
pub struct Inotify {
    fd: OwnedFd,
    queue_limit: u32,
}

impl Inotify {
    /// Makes an instance.
    ///
    /// # Errors
    /// `EMFILE` at the user's limit of instances (`fs.inotify.max_user_instances`) or of descriptors.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let fd = cvt(unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) })?;
        let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").ok();
        let queue_limit = limit.and_then(|limit| limit.trim().parse().ok()).unwrap_or(QUEUE_LIMIT);
        Ok(Self { fd: own(fd), queue_limit })
    }

    /// How many instances this user may have: `fs.inotify.max_user_instances`, or
    /// `user.max_inotify_instances` where that is lower, as it may be in a user namespace (namespaces(7)).
    #[must_use]
    pub fn instance_limit() -> Option<(&'static str, u64)> {
        ["fs.inotify.max_user_instances", "user.max_inotify_instances"]
            .into_iter()
            .filter_map(|name| {
                let text = std::fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok()?;
                Some((name, text.trim().parse().ok()?))
            })
            .min_by_key(|&(_, limit)| limit)
    }

    /// Watches the inode behind an open directory; answers the existing descriptor if it has one.
    ///
    /// `IN_MASK_ADD` always: without it a second add on a live watch loses events silently.
    ///
    /// # Errors
    /// `ENOSPC` at the user's limit of watches, `EACCES` without read permission, `ENOMEM`.
    pub fn watch_dir(&self, dir: &Dir, mask: u32) -> io::Result<Wd> {
        self.add(&dir.proc_path(), mask | libc::IN_ONLYDIR)
    }

    /// As [`watch_dir`](Self::watch_dir), of the working directory, without the way through `/proc`.
    ///
    /// # Errors
    /// As those.
    pub fn watch_here(&self, mask: u32) -> io::Result<Wd> {
        self.add(c".", mask | libc::IN_ONLYDIR)
    }

    /// Watches the directory of that name in the working directory, without opening it; no symbolic link.
    ///
    /// # Errors
    /// As [`watch_dir`](Self::watch_dir), and `ENOENT`, `ENOTDIR`.
    pub fn watch_name(&self, name: &[u8], mask: u32) -> io::Result<Wd> {
        self.add(&CString::new(name)?, mask | libc::IN_ONLYDIR | libc::IN_DONT_FOLLOW)
    }

    /// Watches what `path` names, the link itself where it is a symbolic link.
    ///
    /// # Errors
    /// As [`watch_dir`](Self::watch_dir), and those of resolving the path.
    pub fn watch_path(&self, path: &[u8], mask: u32) -> io::Result<Wd> {
        self.add(&CString::new(path)?, mask | libc::IN_DONT_FOLLOW)
    }

    fn add(&self, path: &CStr, mask: u32) -> io::Result<Wd> {
        let mask = mask | libc::IN_MASK_ADD | libc::IN_EXCL_UNLINK;
        // SAFETY: `path` is a NUL-terminated string that outlives the call.
        cvt(unsafe { libc::inotify_add_watch(self.fd.as_raw_fd(), path.as_ptr(), mask) }).map(Wd)
    }

    /// How many events the kernel queues before it drops any (inotify(7), "/proc interfaces"): its limit when the
    /// instance was made.
    #[must_use]
    pub fn queue_limit(&self) -> u32 {
        self.queue_limit
    }

    /// Ends a watch.
    ///
    /// # Errors
    /// `EINVAL` if it has ended already, which callers may ignore.
    pub fn unwatch(&self, wd: Wd) -> io::Result<()> {
        // SAFETY: takes no pointer.
        cvt(unsafe { libc::inotify_rm_watch(self.fd.as_raw_fd(), wd.0) }).map(drop)
    }

    /// Reads queued events; empty when there are none. `buffer` must hold at least one event with a
    /// 255-byte name, 272 bytes.
    ///
    /// # Errors
    /// Those of read(2) but `EAGAIN` and `EINTR`.
    pub fn read<'b>(&self, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let fd = self.fd.as_raw_fd();
        let result = retry(|| {
            // SAFETY: `buffer` is writable for its whole length.
            cvt_len(unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) })
        });
        match result {
            Ok(length) => Ok(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(&[]),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
