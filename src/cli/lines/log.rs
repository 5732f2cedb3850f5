//! Logs, through `tracing`. What is written is set by `TRIPLINE_LOG`: a level, or modules with theirs, such as
//! `tripline::watch=trace`.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::terminal::stderr_is_styled;
use crate::cli::args::{LogArgs, LogFormat};
use crate::cli::tui::{Feed, LogLine};

/// Writes logs from now on: to the screen if there is one, or to standard error, or to the journal if that is
/// where standard error leads. Without `TRIPLINE_LOG`, warnings, and runs where nothing else tells of them.
/// Answers the format.
pub(crate) fn start(args: LogArgs, screen: Option<&Arc<Feed>>) -> LogFormat {
    let chosen = if stderr_is_the_journal() { LogFormat::Journal } else { LogFormat::Text };
    let format = args.log_format.unwrap_or(chosen);
    let level = if format == LogFormat::Text { Level::WARN } else { Level::INFO };
    let default = || Targets::new().with_target("tripline", level);
    let typed = std::env::var("TRIPLINE_LOG").ok().map(|typed| typed.parse()).transpose();
    let (filter, mistake) = match typed {
        Ok(typed) => (typed.unwrap_or_else(default), None),
        Err(mistake) => (default(), Some(mistake)),
    };
    let all = || tracing_subscriber::registry().with(filter.clone());
    let lines = || tracing_subscriber::fmt::layer().with_writer(io::stderr);
    // A second start in one process, as tests do, keeps the first.
    let _ = match format {
        LogFormat::Text if let Some(screen) = screen => {
            let screen = Arc::clone(screen);
            let lines = tracing_subscriber::fmt::layer().without_time();
            all().with(lines.with_writer(move || LogLine(Arc::clone(&screen)))).try_init()
        }
        LogFormat::Text => all().with(lines().with_ansi(stderr_is_styled())).try_init(),
        LogFormat::Json => all().with(lines().json().flatten_event(true)).try_init(),
        LogFormat::Journal => match tracing_journald::layer() {
            // The fields' names are those of `tracing`, in capitals, as the journal has them.
            Ok(journal) => all().with(journal.with_field_prefix(None)).try_init(),
            Err(error) => {
                let _ = all().with(lines().with_ansi(false)).try_init();
                tracing::warn!(%error, "the journal does not answer");
                return LogFormat::Text;
            }
        },
    };
    if let Some(mistake) = mistake {
        tracing::warn!("TRIPLINE_LOG says nothing: {mistake}");
    }
    format
}

/// Whether `JOURNAL_STREAM` names what standard error is (systemd.exec(5)).
fn stderr_is_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let stderr = io::stderr().as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
    stderr.is_ok_and(|stderr| stream == format!("{}:{}", stderr.dev(), stderr.ino()))
}
