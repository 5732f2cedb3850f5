//! `tripline run`.

use std::sync::Arc;

use super::args::{LogArgs, PollArgs, RunArgs};
use super::report::Lines;
use super::{Exit, fail, location, log, refuse, rules, warn};
use crate::dispatch::{self, Mode, Span};
use crate::rules::{Rules, load_profile};

pub(super) fn run(args: &RunArgs) -> Exit {
    match load_profile(&location(args.config.as_ref()), args.profile.as_deref()) {
        Ok(loaded) if args.list => rules::show(&loaded.rules),
        Ok(loaded) => {
            let mode = if args.dry_run { Mode::Dry } else { Mode::Live };
            let span = if args.once { Span::Once } else { Span::Stopped };
            follow(loaded.rules, mode, span, args.poll, args.log)
        }
        Err(diagnostics) => refuse(&diagnostics),
    }
}

/// Runs rules for that long.
pub(super) fn follow(mut rules: Rules, mode: Mode, span: Span, poll: PollArgs, args: LogArgs) -> Exit {
    log::start(args);
    if let Some(polling) = poll.asked() {
        rules.set_polling(polling);
    }
    warn(&rules.warnings);
    let mut lines = Lines::new(rules.rules.len(), mode, args.log_format);
    match dispatch::run(&Arc::new(rules), mode, span, &mut lines) {
        Ok(code) => Exit::Commands(code),
        Err(error) => fail(error, Exit::System),
    }
}
