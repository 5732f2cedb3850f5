//! The documentation is true: what it shows loads, what it links to exists, what it lists is complete.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tripline::cli::Exit;
use tripline::rules::{IgnoreFiles, Rules, SourceFile, Surroundings};

fn documents() -> Vec<(PathBuf, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![top.join("README.md"), top.join("CONTRIBUTING.md"), top.join("CHANGELOG.md")];
    files.extend(fs::read_dir(top.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    files.retain(|file| file.extension().is_some_and(|ext| ext == "md"));
    files.into_iter().map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect()
}

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

#[test]
fn every_rules_file_that_is_shown_loads() {
    let mut shown = 0;
    for (file, text) in documents() {
        for block in text.split("```toml\n").skip(1) {
            let text = block.split("```").next().unwrap().to_owned();
            let files = Arc::new(HashMap::<PathBuf, IgnoreFiles>::new());
            let around = Surroundings { directory: "/w".into(), home: Some("/home/u".into()), files };
            let source = SourceFile { name: file.display().to_string(), text };
            if let Err(mistakes) = Rules::parse(source, &around) {
                panic!("{mistakes}");
            }
            shown += 1;
        }
    }
    assert!(shown >= 2, "only {shown} rules files are shown");
}

#[test]
fn every_link_leads_somewhere() {
    for (file, text) in documents() {
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let target = link.split('#').next().unwrap();
            let exists = target.contains("://") || file.parent().unwrap().join(target).exists();
            assert!(exists, "{}: {link} leads nowhere", file.display());
        }
    }
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let rows = Exit::ALL.map(|(exit, meaning)| format!("| {} | {meaning} |", exit.code()));
    let table = rows.join("\n");
    assert!(readme().contains(&table), "README.md should have\n{table}");
}

#[test]
fn every_subcommand_that_is_shown_exists() {
    let help = Command::new(env!("CARGO_BIN_EXE_tripline")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let shown = readme();
    let called = shown.lines().filter_map(|line| line.trim_start().strip_prefix("$ tripline "));
    let mut seen = 0;
    for word in called.filter_map(|rest| rest.split_whitespace().next()).filter(|word| *word != "#") {
        assert!(help.contains(&format!("\n  {word} ")), "README.md shows `tripline {word}`");
        seen += 1;
    }
    assert!(seen >= 3, "only {seen} subcommands are shown");
}
