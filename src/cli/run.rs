//! `tripline run`.

use std::sync::Arc;

use super::args::{LogArgs, PollArgs, RunArgs};
use super::pid_file::{Announced, PidFile};
use super::report::Lines;
use super::{Exit, control, fail, location, log, refuse, rules, warn};
use crate::dispatch::{self, Control, Endpoint, Mode, Origin, Span};
use crate::rules::{Attempt, Diagnostics, Loaded, Location, Rules, attempt, refuse_untrusted};

pub(super) fn run(args: &RunArgs) -> Exit {
    let location = location(args.config.as_ref());
    let Attempt { loaded, sources } = attempt(&location, args.profile.as_deref());
    let mode = if args.dry_run || args.list { Mode::Dry } else { Mode::Live };
    match loaded.and_then(|loaded| trusted(loaded, mode)) {
        Ok(loaded) if args.list => rules::show(&loaded.rules),
        Ok(loaded) => {
            let span = if args.once { Span::Once } else { Span::Stopped };
            let (location, profile, poll) = (found(location, &loaded), args.profile.clone(), args.poll);
            let endpoint = control::endpoint(args.socket.as_ref(), &location);
            let read = Box::new(move || again(&location, profile.as_deref(), poll, mode));
            let origin = (!args.once).then_some(Origin { read, sources });
            match args.pid_file.as_deref().map(PidFile::prepare).transpose() {
                Ok(pid_file) => follow(
                    loaded.rules,
                    origin,
                    (mode, span),
                    args.poll,
                    args.log,
                    pid_file.as_ref(),
                    endpoint,
                ),
                Err(error) => fail(error, Exit::System),
            }
        }
        Err(diagnostics) => refuse(&diagnostics),
    }
}

/// As root, commands run only from files that nobody else can change.
fn trusted(loaded: Loaded, mode: Mode) -> Result<Loaded, Diagnostics> {
    if mode == Mode::Live {
        refuse_untrusted(&loaded.files)?;
    }
    Ok(loaded)
}

/// Where the rules were found: there they are read again, and nowhere else.
fn found(location: Location, loaded: &Loaded) -> Location {
    match (location, loaded.files.first()) {
        (Location::Search(_), Some(file)) => Location::Path(file.clone()),
        (location, _) => location,
    }
}

fn again(location: &Location, profile: Option<&str>, poll: PollArgs, mode: Mode) -> Attempt {
    let mut attempt = attempt(location, profile);
    attempt.loaded = attempt.loaded.and_then(|loaded| trusted(loaded, mode));
    if let (Ok(loaded), Some(polling)) = (&mut attempt.loaded, poll.asked()) {
        loaded.rules.set_polling(polling);
    }
    attempt
}

/// Runs rules for that long, spoken to at the endpoint. The file appears once all is watched.
pub(super) fn follow(
    mut rules: Rules,
    origin: Option<Origin>,
    (mode, span): (Mode, Span),
    poll: PollArgs,
    args: LogArgs,
    pid_file: Option<&PidFile>,
    endpoint: Option<Endpoint>,
) -> Exit {
    let format = log::start(args);
    if let Some(polling) = poll.asked() {
        rules.set_polling(polling);
    }
    warn(&rules.warnings);
    let ways = match Control::listening(endpoint) {
        Ok(ways) => ways,
        Err(error) => return fail(error, Exit::System),
    };
    let mut lines = Lines::new(&rules, mode, format);
    let rules = Arc::new(rules);
    let ended = match pid_file {
        Some(pid_file) => {
            let mut announced = Announced { view: &mut lines, pid_file };
            dispatch::run(&rules, origin, mode, span, &mut announced, &ways)
        }
        None => dispatch::run(&rules, origin, mode, span, &mut lines, &ways),
    };
    match ended {
        Ok(code) => Exit::Commands(code),
        Err(error) => fail(error, Exit::System),
    }
}
