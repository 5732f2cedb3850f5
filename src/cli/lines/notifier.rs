//! What is told beside lines: a bell and a title on the terminal, a note on the desktop.

use super::alerts::Attention;
use super::desktop::Desktop;
use super::terminal::{self, BELL, RESTORE_TITLE, SAVE_TITLE};
use crate::dispatch::{Errand, Report};
use crate::rules::{Rules, Terminal};

/// What has happened, and who is to be told of it in which ways.
#[derive(Debug)]
pub(crate) struct Aside {
    /// Whether there is a terminal.
    terminal: bool,
    asked: Terminal,
    attention: Attention,
    desktop: Desktop,
    /// Whether the terminal has a title of ours.
    titled: bool,
}

impl Aside {
    pub(crate) fn new(terminal: bool) -> Self {
        let (asked, attention, desktop) = (Terminal::default(), Attention::default(), Desktop::default());
        Self { terminal, asked, attention, desktop, titled: false }
    }

    /// What these rules ask for counts from now on.
    pub(crate) fn rules(&mut self, rules: &Rules) {
        self.asked = rules.settings.terminal;
        if self.asked.notify.is_some() && !self.desktop.is_there() {
            self.desktop = Desktop::find();
        }
    }

    /// Whether nothing runs but services.
    pub(crate) fn is_idle(&self) -> bool {
        self.attention.is_idle()
    }

    /// Whether the terminal is to be cleared before a run that begins now.
    pub(crate) fn clears(&self) -> bool {
        self.terminal && self.asked.clear && self.is_idle()
    }

    /// Takes in a report; appends what the terminal is told.
    pub(crate) fn tell(&mut self, report: &Report, out: &mut Vec<u8>) {
        let ended = self.attention.see(report);
        if let Some(end) = ended {
            if self.terminal && end.is_for(self.asked.bell) {
                out.extend(BELL.as_bytes());
            }
            if end.is_for(self.asked.notify) {
                let title = format!("{}: {}", end.rule, if end.failed { "failed" } else { "ok" });
                self.desktop.note(&title, &report.to_string(), end.failed);
            }
        }
        let news = ended.is_some() || matches!(report, Report::Started { .. });
        if self.terminal && self.asked.title && news {
            if !std::mem::replace(&mut self.titled, true) {
                out.extend(SAVE_TITLE.as_bytes());
            }
            out.extend(terminal::title(&self.attention).into_bytes());
        }
    }

    /// The note that is to be shown next.
    pub(crate) fn errand(&mut self) -> Option<Errand> {
        self.desktop.take()
    }

    /// Appends what gives the terminal its title back.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.titled) {
            out.extend(RESTORE_TITLE.as_bytes());
        }
    }
}
