//! The dispatcher's side: what it tells goes to the thread that draws.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::mailbox::{Feed, Piece};
use super::model::OWN;
use super::screen;
use crate::cli::lines::terminal;
use crate::cli::lines::{Lines, is_trouble};
use crate::cli::pid_file::PidFile;
use crate::dispatch::{Control, Errand, Job, Overview, Report, Screen, View};
use crate::rules::{Diagnostics, Rules};
use crate::watch::Notice;

/// How long the terminal may let the end wait, and a stop.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether there is a terminal that a screen can be shown on.
pub(in crate::cli) fn is_possible() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    io::stdout().is_terminal() && !dumb
}

/// The view on a terminal. It ends, and gives the terminal back, when this is dropped.
pub(in crate::cli) struct Tui {
    feed: Arc<Feed>,
    lines: Lines,
    over: bool,
}

impl Tui {
    /// Takes the terminal.
    ///
    /// # Errors
    /// It is none, or no thread can be started.
    pub(in crate::cli) fn start(
        rules: &Arc<Rules>,
        feed: &Arc<Feed>,
        control: &Control,
        pid_file: Option<PidFile>,
    ) -> io::Result<Self> {
        let coloured = !terminal::is_plain();
        feed.rules(Arc::clone(rules));
        screen::give_back_on_panic();
        screen::take_terminal()?;
        let mut tui = Self { feed: Arc::clone(feed), lines: Lines::on_screen(rules), over: false };
        tui.lines.announce(pid_file);
        let (theirs, control) = (Arc::clone(feed), control.clone());
        let draws = move || screen::run(&theirs, &control, coloured);
        thread::Builder::new().name("screen".to_owned()).spawn(draws)?;
        let theirs = Arc::clone(feed);
        thread::Builder::new().name("keys".to_owned()).spawn(move || screen::read_keys(&theirs))?;
        tui.say(OWN, rules.warnings.render(true).into_bytes(), true);
        Ok(tui)
    }

    fn say(&self, rule: &str, text: Vec<u8>, bad: bool) {
        if !text.is_empty() {
            self.feed.put(rule, Piece::Line { text, bad });
        }
    }

    fn finish(&mut self) {
        if !std::mem::replace(&mut self.over, true) {
            self.feed.close();
            if !self.feed.wait_for_it(PATIENCE) {
                screen::give_back_silently();
            }
        }
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Tells what it tells on lines, each beside what the rule's commands write.
impl View for Tui {
    fn report(&mut self, report: &Report, _: &mut Vec<u8>) {
        let rule = report.rule().unwrap_or(OWN);
        if let Report::Started { cause, .. } = report {
            self.feed.put(rule, Piece::Begin(cause.clone()));
        }
        let (mut text, mut aside) = (Vec::new(), Vec::new());
        self.lines.lines_of(report, &mut text);
        self.say(rule, text, false);
        self.lines.aside.tell(report, &mut aside);
        self.feed.aside(&aside);
        self.feed.stir();
    }

    fn job(&mut self, _: &Job, _: &mut Vec<u8>) {}

    fn state(&mut self, seen: &Overview, _: &mut Vec<u8>) {
        let mut text = Vec::new();
        self.lines.state(seen, &mut text);
        self.say(OWN, text, false);
        self.feed.stir();
    }

    fn diagnostics(&mut self, found: &Diagnostics, _: &mut Vec<u8>) {
        let mut text = Vec::new();
        self.lines.diagnostics(found, &mut text);
        self.say(OWN, text, true);
    }

    fn notice(&mut self, notice: &Notice, _: &mut Vec<u8>) {
        let mut text = Vec::new();
        self.lines.notice(notice, &mut text);
        self.say(OWN, text, is_trouble(notice));
        if matches!(notice, Notice::Ready { .. }) {
            self.feed.ready();
        }
    }

    fn rules(&mut self, rules: &Arc<Rules>) {
        self.lines.take(rules);
        self.feed.rules(Arc::clone(rules));
    }

    fn follows_crawl(&self) -> bool {
        true
    }

    fn crawling(&mut self, _: usize, _: &mut Vec<u8>) {
        self.feed.stir();
    }

    fn errand(&mut self) -> Option<Errand> {
        self.lines.errand()
    }

    fn screen(&self) -> Option<Arc<dyn Screen>> {
        Some(Arc::clone(&self.feed) as Arc<dyn Screen>)
    }

    fn stirred(&mut self) {
        self.feed.stir();
    }

    fn suspend(&mut self) {
        self.feed.suspend();
        self.feed.wait_for_it(PATIENCE);
    }

    fn resume(&mut self) {
        self.feed.resume();
    }

    fn end(&mut self, _: &mut Vec<u8>) {
        self.finish();
    }
}
