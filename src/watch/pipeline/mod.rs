//! From raw events to events: what each means, what waits to be told, and when it is handed over.

pub(super) mod completion;
pub(super) mod emit;
pub(super) mod interest;
pub(super) mod known_files;
pub(super) mod pending;
pub(super) mod renames;
pub(super) mod storm;
pub(super) mod translate;
