//! The rules: from what was typed to what decides.
//!
//! ```text
//!  load -> parse -> Raw -> compile -> Rules    the file's bytes to rules, every mistake collected
//!  Event -> Rules::matches -> Match            globs, events, types, `match`, `size`, ignore layers
//!  Event -> Rules::explain -> Reason           the same, and which pattern or line decided
//!  Plan                                        the same globs, asked by the watcher about directories
//! ```

mod compile;
mod diagnostics;
mod file_system;
mod glob;
mod ignore;
mod keys;
mod load;
mod matching;
mod over;
mod parse;
pub(super) mod rule;
mod suggest;
mod tables;
#[cfg(test)]
pub(crate) mod tests;
mod trie;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

pub use self::diagnostics::{Diagnostic, Diagnostics, Place, Position, Severity, SourceFile, Spanned};
pub use self::file_system::{FileSource, IgnoreFile, IgnoreFiles, RepositoryFiles, Stamp};
pub use self::keys::schema::schema;
pub use self::keys::{
    Raw, RawBackoff, RawCommand, RawExitCodes, RawLimits, RawLog, RawReady, RawRetry, RawRule, RawSettings,
    RawStartLimit,
};
pub use self::load::diff::Successor;
pub use self::load::watched_files::Sources;
pub use self::matching::explain::{Reason, Watching};
pub use self::matching::plan::Plan;
pub use self::matching::watched_dirs::{DirId, How, Met, Walk};
pub use self::rule::process::{Account, Resource, Setup};
pub use self::rule::signal::SignalName;
pub use self::rule::template::{Field, Fields, Segment, Template};
pub use self::rule::terminal::{Terminal, When};
pub use self::rule::units::parse_duration as duration;
pub use compile::Surroundings;
pub(crate) use load::config_home;
pub use load::{
    Attempt, Loaded, Location, Reread, attempt, load, load_profile, locate, reread, surroundings,
};
pub use rule::{
    Command, Contain, Directory, ExitCodes, Log, OnBusy, Output, Pattern, Per, Readiness, Retry, Rule,
    RuleId, Service, Stdin, TypedRegex, Types,
};
pub(crate) use suggest::instead_of;

pub use self::load::ownership::refuse_untrusted;

use self::glob::GlobTrie;
use self::matching::glob_match::Entry;
use crate::event::{Extent, Polling};

/// A rules file, loaded and compiled.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `[settings]`, as far as they concern more than matching.
    pub settings: Settings,
    /// The rules in the order of their files and lines.
    pub rules: Vec<Arc<Rule>>,
    /// What is odd in them.
    pub warnings: Diagnostics,
    plan: Arc<Plan>,
    /// The globs of `outputs`.
    outputs: Arc<GlobTrie<Entry>>,
    files: Arc<dyn FileSource>,
    /// What they were made from, templates worked in.
    raw: Raw,
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
    /// How many bytes the history of runs may take; with 0, there is none.
    pub history: u64,
    /// What the person who looks on is shown.
    pub terminal: Terminal,
    /// Where metrics are served over HTTP, if anywhere.
    pub metrics: Option<SocketAddr>,
}

/// What a command begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program<'r> {
    /// Its name, or its path where there is a slash in it.
    pub name: &'r str,
    /// Whether it is there to be executed: in `PATH`, or where its path leads.
    pub is_there: bool,
}

/// A rule that an event concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Which.
    pub rule: RuleId,
}

impl Rules {
    /// Compiles the text of one rules file.
    ///
    /// # Errors
    ///
    /// Every mistake in it.
    pub fn parse(file: SourceFile, around: &Surroundings) -> Result<Self, Diagnostics> {
        let mut raw = Raw::default();
        let mut diagnostics = Diagnostics::default();
        parse::parse(file, &mut raw, &mut diagnostics);
        compile::compile(&raw, diagnostics, around)
    }

    /// Compiles rules that were typed elsewhere than in a file. `sources` holds the words they are
    /// made of, see [`Diagnostics::add_word`].
    ///
    /// # Errors
    ///
    /// Every mistake in them.
    pub fn from_raw(raw: &Raw, sources: Diagnostics, around: &Surroundings) -> Result<Self, Diagnostics> {
        compile::compile(raw, sources, around)
    }

    /// Overrules how directories are looked through that inotify does not watch. Without effect once the rules
    /// are watched for.
    pub fn set_polling(&mut self, polling: Polling) {
        if let Some(plan) = Arc::get_mut(&mut self.plan) {
            plan.polling = polling;
        }
    }

    /// Overrules how far the watcher goes from its roots. Without effect once the rules are watched for.
    pub fn set_extent(&mut self, extent: Extent) {
        if let Some(plan) = Arc::get_mut(&mut self.plan) {
            plan.extent = extent;
        }
    }

    /// The programs that a rule's commands begin with, but those with a placeholder in their names.
    pub fn programs<'r>(&'r self, rule: &'r Rule) -> impl Iterator<Item = Program<'r>> {
        let name = |command: &'r Command| match command {
            Command::Shell(_) => self.settings.shell.first().map(String::as_str),
            Command::Argv(argv) => match argv.first() {
                Some(Template::Text(segments)) => match segments.as_slice() {
                    [Segment::Literal(name)] => Some(name.as_str()),
                    _ => None,
                },
                _ => None,
            },
        };
        let path = rule.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_str());
        rule.commands().filter_map(name).map(move |name| {
            let is_there = match (name.rsplit_once('/'), &rule.cwd) {
                (Some((dir, file)), Directory::Fixed(cwd)) => {
                    let dir = cwd.join(if dir.is_empty() { "/" } else { dir });
                    self.files.has_program(file, dir.to_str())
                }
                // It runs where the change was.
                (Some((dir, file)), _) => !dir.starts_with('/') || self.files.has_program(file, Some(dir)),
                (None, _) => self.files.has_program(name, path),
            };
            Program { name, is_there }
        })
    }

    /// The rules as they were typed, templates worked in, in the order of [`rules`](Self::rules).
    #[must_use]
    pub fn typed(&self) -> &[RawRule] {
        &self.raw.rules
    }

    /// The file system that they ask.
    #[must_use]
    pub fn files(&self) -> &dyn FileSource {
        &*self.files
    }

    /// Which directories the rules can need: what the watcher asks.
    #[must_use]
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan)
    }
}
