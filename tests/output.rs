//! Output that goes through tripline: all of it arrives, in little memory, whoever reads it or does not.

use std::fs::{self, File};
use std::io::{PipeReader, Read, pipe};
use std::process::{Child, ExitStatus, Stdio};

use rustix::io::ioctl_fionread;
use rustix::process::{Pid, Signal, kill_process};
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
