//! `tripline run`.

use std::sync::Arc;

use super::args::{LogArgs, RunArgs};
use super::report::Lines;
use super::{Exit, fail, location, log, refuse, rules, warn};
use crate::dispatch::{self, Mode};
use crate::rules::{Rules, load_profile};

pub(super) fn run(args: &RunArgs) -> Exit {
    match load_profile(&location(args.config.as_ref()), args.profile.as_deref()) {
        Ok(loaded) if args.list => rules::show(&loaded.rules),
        Ok(loaded) => follow(loaded.rules, if args.dry_run { Mode::Dry } else { Mode::Live }, args.log),
        Err(diagnostics) => refuse(&diagnostics),
    }
}

/// Runs rules until a signal ends it.
pub(super) fn follow(rules: Rules, mode: Mode, args: LogArgs) -> Exit {
    log::start(args);
    warn(&rules.warnings);
    let mut lines = Lines::new(rules.rules.len(), mode, args.log_format);
    match dispatch::run(&Arc::new(rules), mode, &mut lines) {
        Ok(()) => Exit::Ok,
        Err(error) => fail(error, Exit::System),
    }
}
