//! What holds of a tripline that systemd, or another service manager, has started.

use std::fs;
use std::io::{Write, pipe};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};

use crate::support::command::Test;
use crate::support::proc::eventually;
use crate::support::running::{Running, tripline};
use crate::support::watching::{LIMIT, unshared};

const RULES: &str = "[rules.r]\npaths = [\"a*\"]\nrun = \"echo ${NOTIFY_SOCKET-unset} ${WATCHDOG_USEC-unset}\"\n\
                     [rules.slow]\npaths = [\"slow\"]\nrun = [\"sleep\", \"1000\"]\n";

/// A service manager as tripline sees it: a socket, and a directory with rules.
struct Manager {
    directory: TempDir,
    socket: UnixDatagram,
}

impl Manager {
    fn new(rules: &str) -> Self {
        let directory = tempdir().unwrap();
        fs::write(directory.path().join("tripline.toml"), rules).unwrap();
        let socket = UnixDatagram::bind(directory.path().join("socket")).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self { directory, socket }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn start(&self, environment: &[(&str, &str)]) -> Running {
        let mut command = tripline();
        command.arg("run").current_dir(&self.directory).env("NOTIFY_SOCKET", self.path("socket"));
        Running::start(command.envs(environment.iter().copied()))
    }

    /// The next message.
    fn told(&self) -> String {
        let mut message = [0; 256];
        let length = self.socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    /// The next message that says something of this kind.
    fn told_of(&self, kind: &str) -> String {
        loop {
            let message = self.told();
            if message.starts_with(kind) {
                return message;
            }
        }
    }
}

const READY: &str = "READY=1\nSTATUS=2 rules, 1 directory watched, 0 running";

#[test]
fn the_manager_is_told_of_each_change_of_state() {
    let manager = Manager::new(RULES);
    let running = manager.start(&[("LISTEN_FDS", "1")]);
    assert_eq!(manager.told(), READY);
    running.until_ready();
    fs::write(manager.path("a"), "").unwrap();
    let lines = running.until(|line| line == "r: ok");
    assert_eq!(lines[1], "r | unset unset", "a command is not told of the manager");
    fs::write(manager.path("slow"), "").unwrap();
    assert_eq!(manager.told_of("STATUS="), "STATUS=2 rules, 1 directory watched, 1 running");
    running.signal(Signal::TERM);
    assert_eq!(manager.told_of("STOPPING="), "STOPPING=1");
    assert_eq!(running.end().unwrap().1.code(), Some(0));
}

#[test]
fn a_socket_without_a_name_in_the_file_system_does_as_well() {
    let manager = Manager::new(RULES);
    let name = format!("tripline-test-{}", std::process::id());
    let hidden = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap()).unwrap();
    hidden.set_read_timeout(Some(LIMIT)).unwrap();
    let running = manager.start(&[("NOTIFY_SOCKET", &format!("@{name}"))]);
    let mut message = [0; 64];
    let length = hidden.recv(&mut message).unwrap();
    assert_eq!(std::str::from_utf8(&message[..length]), Ok(READY));
    running.stop();
}

#[test]
fn a_reload_is_announced_with_its_moment_and_ends_with_ready() {
    let manager = Manager::new(RULES);
    let running = manager.start(&[]);
    manager.told_of("READY=1");
    let reloads = || {
        let moment =
            |message: &str| message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=")?.parse::<u64>().ok();
        moment(&manager.told_of("RELOADING=")).unwrap()
    };
    running.signal(Signal::HUP);
    let first = reloads();
    assert_eq!(manager.told(), READY);
    running.signal(Signal::HUP);
    let second = reloads();
    assert!(first < second && second < since_boot() * 1_000_000, "{first} {second}");
    manager.told_of("READY=1");
    // What is refused ends, too.
    fs::write(manager.path("new"), "[rules.r]\n").unwrap();
    fs::rename(manager.path("new"), manager.path("tripline.toml")).unwrap();
    running.until(|line| line == "tripline: the rules stay as they were");
    running.signal(Signal::HUP);
    reloads();
    assert_eq!(manager.told(), "READY=1");
    // What is saved and taken is told of without being asked for.
    fs::write(manager.path("new"), "[rules.r]\npaths = [\"b\"]\nrun = [\"true\"]\n").unwrap();
    fs::rename(manager.path("new"), manager.path("tripline.toml")).unwrap();
    reloads();
    assert_eq!(manager.told(), "READY=1\nSTATUS=1 rule, 1 directory watched, 0 running");
    running.stop();
}

/// In seconds, and one more: how long the machine has run at most (proc_uptime(5)).
fn since_boot() -> u64 {
    let text = fs::read_to_string("/proc/uptime").unwrap();
    text.split('.').next().unwrap().parse::<u64>().unwrap() + 1
}

#[test]
fn a_watchdog_hears_of_a_loop_that_turns_and_nothing_of_one_that_hangs() {
    let manager = Manager::new(RULES);
    let running = manager.start(&[("WATCHDOG_USEC", "100000")]);
    manager.told_of("READY=1");
    (0..3).for_each(|_| assert_eq!(manager.told_of("WATCHDOG="), "WATCHDOG=1"));
    running.signal(Signal::STOP);
    manager.socket.set_nonblocking(true).unwrap();
    while manager.socket.recv(&mut [0; 256]).is_ok() {}
    // It would be told six times: silence cannot be waited for by an event.
    std::thread::sleep(Duration::from_millis(300));
    assert!(manager.socket.recv(&mut [0; 256]).is_err());
    running.signal(Signal::CONT);
    running.stop();
}

#[test]
fn the_watchdog_of_another_process_is_left_alone() {
    let manager = Manager::new(RULES);
    let running = manager.start(&[("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")]);
    manager.told_of("READY=1");
    fs::write(manager.path("slow"), "").unwrap();
    assert_eq!(manager.told(), "STATUS=2 rules, 1 directory watched, 1 running");
    running.stop();
}

#[test]
fn a_manager_that_takes_nothing_holds_nothing_up() {
    let manager = Manager::new(RULES);
    // The kernel holds a few messages for a socket, and then no more.
    let filler = UnixDatagram::unbound().unwrap();
    filler.set_nonblocking(true).unwrap();
    while filler.send_to(b"", manager.path("socket")).is_ok() {}
    let running = manager.start(&[]);
    running.until_ready();
    fs::write(manager.path("a"), "").unwrap();
    running.until(|line| line == "r: ok");
    assert_eq!(manager.told_of("READY=1"), READY);
    running.stop();
}

#[test]
fn sigusr1_shows_the_state_in_a_line() {
    let manager = Manager::new(RULES);
    let running = manager.start(&[]);
    running.until_ready();
    fs::write(manager.path("slow"), "").unwrap();
    running.until(|line| line.starts_with("slow: "));
    running.signal(Signal::USR1);
    let shown = running.until(|line| line.starts_with('{')).pop().unwrap();
    let state: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&state["pid"], &state["running"]), (&running.pid().into(), &1.into()), "{shown}");
    let rule = |number: usize| (&state["rules"][number]["name"], &state["rules"][number]["state"]);
    assert_eq!(rule(0), (&"r".into(), &"waiting".into()), "{shown}");
    assert_eq!(rule(1), (&"slow".into(), &"running".into()), "{shown}");
    running.stop();
}

fn pid_file(directory: &Path) -> Command {
    let mut command = tripline();
    command.args(["run", "--pid-file", "run/pid"]).current_dir(directory);
    command
}

#[test]
fn a_pid_file_is_there_from_ready_to_the_end() {
    let manager = Manager::new(RULES);
    fs::create_dir(manager.path("run")).unwrap();
    let there = || fs::read_dir(manager.path("run")).unwrap().count();
    let running = Running::start(&mut pid_file(manager.directory.path()));
    running.until_ready();
    let pid = format!("{}\n", running.pid());
    assert_eq!((fs::read_to_string(manager.path("run/pid")).unwrap(), there()), (pid.clone(), 1));
    // Another is refused, and takes nothing away.
    let (refused, status) = Running::start(&mut pid_file(manager.directory.path())).end().unwrap();
    let said = format!("tripline: process {} runs with the pid file run/pid", running.pid());
    assert_eq!((refused, status.code()), (vec![said], Some(3)));
    assert_eq!((fs::read_to_string(manager.path("run/pid")).unwrap(), there()), (pid, 1));
    running.stop();
    assert_eq!(there(), 0);
}

#[test]
fn a_pid_file_that_was_left_behind_counts_for_nothing() {
    let manager = Manager::new(RULES);
    fs::create_dir(manager.path("run")).unwrap();
    let killed = Running::start(&mut pid_file(manager.directory.path()));
    killed.until_ready();
    killed.signal(Signal::KILL);
    killed.end().unwrap();
    // The number may be anybody's by now, such as that of this process.
    fs::write(manager.path("run/pid"), format!("{}\n", std::process::id())).unwrap();
    fs::write(manager.path("run/pid.new"), "left, and longer than any number of a process").unwrap();
    let running = Running::start(&mut pid_file(manager.directory.path()));
    running.until_ready();
    let pid = fs::read_to_string(manager.path("run/pid")).unwrap();
    assert_eq!(pid, format!("{}\n", running.pid()));
    running.stop();
}

#[test]
fn a_pid_file_that_cannot_be_is_refused_before_anything_runs() {
    let rules = "[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\n";
    let test = Test::new(["run", "--pid-file", "no/such/pid"]).file("tripline.toml", rules);
    test.status(3)
        .stderr("tripline: cannot write the pid file no/such/pid: No such file or directory (os error 2)\n")
        .run();
}

/// The fields of a message in the journal's own protocol: `NAME=value`, or the name, the length in 64 bits and the
/// value.
fn fields(mut message: &[u8]) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    while let Some(end) = message.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = (&message[..end], &message[end + 1..]);
        if let Some(equals) = line.iter().position(|byte| *byte == b'=') {
            fields.push((text(&line[..equals]), text(&line[equals + 1..])));
            message = rest;
        } else {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            fields.push((text(line), text(&rest[8..8 + length])));
            message = &rest[8 + length + 1..];
        }
    }
    fields
}

#[test]
fn the_journal_gets_what_happens_with_fields() {
    let manager = Manager::new("[rules.r]\npaths = [\"a*\"]\nrun = \"exit $(cat \\\"$TRIPLINE_PATH\\\")\"\n");
    let journal = UnixDatagram::bind(manager.path("journal")).unwrap();
    journal.set_read_timeout(Some(LIMIT)).unwrap();
    let here = manager.directory.path().display().to_string();
    let script = format!(
        "mount -t tmpfs none /run\nmkdir -p /run/systemd/journal\n\
         ln -s {here}/journal /run/systemd/journal/socket"
    );
    let Some(mut command) = unshared(&script) else { return };
    let (reader, writer) = pipe().unwrap();
    let stream = fs::File::from(writer.as_fd().try_clone_to_owned().unwrap()).metadata().unwrap();
    let stream = format!("{}:{}", stream.dev(), stream.ino());
    command.arg("run").current_dir(&manager.directory).env("JOURNAL_STREAM", stream);
    command.env("NOTIFY_SOCKET", manager.path("socket")).stdout(Stdio::null()).stderr(writer);
    let mut child = command.spawn().unwrap();
    drop(command);
    manager.told_of("READY=1");
    let logged = |wanted: &str| loop {
        let mut message = [0; 4096];
        let length = journal.recv(&mut message).unwrap();
        let fields = fields(&message[..length]);
        let field =
            |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        if field("MESSAGE").is_some_and(|message| message == wanted) {
            let names = ["RULE", "RUN", "CAUSE", "OUTCOME", "EXIT_CODE", "PRIORITY", "SYSLOG_IDENTIFIER"];
            return names.map(|name| field(name).unwrap_or_default());
        }
    };
    fs::write(manager.path("a"), "0").unwrap();
    let started = ["r", "1", "a (close_write)", "", "", "5", "tripline"];
    assert_eq!(logged("r: a (close_write)"), started);
    assert_eq!(logged("r: ok"), ["r", "1", "", "ok", "0", "5", "tripline"]);
    fs::write(manager.path("a"), "7").unwrap();
    assert_eq!(logged("r: exit code 7"), ["r", "2", "", "exit code 7", "7", "4", "tripline"]);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(std::io::read_to_string(reader).unwrap(), "", "what is in the journal is not told twice");
}

/// `tripline service` in a home of its own.
fn service(home: &Path, args: &[&str]) -> (String, String, Option<i32>) {
    let mut command = tripline();
    let output = command.arg("service").args(args).current_dir(home).env("HOME", home).output().unwrap();
    let shown = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(home.to_str().unwrap(), "/home");
    (shown(output.stdout), shown(output.stderr), output.status.code())
}

#[test]
fn a_unit_is_shown_written_kept_and_removed() {
    let directory = tempdir().unwrap();
    let home = directory.path().canonicalize().unwrap();
    let rules = "[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\nstop_timeout = \"50s\"\n";
    fs::write(home.join("tripline.toml"), rules).unwrap();
    let (unit, stderr, code) = service(&home, &["install", "--user", "--print"]);
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    let start = format!("\nExecStart={} run -c /home/tripline.toml\n", env!("CARGO_BIN_EXE_tripline"));
    assert!(unit.contains(&start) && unit.contains("\nTimeoutStopSec=60s\n"), "{unit}");
    assert!(!home.join(".config").exists());

    let path = home.join(".config/systemd/user/tripline.service");
    let (stdout, _, code) = service(&home, &["install", "--user"]);
    assert_eq!(code, Some(0));
    assert!(
        stdout.starts_with(&unit) && stdout.contains("systemctl --user enable --now tripline\n"),
        "{stdout}"
    );
    let written = || fs::read_to_string(&path).unwrap().replace(home.to_str().unwrap(), "/home");
    assert_eq!(written(), unit);
    assert_eq!(service(&home, &["install", "--user"]).2, Some(0), "the same again does no harm");

    // What somebody has changed stays.
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"# mine\n").unwrap();
    let (_, stderr, code) = service(&home, &["install", "--user"]);
    let message = "tripline: /home/.config/systemd/user/tripline.service is there already, and says something else; \
                   `--force` writes it anew, and `--name` another beside it\n";
    assert_eq!((stderr.as_str(), code), (message, Some(2)));
    assert!(written().ends_with("# mine\n"));
    assert_eq!(service(&home, &["install", "--user", "--force"]).2, Some(0));
    assert_eq!(written(), unit);

    let wants = home.join(".config/systemd/user/default.target.wants");
    fs::create_dir(&wants).unwrap();
    std::os::unix::fs::symlink(&path, wants.join("tripline.service")).unwrap();
    let (stdout, _, code) = service(&home, &["uninstall", "--user"]);
    assert!(code == Some(0) && stdout.contains("systemctl --user stop tripline\n"), "{stdout}");
    assert!(!path.exists() && wants.read_dir().unwrap().next().is_none());
    assert_eq!(service(&home, &["uninstall", "--user"]).2, Some(2), "there is none any more");

    // What somebody else has written stays, too.
    fs::write(&path, "[Service]\nExecStart=/bin/true\n").unwrap();
    let (_, stderr, code) = service(&home, &["uninstall", "--user"]);
    assert!(code == Some(2) && stderr.ends_with("; `--force` removes it\n"), "{stderr}");
    assert!(path.exists());
}

#[test]
fn a_unit_of_rules_with_mistakes_is_not_written() {
    let directory = tempdir().unwrap();
    fs::write(directory.path().join("tripline.toml"), "[rules.r]\n").unwrap();
    let (stdout, stderr, code) = service(directory.path(), &["install", "--user"]);
    assert!(
        stdout.is_empty() && code == Some(1) && stderr.contains("the rule `r` has no `paths`"),
        "{stderr}"
    );
    for name in ["", "a/b", "a@b", "a b"] {
        let (_, stderr, code) = service(directory.path(), &["install", "--user", "--name", name]);
        assert!(code == Some(2) && stderr.contains("letters, digits and"), "{stderr}");
    }
}

/// What `systemd-analyze verify` says of a unit file; none where there is no such program.
fn verified(unit: &Path) -> Option<String> {
    let runtime = tempdir().unwrap();
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--user", "--man=no"]).arg(unit).env("XDG_RUNTIME_DIR", runtime.path());
    match command.output() {
        Ok(output) => {
            Some(String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
        }
        Err(_) => {
            eprintln!("skipped: there is no systemd-analyze");
            None
        }
    }
}

#[test]
fn systemd_finds_nothing_wrong_in_the_units() {
    let directory = tempdir().unwrap();
    let home = directory.path().canonicalize().unwrap();
    // A name that asks for quotes.
    let name = "50% of $HOME \"\\x.toml";
    fs::write(home.join(name), "[rules.r]\npaths = [\"/w/a\"]\nrun = [\"true\"]\n").unwrap();
    assert_eq!(service(&home, &["install", "--user", "-c", name]).2, Some(0));
    verified(&home.join(".config/systemd/user/tripline.service")).inspect(|said| assert_eq!(said, ""));
    // That of the packages, with a program that is there.
    let packaged =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/tripline@.service")).unwrap();
    let instance = home.join("tripline@tmp.service");
    fs::write(&instance, packaged.replace("/usr/bin/tripline", env!("CARGO_BIN_EXE_tripline"))).unwrap();
    verified(&instance).inspect(|said| assert_eq!(said, ""));
    // It does find what is wrong.
    fs::write(home.join("wrong.service"), "[Service]\nExecStart=/bin/true\nFoo=bar\n").unwrap();
    verified(&home.join("wrong.service")).inspect(|said| assert!(said.contains("Foo"), "{said}"));
}

#[test]
fn what_an_idle_daemon_is_asked_for_is_all_it_does() {
    let manager = Manager::new(RULES);
    let running = manager.start(&[]);
    manager.told_of("READY=1");
    let before = crate::support::proc::settled_switches(running.pid());
    // Idle time cannot be waited for by an event: this is how long nothing may happen.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(crate::support::proc::switches(running.pid()), before);
    running.stop();
    eventually(|| manager.told().starts_with("STOPPING=1").then_some(()));
}
