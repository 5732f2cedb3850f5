//! Sets of event kinds.

use std::fmt;

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
