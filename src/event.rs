//! What happened to a path: the one vocabulary that the watcher and the rules share.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A set of event kinds: the kernel's bits (inotify(7), "inotify events") and two of tripline's own.
///
/// [`CHANGE`](Self::CHANGE) and [`RENAME`](Self::RENAME) stand above the kernel's event bits, at
/// positions that `linux/inotify.h` gives no meaning.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EventMask(u32);

impl EventMask {
    /// A file was read.
    pub const ACCESS: Self = Self(0x0000_0001);
    /// A file was written or truncated; its content may be half done.
    pub const MODIFY: Self = Self(0x0000_0002);
    /// Mode, owner, times, link count or extended attributes changed.
    pub const ATTRIB: Self = Self(0x0000_0004);
    /// A file that was open for writing was closed.
    pub const CLOSE_WRITE: Self = Self(0x0000_0008);
    /// A file or directory that was not open for writing was closed.
    pub const CLOSE_NOWRITE: Self = Self(0x0000_0010);
    /// A file or directory was opened.
    pub const OPEN: Self = Self(0x0000_0020);
    /// The name left its directory by a rename.
    pub const MOVED_FROM: Self = Self(0x0000_0040);
    /// The name entered its directory by a rename.
    pub const MOVED_TO: Self = Self(0x0000_0080);
    /// The name was made.
    pub const CREATE: Self = Self(0x0000_0100);
    /// The name was removed.
    pub const DELETE: Self = Self(0x0000_0200);
    /// A watched directory itself was removed.
    pub const DELETE_SELF: Self = Self(0x0000_0400);
    /// A watched directory itself was renamed.
    pub const MOVE_SELF: Self = Self(0x0000_0800);
    /// The file system of a watched directory was unmounted.
    pub const UNMOUNT: Self = Self(0x0000_2000);
    /// The kernel's queue was full and events were dropped.
    pub const Q_OVERFLOW: Self = Self(0x0000_4000);
    /// A watch has ended.
    pub const IGNORED: Self = Self(0x0000_8000);
    /// The subject is a directory.
    pub const ISDIR: Self = Self(0x4000_0000);
    /// tripline's own: a file's content is complete, or its existence changed.
    pub const CHANGE: Self = Self(0x0001_0000);
    /// tripline's own: both halves of a rename are known; the event carries the old path too.
    pub const RENAME: Self = Self(0x0002_0000);

    /// Every event that a rule may name, without tripline's own.
    pub const ALL: Self = Self(0x0fff);
    /// What a file found by looking is as good as: nobody can say by which of these it came to be.
    pub const FOUND: Self = Self(0x0001_018e);

    /// What tells that a name has ended.
    pub const END: Self = Self(0x0001_0240);

    /// Both ways of closing a file.
    pub const CLOSE: Self = Self(0x0018);
    /// Both halves of a rename.
    pub const MOVE: Self = Self(0x00c0);

    /// The names a rules file may use under `on`, each with what it stands for.
    pub const NAMES: [(&'static str, Self); 17] = [
        ("access", Self::ACCESS),
        ("modify", Self::MODIFY),
        ("attrib", Self::ATTRIB),
        ("close_write", Self::CLOSE_WRITE),
        ("close_nowrite", Self::CLOSE_NOWRITE),
        ("open", Self::OPEN),
        ("moved_from", Self::MOVED_FROM),
        ("moved_to", Self::MOVED_TO),
        ("create", Self::CREATE),
        ("delete", Self::DELETE),
        ("delete_self", Self::DELETE_SELF),
        ("move_self", Self::MOVE_SELF),
        ("close", Self::CLOSE),
        ("move", Self::MOVE),
        ("all", Self::ALL),
        ("change", Self::CHANGE),
        ("rename", Self::RENAME),
    ];

    /// The mask of one name out of [`NAMES`](Self::NAMES).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|&(_, mask)| mask)
    }

    /// A mask as the kernel reports it. Bits that collide with tripline's own are dropped.
    #[must_use]
    pub const fn from_kernel(bits: u32) -> Self {
        Self(bits & !(Self::CHANGE.0 | Self::RENAME.0))
    }

    /// The kernel's bits, without tripline's own.
    #[must_use]
    pub const fn kernel_bits(self) -> u32 {
        self.0 & !(Self::CHANGE.0 | Self::RENAME.0)
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What this set holds and `other` does not.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the two sets share an event.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether no event is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the events in the set, in the order of the rules file's. `change` is named only
    /// where it is all that is known.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let known = Self::NAMES[..12].iter().filter(move |(_, mask)| self.intersects(*mask));
        let only_change = self.intersects(Self::CHANGE) && !self.intersects(Self::ALL);
        known.map(|&(name, _)| name).chain(only_change.then_some("change"))
    }
}

impl std::ops::BitOr for EventMask {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl std::ops::BitOrAssign for EventMask {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.union(other);
    }
}

impl fmt::Display for EventMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.names().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for EventMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventMask({self}: {:#x})", self.0)
    }
}

/// What kind of thing a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link, not followed.
    Symlink,
    /// A FIFO, socket or device.
    Other,
    /// Not a directory, and no longer there to be asked.
    Gone,
}

impl Subject {
    /// The word for it in a rules file, in `TRIPLINE_TYPE` and in JSON; none for what is gone.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::File => Some("file"),
            Self::Dir => Some("dir"),
            Self::Symlink => Some("symlink"),
            Self::Other => Some("other"),
            Self::Gone => None,
        }
    }
}

/// How tripline came to know of a change, or why a run started without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// The kernel reported it.
    Event,
    /// It was found in a directory that had just arrived.
    Scan,
    /// It was found by looking again after the kernel's queue had overflowed.
    Overflow,
    /// It was there at the start, or the rule asked to run then.
    Start,
    /// The run that was told of it before has failed.
    Retry,
    /// A run of another rule, which was told of it before, has succeeded.
    Chain,
    /// Somebody asked for it.
    Manual,
}

impl Trigger {
    /// The value of `TRIPLINE_TRIGGER`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Scan => "scan",
            Self::Overflow => "overflow",
            Self::Start => "start",
            Self::Retry => "retry",
            Self::Chain => "chain",
            Self::Manual => "manual",
        }
    }
}

/// One thing that happened to one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub mask: EventMask,
    /// Where: absolute, byte for byte, as of the moment the event was handed over.
    pub path: Vec<u8>,
    /// What the path names.
    pub subject: Subject,
    /// The old path, where both halves of a rename are known.
    pub from: Option<Vec<u8>>,
    /// The kernel's label that both halves of a rename share; 0 for anything else.
    pub cookie: u32,
    /// How it became known.
    pub trigger: Trigger,
}

impl Event {
    /// Whether it is one of the events in `on`. What was found by looking may have come to be in any
    /// way that leaves a file behind; while it is being written, it has only come to be.
    #[must_use]
    pub fn is_one_of(&self, on: EventMask) -> bool {
        let there = !self.mask.intersects(EventMask::DELETE | EventMask::MOVED_FROM);
        let found = there && matches!(self.trigger, Trigger::Scan | Trigger::Overflow | Trigger::Start);
        let ways = match found {
            true if self.mask.intersects(EventMask::CHANGE) => EventMask::FOUND,
            true => EventMask::CREATE | EventMask::MOVED_TO,
            false => EventMask::default(),
        };
        on.intersects(self.mask | ways)
    }
}

/// How directories are looked through that inotify does not watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polling {
    /// Whether that is how all are, those that inotify could watch too.
    pub always: bool,
    /// Between two looks, at least.
    pub interval: Duration,
}

impl Default for Polling {
    /// Only where inotify cannot watch; soon enough for a person who waits.
    fn default() -> Self {
        Self { always: false, interval: Duration::from_secs(2) }
    }
}

/// How far the watcher goes from its roots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Whether directories on other file systems than their root's are left out.
    pub one_file_system: bool,
    /// Whether symbolic links below the roots are followed.
    pub follow_symlinks: bool,
}

/// What the watcher asks of the rules: which directories matter, and which events.
///
/// Answers may change when ignore files change; the watcher asks again at each scan.
pub trait Scope: fmt::Debug + Send + Sync {
    /// The absolute directories to watch from, none of them inside another.
    fn roots(&self) -> &[PathBuf];
    /// Whether something in or below this directory could concern a rule. `dir` is absolute and is a
    /// root or lies below one.
    fn wants(&self, dir: &[u8]) -> bool;
    /// Whether this path, which is no directory, could concern a rule.
    fn concerns(&self, path: &[u8]) -> bool;
    /// Whether the end of this path, which is no directory, could concern a rule. Such names are
    /// remembered, to tell what was removed while the kernel dropped events.
    fn keeps(&self, path: &[u8]) -> bool;
    /// Every event that some rule asks for.
    fn mask(&self) -> EventMask;
    /// These names are in a directory, and of what changes there is an event from now on.
    fn listed(&self, _dir: &[u8], _names: &mut dyn Iterator<Item = &[u8]>) {}
    /// Every event that some rule asks for of what has this name, wherever it is. Of a rename each half may matter to
    /// those who ask for the other.
    fn asked_of(&self, _name: &[u8], _is_dir: bool) -> EventMask {
        self.mask()
    }
    /// Whether what has this name, wherever it is, may say what is wanted: all that changes it is told.
    fn governs(&self, _name: &[u8]) -> bool {
        false
    }
    /// A directory has come from one path to another. Answers whether all in it is wanted, concerns and is kept as
    /// before, and nothing concerns anybody that is not kept, so that it need not be looked at to know what is there.
    fn moved(&self, _from: &[u8], _to: &[u8]) -> bool {
        false
    }
    /// Whether directories can concern a rule.
    fn counts_dirs(&self) -> bool {
        true
    }
    /// The least time that everybody who is told of an event waits for more before acting on it.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }
    /// How to look where inotify does not watch.
    fn polling(&self) -> Polling {
        Polling::default()
    }
    /// How far to go from the roots.
    fn extent(&self) -> Extent {
        Extent::default()
    }
}

/// Whether `path` is `dir` or lies below it, by their bytes.
#[must_use]
pub fn is_below(path: &[u8], dir: &[u8]) -> bool {
    let dir = dir.strip_suffix(b"/").unwrap_or(dir);
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Bytes as a path; on Linux every byte string without NUL is one.
#[must_use]
pub fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_only_kernel_names_are_listed() {
        for (name, mask) in EventMask::NAMES {
            assert_eq!(EventMask::from_name(name), Some(mask));
        }
        let all: Vec<_> = (EventMask::ALL | EventMask::CHANGE | EventMask::RENAME).names().collect();
        assert_eq!(all.len(), 12);
        assert_eq!(EventMask::from_name("IN_CREATE"), None);
    }

    #[test]
    fn the_kernel_cannot_set_our_bits() {
        let mask = EventMask::from_kernel(u32::MAX);
        assert!(!mask.intersects(EventMask::CHANGE | EventMask::RENAME));
        assert_eq!((EventMask::CREATE | EventMask::CHANGE).kernel_bits(), 0x100);
    }

    #[test]
    fn a_mask_prints_as_the_environment_variable_wants_it() {
        let mask = EventMask::MOVED_TO | EventMask::CREATE | EventMask::CHANGE | EventMask::ISDIR;
        assert_eq!(mask.to_string(), "moved_to,create");
        assert_eq!(EventMask::CHANGE.to_string(), "change");
    }
}
