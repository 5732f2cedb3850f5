//! Logs, through `tracing`: what is written is set by `TRIPLINE_LOG`, in `tracing`'s directives.

use std::io;

use tracing_subscriber::EnvFilter;

use super::args::{LogArgs, LogFormat};
use super::terminal::stderr_is_styled;

/// Writes logs to standard error from now on. Without `TRIPLINE_LOG`, warnings; as JSON, runs too.
pub(super) fn start(args: LogArgs) {
    let default = if args.log_format == LogFormat::Json { "tripline=info" } else { "tripline=warn" };
    let wanted = std::env::var("TRIPLINE_LOG").unwrap_or_else(|_| default.to_owned());
    let filter = EnvFilter::builder().parse_lossy(wanted);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A second start in one process, as tests do, keeps the first.
    let _ = match args.log_format {
        LogFormat::Text => builder.with_ansi(stderr_is_styled()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
