//! `tripline check`.

use std::io::Write;

use super::args::CheckArgs;
use super::{Exit, location, refuse};
use crate::rules::load;

pub(super) fn check(args: &CheckArgs) -> Exit {
    match load(&location(args.file.as_ref())) {
        Ok(loaded) => {
            let names: Vec<_> = loaded.files.iter().map(|file| file.display().to_string()).collect();
            let count = loaded.rules.rules.len();
            let plural = if count == 1 { "" } else { "s" };
            let _ = writeln!(std::io::stdout(), "{}: {count} rule{plural}, no mistakes", names.join(", "));
            Exit::Ok
        }
        Err(diagnostics) => refuse(&diagnostics),
    }
}
