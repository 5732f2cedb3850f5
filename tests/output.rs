//! Output that goes through tripline: all of it arrives, in little memory, whoever reads it or does not.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, PipeReader, Read, pipe};
use std::process::{Child, ExitStatus, Stdio};

use rustix::io::ioctl_fionread;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tempfile::{TempDir, tempdir};

use crate::support::proc::{eventually, settled_switches, status};
use crate::support::running::{READY, tripline};

/// Enough to show in memory if it were kept, and not too much for a build without optimisation.
const BYTES: usize = 200 << 20;

/// In kB: with room for all buffers, and far less than what goes through them.
const MOST_MEMORY: u64 = 64 << 10;

/// What a pipe holds, less what one write may not have fitted into (pipe(7)).
const NEARLY_FULL: u64 = (64 << 10) - 4096;

/// tripline in a fresh directory, with output that is read when the test likes, and messages in a file.
struct Piped {
    directory: TempDir,
    child: Child,
    output: Option<PipeReader>,
}

impl Piped {
    fn start(rules: &str) -> Self {
        let directory = tempdir().unwrap();
        fs::write(directory.path().join("tripline.toml"), rules).unwrap();
        let (output, writer) = pipe().unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        let mut command = tripline();
        let child = command.arg("run").current_dir(directory.path()).stdout(writer).stderr(log).spawn();
        // It holds the pipe's other end open as long as it can be started again.
        command.stdout(Stdio::null());
        let piped = Self { directory, child: child.unwrap(), output: Some(output) };
        piped.until_said(READY);
        piped
    }

    /// Starts the flood and waits until nobody can go on for want of a reader.
    fn flooded() -> Self {
        let big = format!("head -c {BYTES} /dev/zero | tr '\\\\0' x");
        let piped = Self::start(&format!(
            "[rules.big]\npaths = [\"a\"]\nrun = \"{big}\"\n[rules.other]\npaths = [\"other\"]\nrun = \"true\"\n"
        ));
        piped.save("a");
        let waiting = || ioctl_fionread(piped.output.as_ref().unwrap()).unwrap();
        eventually(|| (waiting() >= NEARLY_FULL).then_some(()));
        settled_switches(piped.child.id());
        piped
    }

    fn save(&self, name: &str) {
        fs::write(self.directory.path().join(name), "content\n").unwrap();
    }

    fn until_said(&self, text: &str) {
        let log = self.directory.path().join("log");
        eventually(|| fs::read_to_string(&log).unwrap().contains(text).then_some(()));
    }

    fn most_memory(&self) -> u64 {
        status(self.child.id(), "VmHWM").trim_end_matches(" kB").parse().unwrap()
    }

    fn stop(&mut self) -> ExitStatus {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        self.output = None;
        if let Ok(None) = self.child.try_wait() {
            self.stop();
        }
    }
}

#[test]
fn a_flood_arrives_to_the_last_byte_in_little_memory() {
    let mut piped = Piped::flooded();
    let mut output = piped.output.take().unwrap();
    let (mut buffer, mut count) = (vec![0; 1 << 16], 0);
    while count < BYTES {
        let length = output.read(&mut buffer).unwrap();
        assert!(length > 0, "it ended after {count} bytes");
        count += buffer[..length].iter().filter(|&&byte| byte == b'x').count();
    }
    piped.until_said("big: ok");
    assert!(piped.most_memory() < MOST_MEMORY, "{} kB", piped.most_memory());
    assert!(piped.stop().success());
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(count, BYTES);
    assert!(["", "\n"].contains(&rest.as_str()), "{rest:?}");
}

#[test]
fn a_reader_who_has_stopped_does_not_hold_up_the_end() {
    let mut piped = Piped::flooded();
    assert!(piped.most_memory() < MOST_MEMORY, "{} kB", piped.most_memory());
    assert!(piped.stop().success());
    piped.until_said("big: stopping");
}

#[test]
fn a_reader_who_has_gone_ends_nothing() {
    let rule = "[rules.r]\npaths = [\"*.x\"]\nper = \"file\"\n\
                run = \"touch ${1%x}done; echo out; echo err >&2\"\n";
    for other in ["", "[rules.other]\npaths = [\"other\"]\nrun = \"true\"\n"] {
        let mut piped = Piped::start(&format!("{rule}{other}"));
        piped.output = None;
        for n in 0..3 {
            piped.save(&format!("{n}.x"));
            let done = piped.directory.path().join(format!("{n}.done"));
            eventually(|| done.exists().then_some(()));
        }
        assert!(piped.stop().success());
    }
}

/// The rules of a flood that is shown when it has ended, beside a rule that writes meanwhile.
fn grouped() -> String {
    let big = format!("head -c {BYTES} /dev/zero | tr '\\\\0' x; : > done");
    format!(
        "[rules.big]\npaths = [\"a\"]\nrun = \"{big}\"\noutput = \"group\"\n\
         [rules.other]\npaths = [\"done\"]\nrun = \"while true; do echo yyy; done\"\n"
    )
}

#[test]
fn a_flood_that_waits_for_its_end_comes_whole_and_takes_no_memory() {
    let mut piped = Piped::start(&grouped());
    piped.save("a");
    let mut output = piped.output.take().unwrap();
    let (mut buffer, mut count) = (vec![0; 1 << 16], 0);
    // Once it has begun, nothing else comes before its end.
    while count < BYTES {
        let length = output.read(&mut buffer).unwrap();
        assert!(length > 0, "it ended after {count} bytes");
        let begun = count > 0;
        count += buffer[..length].iter().filter(|&&byte| byte == b'x').count();
        let whole = buffer[..length].iter().all(|&byte| byte == b'x');
        assert!(whole || !begun || count == BYTES, "something else came after {count} bytes");
    }
    piped.until_said("big: ok");
    assert!(piped.most_memory() < MOST_MEMORY, "{} kB", piped.most_memory());
    assert!(piped.stop().success());
}

#[test]
fn what_is_run_once_is_written_to_its_end_however_slowly_it_is_read() {
    let directory = tempdir().unwrap();
    let rules = "[rules.r]\npaths = [\"a\"]\nrun = \"head -c 1000000 /dev/zero\"\noutput = \"group\"\n";
    fs::write(directory.path().join("tripline.toml"), rules).unwrap();
    fs::write(directory.path().join("a"), "").unwrap();
    let (mut output, writer) = pipe().unwrap();
    let log = directory.path().join("log");
    let mut command = tripline();
    command.args(["run", "--once"]).current_dir(directory.path());
    let mut child = command.stdout(writer).stderr(File::create(&log).unwrap()).spawn().unwrap();
    command.stdout(Stdio::null());
    // It has nothing left to do but to write.
    eventually(|| fs::read_to_string(&log).unwrap().contains("r: ok").then_some(()));
    let mut all = Vec::new();
    output.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), 1_000_000);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_terminal_of_a_command_is_as_large_as_ours_and_stays_so() {
    let directory = tempdir().unwrap();
    // Told of a new size, it says what that is.
    let script =
        "trap 'stty size < /dev/stdout' WINCH; stty size < /dev/stdout; while :; do sleep 0.05; done";
    let rules = format!("[rules.r]\npaths = [\"a\"]\non_start = true\nrun = \"{script}\"\ntty = true\n");
    fs::write(directory.path().join("tripline.toml"), rules).unwrap();
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    unlockpt(&ours).unwrap();
    let theirs =
        File::options().read(true).write(true).open(ptsname(&ours, Vec::new()).unwrap().to_str().unwrap());
    let resize = |rows, columns| {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&ours, size).unwrap();
    };
    resize(33, 111);
    let mut command = tripline();
    command.arg("run").current_dir(directory.path()).stdout(theirs.unwrap()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    command.stdout(Stdio::null());
    let mut lines = BufReader::new(File::from(ours.try_clone().unwrap())).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "33 111");
    resize(44, 222);
    let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
    kill_process(pid, Signal::WINCH).unwrap();
    assert_eq!(next(), "44 222");
    kill_process(pid, Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}
