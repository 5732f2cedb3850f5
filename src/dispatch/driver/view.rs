//! What a person is told.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use crate::dispatch::{Job, Overview, Report};
use crate::rules::{Diagnostics, Rules};
use crate::sys::WindowSize;
use crate::watch::Notice;

/// What a person is told, as bytes for standard error.
pub trait View {
    /// Something about a run.
    fn report(&mut self, report: &Report, out: &mut Vec<u8>);
    /// What would run, with [`Mode::Dry`](super::Mode::Dry).
    fn job(&mut self, job: &Job, out: &mut Vec<u8>);
    /// Mistakes for which rules that were read again are not taken, or warnings about those that are.
    fn diagnostics(&mut self, found: &Diagnostics, out: &mut Vec<u8>);
    /// Something about the watcher.
    fn notice(&mut self, notice: &Notice, out: &mut Vec<u8>);
    /// What somebody wants to see with SIGUSR1.
    fn state(&mut self, seen: &Overview, out: &mut Vec<u8>);
    /// These rules are taken in place of those before.
    fn rules(&mut self, rules: &Arc<Rules>);
    /// Whether to be told how far the first look at all directories has come.
    fn follows_crawl(&self) -> bool;
    /// So many directories are watched by now, and more are to come.
    fn crawling(&mut self, directories: usize, out: &mut Vec<u8>);
    /// A command that is to be started beside the runs, if there is one. Asked for again when it has ended.
    fn errand(&mut self) -> Option<Errand>;
    /// What shows the output of commands in the place of standard output and standard error, if something does.
    fn screen(&self) -> Option<Arc<dyn Screen>>;
    /// Something may look otherwise than before: events have come, or the terminal has another size.
    fn stirred(&mut self);
    /// The process stops next: the terminal is to be given back.
    fn suspend(&mut self);
    /// The process goes on.
    fn resume(&mut self);
    /// Nothing more comes.
    fn end(&mut self, out: &mut Vec<u8>);
}

/// What shows the output of commands, each rule's by itself. It never makes who writes wait.
pub trait Screen: Debug + Send + Sync {
    /// A command of the rule has written this.
    fn write(&self, rule: &str, bytes: &[u8]);
    /// How much room there is for it.
    fn size(&self) -> WindowSize;
}

/// A command beside the runs. Nobody reads what it writes, or waits for its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// The file to execute.
    pub program: PathBuf,
    /// Its arguments, the program's name first.
    pub argv: Vec<Vec<u8>>,
}
