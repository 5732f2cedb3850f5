//! What keeps the watcher from looking for a while: told once, with the way out, and once it is over.

use std::io;
use std::time::Duration;

use crate::sys::Wd;
use crate::time::MonoTime;
use crate::watch::Notice;
use crate::watch::backend::Kernel;
use crate::watch::observer::{Next, Observer};
use crate::watch::tree::Name;
use crate::watch::tree::path::Route;

/// Reads of the kernel's events that may fail one after the other before the watcher gives up: a second in all.
const READS: u32 = 10;
/// Before the next of them, longer with each.
const WAIT: Duration = Duration::from_millis(20);

/// What has been told, and what has failed.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    told: bool,
    reads: u32,
    /// Why events may have been lost, where their number is not the reason.
    unread: Option<String>,
}

impl<K: Kernel> Observer<K> {
    /// Notes that a directory could not be looked at. That its name has gone, or is another's, is an event's to
    /// tell.
    pub(crate) fn cannot_look(&mut self, path: &[u8], error: &io::Error) {
        if is_passing(error) && !std::mem::replace(&mut self.trouble.told, true) {
            self.notices.push(Notice::CannotLook { path: path.to_vec(), reason: with_way_out(error) });
        }
    }

    /// As [`cannot_look`](Self::cannot_look), at a node's directory. One that may not be read any more is still
    /// watched, but what comes in it is not.
    pub(crate) fn cannot_look_in(&mut self, wd: Wd, error: &io::Error) {
        let Route::Path(root, relative) = self.state.tree.route(wd) else { return };
        let path = self.absolute(root, &relative);
        match error.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => self.deny(wd, &Name::from(&b""[..]), path),
            _ => self.cannot_look(&path, error),
        }
    }

    /// A node's directory has been looked at, so it may be read.
    pub(crate) fn has_looked_in(&mut self, wd: Wd) {
        if !self.state.denied.is_empty() {
            self.state.denied.remove(&(wd, Name::from(&b""[..])));
        }
    }

    /// Tells that everything has been looked at.
    pub(crate) fn report_trouble_over(&mut self) {
        let over =
            self.retries.is_empty() && self.state.settle.deadline().is_none() && !self.ways.is_any_refused();
        if over && std::mem::take(&mut self.trouble.told) {
            self.notices.push(Notice::LooksAgain);
        }
    }

    /// Counts what is queued as lost, and waits before the next read.
    ///
    /// # Errors
    /// It has failed too often.
    pub(crate) fn read_failed(&mut self, error: io::Error, now: MonoTime) -> io::Result<Next> {
        self.trouble.reads += 1;
        if self.trouble.reads > READS {
            return Err(error);
        }
        self.state.lost = true;
        self.trouble.unread = Some(error.to_string());
        Ok(Next::Rest(now + WAIT * self.trouble.reads))
    }

    /// Tells that events were lost, and why.
    pub(crate) fn report_loss(&mut self) {
        let notice = if let Some(reason) = self.trouble.unread.take() {
            Notice::Unread { reason }
        } else {
            self.overflows += 1;
            Notice::Overflow { times: self.overflows }
        };
        self.notices.push(notice);
    }

    pub(crate) fn read_succeeded(&mut self) {
        self.trouble.reads = 0;
    }
}

/// A limit, or a device that fails: neither a name that has gone nor a permission.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    let told =
        [libc::ENOENT, libc::ENOTDIR, libc::ELOOP, libc::ESTALE, libc::EACCES, libc::EPERM, libc::EXDEV];
    !error.raw_os_error().is_some_and(|code| told.contains(&code))
}

/// The error with what a person can do about it.
pub(crate) fn with_way_out(error: &io::Error) -> String {
    let way_out = match error.raw_os_error() {
        Some(libc::EMFILE) => "; allow this process more open files: ulimit -n 65536",
        Some(libc::ENFILE) => "; allow more open files: sysctl fs.file-max=1048576",
        Some(libc::ENOSPC) => "; allow more watches: sysctl fs.inotify.max_user_watches=1048576",
        _ => "",
    };
    format!("{error}{way_out}")
}
