//! What the watcher asks of the rules: which directories matter, and which events.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::EventMask;

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
