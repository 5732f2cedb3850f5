//! `tripline config`.

use std::io::Write;

use crate::cli::args::RulesArgs;
use crate::cli::{Exit, location, refuse};
use crate::rules::load_profile;

pub(crate) fn config(args: &RulesArgs) -> Exit {
    match load_profile(&location(args.file.as_ref()), args.profile.as_deref()) {
        Ok(loaded) => {
            let _ = std::io::stdout().write_all(loaded.rules.effective().as_bytes());
            Exit::Ok
        }
        Err(diagnostics) => refuse(&diagnostics),
    }
}
