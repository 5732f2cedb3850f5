//! `tripline on`: one rule, typed on the command line.

use std::path::{Path, PathBuf};

use super::run::{self, Manner};
use crate::cli::args::OnArgs;
use crate::cli::{Exit, fail, refuse};
use crate::dispatch::{Endpoint, Mode, Span};
use crate::rules::{Diagnostics, Raw, RawCommand, RawRule, Rules, Spanned, surroundings};

pub(crate) fn on(args: &OnArgs) -> Exit {
    let here = match std::path::absolute(PathBuf::from(".")) {
        Ok(here) => here,
        Err(error) => return fail(format_args!("where is this? {error}"), Exit::System),
    };
    let mut sources = Diagnostics::default();
    let rule = rule(args, &mut sources);
    let raw = Raw { rules: vec![rule], ..Raw::default() };
    match Rules::from_raw(&raw, sources, &surroundings(here)) {
        Ok(mut rules) => {
            rules.set_extent(args.extent.extent());
            let endpoint = args.socket.clone().map(|path| Endpoint { path, named: true });
            let span = if args.exit { Span::FirstRun } else { Span::Stopped };
            let (mode, poll, log) = (Mode::Live, args.poll, args.log);
            run::follow(rules, None, Manner { mode, span, poll, log, pid_file: None, tui: false, endpoint })
        }
        Err(diagnostics) => {
            refuse(&diagnostics);
            Exit::Usage
        }
    }
}

/// The rule is called by its program, which names it in the output.
fn rule(args: &OnArgs, sources: &mut Diagnostics) -> RawRule {
    let program = args.command.first().map(String::as_str).unwrap_or_default();
    let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program);
    let mut rule = RawRule::new(sources.add_word("CMD", name));
    rule.paths = words("GLOB", &args.globs, sources);
    rule.on = words("--on", &args.on, sources);
    rule.ignore = words("--ignore", &args.ignore, sources);
    rule.run = words("CMD", &args.command, sources)
        .map(|Spanned { value, place }| Spanned::new(RawCommand::Argv(value), place));
    rule.per = args.per.as_ref().map(|per| sources.add_word("--per", per));
    rule.on_busy = args.on_busy.as_ref().map(|policy| sources.add_word("--on-busy", policy));
    rule.debounce = args.debounce.as_ref().map(|time| sources.add_word("--debounce", time));
    if args.on_start {
        let place = sources.add_word("--on-start", "true").place;
        rule.on_start = Some(Spanned::new(true, place));
    }
    rule
}

fn words(name: &str, words: &[String], sources: &mut Diagnostics) -> Option<Spanned<Vec<Spanned<String>>>> {
    Spanned::list(words.iter().map(|word| sources.add_word(name, word)).collect())
}
