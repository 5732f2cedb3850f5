//! `tripline run`.

use std::path::PathBuf;
use std::sync::Arc;

use super::{client, rules};
use crate::cli::args::{LogArgs, PollArgs, RunArgs};
use crate::cli::history::Writer;
use crate::cli::lines::Lines;
use crate::cli::lines::{keys, log};
use crate::cli::pid_file::PidFile;
use crate::cli::tui::{self, Feed, Tui};
use crate::cli::{Exit, fail, location, refuse, warn};
use crate::dispatch::{self, Control, Endpoint, Mode, Origin, Remember, Span};
use crate::rules::{
    Attempt, Diagnostics, Loaded, Location, Reread, Rules, Sources, attempt, locate, refuse_untrusted, reread,
};

pub(crate) fn run(args: &RunArgs) -> Exit {
    let location = location(args.config.as_ref());
    let Attempt { loaded, sources } = attempt(&location, args.profile.as_deref());
    let mode = if args.dry_run || args.list { Mode::Dry } else { Mode::Live };
    match loaded.and_then(|loaded| trusted(loaded, mode)) {
        Ok(loaded) if args.list => rules::show(&loaded.rules),
        Ok(loaded) => {
            let span = if args.once { Span::Once } else { Span::Stopped };
            let (location, profile, poll) = (found(location, &loaded), args.profile.clone(), args.poll);
            let endpoint = client::endpoint(args.socket.as_ref(), &location);
            let remember = remember(locate(&location));
            let read = Box::new(move |known: Option<&Sources>| {
                again(&location, profile.as_deref(), poll, mode, known)
            });
            let origin = (!args.once).then_some(Origin { read, sources, remember });
            let tui = match shows_screen(args, &loaded.rules) {
                Ok(tui) => tui,
                Err(message) => return fail(message, Exit::Usage),
            };
            match args.pid_file.as_deref().map(PidFile::prepare).transpose() {
                Ok(pid_file) => {
                    let (poll, log) = (args.poll, args.log);
                    follow(loaded.rules, origin, Manner { mode, span, poll, log, pid_file, tui, endpoint })
                }
                Err(error) => fail(error, Exit::System),
            }
        }
        Err(diagnostics) => refuse(&diagnostics),
    }
}

/// Whether the rules and their output are shown on a screen of their own.
fn shows_screen(args: &RunArgs, rules: &Rules) -> Result<bool, &'static str> {
    match args.tui.asked() {
        Some(true) if !tui::is_possible() => Err("`--tui` needs a terminal as standard output"),
        Some(asked) => Ok(asked),
        None => {
            let lines = args.once || args.dry_run || args.log.log_format.is_some();
            Ok(rules.settings.terminal.tui && !lines && tui::is_possible())
        }
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

/// Keeps a history of the runs of a rules file.
fn remember(rules: Option<PathBuf>) -> Remember {
    let mut writer = rules.map(Writer::new);
    Box::new(move |record, bound| {
        if let Some(writer) = &mut writer {
            writer.put(record, bound);
        }
    })
}

fn again(
    location: &Location,
    profile: Option<&str>,
    poll: PollArgs,
    mode: Mode,
    known: Option<&Sources>,
) -> Reread {
    let Reread { loaded, sources } = reread(location, profile, known);
    let mut loaded = loaded.map(|loaded| loaded.and_then(|loaded| trusted(loaded, mode)));
    if let (Some(Ok(loaded)), Some(polling)) = (&mut loaded, poll.asked()) {
        loaded.rules.set_polling(polling);
    }
    Reread { loaded, sources }
}

/// How rules are run.
pub(crate) struct Manner {
    pub(crate) mode: Mode,
    pub(crate) span: Span,
    pub(crate) poll: PollArgs,
    pub(crate) log: LogArgs,
    /// Appears once all is watched.
    pub(crate) pid_file: Option<PidFile>,
    /// Whether the rules and their output are shown on a screen of their own.
    pub(crate) tui: bool,
    /// Where others speak to it.
    pub(crate) endpoint: Option<Endpoint>,
}

/// Runs rules.
pub(crate) fn follow(mut rules: Rules, origin: Option<Origin>, manner: Manner) -> Exit {
    let feed = manner.tui.then(|| Arc::new(Feed::default()));
    let format = log::start(manner.log, feed.as_ref());
    if let Some(polling) = manner.poll.asked() {
        rules.set_polling(polling);
    }
    let control = match Control::listening(manner.endpoint) {
        Ok(control) => control,
        Err(error) => return fail(error, Exit::System),
    };
    let (rules, mode, span) = (Arc::new(rules), manner.mode, manner.span);
    let ended = match feed {
        Some(feed) => match Tui::start(&rules, &feed, &control, manner.pid_file) {
            Ok(mut tui) => dispatch::run(&rules, origin, mode, span, &mut tui, &control),
            Err(error) => return fail(format_args!("cannot use the terminal: {error}"), Exit::System),
        },
        None => {
            warn(&rules.warnings);
            let mut lines = Lines::new(&rules, mode, format);
            lines.announce(manner.pid_file);
            if mode == Mode::Live && span != Span::Once && keys::are_there() {
                match keys::start(&control) {
                    Ok(()) => lines.hint(keys::HINT),
                    Err(error) => return fail(error, Exit::System),
                }
            }
            dispatch::run(&rules, origin, mode, span, &mut lines, &control)
        }
    };
    match ended {
        Ok(code) => Exit::Commands(code),
        Err(error) => fail(error, Exit::System),
    }
}
