//! What a person sees on a terminal, and what is told beside the lines.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::tempdir;

use crate::support::proc::eventually;
use crate::support::running::READY;
use crate::support::screen::Screen;

const SIZE: (u16, u16) = (20, 70);

fn save(directory: &Path, name: &str) {
    fs::write(directory.join(name), "content\n").unwrap();
}

/// The lines, with all times alike.
fn timeless(text: &str) -> Vec<String> {
    let times = regex::Regex::new(r"\d\d:\d\d:\d\d|\d+ ms").unwrap();
    text.lines().map(|line| times.replace_all(line, "TIME").into_owned()).collect()
}

#[test]
fn a_run_has_a_header_as_wide_as_the_terminal() {
    let directory = tempdir().unwrap();
    let rules = "[rules.r]\npaths = [\"a\"]\nrun = \"echo said; exit 3\"\n";
    let mut screen = Screen::with_rules(directory.path(), rules, &[], SIZE);
    screen.until_shown([READY]);
    save(directory.path(), "a");
    let text = screen.until_shown(["exit code 3"]);
    let lines = timeless(&text);
    assert_eq!(lines[0], "tripline: ready, 1 directory watched for 1 rule");
    assert_eq!(lines[1], "tripline: r, p or q, and Enter: run again, pause, quit");
    assert_eq!(lines[2], "── r: a (close_write) ─────────────────────────────────────── TIME");
    assert_eq!(text.lines().nth(2).unwrap().chars().count(), 70);
    assert_eq!(lines[3..], ["said", "r: exit code 3 (TIME)"]);
    screen.stop();
    // None of what was not asked for.
    assert_eq!((screen.title().as_str(), screen.bells()), ("", 0));
    assert!(!String::from_utf8_lossy(&screen.bytes()).contains("\x1b]"));
}

#[test]
fn a_terminal_is_cleared_rings_and_has_a_title_if_the_rules_say_so() {
    let directory = tempdir().unwrap();
    let rules = "[settings]\nclear = true\ntitle = true\nbell = \"change\"\n\
                 [rules.r]\npaths = [\"?\"]\nrun = \"cat go; test -e good\"\n";
    fs::write(directory.path().join("go"), "going\n").unwrap();
    let mut screen = Screen::with_rules(directory.path(), rules, &[], SIZE);
    screen.until_shown([READY]);
    // Failed, failed again, and mended.
    for (good, name, said, title, bells) in [
        (false, "a", "r: exit code 1", "tripline: r failed", 1),
        (false, "b", "r: exit code 1", "tripline: r failed", 1),
        (true, "c", "r: ok", "tripline: ok", 2),
    ] {
        if good {
            fs::write(directory.path().join("good"), "").unwrap();
        }
        save(directory.path(), name);
        let header = format!("r: {name} (close_write)");
        let text = screen.until_shown([&header, said]);
        assert!(text.starts_with(&format!("── {header}")), "it was not cleared:\n{text}");
        screen.until(|screen| (screen.title() == title).then_some(()));
        assert_eq!(screen.bells(), bells, "{name}");
    }
    screen.stop();
    let bytes = screen.bytes();
    let bytes = String::from_utf8_lossy(&bytes);
    assert_eq!((bytes.matches("\x1b[22;0t").count(), bytes.matches("\x1b[23;0t").count()), (1, 1));
}

#[test]
fn ctrl_c_ends_it() {
    let directory = tempdir().unwrap();
    let rules = "[rules.r]\npaths = [\"a\"]\nrun = \"echo goes on; exec sleep 1000\"\n";
    let mut screen = Screen::with_rules(directory.path(), rules, &[], SIZE);
    screen.until_shown([READY]);
    save(directory.path(), "a");
    // Before it is in a process group of its own, Ctrl-C is for the command as well.
    screen.until_shown(["── r: a (close_write) ──", "goes on"]);
    screen.keys("\x03");
    assert_eq!(screen.end().code(), Some(0));
    screen.until_shown(["r: stopping", "r: killed by SIGTERM"]);
}

#[test]
fn letters_and_enter_run_again_pause_and_quit() {
    let directory = tempdir().unwrap();
    let rules = "[rules.one]\npaths = [\"a\"]\nrun = \"echo $TRIPLINE_NAME\"\n\
                 [rules.two]\npaths = [\"b\"]\nrun = [\"true\"]\n";
    let mut screen = Screen::with_rules(directory.path(), rules, &[], (40, 70));
    screen.until_shown(["run again, pause, quit"]);
    screen.keys("r\n");
    screen.until_shown(["one: by hand", "two: by hand", "one: ok", "two: ok"]);
    screen.keys("p\n");
    screen.until_shown(["all rules paused"]);
    save(directory.path(), "a");
    screen.keys("p\n");
    screen.until_shown(["all rules resumed", "one: a (close_write)", "one | a"]);
    screen.keys("r three\n");
    screen.until_shown(["there is no rule `three`"]);
    screen.keys("what\n");
    screen.until_shown(["`r RULE` one of them"]);
    screen.keys("q\n");
    assert_eq!(screen.end().code(), Some(0));
}

#[test]
fn what_runs_in_the_background_is_not_stopped_for_its_keys() {
    let directory = tempdir().unwrap();
    let rules = "[rules.r]\npaths = [\"*.x\"]\nper = \"file\"\nrun = \"true\"\n";
    fs::write(directory.path().join("tripline.toml"), rules).unwrap();
    // Started there, and sent there.
    let tripline = env!("CARGO_BIN_EXE_tripline");
    for (how, reads) in [(format!("{tripline} run &"), false), (format!("{tripline} run; bg"), true)] {
        let script = format!("set -m; {how}\nread line; echo typed $line; kill %1; wait");
        let mut command = Screen::command_of("bash", &["-c", &script]);
        let mut screen = Screen::start(command.current_dir(directory.path()), (30, 70));
        screen.until_shown([READY]);
        assert_eq!(screen.text().contains("run again, pause, quit"), reads);
        if reads {
            screen.keys("\x1a");
            screen.until_shown(["Stopped"]);
        }
        save(directory.path(), "1.x");
        screen.until_shown(["r: 1.x (close_write)", "r: ok"]);
        screen.keys("for the shell\n");
        screen.until_shown(["typed for the shell"]);
        assert!(screen.end().success(), "{}", screen.text());
    }
}

#[test]
fn paths_are_links_where_the_terminal_makes_some() {
    let directory = tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    fs::write(root.join("tripline.toml"), "[rules.r]\npaths = [\"*.c\"]\nrun = [\"true\"]\n").unwrap();
    let mut command = Screen::command(&[]);
    let mut screen = Screen::start(command.env("FORCE_HYPERLINK", "1").current_dir(&root), SIZE);
    screen.until_shown([READY]);
    save(&root, "a b.c");
    screen.until_shown(["── r: a b.c (close_write) ──", "r: ok"]);
    let link = format!("\x1b]8;;file://{}/a%20b.c\x1b\\a b.c\x1b]8;;\x1b\\", root.display());
    let bytes = screen.bytes();
    assert!(String::from_utf8_lossy(&bytes).contains(&link), "{}", bytes.escape_ascii());
    screen.stop();
}

#[test]
fn a_note_on_the_desktop_that_hangs_holds_up_no_run() {
    let directory = tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let rules = "[settings]\nnotify = \"always\"\n[rules.r]\npaths = [\"*.x\"]\nrun = \"test $TRIPLINE_NAME != bad.x\"\n";
    fs::write(root.join("tripline.toml"), rules).unwrap();
    fs::create_dir(root.join("bin")).unwrap();
    let program = root.join("bin/notify-send");
    // It is asked to go on by a file.
    let script = "#!/bin/sh\necho \"$@\" >> ../notes; while ! test -e ../go; do sleep 0.02; done\n";
    fs::write(&program, script.replace("..", &root.display().to_string())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", root.join("bin").display(), std::env::var("PATH").unwrap());
    let mut command = Screen::command(&[]);
    let mut screen = Screen::start(command.env("PATH", path).current_dir(&root), SIZE);
    screen.until_shown([READY]);
    let notes = || fs::read_to_string(root.join("notes")).unwrap_or_default();
    let note = |lines: usize| eventually(|| (notes().lines().count() == lines).then(&notes));
    save(&root, "a.x");
    screen.until_shown(["r: ok"]);
    let first = note(1);
    assert!(first.starts_with("--app-name=tripline --urgency=normal -- r: ok r: ok"), "{first}");
    for (name, said) in [("b.x", "b.x (close_write)"), ("bad.x", "r: exit code 1")] {
        save(&root, name);
        screen.until_shown([said]);
    }
    // The second is not shown any more when the third waits.
    save(&root, "go");
    let all = note(2);
    assert!(all.ends_with("--urgency=critical -- r: failed r: exit code 1\n"), "{all}");
    screen.stop();
}
