//! Sets of event kinds, as a rules file and the kernel name them.

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
    /// A file was written or truncated. Its content may be incomplete.
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
    /// The name was created.
    pub const CREATE: Self = Self(0x0000_0100);
    /// The name was deleted.
    pub const DELETE: Self = Self(0x0000_0200);
    /// A watched directory itself was deleted.
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
    /// A file's content is complete, or the file was created or deleted. The kernel has no such event.
    pub const CHANGE: Self = Self(0x0001_0000);
    /// Both halves of a rename are known, and the event carries the old path. The kernel has no such event.
    pub const RENAME: Self = Self(0x0002_0000);

    /// Every event of the kernel's that a rule may name.
    pub const ALL: Self = Self(0x0fff);
    /// The events that a file found by a scan may have had. The scan cannot tell which.
    pub const FOUND: Self = Self::CHANGE
        .union(Self::CREATE)
        .union(Self::MOVED_TO)
        .union(Self::CLOSE_WRITE)
        .union(Self::MODIFY)
        .union(Self::ATTRIB);
    /// The events that report that a name no longer exists.
    pub const REMOVAL: Self = Self::CHANGE.union(Self::DELETE).union(Self::MOVED_FROM);

    /// Both ways of closing a file.
    pub const CLOSE: Self = Self::CLOSE_WRITE.union(Self::CLOSE_NOWRITE);
    /// Both halves of a rename.
    pub const MOVE: Self = Self::MOVED_FROM.union(Self::MOVED_TO);

    /// The names that a rules file may use under `on`, each with its meaning.
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

    /// Returns the mask that one of [`NAMES`](Self::NAMES) stands for, or `None` for any other name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|&(_, mask)| mask)
    }

    /// Returns the mask that the kernel has reported. Bits that collide with tripline's own are dropped.
    #[must_use]
    pub const fn from_kernel(bits: u32) -> Self {
        Self(bits & !(Self::CHANGE.0 | Self::RENAME.0))
    }

    /// Returns the bits for the kernel, without tripline's own.
    #[must_use]
    pub const fn kernel_bits(self) -> u32 {
        self.0 & !(Self::CHANGE.0 | Self::RENAME.0)
    }

    /// Returns the events that are in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the events of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether the two sets have an event in common.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns whether the set has no event.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the names of the events in the set, in the order of [`NAMES`](Self::NAMES). `change` is among them only
    /// if the set has no event of the kernel's.
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
