//! What happened to a path: the one vocabulary that the watcher and the rules share.

mod mask;
pub(crate) mod path;
mod scope;

pub use self::mask::EventMask;
pub use self::path::{as_path, is_below};
pub use self::scope::{Extent, Polling, Scope};

/// The kind of file that a path names.
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
    /// Not a directory, and deleted before its kind could be found out.
    Gone,
}

impl Subject {
    /// Returns the word for it in a rules file, in `TRIPLINE_TYPE` and in JSON, or `None` for [`Gone`](Self::Gone).
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

/// How tripline learned of a change, or why a run started without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// The kernel reported it.
    Event,
    /// A scan of a directory that had just been created or moved in found it.
    Scan,
    /// A scan after an overflow of the kernel's queue found it.
    Overflow,
    /// It existed at startup, or the rule asked to run then.
    Start,
    /// An earlier run for the same change has failed.
    Retry,
    /// A run of another rule for the same change has succeeded.
    Chain,
    /// A person asked for it.
    Manual,
}

impl Trigger {
    /// Returns the value of `TRIPLINE_TRIGGER`.
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

/// One change to one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The events that happened.
    pub mask: EventMask,
    /// The absolute path at the moment when the event was emitted, byte for byte.
    pub path: Vec<u8>,
    /// The kind of file.
    pub subject: Subject,
    /// The old path, if both halves of a rename are known.
    pub from: Option<Vec<u8>>,
    /// The number that the kernel gives to both halves of a rename; 0 for any other event.
    pub cookie: u32,
    /// How tripline learned of it.
    pub trigger: Trigger,
}

impl Event {
    /// Returns whether this is one of the events in `on`.
    ///
    /// A file that a scan has found counts as each event that may have left it there. While somebody still writes to it,
    /// it only counts as created or moved in.
    #[must_use]
    pub fn is_one_of(&self, on: EventMask) -> bool {
        let there = !self.mask.intersects(EventMask::DELETE | EventMask::MOVED_FROM);
        let found = there && matches!(self.trigger, Trigger::Scan | Trigger::Overflow | Trigger::Start);
        let possible = match found {
            true if self.mask.intersects(EventMask::CHANGE) => EventMask::FOUND,
            true => EventMask::CREATE | EventMask::MOVED_TO,
            false => EventMask::default(),
        };
        on.intersects(self.mask | possible)
    }
}
