//! What has the rules read again, and what becomes of it.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use super::Reloader;
use crate::dispatch::driver::{Driver, Mode, RunError};
use crate::dispatch::{Command, Input};
use crate::event::Scope;
use crate::sys::hangup_is_ignored;

impl Driver<'_> {
    /// A terminal that has gone ends what ran in it. Otherwise the rules are read again, if they come from a file.
    pub(crate) fn hang_up(&mut self) {
        match &self.reloader {
            _ if self.has_terminal && !has_terminal() => self.stop(libc::SIGHUP),
            Some(_) => drop(self.command(Command::Reload)),
            None if hangup_is_ignored() => {}
            None => self.stop(libc::SIGHUP),
        }
    }

    /// Has the metrics served where the rules say, if they do.
    pub(crate) fn serve_metrics(&mut self) {
        // Without a watcher rules run once, and that is all.
        if let Some(metrics) = &mut self.metrics
            && self.mode == Mode::Live
            && self.watcher.is_some()
        {
            metrics.listen(self.core.rules().settings.metrics);
        }
    }

    /// Goes on with rules that were read again, unless there is a mistake in them.
    pub(crate) fn reload(&mut self) -> Result<(), RunError> {
        match self.reloader.as_ref().and_then(Reloader::take) {
            Some(Ok(loaded)) if self.halting.is_none() => {
                self.manager.reloading();
                let rules = Arc::new(loaded.rules);
                self.tell(|view, out| {
                    view.rules(&rules);
                    view.diagnostics(&rules.warnings, out);
                });
                if rules.plan().polling().always != self.polls_all {
                    tracing::warn!("`poll` counts from the next start of tripline");
                }
                self.memory.limit(rules.settings.history);
                self.children.go_by(rules.rules.len() > 1, self.memory.is_kept());
                if let Some(watcher) = &self.watcher {
                    watcher.rescope(rules.plan());
                }
                self.step(Input::Reload(rules));
                self.serve_metrics();
            }
            Some(Err(mistakes)) => {
                self.manager.unchanged();
                self.tell(|view, out| view.diagnostics(&mistakes, out));
            }
            Some(Ok(_)) | None => {}
        }
        self.early.take().map_or(Ok(()), |ready| self.notice(ready))
    }
}

/// Whether something of standard input, output and error is a terminal that is there.
pub(crate) fn has_terminal() -> bool {
    io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal()
}
