//! What the watcher asks of the rules: which directories matter, and which events.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::EventMask;

/// How directories are watched that inotify cannot watch: by comparing snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polling {
    /// Polls every directory, even where inotify could watch.
    pub always: bool,
    /// The shortest time between two snapshots.
    pub interval: Duration,
}

impl Default for Polling {
    /// Polls only where inotify cannot watch, often enough for a person who is waiting.
    fn default() -> Self {
        Self { always: false, interval: Duration::from_secs(2) }
    }
}

/// How far the watcher goes from its roots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Skips directories that lie on another file system than the directory that holds them.
    pub one_file_system: bool,
    /// Follows symbolic links that are found below the roots.
    pub follow_symlinks: bool,
}

/// The watcher's questions to the rules: which directories matter, and which events.
///
/// Answers may change when ignore files change. The watcher asks again at each scan.
pub trait Scope: fmt::Debug + Send + Sync {
    /// Returns the absolute directories to watch from. None lies inside another.
    fn roots(&self) -> &[PathBuf];

    /// Returns whether something in or below this directory could match a rule.
    ///
    /// `dir` is absolute, and is a root or lies below one.
    fn wants_dir(&self, dir: &[u8]) -> bool;

    /// Returns whether this path, which is not a directory, could match a rule.
    fn wants_file(&self, path: &[u8]) -> bool;

    /// Returns whether the deletion of this path, which is not a directory, could match a rule.
    ///
    /// The watcher remembers such names, so that it can report deletions even after the kernel has dropped events.
    fn remembers(&self, path: &[u8]) -> bool;

    /// Returns every event that at least one rule asks for.
    fn mask(&self) -> EventMask;

    /// Records the names in a directory. From now on, every change to them is followed by an event.
    fn record_listing(&self, _dir: &[u8], _names: &mut dyn Iterator<Item = &[u8]>) {}

    /// Returns every event that at least one rule asks for of an entry with this name, in whichever directory.
    ///
    /// One half of a rename may matter to a rule that asks for the other half.
    fn events_wanted(&self, _name: &[u8], _is_dir: bool) -> EventMask {
        self.mask()
    }

    /// Returns whether a change to an entry with this name, in whichever directory, may change what is wanted. The
    /// watcher reports every such change.
    fn affects_scope(&self, _name: &[u8]) -> bool {
        false
    }

    /// Records that a directory was renamed, and returns whether nothing in it needs another look.
    ///
    /// That is so if the same paths in it are wanted and remembered as before, and every wanted path is remembered:
    /// then the watcher knows what is there.
    fn record_rename(&self, _from: &[u8], _to: &[u8]) -> bool {
        false
    }

    /// Returns whether events of directories can match a rule.
    fn wants_dir_events(&self) -> bool {
        true
    }

    /// Returns the shortest time that any rule waits for further events before it acts.
    fn shortest_debounce(&self) -> Duration {
        Duration::ZERO
    }

    /// Returns how to watch where inotify cannot.
    fn polling(&self) -> Polling {
        Polling::default()
    }

    /// Returns how far to go from the roots.
    fn extent(&self) -> Extent {
        Extent::default()
    }
}
