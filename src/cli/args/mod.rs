//! What can be typed.

pub(super) mod client;
pub(super) mod completion;
pub(super) mod man;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use self::client::ClientCommand;

use crate::event::{Extent, Polling};
use crate::rules::duration;

/// Run commands when files change.
///
/// A rules file, tripline.toml, says which paths, which events and which command. Without a subcommand,
/// tripline runs it.
#[derive(Debug, Parser)]
#[command(name = "tripline", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
#[command(after_help = "Example: tripline on 'src/**/*.rs' -- cargo check")]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Load the rules, watch, and run commands until stopped
    ///
    /// SIGINT or SIGTERM ends running commands with SIGTERM and a grace period; a second one kills them. The rules
    /// are read again when their files change, and on SIGHUP.
    #[command(after_help = "Example: tripline run -c rules/rust.toml")]
    Run(RunArgs),
    /// Run a command when matching files change, without a rules file
    #[command(after_help = "Example: tripline on 'src/**/*.rs' Cargo.toml -- cargo test\n         \
                            tripline on --per file 'inbox/*.csv' -- import {path}")]
    On(OnArgs),
    /// Print what happens below some paths, an event a line
    #[command(after_help = "Example: tripline watch --json src | jq .path")]
    Watch(WatchArgs),
    /// Show every mistake in a rules file, each with its line and column
    ///
    /// The exit code is 1 if there is a mistake. What is only odd is shown as a warning.
    #[command(after_help = "Example: tripline check tripline.toml && systemctl --user restart tripline")]
    Check(CheckArgs),
    /// Say which rules would run for a path, and which pattern or line decided
    #[command(after_help = "Example: tripline explain target/debug/app --event create\n         \
                            tripline explain --watching")]
    Explain(ExplainArgs),
    /// Print the rules in effect, each value with the place it comes from
    #[command(after_help = "Example: tripline config --profile ci")]
    Config(RulesArgs),
    /// Show the rules in a table: their paths, events and commands
    #[command(after_help = "Example: tripline rules rules/node.toml")]
    Rules(RulesArgs),
    /// Say what keeps changes from being seen or commands from running, and what mends it
    ///
    /// The exit code is 1 if there is a problem.
    #[command(after_help = "Example: tripline doctor\n         tripline doctor --verify")]
    Doctor(DoctorArgs),
    /// Write a first tripline.toml for what is found in a directory
    #[command(after_help = "Example: tripline init && tripline")]
    Init(InitArgs),
    /// Have systemd run tripline from login on
    #[command(after_help = "Example: tripline service install --user")]
    Service {
        #[command(subcommand)]
        command: ServiceCommand,
    },
    #[command(flatten)]
    Client(ClientCommand),
    /// Print a JSON Schema of the rules file, for an editor's completion
    #[command(after_help = "Example: tripline schema > tripline.schema.json")]
    Schema,
    /// Print a script that has a shell complete subcommands, options and rules
    #[command(
        after_help = "Example: tripline completions bash > ~/.local/share/bash-completion/completions/tripline"
    )]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page of tripline or of a subcommand
    #[command(after_help = "Example: tripline man | man -l -\n         \
                            tripline man --dir ~/.local/share/man/man1")]
    Man(ManArgs),
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum ServiceCommand {
    /// Show a unit file that runs these rules, write it, and say how to start it
    ///
    /// What runs with these rules runs as in a shell: what the unit file takes away from commands, and what it does
    /// not, stands in it with the reasons.
    #[command(after_help = "Example: tripline service install --user --print")]
    Install(InstallArgs),
    /// Remove the unit file
    #[command(after_help = "Example: tripline service uninstall --user")]
    Uninstall(UninstallArgs),
}

#[derive(Args, Debug)]
pub(super) struct InstallArgs {
    /// As a service of this user
    #[arg(long, required = true)]
    user: bool,
    /// Show it, and write nothing
    #[arg(long)]
    pub(super) print: bool,
    /// Write it even if there is another of this name
    #[arg(long)]
    pub(super) force: bool,
    /// The unit's name
    #[arg(long, value_name = "NAME", default_value = "tripline", value_parser = unit_name)]
    pub(super) name: String,
    /// The rules file, or a directory of them; by default tripline.toml here or in a directory above
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The profile to choose: what [profile.NAME] says in the rules file overrules the rest
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct UninstallArgs {
    /// As a service of this user
    #[arg(long, required = true)]
    user: bool,
    /// Remove it even if it was written by somebody else
    #[arg(long)]
    pub(super) force: bool,
    /// The unit's name
    #[arg(long, value_name = "NAME", default_value = "tripline", value_parser = unit_name)]
    pub(super) name: String,
}

/// Of what systemd.unit(5) allows, without what stands for an instance.
fn unit_name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix(".service").unwrap_or(text);
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.');
    match !name.is_empty() && name.len() <= 200 && name.chars().all(valid) {
        true => Ok(name.to_owned()),
        false => Err("letters, digits and `:-_.` make a name".to_owned()),
    }
}

#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    /// Compare what a running tripline watches with what a fresh look at its rules and the file system finds; by
    /// default the one that runs these rules
    #[arg(long, value_name = "PID", num_args = 0..=1)]
    pub(super) verify: Option<Option<u32>>,
    /// One JSON object a line: status (ok, note, problem), message, mend
    #[arg(long)]
    pub(super) json: bool,
    /// The rules file, or a directory of them; by default tripline.toml here or in a directory above
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The profile to choose: what [profile.NAME] says in the rules file overrules the rest
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct ManArgs {
    /// The subcommand, such as `run` or `service install`
    #[arg(conflicts_with = "dir", value_name = "COMMAND")]
    pub(super) command: Vec<String>,
    /// Write all pages into this directory instead
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct InitArgs {
    /// The directory it is for
    #[arg(default_value = ".", hide_default_value = true)]
    pub(super) dir: PathBuf,
}

#[derive(Args, Debug)]
pub(super) struct RulesArgs {
    /// The rules file, or a directory of them; by default tripline.toml here or in a directory above
    pub(super) file: Option<PathBuf>,
    /// The profile to choose: what [profile.NAME] says in the rules file overrules the rest
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    /// The path that the event is about; it need not exist
    #[arg(required_unless_present = "watching", value_name = "PATH")]
    pub(super) path: Option<PathBuf>,
    /// Which event: change (the default), create, delete, ...
    #[arg(long, value_name = "EVENT", default_value = "change", conflicts_with = "watching")]
    pub(super) event: String,
    /// Show which directories are watched for which rules instead, and what is left out
    #[arg(long, conflicts_with = "path")]
    pub(super) watching: bool,
    /// The rules file, or a directory of them; by default tripline.toml here or in a directory above
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The profile to choose: what [profile.NAME] says in the rules file overrules the rest
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct RunArgs {
    /// The rules file, or a directory of them; by default tripline.toml here or in a directory above
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The profile to choose: what [profile.NAME] says in the rules file overrules the rest
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Run each rule once, for what is there and matches it, and exit with the worst of the exit codes
    #[arg(long, conflicts_with = "list")]
    pub(super) once: bool,
    /// Run nothing: print what would run, on real events
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Show the rules in a table, as `tripline rules` does, and end
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) list: bool,
    #[command(flatten)]
    pub(super) tui: TuiArgs,
    /// Write the process number to this file once everything is watched, and remove the file at the end
    #[arg(long, value_name = "FILE", conflicts_with_all = ["once", "list"])]
    pub(super) pid_file: Option<PathBuf>,
    /// Be spoken to at this socket, instead of one for the rules file (`tripline status`, `pause`, ...)
    #[arg(long, value_name = "PATH", conflicts_with_all = ["once", "list", "dry_run"])]
    pub(super) socket: Option<PathBuf>,
    #[command(flatten)]
    pub(super) poll: PollArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

#[derive(Args, Clone, Copy, Debug)]
pub(super) struct TuiArgs {
    /// Show the rules and their output on a screen of its own, even if the rules file does not say `tui = true`
    #[arg(long, overrides_with = "no_tui", conflicts_with_all = ["once", "list", "dry_run", "log_format"])]
    tui: bool,
    /// Show lines, even if the rules file says `tui = true`
    #[arg(long, overrides_with = "tui")]
    no_tui: bool,
}

impl TuiArgs {
    /// What was asked for, if anything.
    pub(super) fn asked(self) -> Option<bool> {
        (self.tui || self.no_tui).then_some(self.tui)
    }
}

#[derive(Args, Debug)]
pub(super) struct OnArgs {
    /// Which paths, relative to this directory; `src` alone means everything below it
    #[arg(required = true, value_name = "GLOB")]
    pub(super) globs: Vec<String>,
    /// The command and its arguments; {path}, {rel}, {name} and others stand for the changed path
    #[arg(required = true, last = true, value_name = "CMD")]
    pub(super) command: Vec<String>,
    /// Which events, comma-separated: change (the default), create, close_write, delete, ...
    #[arg(long, value_name = "EVENTS", value_delimiter = ',')]
    pub(super) on: Vec<String>,
    /// What not to look at, in gitignore syntax; may be repeated
    #[arg(short, long, value_name = "PATTERN")]
    pub(super) ignore: Vec<String>,
    /// What one run is given: batch (the default), file or event
    #[arg(long, value_name = "WHAT")]
    pub(super) per: Option<String>,
    /// When a change comes during a run: queue (the default), restart, signal, parallel or skip
    #[arg(long, value_name = "POLICY")]
    pub(super) on_busy: Option<String>,
    /// How long all must be quiet before a run, such as 50ms or 2s
    #[arg(long, value_name = "TIME")]
    pub(super) debounce: Option<String>,
    /// Run once at the start as well
    #[arg(long)]
    pub(super) on_start: bool,
    /// Wait for the first change, run the command, and exit with its exit code
    #[arg(long, conflicts_with = "on_start")]
    pub(super) exit: bool,
    /// Be spoken to at this socket (`tripline status --socket PATH`)
    #[arg(long, value_name = "PATH")]
    pub(super) socket: Option<PathBuf>,
    #[command(flatten)]
    pub(super) extent: ExtentArgs,
    #[command(flatten)]
    pub(super) poll: PollArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

#[derive(Args, Debug)]
pub(super) struct WatchArgs {
    /// Directories, with all below them, or single files; they may come to exist later
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// One JSON object a line, flushed at once
    #[arg(long)]
    pub(super) json: bool,
    /// Which events, comma-separated; by default all but access, open and close_nowrite
    #[arg(long, value_name = "EVENTS", value_delimiter = ',')]
    pub(super) on: Vec<String>,
    #[command(flatten)]
    pub(super) extent: ExtentArgs,
    #[command(flatten)]
    pub(super) poll: PollArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

#[derive(Args, Clone, Copy, Debug)]
pub(super) struct ExtentArgs {
    /// Leave out directories on other file systems than those that the paths are on
    #[arg(long)]
    one_file_system: bool,
    /// Follow symbolic links below the paths
    #[arg(long)]
    follow_symlinks: bool,
}

impl ExtentArgs {
    /// What was asked for.
    pub(super) fn extent(self) -> Extent {
        let Self { one_file_system, follow_symlinks } = self;
        Extent { one_file_system, follow_symlinks }
    }
}

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// The rules file, or a directory of them; by default tripline.toml here or in a directory above
    pub(super) file: Option<PathBuf>,
    /// One JSON object a line for each mistake and warning
    #[arg(long)]
    pub(super) json: bool,
    /// The profile to choose: what [profile.NAME] says in the rules file overrules the rest
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
}

#[derive(Args, Clone, Copy, Debug)]
pub(super) struct PollArgs {
    /// Look through all directories every so often, 2s if not said, instead of having inotify watch them
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "2s")]
    #[arg(value_parser = interval)]
    poll: Option<Duration>,
}

impl PollArgs {
    /// What was asked for, if anything.
    pub(super) fn asked(self) -> Option<Polling> {
        self.poll.map(|interval| Polling { always: true, interval })
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let known = duration(text).filter(|interval| !interval.is_zero());
    known.ok_or_else(|| "write a number and a unit, such as 500ms or 2s".to_owned())
}

#[derive(Args, Clone, Copy, Debug)]
pub(super) struct LogArgs {
    /// How messages are written: text (the default), json, or journal (the default where standard error is systemd's
    /// journal); what is logged is set by TRIPLINE_LOG, such as `debug`
    #[arg(long, value_name = "FORMAT")]
    pub(super) log_format: Option<LogFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, what happens to runs included.
    Json,
    /// To systemd's journal with fields, what happens to runs included.
    Journal,
}
