//! The documentation is true: what it shows loads, what it links to exists, what it lists is complete.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;
use rustix::process::Signal;
use serde_json::Value;
use tripline::cli::Exit;
use tripline::dispatch::preview;
use tripline::event::{Event, EventMask, Subject, Trigger};
use tripline::rules::{Location, RuleId, Rules, load};

use crate::support::running::{Running, tripline};
use crate::support::simulate::simulate;
use crate::support::trip::Script;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(top().join(name)).unwrap()
}

fn documents() -> Vec<(PathBuf, String)> {
    let mut files = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| top().join(name)).to_vec();
    files.extend(fs::read_dir(top().join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    files.retain(|file| file.extension().is_some_and(|ext| ext == "md"));
    files.into_iter().map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect()
}

/// The fenced blocks that are said to be `kind`.
fn blocks<'a>(text: &'a str, kind: &str) -> Vec<&'a str> {
    let fence = format!("```{kind}\n");
    let after = text.split(&fence).skip(1);
    after.map(|rest| rest.split("```").next().unwrap()).collect()
}

/// What stands under a heading of the second or third level, up to the next.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("# {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    rest.split("\n## ").next().unwrap()
}

/// The cells of a table's rows, without its head.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
}

/// What stands in backquotes.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The rules of a file that includes others, if it wants to.
fn parse(text: &str) -> Result<Rules, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("rules.d")).unwrap();
    fs::write(dir.path().join("rules.d/more.toml"), "").unwrap();
    let file = dir.path().join("shown.toml");
    fs::write(&file, text).unwrap();
    let loaded = load(&Location::Path(file));
    loaded.map(|loaded| loaded.rules).map_err(|mistakes| format!("{mistakes}\n{text}"))
}

/// A rule with these keys, and those that every rule needs.
fn rule(keys: &str) -> String {
    let lacks = |key: &str| !keys.lines().any(|line| line.starts_with(key));
    let paths = if lacks("paths") { "paths = [\"a\"]\n" } else { "" };
    let run = if lacks("run") && lacks("steps") { "run = [\"true\"]\n" } else { "" };
    format!("[rules.r]\n{paths}{run}{keys}\n")
}

/// What the message about an unknown word says is known.
fn known(text: &str) -> BTreeSet<String> {
    let message = parse(text).unwrap_err();
    let list = message.split_once("known are: ").unwrap().1;
    list.split(['`', '(', '\n']).next().unwrap().split(',').map(|word| word.trim().to_owned()).collect()
}

#[test]
fn every_rules_file_that_is_shown_loads() {
    let mut shown = 0;
    for (file, text) in documents() {
        for block in blocks(&text, "toml") {
            // Keys without a header are those of a rule.
            let whole = block.lines().any(|line| line.starts_with('['));
            let result = parse(&if whole { block.to_owned() } else { rule(block) });
            assert!(result.is_ok(), "{}: {}", file.display(), result.unwrap_err());
            shown += 1;
        }
    }
    assert!(shown >= 3, "only {shown} rules files are shown");
}

#[test]
fn the_reference_has_every_key_with_an_example_that_loads() {
    // What an example may rely on.
    let other = "[rules.other]\npaths = [\"a\"]\nrun = [\"false\"]\n";
    let rest = format!("[templates.rust]\n{other}");
    check_keys("The whole file", |keys| {
        format!("{keys}\n{}", if keys.contains("templates") { other } else { &rest })
    });
    check_keys("`[settings]`", |keys| format!("[settings]\n{keys}\n{rest}"));
    check_keys("`[rules.NAME]`", |keys| format!("{}{rest}", rule(keys)));
}

#[test]
fn the_schema_says_of_every_key_what_the_reference_says() {
    let output = Command::new(env!("CARGO_BIN_EXE_tripline")).arg("schema").output().unwrap();
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    let reference = read("docs/rules.md");
    for (heading, table, keys) in [
        ("The whole file", "", 7),
        ("`[settings]`", "/properties/settings", 9),
        ("`[rules.NAME]`", "/properties/rules/additionalProperties", 20),
        ("`[rules.NAME]`", "/properties/templates/additionalProperties", 20),
        ("`[settings]`", "/properties/profile/additionalProperties/properties/settings", 9),
    ] {
        let said = schema.pointer(&format!("{table}/properties")).unwrap().as_object().unwrap();
        let said: BTreeSet<_> =
            said.iter().map(|(key, of)| (key.as_str(), of["description"].as_str())).collect();
        let meanings: Vec<_> = rows(section(&reference, heading))
            .map(|cells| (code(cells[0]).next().unwrap(), without_links(cells[cells.len() - 2])))
            .collect();
        let meanings: BTreeSet<_> = meanings.iter().map(|(key, text)| (*key, Some(text.as_str()))).collect();
        assert_eq!(said, meanings, "{table}");
        assert!(said.len() >= keys, "{table}");
    }
}

/// Markdown with the links' texts in place of the links.
fn without_links(text: &str) -> String {
    Regex::new(r"\[([^\]]*)\]\([^)]*\)").unwrap().replace_all(text, "$1").into_owned()
}

/// Compares a table of keys with what is known there. `whole` makes a rules file of an example.
fn check_keys(heading: &str, whole: impl Fn(&str) -> String) {
    let mut keys = BTreeSet::new();
    for cells in rows(section(&read("docs/rules.md"), heading)) {
        let key = code(cells[0]).next().unwrap();
        let example = code(cells.last().unwrap()).collect::<Vec<_>>().join("\n");
        let has = |line: &str| line.trim_start_matches('[').starts_with(key);
        assert!(example.lines().any(has), "{key}: {example}");
        assert!(parse(&whole(&example)).is_ok(), "{key}: {}", parse(&whole(&example)).unwrap_err());
        keys.insert(key.to_owned());
    }
    assert_eq!(keys, known(&whole("zzzzzzzzzz = 1")), "under {heading}");
}

#[test]
fn the_reference_has_every_event_placeholder_and_variable() {
    let text = read("docs/rules.md");
    let listed = |heading| -> BTreeSet<String> {
        rows(section(&text, heading)).flat_map(|cells| code(cells[0])).map(str::to_owned).collect()
    };
    let events = EventMask::NAMES.map(|(name, _)| name.to_owned());
    assert_eq!(listed("Events"), BTreeSet::from(events));
    let placeholders = known(&rule("run = [\"x\", \"{zzzzzzzzzz}\"]"));
    let placeholders: BTreeSet<_> = placeholders.iter().map(|name| format!("{{{name}}}")).collect();
    let shown = listed("Placeholders");
    assert_eq!(placeholders.difference(&shown).next(), None, "{placeholders:?}");
    let missing = variables().into_iter().find(|name| !shown.contains(name));
    assert_eq!(missing, None, "a variable that docs/rules.md does not have");
}

/// The variables of a run that has all there are.
fn variables() -> Vec<String> {
    let rules = parse(&format!("{}[vars]\nname_ = \"x\"", rule("match = '(?<name_>a)'"))).unwrap();
    let event = Event {
        mask: EventMask::MOVED_TO | EventMask::CHANGE | EventMask::RENAME,
        path: rules.settings.root.join("a").into_os_string().into_encoded_bytes(),
        subject: Subject::File,
        from: Some(b"/b".to_vec()),
        cookie: 1,
        trigger: Trigger::Event,
    };
    let env = preview(&rules, RuleId(0), &event).remove(0).env;
    let names = env.into_iter().map(|(name, _)| String::from_utf8(name).unwrap());
    names.map(|name| name.replace("_NAME_", "_<NAME>")).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for (file, text) in documents() {
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.contains("://") {
                continue;
            }
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if target.is_empty() { file.clone() } else { file.parent().unwrap().join(target) };
            assert!(target.exists(), "{}: {link} leads nowhere", file.display());
            let found = anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).contains(anchor);
            assert!(found, "{}: no heading is {link}", file.display());
        }
    }
}

/// The names by which a page's headings can be linked to, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let slug = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        title.chars().filter(kept).collect::<String>().replace(' ', "-")
    };
    headings.map(slug).collect()
}

#[test]
fn every_test_that_is_named_exists() {
    for (file, at_least) in [("README.md", 20), ("docs/kernel.md", 40)] {
        let text = read(file);
        let mut named = 0;
        for (before, after) in text.split("](").zip(text.split("](").skip(1)) {
            let (name, target) = (before.rsplit('[').next().unwrap(), after.split(')').next().unwrap());
            let target = target.trim_start_matches("../");
            let exists = match Path::new(target).extension().and_then(|ext| ext.to_str()) {
                Some("rs") if name.contains('_') && !name.ends_with(".rs") => {
                    read(target).contains(&format!("fn {name}("))
                }
                Some("trip") => target.ends_with(&format!("/{name}.trip")),
                _ => continue,
            };
            assert!(exists, "{file}: {target} has no test {name}");
            named += 1;
        }
        assert!(named >= at_least, "{file}: only {named} tests are named");
    }
}

#[test]
fn every_fact_of_the_kernel_is_shown_by_a_test() {
    let text = read("docs/kernel.md");
    let facts: Vec<Vec<_>> = text.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
    let mut shown = 0;
    // Before the first and after the last there is an empty one.
    for cells in facts.iter().filter(|cells| cells.len() == 6 && cells[1] != "the kernel") {
        let test = cells[4];
        let is_named = test.starts_with('[') || test.starts_with("not shown: ") || test.starts_with("---");
        assert!(is_named, "nothing shows: {}", cells[1]);
        shown += 1;
    }
    assert!(shown >= 40, "only {shown} facts");
    for entry in fs::read_dir(top().join("tests/live")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.starts_with("fact_") || text.contains(&format!("/{name})")), "no fact has {name}");
    }
}

/// What a newcomer types after the installation, in a project of their own that cargo has just made.
#[test]
fn the_first_screen_leads_to_a_first_run() {
    let readme = read("README.md");
    let commands: Vec<_> =
        section(&readme, "Try it").lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let typed =
        |line: &&str| line.split(' ').find(|word| !word.is_empty()).is_some_and(|word| word == "tripline");
    let typed: Vec<Vec<_>> = commands
        .into_iter()
        .filter(typed)
        .map(|line| line.split('#').next().unwrap().split_whitespace().skip(1).collect())
        .collect();
    assert_eq!(typed, [vec!["init"], vec![]], "what is typed");
    let project = tempfile::tempdir().unwrap();
    let here = |mut command: Command| {
        let home = std::env::var_os("HOME").unwrap_or_default();
        command.env("HOME", home).env_remove("CARGO_TARGET_DIR").current_dir(project.path());
        command
    };
    let cargo = here(Command::new("cargo")).args(["init", "-q", "--vcs", "none", "--name", "mine"]).status();
    assert!(cargo.unwrap().success());
    assert!(here(tripline()).args(&typed[0]).stdout(Stdio::null()).status().unwrap().success());
    let running = Running::start(here(tripline()).args(&typed[1]));
    running.until_ready();
    fs::write(project.path().join("src/main.rs"), "fn main() {}\n").unwrap();
    let said = running.until(|line| line.starts_with("rust: ok"));
    assert_eq!(said[0], "rust: src/main.rs (close_write)", "{said:#?}");
    running.signal(Signal::TERM);
    assert_eq!(running.end().unwrap().1.code(), Some(0));
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let table = section(&read("README.md"), "Exit codes").to_owned();
    let shown: Vec<_> = table.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    let rows = Exit::ALL.map(|(exit, meaning)| format!("| {} | {meaning} |", exit.code()));
    assert_eq!(shown, rows);
}

#[test]
fn every_subcommand_that_is_shown_exists() {
    let help = Command::new(env!("CARGO_BIN_EXE_tripline")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut seen = BTreeSet::new();
    for (file, text) in documents() {
        let lines = text.lines().map(str::trim_start);
        let commands = lines.filter_map(|line| line.strip_prefix("$ ")).chain(text.lines().flat_map(code));
        for rest in commands.filter_map(|command| command.strip_prefix("tripline ")) {
            let word = rest.split_whitespace().next().unwrap_or_default();
            if word.starts_with(|c: char| c.is_ascii_lowercase()) {
                let exists = help.contains(&format!("\n  {word} "));
                assert!(exists, "{}: there is no `tripline {word}`", file.display());
                seen.insert(word.to_owned());
            }
        }
    }
    let listed = help.split_once("Commands:\n").unwrap().1.lines().take_while(|line| !line.is_empty());
    let listed = listed.filter_map(|line| line.split_whitespace().next()).filter(|word| *word != "help");
    assert_eq!(seen, listed.map(str::to_owned).collect(), "shown, and those that there are");
}

#[test]
fn the_mistakes_that_are_shown_are_those_that_are_found() {
    let readme = read("README.md");
    let (wrong, shown) = (blocks(&readme, "toml wrong")[0], blocks(&readme, "text check")[0]);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tripline.toml"), wrong).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_tripline"));
    let output = check.args(["check", "tripline.toml"]).current_dir(dir.path()).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap().trim_end(), shown.trim_end());
}

#[test]
fn the_scenario_that_is_shown_comes_out_as_written() {
    let text = read("CONTRIBUTING.md");
    let script = Script::parse(Path::new("shown.trip"), blocks(&text, "trip")[0]).unwrap();
    let actual = simulate(&script).unwrap();
    assert_eq!(actual, script.expect);
}

#[test]
fn the_map_names_what_is_there_and_leaves_no_layer_out() {
    let text = read("CONTRIBUTING.md");
    let named: Vec<_> = rows(section(&text, "The map")).flat_map(|cells| code(cells[0])).collect();
    for path in &named {
        assert!(top().join(path).exists(), "there is no {path}");
    }
    for entry in fs::read_dir(top().join("src")).unwrap() {
        let name = format!("src/{}", entry.unwrap().file_name().to_str().unwrap());
        assert!(named.iter().any(|path| path.starts_with(&name)), "the map lacks {name}");
    }
}
