//! What the person sees: a line when a run starts, a line when it ends, and what the watcher has to say.

pub(super) mod alerts;
pub(super) mod desktop;
pub(super) mod keys;
pub(super) mod log;
pub(super) mod notifier;
pub(super) mod terminal;

use std::fmt::Display;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::notifier::Aside;
use self::terminal::{Terminal, stderr_is_styled};
use super::args::LogFormat;
use super::pid_file::PidFile;
use super::quote::quoted;
use crate::dispatch::{Cause, Errand, Escaped, Job, Mode, News, Outcome, Overview, Report, Screen, View};
use crate::rules::{Diagnostics, Rules};
use crate::watch::Notice;

/// Lines on standard error, or through the log: as JSON, or into the journal.
#[derive(Debug)]
pub(super) struct Lines {
    rules: usize,
    root: PathBuf,
    mode: Mode,
    format: LogFormat,
    styled: bool,
    /// Standard error, if it is a terminal that takes more than lines.
    terminal: Option<Terminal>,
    /// Whether the last line there tells how far the crawl has come, and is to be written over.
    crawling: bool,
    pub(super) aside: Aside,
    /// Said once, when everything is watched, if somebody may see it.
    hint: Option<&'static str>,
    /// Appears once everything is watched.
    pid_file: Option<PidFile>,
}

impl Lines {
    pub(super) fn new(rules: &Rules, mode: Mode, format: LogFormat) -> Self {
        let terminal = Terminal::stderr().filter(|_| format == LogFormat::Text);
        let mut lines = Self {
            rules: 0,
            root: PathBuf::new(),
            mode,
            format,
            styled: stderr_is_styled(),
            terminal,
            crawling: false,
            aside: Aside::new(terminal.is_some() && mode == Mode::Live),
            hint: None,
            pid_file: None,
        };
        lines.take(rules);
        lines
    }

    /// Lines about each rule on a screen that has room for them.
    pub(super) fn on_screen(rules: &Rules) -> Self {
        let mut lines = Self {
            rules: 0,
            root: PathBuf::new(),
            mode: Mode::Live,
            format: LogFormat::Text,
            styled: true,
            terminal: None,
            crawling: false,
            aside: Aside::new(true),
            hint: None,
            pid_file: None,
        };
        lines.take(rules);
        lines
    }

    /// Has this said when everything is watched, if standard error is a terminal.
    pub(super) fn hint(&mut self, hint: &'static str) {
        self.hint = Some(hint).filter(|_| self.terminal.is_some());
    }

    /// Has the file appear once everything is watched, if there is one. It goes with this value.
    pub(super) fn announce(&mut self, pid_file: Option<PidFile>) {
        self.pid_file = pid_file;
    }

    /// Goes by these rules from now on.
    pub(super) fn take(&mut self, rules: &Rules) {
        self.rules = rules.rules.len();
        self.root.clone_from(&rules.settings.root);
        self.aside.rules(rules);
    }

    /// The line that a run begins with.
    fn started(&self, report: &Report, rule: &str, cause: &Cause, out: &mut Vec<u8>) {
        match self.terminal {
            Some(terminal) => {
                let text = terminal.cause(rule, cause, &self.root);
                self.line(Style::Start, terminal.header(&text, &report.to_string()), out);
            }
            None => self.line(Style::Start, report, out),
        }
    }

    /// Makes room where the last line told how far the crawl had come.
    fn erase(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.crawling) {
            out.extend(terminal::ERASE_LINE.as_bytes());
        }
    }

    fn line(&self, style: Style, text: impl Display, out: &mut Vec<u8>) {
        // Writing to memory does not fail.
        let _ = if self.styled {
            writeln!(out, "\x1b[{}m{text}\x1b[0m", style.code())
        } else {
            writeln!(out, "{text}")
        };
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    Good,
    Bad,
    Start,
}

impl Style {
    /// The parameters of "select graphic rendition" (console_codes(4)).
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "2",
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Start => "1",
        }
    }
}

impl View for Lines {
    fn report(&mut self, report: &Report, out: &mut Vec<u8>) {
        if self.mode == Mode::Dry && matches!(report, Report::Ended { .. } | Report::Service { .. }) {
            return;
        }
        self.erase(out);
        if self.aside.clears() && matches!(report, Report::Started { .. }) {
            out.extend(terminal::CLEAR.as_bytes());
        }
        if self.format == LogFormat::Text {
            self.lines_of(report, out);
        } else {
            log(report);
        }
        self.aside.tell(report, out);
    }

    fn state(&mut self, seen: &Overview, out: &mut Vec<u8>) {
        let state = serde_json::to_string(seen).unwrap_or_default();
        if self.format == LogFormat::Text {
            self.line(Style::Plain, state, out);
        } else {
            tracing::info!(state, "the state, as SIGUSR1 asks");
        }
    }

    fn rules(&mut self, rules: &Arc<Rules>) {
        self.take(rules);
    }

    fn job(&mut self, job: &Job, out: &mut Vec<u8>) {
        let rule = &job.rule.name;
        let command = job.argv.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        let cwd = quoted(job.cwd.as_os_str().as_bytes());
        if self.format != LogFormat::Text {
            tracing::info!(rule, run = job.run.0, command, cwd, "{rule}: would run");
        } else {
            self.line(Style::Plain, format_args!("{rule}: would run: {command} (in {cwd})"), out);
        }
    }

    fn diagnostics(&mut self, found: &Diagnostics, out: &mut Vec<u8>) {
        let mistaken = found.has_errors();
        let unchanged = "the rules stay as they were";
        if self.format != LogFormat::Text {
            let text = found.render(false);
            match mistaken {
                true => tracing::error!("{unchanged}: {text}"),
                false if !text.is_empty() => tracing::warn!("{text}"),
                false => {}
            }
            return;
        }
        out.extend(found.render(self.styled).into_bytes());
        if mistaken {
            self.line(Style::Bad, format_args!("tripline: {unchanged}"), out);
        }
    }

    fn notice(&mut self, notice: &Notice, out: &mut Vec<u8>) {
        self.erase(out);
        let mut text = words(notice);
        if matches!(notice, Notice::Ready { .. }) {
            self.pid_file.iter().for_each(PidFile::appear);
            text += &format!(" for {}", count(self.rules, "rule", "rules"));
        }
        let bad = is_trouble(notice);
        match (self.format, bad) {
            (LogFormat::Text, bad) => {
                let style = if bad { Style::Bad } else { Style::Plain };
                self.line(style, format_args!("tripline: {text}"), out);
            }
            (LogFormat::Json | LogFormat::Journal, true) => tracing::warn!("{text}"),
            (LogFormat::Json | LogFormat::Journal, false) => tracing::info!("{text}"),
        }
        if let Some(hint) = self.hint.take_if(|_| matches!(notice, Notice::Ready { .. })) {
            self.line(Style::Plain, format_args!("tripline: {hint}"), out);
        }
    }

    fn follows_crawl(&self) -> bool {
        self.terminal.is_some()
    }

    fn crawling(&mut self, directories: usize, out: &mut Vec<u8>) {
        // A line in the middle of what commands write would be written over.
        if self.aside.is_idle() && directories > 0 {
            self.erase(out);
            let text = format!("watching {} directories ...", grouped(directories));
            let _ = if self.styled {
                write!(out, "\x1b[{}m{text}\x1b[0m", Style::Plain.code())
            } else {
                write!(out, "{text}")
            };
            self.crawling = true;
        }
    }

    fn errand(&mut self) -> Option<Errand> {
        self.aside.errand()
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.erase(out);
        self.aside.end(out);
    }

    fn screen(&self) -> Option<Arc<dyn Screen>> {
        None
    }

    fn stirred(&mut self) {}

    fn suspend(&mut self) {}

    fn resume(&mut self) {}
}

impl Lines {
    /// The line about something that happened to a run.
    pub(super) fn lines_of(&self, report: &Report, out: &mut Vec<u8>) {
        match report {
            Report::Unchanged { .. } => tracing::debug!("{report}"),
            Report::Ended { outcome: Outcome::NotStarted { .. }, .. } | Report::HookFailed { .. } => {
                self.line(Style::Bad, report, out);
            }
            Report::Ended { outcome, elapsed, .. } => {
                let style = match outcome {
                    Outcome::Ok(_) => Style::Good,
                    Outcome::Skipped(_) => Style::Plain,
                    _ => Style::Bad,
                };
                self.line(style, format_args!("{report} ({})", Seconds(*elapsed)), out);
            }
            Report::Service { news: News::Ready(elapsed), .. } => {
                self.line(Style::Good, format_args!("{report} ({})", Seconds(*elapsed)), out);
            }
            Report::Service { news: News::Ended(outcome), .. } if outcome.code() != 0 => {
                self.line(Style::Bad, report, out);
            }
            Report::Service { news: News::Suspended(..), .. } => self.line(Style::Bad, report, out),
            Report::Started { rule, cause, .. } => self.started(report, rule, cause, out),
            Report::Reloaded { .. } => self.line(Style::Plain, format_args!("tripline: {report}"), out),
            _ => self.line(Style::Plain, report, out),
        }
    }
}

fn log(report: &Report) {
    match report {
        Report::Ended { rule, run, outcome, stopped, elapsed, .. } => {
            let (milliseconds, exit_code) = (elapsed.as_millis() as u64, outcome.code());
            if exit_code == 0 || *stopped {
                tracing::info!(rule, run = run.0, %outcome, exit_code, milliseconds, "{report}");
            } else {
                tracing::warn!(rule, run = run.0, %outcome, exit_code, milliseconds, "{report}");
            }
        }
        Report::Service { rule, news } => tracing::info!(rule, %news, "{report}"),
        Report::Started { rule, run, cause } => tracing::info!(rule, run = run.0, %cause, "{report}"),
        Report::Unchanged { .. } => tracing::debug!("{report}"),
        _ => tracing::info!("{report}"),
    }
}

/// Whether somebody should look.
pub(super) const fn is_trouble(notice: &Notice) -> bool {
    !matches!(notice, Notice::Ready { .. } | Notice::RootFound { .. } | Notice::LooksAgain)
}

/// What the watcher says, with the way out where there is one.
pub(super) fn words(notice: &Notice) -> String {
    match notice {
        Notice::Ready { directories } => {
            format!("ready, {} watched", count(*directories, "directory", "directories"))
        }
        Notice::Overflow { times } => format!(
            "the kernel's event queue overflowed, {} so far; looking at everything again \
             (a longer queue: sysctl fs.inotify.max_queued_events=65536)",
            count(*times, "time", "times")
        ),
        Notice::RootMissing { path } => format!("{} is not there; waiting for it", Escaped(path)),
        Notice::RootFound { path } => format!("{} is there, and watched", Escaped(path)),
        Notice::Unreadable { path } => {
            format!("{} may not be read, so it is not watched until it may", Escaped(path))
        }
        Notice::WatchLimit { used, needed, every } => format!(
            "watch limit reached: {used} in use here, {needed} needed; the rest is looked through every {every:?}; \
             raise the limit with: sysctl fs.inotify.max_user_watches={}",
            (2 * needed).next_power_of_two().max(1_048_576)
        ),
        Notice::WatchLimitOver => "the watch limit is no longer in the way".to_owned(),
        Notice::Polled { path, every } => format!(
            "{} is on a file system that does not report every change; it is looked through every {every:?}",
            Escaped(path)
        ),
        Notice::CannotLook { path, reason } => {
            format!("{} cannot be looked at for now: {reason}; trying again", Escaped(path))
        }
        Notice::LooksAgain => "everything can be looked at again".to_owned(),
        Notice::Unread { reason } => {
            format!("the kernel's events could not be read: {reason}; looking at everything again")
        }
        Notice::Failed { reason } => format!("the watcher has failed: {reason}"),
    }
}

/// A number with a comma between each three digits.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let comma = |at: usize| if at > 0 && (digits.len() - at).is_multiple_of(3) { "," } else { "" };
    digits.char_indices().map(|(at, digit)| format!("{}{digit}", comma(at))).collect()
}

pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A time as a person reads it.
pub(super) struct Seconds(pub(super) Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0 => write!(f, "{} ms", self.0.as_millis()),
            1..60 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            _ => write!(f, "{} min {} s", seconds / 60, seconds % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tests::rules;

    #[test]
    fn times_are_as_long_as_they_need_to_be() {
        let shown = |milliseconds| Seconds(Duration::from_millis(milliseconds)).to_string();
        assert_eq!([shown(7), shown(1_250), shown(61_000)], ["7 ms", "1.2 s", "1 min 1 s"]);
    }

    #[test]
    fn how_far_the_crawl_has_come_is_one_line_until_something_else_is_said() {
        let rules = rules("[rules.r]\npaths = [\"a\"]\nrun = [\"x\"]\n");
        let mut lines = Lines::new(&rules, Mode::Live, LogFormat::Text);
        lines.terminal = Some(Terminal { links: false });
        let mut out = Vec::new();
        lines.crawling(0, &mut out);
        lines.crawling(999, &mut out);
        lines.crawling(83_211, &mut out);
        lines.notice(&Notice::RootFound { path: b"/w".to_vec() }, &mut out);
        lines.notice(&Notice::LooksAgain, &mut out);
        let erase = terminal::ERASE_LINE;
        let expected = format!(
            "watching 999 directories ...{erase}watching 83,211 directories ...{erase}tripline: {}\ntripline: {}\n",
            "/w is there, and watched", "everything can be looked at again"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn large_numbers_are_readable() {
        let shown = [0, 999, 1_000, 83_211, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "83,211", "1,234,567"]);
    }
}
