//! What happened to a path: the one vocabulary that the watcher and the rules share.

mod mask;
pub(crate) mod path;
mod scope;

pub use self::mask::EventMask;
pub use self::path::{as_path, is_below};
pub use self::scope::{Extent, Polling, Scope};

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
