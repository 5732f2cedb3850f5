//! The watcher: from the kernel's bytes to events under the right paths.
//!
//! Five facts shape it. Watches are added with `IN_MASK_ADD`, or events are lost. The watch descriptor is
//! the identity of a directory; `inotify_add_watch` is the test of which directory a name is. An overflow
//! drops more than events: afterwards every directory is looked at again. The halves of a rename are not
//! adjacent. And directory events are hints: each asks what its name is *now*.
//!
//! ```text
//!  bytes --decode--> RawEvent --translate--> pending --flush--> Event
//!                                 |                     ^
//!                              Question --scan--> tree -+
//! ```

mod backend;
mod channel;
mod crawl;
#[cfg(any(test, fuzzing))]
mod model;
mod observer;
mod paths;
mod pipeline;
mod poll;
mod tree;
mod watcher;

use std::time::Duration;

pub use self::backend::decode::{Decode, Malformed, RawEvent, decode};
pub use self::channel::{Load, Message};
pub use self::paths::mounts::file_system;
pub use watcher::{WatchError, Watcher};

/// For fuzzing: has others do to the watcher's model of a kernel what these bytes say.
///
/// # Panics
/// The watcher is wrong about what is there in the end.
#[cfg(fuzzing)]
pub fn follow(bytes: &[u8]) {
    model::follow(bytes);
}

/// What the watcher has to say of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Every watch is in place that the scope wants now: at the start, and after each change of scope.
    Ready {
        /// How many directories are watched.
        directories: usize,
    },
    /// The kernel's queue was full: events were dropped, and everything is being looked at again.
    Overflow {
        /// How often that has happened to this watcher.
        times: usize,
    },
    /// A root is not there; it is waited for.
    RootMissing {
        /// Its path.
        path: Vec<u8>,
    },
    /// A root that was missing is there, and watched.
    RootFound {
        /// Its path.
        path: Vec<u8>,
    },
    /// A directory may not be read, so not watched; it is tried again when that changes.
    Unreadable {
        /// Its path.
        path: Vec<u8>,
    },
    /// The kernel grants no more watches to this user (`fs.inotify.max_user_watches`); the rest of the
    /// tree is looked through from time to time, and watched as soon as the limit allows.
    WatchLimit {
        /// Watches that this watcher has.
        used: usize,
        /// Watches that it needs.
        needed: usize,
        /// Between two looks at the rest.
        every: Duration,
    },
    /// The kernel grants every watch again.
    WatchLimitOver,
    /// inotify does not hear of all changes on this file system; what is wanted of it is looked through from
    /// time to time.
    Polled {
        /// The first directory of it.
        path: Vec<u8>,
        /// Between two looks.
        every: Duration,
    },
    /// A directory cannot be looked at for now; it is tried again until it can.
    CannotLook {
        /// Its path.
        path: Vec<u8>,
        /// Why, with the way out.
        reason: String,
    },
    /// All that could not be looked at has been.
    LooksAgain,
    /// Events could not be read, so everything is being looked at again.
    Unread {
        /// Why.
        reason: String,
    },
    /// The watcher has ended.
    Failed {
        /// Why.
        reason: String,
    },
}
