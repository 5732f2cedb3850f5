//! The terminal view on a pseudo-terminal, for the examples that show or watch it.

use std::fs::File;
use std::io::{Read, Write as _};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use vt100::Parser;

pub(crate) type Failure = Box<dyn std::error::Error>;

pub(crate) const ROWS: u16 = 22;
pub(crate) const COLUMNS: u16 = 104;

/// What has been written to the terminal.
pub(crate) struct Seen {
    pub(crate) parser: Parser,
    pub(crate) bytes: Vec<u8>,
}

/// `tripline run --tui`, and the terminal that it controls.
pub(crate) struct Terminal {
    pub(crate) child: Child,
    pub(crate) seen: Arc<Mutex<Seen>>,
    input: File,
}

/// A screen with nothing on it.
pub(crate) fn blank() -> Parser {
    let one = NonZeroU16::MIN;
    Parser::new(NonZeroU16::new(ROWS).unwrap_or(one), NonZeroU16::new(COLUMNS).unwrap_or(one), 0)
}

impl Terminal {
    /// Starts it in a directory with rules.
    pub(crate) fn start(tripline: &Path, directory: &Path) -> Result<Self, Failure> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        unlockpt(&ours)?;
        let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&ours, size)?;
        let name = ptsname(&ours, Vec::new())?.into_string()?;
        let theirs = || File::options().read(true).write(true).open(&name);
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(tripline).args(["run", "--tui"]).current_dir(directory);
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR").env_remove("CARGO_TARGET_DIR");
        let child = command.stdin(theirs()?).stdout(theirs()?).stderr(theirs()?).spawn()?;
        let seen = Arc::new(Mutex::new(Seen { parser: blank(), bytes: Vec::new() }));
        let (mut output, theirs) = (File::from(ours.try_clone()?), Arc::clone(&seen));
        spawn(move || {
            let mut buffer = [0; 1 << 14];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                let mut seen = theirs.lock().unwrap_or_else(PoisonError::into_inner);
                seen.parser.process(&buffer[..length]);
                seen.bytes.extend(&buffer[..length]);
            }
        });
        Ok(Self { child, seen, input: File::from(ours) })
    }

    /// Types.
    pub(crate) fn keys(&mut self, keys: &str) -> Result<(), Failure> {
        Ok(self.input.write_all(keys.as_bytes())?)
    }

    /// What is shown.
    pub(crate) fn text(&self) -> Result<String, Failure> {
        Ok(self.seen.lock().map_err(|_| "the reader has failed")?.parser.screen().contents())
    }

    /// Waits until a text is shown, for a minute at most.
    pub(crate) fn until(&self, text: &str) -> Result<(), Failure> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            if self.text()?.contains(text) {
                return Ok(());
            }
            sleep(Duration::from_millis(20));
        }
        Err(format!("`{text}` was never shown:\n{}", self.text()?).into())
    }
}
