//! Completions and manual pages: that shells and man take them, and that nothing is left out.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::running::tripline;

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a program that reads its input says of it; none where there is no such program.
fn judged_by(program: &str, args: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("skipped: there is no {program}");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stderr).unwrap())
}

fn subcommands() -> Vec<String> {
    let help = output(tripline().arg("--help"));
    let listed = help.split_once("Commands:\n").unwrap().1.lines().take_while(|line| !line.is_empty());
    // What a description takes more than a line for is further in.
    let listed = listed.filter(|line| !line.starts_with("   "));
    listed
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn every_shell_is_given_every_subcommand() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = output(tripline().args(["completions", shell]));
        for name in subcommands() {
            assert!(script.contains(&name), "{shell} lacks {name}");
        }
        if ["bash", "zsh", "fish"].contains(&shell) {
            judged_by(shell, &["-n"], &script).inspect(|said| assert_eq!(said, "", "{shell}"));
        }
    }
}

#[test]
fn bash_completes_what_was_begun() {
    let script = output(tripline().args(["completions", "bash"]));
    let complete = |words: &str, cur: &str, prev: &str| {
        let at = words.split(' ').count();
        let ask = format!(
            "{script}
COMP_WORDS=({words} {cur}); COMP_CWORD={at}
\
             _tripline tripline {cur} {prev}; echo \"${{COMPREPLY[*]}}\""
        );
        output(Command::new("bash").args(["--norc", "-c", &ask])).trim_end().to_owned()
    };
    assert_eq!(complete("tripline", "expl", "tripline"), "explain");
    assert_eq!(complete("tripline doctor", "--ver", "doctor"), "--verify");
}

#[test]
fn every_subcommand_has_a_page_that_man_takes() {
    let dir = tempfile::tempdir().unwrap();
    output(tripline().arg("man").arg("--dir").arg(dir.path()));
    let mut pages: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort_by_key(|page| page.file_stem().unwrap().to_owned());
    let names: Vec<_> =
        pages.iter().map(|page| page.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let mut expected: Vec<_> = subcommands().iter().map(|name| format!("tripline-{name}")).collect();
    expected
        .extend(["tripline", "tripline-service-install", "tripline-service-uninstall"].map(str::to_owned));
    expected.sort();
    assert_eq!(names, expected);
    for (page, name) in pages.iter().zip(&names) {
        let text = fs::read_to_string(page).unwrap();
        assert!(text.contains(&format!(".TH {name} 1 ")), "{text}");
        judged_by("groff", &["-man", "-Tutf8", "-ww"], &text).inspect(|said| assert_eq!(said, "", "{name}"));
        if let Some(subcommand) = name.strip_prefix("tripline-") {
            let printed = output(tripline().arg("man").args(subcommand.split('-')));
            assert!(printed.contains(&format!(".TH {name} 1 ")), "{printed}");
        }
    }
}

#[test]
fn a_page_of_nothing_is_a_mistake() {
    let output = tripline().args(["man", "nothing"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "tripline: there is no `tripline nothing`\n");
}
