//! The terminal view: the rules with what they do, and what their commands write, on a screen of its own.
//!
//! ```text
//!  dispatcher -> View -> Feed -> Screen (a thread) -> Model -> draw -> terminal
//!  terminal -> keys (a thread) -> Feed -> Model -> Command -> Control -> dispatcher
//! ```
//!
//! Everything but the threads is pure. The dispatcher hands over what was written and what is said, and never waits
//! for the terminal; how the rules are it is asked when something is drawn.

mod activity;
mod draw;
mod help;
mod layout;
mod mailbox;
mod model;
mod overlay;
mod screen;
mod scrollback;
mod sgr;
#[cfg(test)]
mod tests;
mod view;
mod wrap;

pub(super) use self::mailbox::{Feed, LogLine};
pub(super) use self::view::{Tui, is_possible};
