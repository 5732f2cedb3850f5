//! What is typed and what comes of it: mistakes with their places, help, exit codes, `on`.

use std::fs;
use std::io::pipe;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rustix::process::{Signal, geteuid};
use tempfile::tempdir;
use tripline::cli::Exit;

use crate::support::command::Test;
use crate::support::running::{Running, tripline};

const GOOD: &str = "[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\n";

/// The ways to have a rules file read.
const READERS: [[&str; 2]; 3] = [["check", "bad.toml"], ["run", "-cbad.toml"], ["run", "--config=bad.toml"]];

#[test]
fn every_mistake_is_named_with_its_file_line_and_column() {
    let rule = "[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\n";
    for (text, message, place) in [
        (format!("{rule}onn = 1\n"), "no key in a rule is called `onn`", "4:1"),
        (format!("{rule}on = \"change\"\n"), "`on` must be an array of strings", "4:6"),
        (format!("{rule}jobs = 2\n"), "no key in a rule is called `jobs`", "4:1"),
        (format!("[settings]\njobs = \"2\"\n{rule}"), "`jobs` must be", "2:8"),
        (format!("{rule}on = [\"cerate\"]\n"), "no event is called `cerate`", "4:7"),
        (format!("{rule}match = '(a'\n"), "not a regular expression: unclosed group", "4:9"),
        (format!("{rule}debounce = \"5\"\n"), "`5` is not a duration", "4:12"),
        (format!("{rule}{rule}"), "duplicate key", "4:8"),
        ("[rules.r]\npaths = [\"a[b\"]\nrun = [\"true\"]\n".into(), "`a[b`: `[` is never closed", "2:10"),
        ("[rules.r]\npaths = [\"a\"]\nrun = []\n".into(), "`run` names no program", "3:7"),
        ("[rules.r]\npaths = [\"a\"]\n".into(), "the rule `r` has no `run`", "1:8"),
        ("[rules.r\n".into(), "unclosed table", "1:9"),
        ("\0".into(), "key with no value", "1:2"),
        ("# ä\n[rules.r]\nä = 1\n".into(), "invalid unquoted key", "3:1"),
    ] {
        for args in READERS {
            let place = format!("--> bad.toml:{place}\n");
            let test = Test::new(args).file("bad.toml", &text);
            test.status(1).stderr_has(["error: ", message, &place]).run();
        }
    }
}

#[test]
fn all_mistakes_come_at_once() {
    let text = format!("{GOOD}onn = 1\n[rules.s]\nrun = []\n");
    let test = Test::new(["check"]).file("tripline.toml", text).status(1);
    test.stderr_has([
        "no key in a rule is called `onn`",
        "--> /w/tripline.toml:4:1",
        "the rule `s` has no `paths`",
        "--> /w/tripline.toml:5:8",
        "`run` names no program",
        "--> /w/tripline.toml:6:7",
    ])
    .run();
}

#[test]
fn what_is_no_rules_file_is_named() {
    for (content, message) in [
        (&b""[..], "there is no rule in bad.toml"),
        (b"# nothing\n", "there is no rule in bad.toml"),
        (b"\x7fELF\0\xff\n", "bad.toml:1: not UTF-8"),
        (&vec![b'#'; 2 << 20], "bad.toml is larger than 1 MiB"),
    ] {
        for args in READERS {
            Test::new(args).file("bad.toml", content).status(1).stderr_has([message, "help: "]).run();
        }
    }
    for args in READERS {
        let message = "error: cannot read bad.toml: No such file or directory";
        Test::new(args).status(1).stderr_has([message]).run();
        let test = Test::new(args).file("bad.toml/readme", "no rules").status(1);
        test.stderr_has(["error: there is no *.toml in bad.toml"]).run();
    }
    for args in [&[][..], &["run"], &["check"]] {
        let test = args.iter().fold(Test::new([]), Test::arg).status(1);
        test.stderr_has(["error: there is no tripline.toml in /w or above it"]).run();
    }
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    if geteuid().is_root() {
        eprintln!("not tried: root may read everything");
        return;
    }
    for args in READERS {
        let test = Test::new(args).file("bad.toml", GOOD).status(1);
        fs::set_permissions(test.root().join("bad.toml"), fs::Permissions::from_mode(0o000)).unwrap();
        test.stderr_has(["error: cannot read bad.toml: Permission denied"]).run();
    }
}

#[test]
fn every_subcommand_has_help_with_an_example() {
    let output = tripline().arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let commands = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let names: Vec<_> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(["run", "on", "watch", "check", "help"].iter().all(|name| names.contains(name)), "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        for option in ["--help", "-h"] {
            Test::new([name, option]).stdout_has(["Usage: tripline ", "\nExample: tripline "]).run();
        }
    }
    Test::new(["--help"]).stdout_has(["Usage: tripline ", "\nExample: tripline "]).run();
    Test::new(["--version"]).stdout(concat!("tripline ", env!("CARGO_PKG_VERSION"), "\n")).run();
}

#[test]
fn a_mistake_on_the_command_line_is_a_usage_error() {
    for (args, message) in [
        (&["--frobnicate"][..], "unexpected argument '--frobnicate'"),
        (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
        (&["run", "--frobnicate"], "unexpected argument '--frobnicate'"),
        (&["run", "tripline.toml"], "unexpected argument 'tripline.toml'"),
        (&["run", "--log-format", "xml"], "possible values: text, json"),
        (&["check", "a", "b"], "unexpected argument 'b'"),
        (&["on"], "<GLOB>..."),
        (&["on", "a"], "<CMD>..."),
        (&["on", "a", "--"], "<CMD>..."),
        (&["on", "a[", "--", "true"], "error: `a[`: `[` is never closed"),
        (&["on", "a", "--on", "cerate", "--", "true"], "did you mean `create`?"),
        (&["on", "a", "--per", "day", "--", "true"], "`per` cannot be `day`"),
        (&["on", "a", "--on-busy", "wait", "--", "true"], "`on_busy` cannot be `wait`"),
        (&["on", "a", "--debounce", "5", "--", "true"], "`5` is not a duration"),
        (&["on", "a", "--", "echo", "{pth}"], "did you mean `path`?"),
        (&["watch"], "<PATH>..."),
    ] {
        let test = args.iter().fold(Test::new([]), Test::arg);
        test.status(2).stderr_has([message]).run();
    }
    let test = Test::new(["watch", "--on", "cerate", "."]).status(2);
    test.stderr("tripline: there is no event `cerate`\n").run();
}

#[test]
fn every_exit_code_is_that_of_its_meaning() {
    assert_eq!(Exit::ALL.map(|(exit, _)| i32::from(exit.code())), [0, 1, 2, 3]);
    Test::new(["check"]).file("tripline.toml", GOOD).stdout("/w/tripline.toml: 1 rule, no mistakes\n").run();
    Test::new(["check"]).file("tripline.toml", "x").status(1).stderr_has(["--> "]).run();
    Test::new(["check", "--x"]).status(2).stderr_has(["Usage: "]).run();
    let test = Test::new([]).file("tripline.toml", GOOD);
    // Enough descriptors to read the rules with, and too few to watch.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 6; exec \"$0\""]).arg(tripline().get_program());
    let output = command.current_dir(test.root()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("tripline: ") && message.contains("Too many open files"), "{message}");
}

#[test]
fn on_runs_a_command_for_what_matches() {
    let test = Test::new([]).file("src/deep/a", "").file("b", "");
    let mut command = tripline();
    command.args(["on", "src/**", "c", "--ignore", "*.log", "--", "sh", "-c", "echo \"$1\"", "sh", "{rel}"]);
    let running = Running::start(command.current_dir(test.root()));
    running.until_ready();
    for name in ["b", "src/x.log", "src/deep/a"] {
        fs::write(test.root().join(name), "content").unwrap();
    }
    let lines = running.until(|line| line == "sh: ok");
    assert_eq!(lines, ["sh: src/deep/a (close_write)", "src/deep/a", "sh: ok"]);
    fs::write(test.root().join("c"), "content").unwrap();
    let lines = running.until(|line| line == "sh: ok");
    assert_eq!(lines, ["sh: c (close_write)", "c", "sh: ok"]);
    running.stop();
}

#[test]
fn a_dry_run_shows_what_would_run_and_runs_nothing() {
    let rules = concat!(
        "[rules.touch]\npaths = [\"in/*\"]\nper = \"file\"\nrun = [\"touch\", \"{rel} made\"]\n",
        "[rules.shell]\npaths = [\"b\"]\ncwd = \"in\"\non_start = true\nrun = 'touch \"$1\"'\n",
    );
    let test = Test::new([]).file("tripline.toml", rules).file("in/a", "");
    let root = test.root();
    let running = Running::start(tripline().args(["run", "--dry-run"]).current_dir(&root));
    running.until_ready();
    let shown = |last: &str| {
        let lines = running.until(|line| line.contains(last));
        lines.iter().map(|line| line.replace(root.to_str().unwrap(), "/w")).collect::<Vec<_>>()
    };
    let shell = "shell: would run: sh -c 'touch \"$1\"' tripline (in /w/in)";
    assert_eq!(shown("shell: would run"), ["shell: at start", shell]);
    // Twice: what was shown has ended.
    for _ in 0..2 {
        fs::write(root.join("in/a"), "content").unwrap();
        let touch = "touch: would run: touch 'in/a made' (in /w)";
        assert_eq!(shown("touch: would run"), ["touch: in/a (close_write)", touch]);
    }
    assert_eq!(running.stop(), [""; 0]);
    assert_eq!(fs::read_dir(root.join("in")).unwrap().count(), 1);
    let list = tripline().args(["run", "--list"]).current_dir(&root).output().unwrap();
    let table = tripline().args(["rules"]).current_dir(&root).output().unwrap();
    assert!(list == table && list.stdout.starts_with(b"rule   paths"), "{list:?}");
}

#[test]
fn nobody_to_read_an_answer_is_no_reason_to_panic() {
    for args in [&["--help"][..], &["check"], &["check", "none.toml"], &["frobnicate"], &["watch", "."]] {
        let test = Test::new([]).file("tripline.toml", GOOD);
        let (_, writer) = pipe().unwrap();
        let mut command = tripline();
        command.args(args).current_dir(test.root()).stdout(writer.try_clone().unwrap()).stderr(writer);
        let mut child = command.spawn().unwrap();
        if args == ["watch", "."] {
            fs::write(test.root().join("a"), "content").unwrap();
        }
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(0..=3)), "{args:?}: {code:?}");
    }
}

#[test]
fn a_run_for_what_is_there_ends_with_the_worst_exit_code() {
    let rules = "[rules.each]\npaths = [\"in/*.txt\"]\nper = \"file\"\nmax_parallel = 1\n\
                 run = 'exit \"$(cat \"$1\")\"'\nexit_codes = { ok = [0, 9] }\n\
                 [rules.all]\npaths = [\"in/**\", \"!in/*.txt\"]\nrun = [\"printf\", \"%s\\\\n\", \"{paths}\"]\n\
                 [rules.none]\npaths = [\"out/*\"]\nrun = [\"false\"]\n";
    let test = Test::new(["run", "--once"]).file("tripline.toml", rules).file(".ignore", "*.o\n");
    let test = test.file("in/1.txt", "4").file("in/2.txt", "9").file("in/3.txt", "2");
    let test = test.file("in/deep/b.c", "").file("in/deep/b.o", "").file("in/a.c", "");
    test.status(4)
        .stdout("all | /w/in/a.c\nall | /w/in/deep/b.c\n")
        .stderr_has([
            "none: nothing matches, not run\n",
            "each: in/1.txt (change)\n",
            "each: exit code 4 (",
            "each: ok, exit code 9 (",
            "each: exit code 2 (",
            "all: in/a.c (change) and 1 more\n",
        ])
        .run();
}

#[test]
fn what_cannot_be_started_or_is_killed_has_the_code_that_a_shell_would_give() {
    for (run, code) in [("[\"./missing\"]", 127), ("\"kill -KILL $$\"", 137), ("[\"true\"]", 0)] {
        let rules = format!("[rules.r]\npaths = [\"tripline.toml\"]\nrun = {run}\n");
        let test = Test::new(["run", "--once"]).file("tripline.toml", rules);
        test.status(code).stderr_has(["r: tripline.toml (change)\n"]).run();
    }
}

#[test]
fn on_exit_waits_for_the_first_change_and_ends_with_its_code() {
    let directory = tempdir().unwrap();
    let start = |stop| {
        let mut command = tripline();
        command.args(["on", "--exit", "a", "--", "sh", "-c", "exit 7"]).current_dir(directory.path());
        let running = Running::start(&mut command);
        running.until_ready();
        if stop {
            running.signal(Signal::INT);
        } else {
            fs::write(directory.path().join("a"), "").unwrap();
        }
        running.end().unwrap()
    };
    let (lines, status) = start(false);
    assert_eq!((lines[1].as_str(), status.code()), ("sh: exit code 7", Some(7)));
    let (lines, status) = start(true);
    assert_eq!((lines, status.code()), (Vec::new(), Some(130)));
}
