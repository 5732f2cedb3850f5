//! The rules: from what was typed to what decides.

mod rule;
mod template;

use std::path::PathBuf;

pub use rule::{Command, OnBusy, Per, Rule, RuleId, Stdin, Types};
pub use template::{Field, Segment, Template};

use crate::event::Event;

/// A rules file, loaded and compiled.
#[derive(Debug)]
pub struct Rules {
    /// `[settings]`, as far as they concern more than matching.
    pub settings: Settings,
    /// The rules in the order of their files and lines.
    pub rules: Vec<Rule>,
}

/// The settings that concern more than matching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What relative globs are relative to; absolute.
    pub root: PathBuf,
    /// What a command that is a string is given to, as the last argument.
    pub shell: Vec<String>,
    /// How many commands may run at once, all rules together; at least 1.
    pub jobs: usize,
}

/// A rule that an event concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Which.
    pub rule: RuleId,
}

impl Rules {
    /// Appends a [`Match`] for every rule that `event` concerns, in rule order.
    pub fn matches(&self, _event: &Event, _out: &mut Vec<Match>) {}
}
