//! What a run has started ends with it, however far it has gone from its process group (P7).

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::{TempDir, tempdir};

use crate::support::proc::{child, children, descriptors, eventually, is_named, lives, processes};
use crate::support::running::{Running, tripline};

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

/// The process id that a command has written into this file.
fn pid_in(directory: &TempDir, name: &str) -> u32 {
    let text = || fs::read_to_string(directory.path().join(name)).ok();
    eventually(|| text()?.strip_suffix('\n')?.parse().ok())
}

/// A second rule, so that output goes through tripline.
const OTHER: &str = "[rules.other]\npaths = [\"other\"]\nrun = [\"true\"]\n";

/// Starts what forks twice and leads a session of its own, as daemons do, and waits until it is there.
fn daemon(prefix: &str, name: &str) -> String {
    format!(
        "({prefix} setsid sh -c 'trap \"\" HUP; echo $$ > {name}; exec sleep 1000' &); until [ -s {name} ]; do :; done"
    )
}

#[test]
fn a_daemon_ends_with_the_run_that_has_started_it() {
    ends_with_its_run(&daemon("", "pid"));
}

fn ends_with_its_run(daemon: &str) {
    let rule = format!("[rules.r]\npaths = [\"*.x\"]\nrun = \"\"\"{daemon}\"\"\"\n");
    let (directory, running) = start(&rule);
    save(&directory, "a.x");
    running.until(|line| line == "r: ok");
    assert!(!lives(pid_in(&directory, "pid")));
    running.stop();
}

#[test]
fn a_daemon_with_an_environment_of_its_own_ends_too() {
    ends_with_its_run(&daemon("env -i", "pid"));
}

#[test]
fn each_daemon_ends_with_its_own_run() {
    let rules = format!(
        "[rules.a]\npaths = [\"*.x\"]\nrun = \"\"\"{}; sleep 1000\"\"\"\n[rules.b]\npaths = [\"*.y\"]\nrun = \"\"\"{}\"\"\"\n",
        daemon("", "a"),
        daemon("", "b")
    );
    let (directory, running) = start(&rules);
    save(&directory, "a.x");
    let other = pid_in(&directory, "a");
    save(&directory, "b.y");
    running.until(|line| line == "b: ok");
    assert!(!lives(pid_in(&directory, "b")));
    assert!(lives(other));
    running.stop();
    assert!(!lives(other));
}

#[test]
fn what_has_left_the_group_is_stopped_with_the_run_before_the_next_begins() {
    // flock(1) fails at once where another holds the lock.
    let rule = "[rules.r]\npaths = [\"*.x\"]\non_busy = \"restart\"\n\
                run = \"flock -n lock setsid -w sh -c 'echo $$ > pid; exec sleep 1000' || echo held\"\n";
    let (directory, running) = start(rule);
    save(&directory, "a.x");
    let mut before = pid_in(&directory, "pid");
    for n in 0..5 {
        fs::remove_file(directory.path().join("pid")).unwrap();
        save(&directory, &format!("{n}.x"));
        let lines = running.until(|line| line.ends_with("killed by SIGTERM"));
        assert!(!lines.iter().any(|line| line == "held"), "{lines:#?}");
        assert!(!lives(before));
        before = pid_in(&directory, "pid");
    }
    assert!(lives(before));
    running.stop();
    assert!(!lives(before));
}

#[test]
fn what_has_left_the_group_and_ignores_sigterm_is_killed() {
    let rule = "[rules.r]\npaths = [\"*.x\"]\nstop_timeout = \"50ms\"\n\
                run = \"setsid sh -c 'trap \\\"\\\" TERM; echo $$ > pid; while :; do sleep 1000; done' & wait\"\n";
    let (directory, running) = start(rule);
    save(&directory, "a.x");
    let stubborn = pid_in(&directory, "pid");
    let lines = running.stop();
    assert_eq!(lines[1..], ["r: stopping", "r: killing", "r: killed by SIGTERM"]);
    assert!(!lives(stubborn));
}

#[test]
fn what_has_missed_the_signal_while_it_was_starting_is_told_again() {
    // As a shell does that has forked and not yet become its command, it takes the signal and goes on.
    let rule = "[rules.r]\npaths = [\"*.x\"]\nstop_timeout = \"1h\"\n\
                run = \"sh -c 'trap : TERM; echo $$ > pid; sleep 1000; trap - TERM; exec sleep 1001' 2>/dev/null & trap 'exit 0' TERM; wait\"\n";
    let (directory, running) = start(rule);
    save(&directory, "a.x");
    let late = pid_in(&directory, "pid");
    eventually(|| children(late).into_iter().find(|child| child.name == "sleep"));
    assert_eq!(running.stop(), ["r: a.x (close_write)", "r: stopping", "r: ok"]);
    assert!(!lives(late));
}

#[test]
fn what_has_left_the_group_and_is_stopped_ends_too() {
    let rule = "[rules.r]\npaths = [\"*.x\"]\nstop_timeout = \"1h\"\n\
                run = \"setsid sh -c 'echo $$ > pid; exec sleep 1000' & wait\"\n";
    let (directory, running) = start(rule);
    save(&directory, "a.x");
    let stopped = pid_in(&directory, "pid");
    kill_process(Pid::from_raw(stopped.cast_signed()).unwrap(), Signal::STOP).unwrap();
    running.stop();
    assert!(!lives(stopped));
}

#[test]
fn a_control_group_holds_what_hides_from_everything_else() {
    let daemons = (0..5).map(|n| daemon("env -i", &n.to_string())).collect::<Vec<_>>().join("; ");
    let rules = format!(
        "[rules.r]\npaths = [\"*.x\"]\ncontain = \"cgroup\"\nrun = \"\"\"cat /proc/self/cgroup; {daemons}\"\"\"\n\
         [rules.busy]\npaths = [\"*.y\"]\nrun = [\"sleep\", \"1000\"]\n"
    );
    let (directory, running) = start(&rules);
    save(&directory, "a.y");
    child(running.pid(), "sleep");
    save(&directory, "a.x");
    let lines = running.until(|line| line == "r: ok");
    if lines.iter().any(|line| line.contains("without a control group")) {
        // This user has none delegated: what is found is ended, and that was said.
        running.stop();
        return;
    }
    let name = format!("/tripline-{}-", running.pid());
    assert!(lines.iter().any(|line| line.contains("0::") && line.contains(&name)), "{lines:#?}");
    for n in 0..5 {
        assert!(!lives(pid_in(&directory, &n.to_string())), "{n}");
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).unwrap().split(' ').nth(4).unwrap();
    let left =
        Command::new("find").args([mount, "-name", &format!("*{name}*").replace('/', "")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
    running.stop();
}

#[test]
fn what_a_shell_had_started_before_tripline_is_left_alone() {
    let directory = tempdir().unwrap();
    let rule = "[rules.r]\npaths = [\"*.x\"]\nrun = [\"true\"]\n";
    fs::write(directory.path().join("tripline.toml"), rule).unwrap();
    let line = format!("sleep 1000 & echo $! > pid; exec {} run", env!("CARGO_BIN_EXE_tripline"));
    let running = Running::start(Command::new("sh").args(["-c", &line]).current_dir(directory.path()));
    running.until_ready();
    let stranger = pid_in(&directory, "pid");
    save(&directory, "a.x");
    running.until(|line| line == "r: ok");
    running.signal(Signal::TERM);
    eventually(|| (!lives(running.pid())).then_some(()));
    assert!(lives(stranger));
    kill_process(Pid::from_raw(stranger.cast_signed()).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn a_command_dies_with_a_tripline_that_is_killed() {
    let (directory, running) = start("[rules.r]\npaths = [\"*.x\"]\nrun = [\"sleep\", \"1000\"]\n");
    save(&directory, "a.x");
    let sleep = child(running.pid(), "sleep");
    running.signal(Signal::KILL);
    eventually(|| (!lives(sleep.pid)).then_some(()));
}

#[test]
fn what_a_command_has_started_dies_with_a_tripline_that_is_killed() {
    let rule = "[rules.r]\npaths = [\"*.x\"]\nrun = \"sleep 1000 & echo $! > pid; wait\"\n";
    let (directory, running) = start(rule);
    save(&directory, "a.x");
    let sleep = pid_in(&directory, "pid");
    running.signal(Signal::KILL);
    eventually(|| (!lives(sleep)).then_some(()));
}

#[test]
fn nothing_of_tripline_is_left_when_it_has_ended() {
    let (directory, running) = start("[rules.r]\npaths = [\"*.x\"]\nrun = [\"true\"]\n");
    save(&directory, "a.x");
    running.until(|line| line == "r: ok");
    let ours = descriptors(running.pid());
    let keeps = |pid: &u32| {
        let pipe = fs::read_link(format!("/proc/{pid}/fd/0")).unwrap_or_default();
        is_named(*pid, "tripline-keeper") && ours.values().any(|ours| *ours == pipe)
    };
    let keeper = processes().into_iter().find(keeps).unwrap();
    running.stop();
    eventually(|| (!lives(keeper)).then_some(()));
}

#[test]
fn a_command_that_writes_without_end_or_to_nobody_is_stopped_all_the_same() {
    for run in ["[\"yes\"]", "\"exec >&- 2>&-; sleep 1000\"", "\"exec yes >&2\""] {
        let rule = format!("[rules.r]\npaths = [\"*.x\"]\nstop_timeout = \"1h\"\nrun = {run}\n");
        let directory = tempdir().unwrap();
        fs::write(directory.path().join("tripline.toml"), rule + OTHER).unwrap();
        // Nobody reads what it writes.
        let mut command = tripline();
        let mut running = command.arg("run").current_dir(directory.path());
        let notify = std::os::unix::net::UnixDatagram::bind(directory.path().join("socket")).unwrap();
        running = running.env("NOTIFY_SOCKET", directory.path().join("socket"));
        let (reader, writer) = std::io::pipe().unwrap();
        let mut process = running.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
        notify.recv(&mut [0; 64]).unwrap();
        save(&directory, "a.x");
        let name = if run.contains("sleep") { "sleep" } else { "yes" };
        let found = eventually(|| {
            let direct = children(process.id()).into_iter();
            let deep = direct.flat_map(|child| children(child.pid).into_iter().chain([child]));
            deep.into_iter().find(|child| child.name == name)
        });
        kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
        eventually(|| process.try_wait().unwrap());
        assert!(!lives(found.pid), "{run}");
        drop(reader);
    }
}

/// Not a test: the server of the one below, which runs this program again.
#[test]
fn a_server_that_a_rule_runs() {
    if let Some(port) = std::env::var_os("TEST_PORT") {
        let listener = TcpListener::bind(("127.0.0.1", port.to_str().unwrap().parse().unwrap())).unwrap();
        for stream in listener.incoming() {
            drop(stream);
        }
    }
}

#[test]
fn a_port_is_free_when_the_next_server_starts() {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let program = std::env::current_exe().unwrap();
    let rule = format!(
        "[rules.r]\npaths = [\"*.x\"]\non_busy = \"restart\"\nenv = {{ TEST_PORT = \"{port}\" }}\n\
         run = \"setsid -w {} --exact trees::a_server_that_a_rule_runs > log 2>&1 || cat log\"\n",
        program.display()
    );
    let (directory, running) = start(&rule);
    save(&directory, "a.x");
    for n in 0..5 {
        eventually(|| TcpStream::connect(("127.0.0.1", port)).ok());
        save(&directory, &format!("{n}.x"));
        let lines = running.until(|line| line.starts_with("r: killed") || line.starts_with("r: exit"));
        assert_eq!(lines.last().unwrap(), "r: killed by SIGTERM", "{lines:#?}");
    }
    eventually(|| TcpStream::connect(("127.0.0.1", port)).ok());
    running.stop();
    TcpListener::bind(("127.0.0.1", port)).unwrap();
}

#[test]
fn a_command_that_the_limit_of_processes_forbids_is_run_later() {
    if !rustix::process::geteuid().is_root() {
        // Another user is needed, whose processes are only these.
        return;
    }
    let directory = tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let rule = "[rules.r]\npaths = [\"*.x\"]\nper = \"file\"\nmax_parallel = 8\nrun = [\"sleep\", \"0.1\"]\n";
    fs::write(directory.path().join("tripline.toml"), rule).unwrap();
    let program = directory.path().join("tripline");
    fs::copy(env!("CARGO_BIN_EXE_tripline"), &program).unwrap();
    // Root has no such limit.
    let as_another = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=54321", "--regid=54321", "--clear-groups"]);
        command
    };
    let mut command = as_another();
    command.arg(program).arg("run").env("HOME", "/nonexistent");
    let running = Running::start(command.current_dir(directory.path()));
    running.until_ready();
    // Its threads, its keeper, and two commands.
    let threads = fs::read_dir(format!("/proc/{}/task", running.pid())).unwrap().count();
    let limit = [format!("--pid={}", running.pid()), format!("--nproc={}", threads + 3)];
    assert!(as_another().arg("prlimit").args(limit).status().unwrap().success());
    running.runs_later(|name| save(&directory, name));
    running.stop();
}
