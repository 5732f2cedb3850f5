//! What holds of rules that are read again while tripline runs, beyond what scripts can show (P10).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::tempdir;

use crate::support::proc::{descriptors, eventually, watches};
use crate::support::running::{READY, Running, tripline};

fn rule(name: &str, rest: &str) -> String {
    format!("[rules.{name}]\nrun = [\"true\"]\n{rest}\n")
}

/// Waits until other rules are in place; answers what was said before.
fn reloaded(running: &Running) -> String {
    let mut lines = running.until(|line| line.starts_with(READY));
    lines.pop();
    lines.join("\n")
}

#[test]
fn a_directory_of_rules_elsewhere_is_followed() {
    let (work, rules) = (tempdir().unwrap(), tempdir().unwrap());
    let paths = |name: &str| format!("paths = [\"{}/{name}\"]", work.path().display());
    fs::write(rules.path().join("a.toml"), rule("a", &paths("a"))).unwrap();
    let running = Running::start(tripline().args(["run", "-c"]).arg(rules.path()).current_dir(work.path()));
    running.until_ready();
    fs::write(rules.path().join("b.toml"), rule("b", &paths("b"))).unwrap();
    assert_eq!(reloaded(&running), "tripline: rules reloaded: 1 added, 1 unchanged");
    fs::write(rules.path().join("notes.txt"), "not a rule").unwrap();
    fs::write(work.path().join("b"), "").unwrap();
    running.until(|line| line == "b: ok");
    fs::remove_file(rules.path().join("a.toml")).unwrap();
    assert_eq!(reloaded(&running), "tripline: rules reloaded: 1 removed, 1 unchanged");
    assert_eq!(running.stop(), [""; 0]);
}

#[test]
fn a_rules_file_that_is_gone_and_comes_back_is_read_again() {
    let directory = tempdir().unwrap();
    let running = Running::with_rules(directory.path(), &rule("a", "paths = [\"a\"]"));
    running.until_ready();
    let file = directory.path().join("tripline.toml");
    fs::remove_file(&file).unwrap();
    let said = running.until(|line| line == "tripline: the rules stay as they were");
    assert!(said[0].starts_with("error: cannot read "), "{said:?}");
    fs::write(directory.path().join("a"), "").unwrap();
    running.until(|line| line == "a: ok");
    fs::write(&file, rule("b", "paths = [\"b\"]")).unwrap();
    assert_eq!(reloaded(&running), "tripline: rules reloaded: 1 added, 1 removed");
    assert_eq!(running.stop(), [""; 0]);
}

#[test]
fn rules_that_change_again_and_again_leave_nothing_behind() {
    let directory = tempdir().unwrap();
    for dir in ["a", "b/c"] {
        fs::create_dir_all(directory.path().join(dir)).unwrap();
    }
    let write = |paths: &str| {
        let file = directory.path().join("new");
        fs::write(&file, rule("r", &format!("paths = [{paths}]"))).unwrap();
        fs::rename(file, directory.path().join("tripline.toml")).unwrap();
    };
    let narrow = format!("\"{}/b/**\"", directory.path().display());
    let running = Running::with_rules(directory.path(), &rule("r", &format!("paths = [{narrow}]")));
    running.until_ready();
    // The rules file is watched once a change of it is noticed.
    for paths in ["\"a\"", &narrow] {
        write(paths);
        reloaded(&running);
    }
    let now = || (watches(running.pid()), descriptors(running.pid()));
    let before = now();
    for _ in 0..10 {
        for paths in ["\"**\"", "\"a/*\", \"/nowhere/*\"", &narrow] {
            write(paths);
            reloaded(&running);
        }
    }
    eventually(|| (now() == before).then_some(()));
    running.stop();
}

#[test]
fn nothing_is_missed_while_rules_change() {
    const FILES: usize = 300;
    let directory = tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    for dir in ["in/deep", "beside"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    let unchanged =
        rule("r", &format!("paths = [\"{}/in/deep/**\"]\nper = \"file\"\nmax_parallel = 8", root.display()));
    let others =
        ["paths = [\"**/*.x\"]", "paths = [\"beside/**\"]", "paths = [\"in/*/x\"]\non = [\"modify\"]"];
    let running = Running::with_rules(&root, &unchanged);
    running.until_ready();
    let mut missing: BTreeSet<_> = (0..FILES).map(|n| format!("r: in/deep/{n}/f")).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..FILES {
                let dir = root.join(format!("in/deep/{n}"));
                fs::create_dir(&dir).unwrap();
                fs::write(dir.join("f"), "").unwrap();
                thread::sleep(Duration::from_millis(4));
            }
        });
        scope.spawn(|| {
            for n in 0..10 {
                let other = rule("other", others[n % others.len()]);
                fs::write(root.join("new"), format!("{other}{unchanged}")).unwrap();
                fs::rename(root.join("new"), root.join("tripline.toml")).unwrap();
                thread::sleep(Duration::from_millis(120));
            }
        });
        running.until(|line| {
            missing.retain(|file| !line.starts_with(&format!("{file} (")));
            missing.is_empty()
        });
    });
    running.stop();
}

#[test]
fn sighup_ends_what_ran_in_a_terminal_that_has_gone() {
    let directory = tempdir().unwrap();
    fs::write(directory.path().join("tripline.toml"), rule("a", "paths = [\"a\"]")).unwrap();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let ours = fs::File::open(Path::new(name.to_str().unwrap())).unwrap();
    let mut command = tripline();
    let running = Running::start(command.arg("run").current_dir(directory.path()).stdin(Stdio::from(ours)));
    command.stdin(Stdio::null());
    running.until_ready();
    running.signal(Signal::HUP);
    assert_eq!(reloaded(&running), "tripline: rules reloaded: 1 unchanged");
    drop(terminal);
    running.signal(Signal::HUP);
    let (lines, status) = running.end().unwrap();
    assert_eq!((lines.len(), status.code()), (0, Some(0)), "{lines:?}");
}

#[test]
fn sighup_ends_rules_that_come_from_no_file_unless_it_was_ignored() {
    let directory = tempdir().unwrap();
    let start = |with: &str| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &format!("{with} exec \"$0\" on a -- true"), env!("CARGO_BIN_EXE_tripline")]);
        let running = Running::start(command.current_dir(directory.path()).stdin(Stdio::null()));
        running.until_ready();
        running.signal(Signal::HUP);
        running
    };
    assert_eq!(start("").end().unwrap().1.code(), Some(0));
    let ignoring = start("trap '' HUP;");
    fs::write(directory.path().join("a"), "").unwrap();
    ignoring.until(|line| line == "true: ok");
    ignoring.stop();
}
