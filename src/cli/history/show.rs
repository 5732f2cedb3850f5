//! `tripline runs` and `tripline logs`.

use std::io::{self, Write};
use std::path::PathBuf;

use anstream::adapter::StripBytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::path as history_path;
use super::store::{Past, Store, Trouble};
use crate::cli::args::client::{LogsArgs, RunsArgs};
use crate::cli::lines::Seconds;
use crate::cli::lines::terminal;
use crate::cli::{Exit, fail, location, table};
use crate::dispatch::Escaped;
use crate::rules::{instead_of, load_profile, locate};

/// `tripline runs`.
pub(in crate::cli) fn runs(args: &RunsArgs) -> Exit {
    let found = Found::of(args.config.as_ref()).and_then(|found| {
        let last = found.ask(|store| store.last(args.rule.as_deref(), args.limit))?;
        if let (true, Some(rule)) = (last.is_empty(), &args.rule) {
            return Err(found.nothing_of(rule));
        }
        Ok(last)
    });
    match found {
        Ok(last) if args.json => print(&json(&last)),
        Ok(last) => print(listing(&last).as_bytes()),
        Err(failure) => fail(failure, Exit::Rules),
    }
}

/// `tripline logs`.
pub(in crate::cli) fn logs(args: &LogsArgs) -> Exit {
    let found = Found::of(args.config.as_ref()).and_then(|found| {
        let run = found.run(&args.rule, args.run)?;
        found.ask(|store| store.output(run.id))
    });
    let (head, omitted, tail) = match found {
        Ok(output) => output,
        Err(failure) => return fail(failure, Exit::Rules),
    };
    let mut out = head;
    if omitted > 0 {
        out.extend(format!("\n[tripline: {omitted} bytes are left out here]\n").into_bytes());
    }
    out.extend(tail);
    print(&if terminal::is_plain() { plain(&out) } else { out })
}

/// Without what colours it and moves on a terminal.
fn plain(bytes: &[u8]) -> Vec<u8> {
    StripBytes::new().strip_next(bytes).flatten().copied().collect()
}

fn print(bytes: &[u8]) -> Exit {
    let mut out = io::stdout().lock();
    // Who reads no more has read enough.
    let _ = out.write_all(bytes).and_then(|()| out.flush());
    Exit::Ok
}

/// A history that is there.
struct Found {
    rules: PathBuf,
    config: Option<PathBuf>,
    file: PathBuf,
    store: Store,
}

impl Found {
    fn of(config: Option<&PathBuf>) -> Result<Self, String> {
        let rules =
            locate(&location(config)).ok_or_else(|| crate::cli::commands::client::no_rules(config))?;
        let file = history_path::of(&rules)?;
        let nothing = || format!("nothing that {} says has run yet", rules.display());
        if !file.exists() {
            return Err(nothing());
        }
        let store = Store::read(&file).map_err(|trouble| explain(&file, &trouble))?.ok_or_else(nothing)?;
        Ok(Self { rules, config: config.cloned(), file, store })
    }

    fn ask<T>(&self, question: impl FnOnce(&Store) -> Result<T, Trouble>) -> Result<T, String> {
        question(&self.store).map_err(|trouble| explain(&self.file, &trouble))
    }

    /// The run of that number, or the last one of the rule.
    fn run(&self, rule: &str, id: Option<i64>) -> Result<Past, String> {
        let Some((first, last)) = self.ask(|store| store.ids(rule))? else {
            return Err(self.nothing_of(rule));
        };
        let kept = || match first == last {
            true => format!("{rule} has only run {first}"),
            false => format!("those of {rule} are from {first} to {last}: tripline runs {rule}"),
        };
        match self.ask(|store| store.run(id.unwrap_or(last)))? {
            Some(run) if run.rule == rule => Ok(run),
            Some(run) => Err(format!("run {} is one of {}; {}", run.id, run.rule, kept())),
            None => Err(format!("there is no run {}; {}", id.unwrap_or(last), kept())),
        }
    }

    /// Why there is nothing of a rule.
    fn nothing_of(&self, rule: &str) -> String {
        let mut names = self.store.rules().unwrap_or_default();
        let loaded = load_profile(&location(self.config.as_ref()), None).map(|loaded| loaded.rules);
        let known = loaded.iter().flat_map(|rules| &rules.rules).map(|rule| rule.name.clone());
        names.extend(known);
        names.sort_unstable();
        names.dedup();
        if names.iter().any(|name| name == rule) {
            return format!("nothing of {rule} is kept: it has not run, or long ago");
        }
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let instead = instead_of(rule, &names);
        format!("there is no rule `{rule}` in {}, and none has run; {instead}", self.rules.display())
    }
}

/// What is wrong with a history, and the way out.
fn explain(file: &std::path::Path, trouble: &Trouble) -> String {
    let file = file.display();
    match trouble {
        Trouble::Damaged => format!("{file}: {trouble}; the next run puts it aside and begins another"),
        Trouble::Newer => format!("{file}: {trouble}; use that one, or remove the file"),
        Trouble::Other(_) => format!("{file}: {trouble}"),
    }
}

fn listing(runs: &[Past]) -> String {
    let zone = TimeZone::system();
    let row = |run: &Past| {
        let started = Timestamp::from_millisecond(run.started).unwrap_or_default();
        let outcome = if run.stopped { "stopped".to_owned() } else { run.outcome.clone() };
        [
            run.id.to_string(),
            Escaped(run.rule.as_bytes()).to_string(),
            started.to_zoned_datetime(zone.clone()).strftime("%F %T").to_string(),
            Seconds(run.elapsed).to_string(),
            run.code.to_string(),
            outcome,
            run.cause.clone().unwrap_or_else(|| "the service".to_owned()),
        ]
    };
    let heads = ["ID", "RULE", "STARTED", "TOOK", "CODE", "OUTCOME", "CAUSE"].map(str::to_owned);
    table::aligned(std::iter::once(heads).chain(runs.iter().map(row)))
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    id: i64,
    rule: &'a str,
    run: i64,
    time: String,
    elapsed_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    paths: i64,
    outcome: &'a str,
    code: u8,
    stopped: bool,
    bytes: i64,
}

fn json(runs: &[Past]) -> Vec<u8> {
    let mut out = Vec::new();
    for run in runs {
        let exact = |path: &Vec<u8>| std::str::from_utf8(path).is_err().then(|| STANDARD.encode(path));
        let line = Line {
            id: run.id,
            rule: &run.rule,
            run: run.run,
            time: Timestamp::from_millisecond(run.started).unwrap_or_default().to_string(),
            elapsed_ms: run.elapsed.as_millis() as u64,
            cause: run.cause.as_deref(),
            path: run.path.as_deref().map(|path| String::from_utf8_lossy(path).into_owned()),
            path_bytes: run.path.as_ref().and_then(exact),
            paths: run.paths,
            outcome: &run.outcome,
            code: run.code,
            stopped: run.stopped,
            bytes: run.bytes,
        };
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(&mut out, &line);
        out.push(b'\n');
    }
    out
}
