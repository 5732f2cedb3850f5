//! A running tripline whose standard output and standard error are one pipe, as on a terminal.

use std::io::{BufRead, BufReader, pipe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::proc::until_stopped;
use super::watching::LIMIT;

/// What the line that says so has in common on every tree.
pub(crate) const READY: &str = "tripline: ready, ";

/// The command, shielded from the settings of whoever runs the tests.
pub(crate) fn tripline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
    command.env_remove("TRIPLINE_LOG").env_remove("NOTIFY_SOCKET").env_remove("XDG_CONFIG_HOME");
    command.env_remove("XDG_RUNTIME_DIR").env_remove("STATE_DIRECTORY").env("XDG_STATE_HOME", state());
    command.env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// Where histories go, for this process. What others have left behind that are no more is removed.
pub(crate) fn state() -> &'static Path {
    static STATE: LazyLock<PathBuf> = LazyLock::new(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("state");
        let is_gone = |dir: &Path| !Path::new("/proc").join(dir.file_name().unwrap()).exists();
        for dir in std::fs::read_dir(&all).into_iter().flatten().flatten().filter(|dir| is_gone(&dir.path()))
        {
            let _ = std::fs::remove_dir_all(dir.path());
        }
        all.join(std::process::id().to_string())
    });
    &STATE
}

/// The process; it ends with this value, and its commands with it.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Runs the rules in `directory`'s `tripline.toml`, which are these.
    pub(crate) fn with_rules(directory: &Path, rules: &str) -> Self {
        std::fs::write(directory.join("tripline.toml"), rules).unwrap();
        let mut command = tripline();
        Self::start(command.arg("run").current_dir(directory))
    }

    /// Starts a command.
    pub(crate) fn start(command: &mut Command) -> Self {
        let (reader, writer) = pipe().unwrap();
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let child = command.spawn().unwrap();
        // It holds the pipe's other end open as long as it can be started again.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
                if sender.send(readable(&line)).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line; none at the end of all output. The error says that none came.
    pub(crate) fn next(&self) -> Result<Option<String>, String> {
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(format!("nothing more came in {LIMIT:?}")),
        }
    }

    /// The next line, if there is one by now.
    pub(crate) fn poll(&self) -> Option<String> {
        self.lines.try_recv().ok()
    }

    /// Every line up to the first that `last` takes, itself included.
    pub(crate) fn until(&self, mut last: impl FnMut(&str) -> bool) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(line) = self.next().unwrap_or_else(|error| panic!("{error} after {all:#?}")) {
            let done = last(&line);
            all.push(line);
            if done {
                return all;
            }
        }
        panic!("it ended after {all:#?}");
    }

    /// The lines before it said that every watch is in place.
    pub(crate) fn until_ready(&self) -> Vec<String> {
        let mut lines = self.until(|line| line.starts_with(READY));
        lines.pop();
        lines
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
        if signal == Signal::STOP {
            until_stopped(self.pid());
        }
    }

    /// The lines up to the end of all output, and how the process ended.
    pub(crate) fn end(mut self) -> Result<(Vec<String>, ExitStatus), String> {
        let mut lines = Vec::new();
        while let Some(line) = self.next()? {
            lines.push(line);
        }
        self.child.wait().map(|status| (lines, status)).map_err(|error| error.to_string())
    }

    /// Has eight files saved that the rule `r` runs for, and waits until it has run for all, though there is no room
    /// for so many at once.
    pub(crate) fn runs_later(&self, mut save: impl FnMut(&str)) {
        let names: Vec<_> = (0..8).map(|n| format!("{n}.x")).collect();
        names.iter().for_each(|name| save(name));
        let mut lines = Vec::new();
        for _ in &names {
            lines.extend(self.until(|line| line == "r: ok"));
        }
        assert!(
            lines.iter().any(|line| line.contains("trying again")),
            "there was room: this showed nothing"
        );
        for name in names {
            assert!(lines.contains(&format!("r: {name} (close_write)")), "{name} did not run: {lines:#?}");
        }
    }

    /// SIGTERM, and the lines up to the end.
    pub(crate) fn stop(self) -> Vec<String> {
        self.signal(Signal::TERM);
        let (lines, status) = self.end().unwrap();
        assert_eq!(status.code(), Some(0), "{lines:#?}");
        lines
    }
}

impl Drop for Running {
    /// Ends it as a person would, again and again, so that its commands end, too.
    fn drop(&mut self) {
        while let Ok(None) = self.child.try_wait() {
            self.signal(Signal::TERM);
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A line as text, less the time that a run took, which differs each time.
fn readable(line: &[u8]) -> String {
    let mut text = String::new();
    for chunk in line.utf8_chunks() {
        text += chunk.valid();
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    match text.rsplit_once(" (") {
        Some((rest, time)) if is_time(time) => rest.to_owned(),
        _ => text,
    }
}

/// Such as `12 ms)`, `1.5 s)` or `2 min 1 s)`.
fn is_time(text: &str) -> bool {
    let number = text.strip_suffix(" ms)").or_else(|| text.strip_suffix(" s)"));
    number.is_some_and(|number| number.split(" min ").all(|part| part.parse::<f64>().is_ok()))
}
