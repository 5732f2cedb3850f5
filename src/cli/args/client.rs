//! What can be typed to speak to a tripline that runs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::completion::rule_names;
use crate::cli::commands::status::Format;

/// Subcommands that speak to a tripline that runs the rules here.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum ClientCommand {
    /// Show what a running tripline does: each rule, its last run, what waits
    #[command(after_help = "Example: tripline status --watch\n         \
                            tripline status --json | jq '.rules[] | select(.state == \"running\")'")]
    Status(StatusArgs),
    /// Have a rule, or all rules, start nothing for a while; changes collect
    #[command(after_help = "Example: tripline pause && git rebase main && tripline resume")]
    Pause {
        /// The rule; all rules if there is none
        #[arg(add = rule_names())]
        rule: Option<String>,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Have a paused rule, or all rules, go on, with what has changed meanwhile
    #[command(after_help = "Example: tripline resume test --forget")]
    Resume {
        /// The rule; all rules if there is none
        #[arg(add = rule_names())]
        rule: Option<String>,
        /// Forget what has changed meanwhile
        #[arg(long)]
        forget: bool,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Run a rule now, as if these paths had changed
    ///
    /// It runs whether or not it is paused or suspended; while it runs, its on_busy decides.
    #[command(after_help = "Example: tripline trigger test\n         tripline trigger import inbox/*.csv")]
    Trigger {
        /// The rule
        #[arg(add = rule_names())]
        rule: String,
        /// What it is told; it need not match the rule
        paths: Vec<PathBuf>,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Run a rule once more, with the paths of its last run
    #[command(after_help = "Example: tripline rerun test")]
    Rerun {
        /// The rule
        #[arg(add = rule_names())]
        rule: String,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// End a rule's runs; they are not done again, and what waits runs next
    #[command(after_help = "Example: tripline cancel test")]
    Cancel {
        /// The rule
        #[arg(add = rule_names())]
        rule: String,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Have the rules read again
    #[command(after_help = "Example: tripline reload")]
    Reload(ClientArgs),
    /// End a running tripline and its commands, and wait for that
    #[command(after_help = "Example: tripline stop")]
    Stop(ClientArgs),
    /// Print what a running tripline says, from now on
    #[command(
        after_help = "Example: tripline events --json | jq 'select(.event == \"ended\" and .code != 0)'"
    )]
    Events(EventsArgs),
    /// Show the runs that are over, the last one first, whether or not tripline runs now
    #[command(after_help = "Example: tripline runs test\n         \
                            tripline runs --json | jq 'select(.code != 0)'")]
    Runs(RunsArgs),
    /// Print what the last run of a rule has written, or another one
    #[command(after_help = "Example: tripline logs test | less -R\n         tripline logs test --run 17")]
    Logs(LogsArgs),
}

/// Which tripline.
#[derive(Args, Debug)]
pub(crate) struct ClientArgs {
    /// The rules file that it runs, or the directory; by default tripline.toml here or in a directory above
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The socket that it was given, instead of that of the rules file
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// table, json (one object, on one line), or prometheus (its text format)
    #[arg(long, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    format: StatusFormat,
    /// Look again every second, until interrupted
    #[arg(long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StatusFormat {
    Table,
    Json,
    Prometheus,
}

impl StatusArgs {
    pub(crate) const fn format(&self) -> Format {
        match self.format {
            _ if self.json => Format::Json,
            StatusFormat::Table => Format::Table,
            StatusFormat::Json => Format::Json,
            StatusFormat::Prometheus => Format::Prometheus,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct EventsArgs {
    /// One JSON object a line: time, event, rule, run, code, elapsed_ms, text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Args, Debug)]
pub(crate) struct RunsArgs {
    /// The rule; all rules if there is none
    #[arg(add = rule_names())]
    pub(crate) rule: Option<String>,
    /// How many runs at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    /// One JSON object a line: id, rule, run, time, elapsed_ms, cause, path, paths, outcome, code, stopped, bytes
    #[arg(long)]
    pub(crate) json: bool,
    /// The rules file, or the directory; by default tripline.toml here or in a directory above
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    /// The rule
    #[arg(add = rule_names())]
    pub(crate) rule: String,
    /// Which of its runs: the ID that `tripline runs` shows; the last one if not said
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<i64>,
    /// The rules file, or the directory; by default tripline.toml here or in a directory above
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}
