//! What holds of the processes: what a command is given, what is left behind, how all of it ends (P7).

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};

use crate::support::proc::{child, children, descriptors, eventually, settled_switches, status, switches};
use crate::support::running::{Running, tripline};
use crate::support::watching::unshared;

/// Rules in a fresh directory, and tripline ready there.
fn start(rules: &str) -> (TempDir, Running) {
    let directory = tempdir().unwrap();
    let running = Running::with_rules(directory.path(), rules);
    running.until_ready();
    (directory, running)
}

fn save(directory: &TempDir, name: &str) {
    fs::write(directory.path().join(name), "content\n").unwrap();
}

fn all<const N: usize>(lines: [&str; N]) -> Vec<String> {
    lines.map(str::to_owned).to_vec()
}

/// A second rule, so that output goes through tripline.
const OTHER: &str = "[rules.other]\npaths = [\"other\"]\nrun = [\"true\"]\n";

/// `TRIPLINE_RUNS=10000` for more.
fn runs() -> usize {
    std::env::var("TRIPLINE_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(1000)
}

/// Of tripline, in KiB.
fn resident(running: &Running) -> u64 {
    status(running.pid(), "VmRSS").trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_thousand_runs_leave_no_zombie_no_open_descriptor_and_no_memory() {
    // Each file comes when the run for the one before has ended.
    let rule = "[rules.r]\npaths = [\"*.x\"]\nmay_loop = true\nper = \"event\"\non = [\"create\"]\nstdin = \"lines\"\n\
                run = [\"sh\", \"-c\", \"true & echo x\"]\n";
    let (directory, running) = start(&format!("{rule}{OTHER}"));
    let before = descriptors(running.pid());
    let mut memory = Vec::new();
    for n in 0..runs() {
        save(&directory, &format!("{n}.x"));
        let name = format!("r: {n}.x (create)");
        let lines = running.until(|line| line == "r: ok");
        assert_eq!(lines, [name.as_str(), "r | x", "r: ok"]);
        if n == 200 || n + 1 == runs() {
            memory.push(resident(&running));
        }
    }
    // The history has its file open for as long as it writes.
    eventually(|| (descriptors(running.pid()) == before).then_some(()));
    // Two allocations more a run would show.
    assert!(memory[1] <= memory[0] + 1024, "KiB after 200 runs and after all: {memory:?}");
    assert_eq!(children(running.pid()), []);
    assert_eq!(running.stop(), all([]));
}

#[test]
fn a_command_is_given_three_descriptors_and_no_other() {
    let rule = "[rules.r]\npaths = [\"a\"]\nrun = [\"sleep\", \"1000\"]\n";
    for (rules, stdin) in [
        (rule.to_owned(), "/dev/null"),
        (format!("{rule}{OTHER}"), "/dev/null"),
        (format!("{rule}stdin = \"nul\"\n"), "/memfd:tripline (deleted)"),
    ] {
        let directory = tempdir().unwrap();
        fs::write(directory.path().join("tripline.toml"), rules).unwrap();
        let running = Running::start(tainted().current_dir(directory.path()));
        running.until_ready();
        assert!(descriptors(running.pid()).contains_key(&9));
        save(&directory, "a");
        let sleep = child(running.pid(), "sleep");
        // While it loads, a program has its libraries open.
        let open = eventually(|| Some(descriptors(sleep.pid)).filter(|open| open.keys().eq([&0, &1, &2])));
        assert_eq!(open[&0], Path::new(stdin));
        assert_eq!(sleep.group, sleep.pid, "it leads a process group of its own");
        running.stop();
    }
}

/// Signals 32 and 33: glibc keeps them for its threads, and its posix_spawn(3) ignores them in a child.
const OF_THE_LIBRARY: u64 = 0x1_8000_0000;

#[test]
fn a_command_has_no_signal_blocked_ignored_or_caught() {
    let (directory, rules) =
        (tempdir().unwrap(), "[rules.r]\npaths = [\"a\"]\nrun = [\"sleep\", \"1000\"]\n");
    fs::write(directory.path().join("tripline.toml"), rules).unwrap();
    let running = Running::start(tainted().current_dir(directory.path()));
    running.until_ready();
    save(&directory, "a");
    let sleep = child(running.pid(), "sleep");
    for field in ["SigBlk", "SigIgn", "SigCgt"] {
        let signals = u64::from_str_radix(&status(sleep.pid, field), 16).unwrap();
        assert_eq!(signals & !OF_THE_LIBRARY, 0, "{field}");
    }
    running.stop();
}

/// tripline started with a descriptor and with ignored signals that no command is to inherit.
fn tainted() -> std::process::Command {
    let mut command = tripline();
    let program = command.get_program().to_owned();
    command = std::process::Command::new("sh");
    command.args(["-c", "trap '' INT HUP PIPE USR1; exec \"$0\" run 9</dev/null"]).arg(program);
    command
}

#[test]
fn an_interrupt_ends_what_runs_and_then_tripline() {
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT] {
        // Without the signal's help it would not end in time.
        let rule = "[rules.r]\npaths = [\"a\"]\nrun = [\"sleep\", \"1000\"]\nstop_timeout = \"1h\"\n";
        let (directory, running) = start(rule);
        save(&directory, "a");
        let sleep = child(running.pid(), "sleep");
        running.signal(signal);
        let (lines, status) = running.end().unwrap();
        assert_eq!(status.code(), Some(0));
        assert_eq!(lines, ["r: a (close_write)", "r: stopping", "r: killed by SIGTERM"]);
        assert!(!Path::new(&format!("/proc/{}", sleep.pid)).exists());
    }
}

#[test]
fn what_ignores_sigterm_is_killed_after_its_grace_period_with_all_it_has_started() {
    let rule = "[rules.r]\npaths = [\"a\"]\nstop_timeout = \"50ms\"\n\
                run = \"trap '' TERM; sleep 1000 & sleep 1001 & echo $$ $!; wait; wait\"\n";
    let (directory, running) = start(rule);
    save(&directory, "a");
    let lines = running.until(|line| line.starts_with(|first: char| first.is_ascii_digit()));
    let pids: Vec<_> = lines[1].split(' ').map(|pid| format!("/proc/{pid}")).collect();
    assert!(pids.iter().all(|pid| Path::new(pid).exists()), "{pids:?}");
    assert_eq!(running.stop(), ["r: stopping", "r: killing", "r: killed by SIGKILL"]);
    assert!(!pids.iter().any(|pid| Path::new(pid).exists()), "{pids:?}");
}

#[test]
fn a_stopped_command_ends_too() {
    let rule = "[rules.r]\npaths = [\"a\"]\nrun = [\"sleep\", \"1000\"]\nstop_timeout = \"1h\"\n";
    let (directory, running) = start(rule);
    save(&directory, "a");
    let sleep = child(running.pid(), "sleep");
    let pid = rustix::process::Pid::from_raw(sleep.pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, Signal::STOP).unwrap();
    assert_eq!(running.stop(), ["r: a (close_write)", "r: stopping", "r: killed by SIGTERM"]);
}

#[test]
fn an_idle_tripline_does_not_wake_up() {
    let (directory, running) = start(&format!("[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\n{OTHER}"));
    save(&directory, "a");
    running.until(|line| line == "r: ok");
    let before = settled_switches(running.pid());
    // Idle time cannot be waited for by an event: this is how long nothing may happen.
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(switches(running.pid()), before);
    running.stop();
}

#[test]
fn a_command_that_finds_no_room_in_the_system_is_run_later() {
    let directory = tempdir().unwrap();
    // A run takes five descriptors here: two pipes, both ends while it starts, and its list of paths.
    let rule = "[rules.r]\npaths = [\"*.x\"]\nper = \"file\"\nmax_parallel = 8\nrun = [\"sleep\", \"0.1\"]\n";
    fs::write(directory.path().join("tripline.toml"), format!("{rule}{OTHER}")).unwrap();
    let line = format!("ulimit -n 31; exec {} run", env!("CARGO_BIN_EXE_tripline"));
    let running =
        Running::start(std::process::Command::new("sh").args(["-c", &line]).current_dir(directory.path()));
    running.until_ready();
    running.runs_later(|name| save(&directory, name));
}

#[test]
fn what_is_missing_is_named_where_there_is_no_dev_null() {
    let directory = tempdir().unwrap();
    fs::write(directory.path().join("tripline.toml"), "[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\n")
        .unwrap();
    save(&directory, "a");
    let Some(mut command) = unshared("mount -t tmpfs none /dev") else { return };
    let running = Running::start(command.args(["run", "--once"]).current_dir(directory.path()));
    let (lines, _) = running.end().unwrap();
    let reason = "/dev/null cannot be opened: No such file or directory (os error 2)";
    assert_eq!(lines, all(["r: a (change)", &format!("r: cannot run true: {reason}")]));
}
