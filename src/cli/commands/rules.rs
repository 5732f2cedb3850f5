//! `tripline rules`.

use std::io::Write;
use std::iter::once;

use crate::cli::args::RulesArgs;
use crate::cli::quote::quoted;
use crate::cli::table::aligned;
use crate::cli::{Exit, location, refuse};
use crate::dispatch::Escaped;
use crate::rules::{RawCommand, RawRule, Rules, Spanned, load_profile};

/// A rule in the table: for each column its lines.
type Row = [Vec<String>; 4];

pub(crate) fn rules(args: &RulesArgs) -> Exit {
    match load_profile(&location(args.file.as_ref()), args.profile.as_deref()) {
        Ok(loaded) => show(&loaded.rules),
        Err(diagnostics) => refuse(&diagnostics),
    }
}

pub(crate) fn show(rules: &Rules) -> Exit {
    let _ = std::io::stdout().write_all(table(rules.typed()).as_bytes());
    Exit::Ok
}

fn table(rules: &[RawRule]) -> String {
    let head = ["rule", "paths", "on", "command"].map(|title| vec![title.to_owned()]);
    aligned(once(head).chain(rules.iter().map(row)).flat_map(lines))
}

/// The lines of a rule, each with what every column has there.
fn lines(row: Row) -> impl Iterator<Item = [String; 4]> {
    let height = row.iter().map(Vec::len).max().unwrap_or(0);
    (0..height).map(move |at| row.each_ref().map(|column| column.get(at).cloned().unwrap_or_default()))
}

fn row(rule: &RawRule) -> Row {
    let on = rule.on.as_ref().map_or_else(|| vec!["change".to_owned()], |on| each(&on.value));
    let after = rule.after.iter().flat_map(|after| &after.value);
    let after = after.map(|rule| format!("after {}", shown(&rule.value)));
    let paths = rule.paths.iter().flat_map(|paths| each(&paths.value)).chain(after).collect();
    let steps = rule.steps.iter().flat_map(|steps| &steps.value);
    let commands = rule.run.iter().chain(steps).chain(&rule.service);
    let command = commands.flat_map(|typed| command(&typed.value)).collect();
    [vec![shown(&rule.name.value)], paths, on, command]
}

fn each(typed: &[Spanned<String>]) -> Vec<String> {
    typed.iter().map(|typed| shown(&typed.value)).collect()
}

fn command(run: &RawCommand) -> Vec<String> {
    match run {
        RawCommand::Argv(words) => {
            vec![words.iter().map(|typed| word(&typed.value)).collect::<Vec<_>>().join(" ")]
        }
        RawCommand::Shell(text) => text.trim().lines().map(shown).collect(),
    }
}

/// A word in quotes if it needs any; the braces of a placeholder need none.
fn word(text: &str) -> String {
    let bare = text.replace(['{', '}'], "");
    if quoted(bare.as_bytes()) == bare { text.to_owned() } else { quoted(text.as_bytes()) }
}

/// As it was typed, unless a terminal cannot bear that.
fn shown(text: &str) -> String {
    let escaped = Escaped(text.as_bytes()).to_string();
    if escaped.replace(r"\\", r"\") == text { text.to_owned() } else { escaped }
}
