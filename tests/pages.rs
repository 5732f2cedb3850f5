//! Completions and manual pages: that shells and man take them, and that nothing is left out.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

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

/// A directory with rules, in which shells complete what was begun.
struct Bench(TempDir);

/// What a line goes on with.
type Words = Vec<String>;

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.write("tripline.toml", &["build", "test", "test-all", "with space"]);
        bench.write("other.toml", &["tidy"]);
        fs::create_dir(bench.0.path().join("sub")).unwrap();
        bench
    }

    fn write(&self, file: &str, rules: &[&str]) {
        let rule = |name| format!("[rules.\"{name}\"]\npaths = [\"x\"]\nrun = [\"true\"]\n");
        fs::write(self.0.path().join(file), rules.iter().map(rule).collect::<String>()).unwrap();
    }

    /// What the shell makes of a script, in which `$script` is the file that `completions` has written. Nothing may be
    /// said on standard error: somebody is typing.
    fn run(&self, shell: &str, args: &[&str], text: &str) -> Option<Words> {
        let script = self.0.path().join("script");
        fs::write(&script, output(tripline().args(["completions", shell]))).unwrap();
        let directory = Path::new(env!("CARGO_BIN_EXE_tripline")).parent().unwrap();
        let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(shell);
        command.args(args).arg(text).current_dir(self.0.path()).env("PATH", path);
        command.env("script", script).env("HOME", self.0.path()).env_remove("TRIPLINE_LOG");
        let Ok(output) = command.output() else {
            eprintln!("skipped: there is no {shell}");
            return None;
        };
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell}: {text}");
        let words = String::from_utf8(output.stdout).unwrap();
        Some(words.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    /// What bash completes, of words of which the last is begun.
    fn bash(&self, words: &[&str]) -> Words {
        let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
        let (at, line) = (words.len() - 1, quoted.join(" "));
        let ask = format!(
            ". \"$script\"; COMP_WORDS=({line}); COMP_CWORD={at}; _clap_complete_tripline tripline {} {}; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            quoted[at],
            quoted[at - 1]
        );
        self.run("bash", &["--norc", "-c"], &ask).unwrap()
    }
}

#[test]
fn every_shell_takes_its_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = output(tripline().args(["completions", shell]));
        assert!(script.contains("TRIPLINE_COMPLETE"), "{script}");
        if ["bash", "zsh", "fish"].contains(&shell) {
            judged_by(shell, &["-n"], &script).inspect(|said| assert_eq!(said, "", "{shell}"));
        }
    }
}

#[test]
fn bash_completes_what_was_begun() {
    let bench = Bench::new();
    let all = bench.bash(&["tripline", ""]);
    for name in subcommands() {
        assert!(all.contains(&name), "{name} is not among {all:?}");
    }
    assert_eq!(bench.bash(&["tripline", "expl"]), ["explain"]);
    assert_eq!(bench.bash(&["tripline", "doctor", "--ver"]), ["--verify"]);
    assert_eq!(bench.bash(&["tripline", "check", "oth"]), ["other.toml"]);
    assert_eq!(bench.bash(&["tripline", "status", "--format", "prom"]), ["prometheus"]);
}

#[test]
fn rule_names_are_completed_from_the_rules_file_that_is_meant() {
    let bench = Bench::new();
    for command in ["trigger", "rerun", "pause", "resume", "cancel", "runs", "logs"] {
        assert_eq!(bench.bash(&["tripline", command, "t"]), ["test", "test-all"], "{command}");
        assert_eq!(bench.bash(&["tripline", command, "-c", "other.toml", "t"]), ["tidy"], "{command}");
    }
    assert_eq!(bench.bash(&["tripline", "trigger", "b"]), ["build"]);
    assert_eq!(bench.bash(&["tripline", "pause", "--config", "~/other.toml", "t"]), ["tidy"]);
    // What needs quotes is left out, and a path is no rule.
    assert_eq!(bench.bash(&["tripline", "rerun", "w"]), [""; 0]);
    assert_eq!(bench.bash(&["tripline", "trigger", "test", "oth"]), ["other.toml"]);
}

#[test]
fn a_broken_rules_file_completes_nothing_and_says_nothing() {
    let bench = Bench::new();
    fs::write(bench.0.path().join("tripline.toml"), "[rules.test\npaths = 1\n").unwrap();
    assert_eq!(bench.bash(&["tripline", "trigger", "t"]), [""; 0]);
    assert_eq!(bench.bash(&["tripline", "trigger", "-c", "nothing.toml", "t"]), [""; 0]);
    assert_eq!(bench.bash(&["tripline", "tri"]), ["trigger"], "the rest is completed");
}

#[test]
fn zsh_and_fish_complete_rule_names() {
    let bench = Bench::new();
    let expect = |words: Option<Words>| {
        assert!(words.as_ref().is_none_or(|words| words == &["test", "test-all"]), "{words:?}");
    };
    // What completes is called by itself, and what it would have shown is printed.
    let stub = "compdef() {:}; _describe() { print -l ${(P)3} }; words=(tripline trigger te); CURRENT=3;";
    expect(bench.run("zsh", &["-f", "-c"], &format!("{stub} . $script; _clap_dynamic_completer_tripline")));
    let installed = "mkdir f; cp $script f/_tripline; fpath=($PWD/f); autoload _tripline; _tripline";
    expect(bench.run("zsh", &["-f", "-c"], &format!("{stub} {installed}")));
    expect(bench.run("fish", &["--no-config", "-c"], ". $script; complete -C 'tripline trigger te'"));
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
