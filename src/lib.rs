//! tripline runs commands when files change: a rules file in, commands run on real file events.
//!
//! Data walks one way, each arrow one function in one file:
//!
//! ```text
//!  bytes -> RawEvent -> Event -> Match -> Batch -> Job -> Process -> Outcome
//!  sys      watch       watch    rules    dispatch dispatch sys      dispatch
//! ```
//!
//! The layers import only what stands to their left, and only `sys` may use `unsafe`; a test keeps both
//! true:
//!
//! ```text
//!  event, time  <  sys  <  watch | rules  <  dispatch  <  cli
//! ```
//!
//! Everything that decides is a pure state machine that is told the time: [`rules::Rules::matches`],
//! [`dispatch::Core`], and in [`watch`] all but the thread and the directory reads.

pub mod cli;
pub mod dispatch;
pub mod event;
pub mod rules;
pub mod sys;
pub mod time;
pub mod watch;
