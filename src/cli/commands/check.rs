//! `tripline check`.

use std::io::Write;

use serde::Serialize;

use crate::cli::args::CheckArgs;
use crate::cli::{Exit, location, refuse, warn};
use crate::rules::{Diagnostics, Loaded, Position, load_profile};

pub(crate) fn check(args: &CheckArgs) -> Exit {
    let loaded = load_profile(&location(args.file.as_ref()), args.profile.as_deref());
    if args.json {
        let found = loaded.as_ref().map_or_else(|found| found, |loaded| &loaded.rules.warnings);
        let _ = std::io::stdout().write_all(json(found).as_bytes());
        return if found.has_errors() { Exit::Rules } else { Exit::Ok };
    }
    match loaded {
        Ok(loaded) => {
            warn(&loaded.rules.warnings);
            let _ = writeln!(std::io::stdout(), "{}", summary(&loaded));
            Exit::Ok
        }
        Err(diagnostics) => refuse(&diagnostics),
    }
}

fn summary(Loaded { rules, files }: &Loaded) -> String {
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let odd = match rules.warnings.iter().count() {
        0 => "no mistakes".to_owned(),
        warnings => format!("no mistakes, {}", count(warnings, "warning")),
    };
    format!("{}: {}, {odd}", names.join(", "), count(rules.rules.len(), "rule"))
}

/// One mistake or warning, for editors and build servers. What has no place in a file has none here.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<End>,
    severity: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

/// The first character after it.
#[derive(Serialize)]
struct End {
    line: usize,
    column: usize,
}

fn json(diagnostics: &Diagnostics) -> String {
    let mut out = String::new();
    for found in diagnostics.iter() {
        let position = diagnostics.position(found);
        let line = Line {
            file: position.map(|(file, ..)| file),
            line: position.map(|(_, start, _)| start.line),
            column: position.map(|(_, start, _)| start.column),
            end: position.map(|(.., Position { line, column })| End { line, column }),
            severity: found.severity().name(),
            message: found.message(),
            help: found.way_out(),
        };
        out.push_str(&serde_json::to_string(&line).unwrap_or_default());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Rules, SourceFile, surroundings};

    #[test]
    fn each_mistake_is_one_object_with_its_place() {
        let text = "[rules.r]\npaths = [\"a\"]\nrun = [\"x\"]\nonn = 1\n".to_owned();
        let file = SourceFile { name: "t.toml".to_owned(), text };
        let found = Rules::parse(file, &surroundings("/w".into())).unwrap_err();
        let expected = concat!(
            r#"{"file":"t.toml","line":4,"column":1,"end":{"line":4,"column":4},"severity":"error","#,
            r#""message":"no key in a rule is called `onn`","help":"did you mean `on`?"}"#,
            "\n"
        );
        assert!(json(&found).contains(expected), "{}", json(&found));
    }
}
