//! `tripline run`.

use std::sync::Arc;

use super::args::{LogArgs, PollArgs, RunArgs};
use super::report::Lines;
use super::{Exit, fail, location, log, refuse, rules, warn};
use crate::dispatch::{self, Mode};
use crate::rules::{Rules, load_profile};

pub(super) fn run(args: &RunArgs) -> Exit {
    match load_profile(&location(args.config.as_ref()), args.profile.as_deref()) {
        Ok(loaded) if args.list => rules::show(&loaded.rules),
        Ok(loaded) => {
            let mode = if args.dry_run { Mode::Dry } else { Mode::Live };
            follow(loaded.rules, mode, args.poll, args.log)
        }
        Err(diagnostics) => refuse(&diagnostics),
    }
}

/// Runs rules until a signal ends it.
pub(super) fn follow(mut rules: Rules, mode: Mode, poll: PollArgs, args: LogArgs) -> Exit {
    log::start(args);
    if let Some(polling) = poll.asked() {
        rules.set_polling(polling);
    }
    warn(&rules.warnings);
    let mut lines = Lines::new(rules.rules.len(), mode, args.log_format);
    match dispatch::run(&Arc::new(rules), mode, &mut lines) {
        Ok(()) => Exit::Ok,
        Err(error) => fail(error, Exit::System),
    }
}
