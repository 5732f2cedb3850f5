//! The runs that are over: kept in a file for each rules file, and shown.
//!
//! A file for each, so that two triplines never wait for each other, what one of them writes much of does not take the
//! place of the other's, and damage is in one place. It is open only while something is written or read.

mod path;
mod show;
mod store;
mod writer;

pub(super) use self::show::{logs, runs};
pub(super) use self::writer::Writer;
