//! `tripline man`: made from the command line's own description.

use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;

use super::{Cli, ManArgs};
use crate::cli::{Exit, fail};

pub(crate) fn man(args: &ManArgs) -> Exit {
    let written = match &args.dir {
        Some(dir) => write_all(dir).map_err(|error| format!("{}: {error}", dir.display())),
        None => print(&args.command),
    };
    written.map_or_else(|error| fail(error, Exit::Usage), |()| Exit::Ok)
}

fn write_all(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(Cli::command(), dir)
}

fn print(subcommand: &[String]) -> Result<(), String> {
    let mut whole = Cli::command();
    // Built with the whole, each has the name of its page: `tripline-run`.
    whole.build();
    let page = subcommand.iter().try_fold(&whole, |command, name| command.find_subcommand(name));
    let page = page
        .cloned()
        .ok_or_else(|| format!("there is no `tripline {}`", subcommand.join(" ").escape_debug()))?;
    let mut out = Vec::new();
    Man::new(page).render(&mut out).map_err(|error| error.to_string())?;
    let _ = io::stdout().write_all(&out);
    Ok(())
}
