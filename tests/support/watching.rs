//! A running `tripline watch --json`, and what it has printed.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::proc::{eventually, is_stopped, settled_switches};
use super::running::state;

/// However slow the machine: only a hang takes longer.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The user without rights, and its group.
const NOBODY: u32 = 65_534;

/// One line of output.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: PathBuf,
    pub(crate) events: Vec<String>,
    pub(crate) from: Option<PathBuf>,
    pub(crate) kind: Option<String>,
}

/// The process; killed at the end.
pub(crate) struct Watching {
    child: Child,
    lines: Receiver<Seen>,
    warnings: Arc<Mutex<String>>,
    root: PathBuf,
    sentinels: usize,
    /// Whether it looks again and again, and so never rests.
    polls: bool,
}

impl Watching {
    /// Watches `root` and waits until it is ready.
    pub(crate) fn start(root: &Path, options: &[&str]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_tripline")), root, options)
    }

    /// Watches `root` as another user than root.
    pub(crate) fn start_as_nobody(root: &Path, options: &[&str]) -> Self {
        Self::start_by(as_nobody(), root, options)
    }

    /// Whether this user may start it as another, and that one the program.
    pub(crate) fn can_start_as_nobody() -> bool {
        as_nobody().arg("--version").output().is_ok_and(|output| output.status.success())
    }

    /// Watches `root` as [`unshared`] does.
    pub(crate) fn start_unshared(root: &Path, options: &[&str], script: &str) -> Option<Self> {
        unshared(script).map(|command| Self::start_by(command, root, options))
    }

    /// Runs a script in its namespaces.
    pub(crate) fn inside(&self, script: &str) {
        inside(self.pid(), script);
    }

    /// Watches `root` with system calls that fail, as strace(1) is told by `faults`. None where it may not trace.
    pub(crate) fn start_failing(root: &Path, faults: &[&str]) -> Option<Self> {
        Self::start_traced(root, &[], Path::new("/dev/null"), faults)
    }

    /// Watches `root`, and has strace(1) write to `output` what `traced` asks for. None where it may not trace.
    pub(crate) fn start_traced(
        root: &Path,
        options: &[&str],
        output: &Path,
        traced: &[&str],
    ) -> Option<Self> {
        let traced = |program: &str| {
            let mut command = Command::new("strace");
            // Detached, so that the process started is the program.
            command.args(["-D", "-f", "-o"]).arg(output).args(traced).arg(program);
            command
        };
        let allowed = traced("true").output().is_ok_and(|output| output.status.success());
        if !allowed {
            eprintln!("skipped: no strace here, or it may not trace");
        }
        allowed.then(|| Self::start_by(traced(env!("CARGO_BIN_EXE_tripline")), root, options))
    }

    fn start_by(mut command: Command, root: &Path, options: &[&str]) -> Self {
        let polls = options.iter().any(|option| option.starts_with("--poll"));
        command.arg("watch").arg("--json").args(options).arg(root);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let (mut early, mut ready) = (String::new(), false);
        while !ready {
            let Some(Ok(line)) = errors.next() else { panic!("it ended before it was ready: {early}") };
            ready = line.contains("ready");
            early += &if ready { String::new() } else { line + "\n" };
        }
        let warnings = Arc::new(Mutex::new(early));
        let collected = Arc::clone(&warnings);
        thread::spawn(move || {
            for line in errors.map_while(Result::ok) {
                collected.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(parse(&line)).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, warnings, root: root.to_owned(), sentinels: 0, polls }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        if signal == Signal::STOP {
            eventually(|| is_stopped(self.pid()).then_some(()));
        }
    }

    /// What it has written to standard error, but that it is ready.
    pub(crate) fn warnings(&self) -> String {
        self.warnings.lock().unwrap().clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it has ended by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < LIMIT, "it goes on");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything up to the first line that `last` takes, itself included.
    pub(crate) fn until(&self, mut last: impl FnMut(&Seen) -> bool) -> Vec<Seen> {
        let (mut all, start) = (Vec::new(), Instant::now());
        loop {
            let left = LIMIT.saturating_sub(start.elapsed());
            let Ok(seen) = self.lines.recv_timeout(left) else {
                let last = &all[all.len().saturating_sub(20)..];
                panic!("not seen in time; the last lines were {last:#?}\nand warnings\n{}", self.warnings());
            };
            let done = last(&seen);
            all.push(seen);
            if done {
                return all;
            }
        }
    }

    /// Everything that has happened by now: makes files in the root and waits until they are reported.
    /// What is still being looked for because of an event before the first may be reported after it; the second
    /// comes when all has been looked through.
    pub(crate) fn so_far(&mut self) -> Vec<Seen> {
        let mut all = Vec::new();
        for _ in 0..2 {
            self.sentinels += 1;
            let sentinel = self.root.join(format!(".sentinel-{}", self.sentinels));
            fs::write(&sentinel, "").unwrap();
            // By whatever event: in an overflow, looking finds it.
            all.extend(self.until(|seen| seen.path == sentinel));
            if !self.polls {
                settled_switches(self.pid());
            }
        }
        all.retain(|seen| !seen.path.file_name().unwrap().as_bytes().starts_with(b".sentinel-"));
        all
    }

    /// The inodes that are watched.
    pub(crate) fn watched_inodes(&self) -> HashSet<u64> {
        watched_inodes(self.pid())
    }
}

pub(crate) fn as_nobody() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
    command.uid(NOBODY).gid(NOBODY);
    command
}

/// tripline in namespaces of its own for users and mounts (namespaces(7)), after `script` there. None where this
/// user may make none.
pub(crate) fn unshared(script: &str) -> Option<Command> {
    let unshared = |program: &str| {
        let mut command = Command::new("unshare");
        let script = format!("{script}\nexec \"$@\"");
        command.args(["-U", "-r", "-m", "sh", "-e", "-c", &script, "sh", program]);
        command.env("XDG_STATE_HOME", state());
        command
    };
    let allowed = unshared("true").status().is_ok_and(|status| status.success());
    if !allowed {
        eprintln!("skipped: no namespaces of users and mounts here");
    }
    allowed.then(|| unshared(env!("CARGO_BIN_EXE_tripline")))
}

/// Runs a script in the namespaces of a process.
pub(crate) fn inside(pid: u32, script: &str) {
    let pid = pid.to_string();
    let done = Command::new("nsenter").args(["-U", "-m", "-t", &pid, "sh", "-e", "-c", script]).status();
    assert!(done.unwrap().success(), "{script}");
}

/// The inodes that a process watches, from `/proc/PID/fdinfo`.
pub(crate) fn watched_inodes(pid: u32) -> HashSet<u64> {
    let directory = format!("/proc/{pid}/fdinfo");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let text: String = files.filter_map(|file| fs::read_to_string(file).ok()).collect();
    let inode = |line: &str| {
        let field = line.split(' ').find_map(|field| field.strip_prefix("ino:"))?;
        u64::from_str_radix(field, 16).ok()
    };
    text.lines().filter(|line| line.starts_with("inotify")).filter_map(inode).collect()
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(line: &str) -> Seen {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let path = |text: &str, bytes: &str| match value[bytes].as_str() {
        Some(encoded) => Some(PathBuf::from(OsStr::from_bytes(&STANDARD.decode(encoded).unwrap()))),
        None => value[text].as_str().map(PathBuf::from),
    };
    let events = value["events"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
    Seen {
        path: path("path", "path_bytes").unwrap(),
        events: events.collect(),
        from: path("from", "from_bytes"),
        kind: value["type"].as_str().map(str::to_owned),
    }
}
