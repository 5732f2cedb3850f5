//! The command line: what was typed to what is done, and what the person sees.

mod args;
mod commands;
mod exit;
mod history;
mod lines;
mod pid_file;
mod quote;
mod table;
mod tui;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::Parser;

pub use self::exit::Exit;

use self::args::{Cli, Command};
use crate::rules::{Diagnostics, Location};

/// Does what the arguments say, the program's name first among them.
pub fn main(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args = Vec::from_iter(args);
    if let Some(exit) = args::completion::answer(&args) {
        return exit;
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; a closed terminal is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Ok };
        }
    };
    match cli.command {
        None => commands::run::run(&cli.run),
        Some(Command::Run(args)) => commands::run::run(&args),
        Some(Command::On(args)) => commands::on::on(&args),
        Some(Command::Watch(args)) => commands::watch::watch(&args),
        Some(Command::Check(args)) => commands::check::check(&args),
        Some(Command::Config(args)) => commands::config::config(&args),
        Some(Command::Rules(args)) => commands::rules::rules(&args),
        Some(Command::Explain(args)) => commands::explain::explain(&args),
        Some(Command::Doctor(args)) => commands::doctor::doctor(&args),
        Some(Command::Init(args)) => commands::init::init(&args),
        Some(Command::Service { command }) => commands::service::service(&command),
        Some(Command::Client(command)) => commands::client::client(&command),
        Some(Command::Schema) => commands::schema::schema(),
        Some(Command::Completions { shell }) => args::completion::script(shell),
        Some(Command::Man(args)) => args::man::man(&args),
    }
}

/// Where the rules are: what was named, or the nearest file above the current directory.
fn location(file: Option<&PathBuf>) -> Location {
    file.map_or_else(|| Location::Search(PathBuf::from(".")), |file| Location::Path(file.clone()))
}

/// Says what is wrong, so that nothing is done.
fn refuse(diagnostics: &Diagnostics) -> Exit {
    warn(diagnostics);
    Exit::Rules
}

/// Says what was found, on standard error.
fn warn(diagnostics: &Diagnostics) {
    let _ = std::io::stderr().write_all(diagnostics.render(lines::terminal::stderr_is_styled()).as_bytes());
}

/// Says why there is no going on.
fn fail(error: impl std::fmt::Display, exit: Exit) -> Exit {
    let _ = writeln!(std::io::stderr(), "tripline: {error}");
    exit
}
