//! What the person sees: a line when a run starts, a line when it ends, and what the watcher has to say.

use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::args::LogFormat;
use super::quote::quoted;
use crate::dispatch::{Escaped, Job, Mode, News, Outcome, Report, View};
use crate::rules::Diagnostics;
use crate::watch::Notice;

/// Whether standard error is a terminal that may be coloured (no-color.org).
pub(super) fn stderr_is_styled() -> bool {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stderr().is_terminal() && !no_color && !dumb
}

/// Lines on standard error, or through the log: as JSON, or into the journal.
#[derive(Debug)]
pub(super) struct Lines {
    rules: usize,
    mode: Mode,
    format: LogFormat,
    styled: bool,
}

impl Lines {
    pub(super) fn new(rules: usize, mode: Mode, format: LogFormat) -> Self {
        Self { rules, mode, format, styled: stderr_is_styled() }
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
        if let Report::Reloaded { added, changed, unchanged, .. } = report {
            self.rules = added + changed + unchanged;
        }
        if self.mode == Mode::Dry && matches!(report, Report::Ended { .. } | Report::Service { .. }) {
            return;
        }
        if self.format != LogFormat::Text {
            return log(report);
        }
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
            Report::Started { .. } => self.line(Style::Start, report, out),
            Report::Reloaded { .. } => self.line(Style::Plain, format_args!("tripline: {report}"), out),
            _ => self.line(Style::Plain, report, out),
        }
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
        let mut text = words(notice);
        if matches!(notice, Notice::Ready { .. }) {
            text += &format!(" for {}", count(self.rules, "rule", "rules"));
        }
        let bad = !matches!(notice, Notice::Ready { .. } | Notice::RootFound { .. } | Notice::LooksAgain);
        match (self.format, bad) {
            (LogFormat::Text, bad) => {
                let style = if bad { Style::Bad } else { Style::Plain };
                self.line(style, format_args!("tripline: {text}"), out);
            }
            (LogFormat::Json | LogFormat::Journal, true) => tracing::warn!("{text}"),
            (LogFormat::Json | LogFormat::Journal, false) => tracing::info!("{text}"),
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

pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A time as a person reads it.
struct Seconds(Duration);

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

    #[test]
    fn times_are_as_long_as_they_need_to_be() {
        let shown = |milliseconds| Seconds(Duration::from_millis(milliseconds)).to_string();
        assert_eq!([shown(7), shown(1_250), shown(61_000)], ["7 ms", "1.2 s", "1 min 1 s"]);
    }
}
