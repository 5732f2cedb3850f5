//! tripline on a terminal: a pseudo-terminal that it controls, and what a person would see there.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use vt100::{Callbacks, Parser};

use super::running::tripline;
use super::watching::LIMIT;

/// What comes beside the text.
#[derive(Default)]
struct Beside {
    title: String,
    bells: usize,
}

impl Callbacks for Beside {
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.bells += 1;
    }

    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.title = String::from_utf8_lossy(title).into_owned();
    }
}

struct Seen {
    parser: Parser<Beside>,
    bytes: Vec<u8>,
    /// Whether the terminal takes nothing.
    stuck: bool,
}

/// The process and its terminal; it ends with this value.
pub(crate) struct Screen {
    child: Child,
    ours: OwnedFd,
    seen: Arc<Mutex<Seen>>,
}

impl Screen {
    /// Runs the rules in `directory`'s `tripline.toml`, which are these, on a terminal of so many rows and columns.
    pub(crate) fn with_rules(directory: &Path, rules: &str, args: &[&str], size: (u16, u16)) -> Self {
        std::fs::write(directory.join("tripline.toml"), rules).unwrap();
        let mut command = Self::command(args);
        Self::start(command.current_dir(directory), size)
    }

    /// `tripline run` as the leader of a session of its own.
    pub(crate) fn command(args: &[&str]) -> Command {
        let args: Vec<_> = ["run"].iter().chain(args).copied().collect();
        Self::command_of(env!("CARGO_BIN_EXE_tripline"), &args)
    }

    /// Another program in the same place.
    pub(crate) fn command_of(program: &str, args: &[&str]) -> Command {
        let shielded = tripline();
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program).args(args);
        for (name, value) in shielded.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        for name in ["NO_COLOR", "FORCE_HYPERLINK", "TMUX"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color").env("TZ", "UTC");
        command
    }

    /// Starts a command.
    pub(crate) fn start(command: &mut Command, (rows, columns): (u16, u16)) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        tcsetwinsize(&ours, winsize(rows, columns)).unwrap();
        let child = command.stdin(theirs()).stdout(theirs()).stderr(theirs()).spawn().unwrap();
        // It holds the terminal's other end open as long as it can be started again.
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        command.stderr(std::process::Stdio::null());
        let parser = Parser::new_with_callbacks(number(rows), number(columns), 0, Beside::default());
        let seen = Arc::new(Mutex::new(Seen { parser, bytes: Vec::new(), stuck: false }));
        let (mut output, theirs) = (File::from(ours.try_clone().unwrap()), Arc::clone(&seen));
        thread::spawn(move || {
            let mut buffer = [0; 1 << 14];
            // A terminal ends with an error (pty(7)).
            loop {
                while theirs.lock().unwrap().stuck {
                    sleep(Duration::from_millis(5));
                }
                let Ok(length @ 1..) = output.read(&mut buffer) else { return };
                let mut seen = theirs.lock().unwrap();
                seen.parser.process(&buffer[..length]);
                seen.bytes.extend(&buffer[..length]);
            }
        });
        Self { child, ours, seen }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What is there, a line a row, without the spaces at their ends.
    pub(crate) fn text(&self) -> String {
        let text = self.seen.lock().unwrap().parser.screen().contents();
        text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    /// Waits until what is there has all of this.
    pub(crate) fn until_shown<const N: usize>(&self, parts: [&str; N]) -> String {
        self.until(|screen| {
            let text = screen.text();
            parts.iter().all(|part| text.contains(part)).then_some(text)
        })
    }

    /// Waits for an answer.
    pub(crate) fn until<T>(&self, mut ask: impl FnMut(&Self) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(answer) = ask(self) {
                return answer;
            }
            assert!(start.elapsed() < LIMIT, "it never came to be; the screen is:\n{}", self.text());
            sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn title(&self) -> String {
        self.seen.lock().unwrap().parser.callbacks().title.clone()
    }

    pub(crate) fn bells(&self) -> usize {
        self.seen.lock().unwrap().parser.callbacks().bells
    }

    /// Everything that was written to the terminal.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.seen.lock().unwrap().bytes.clone()
    }

    /// Types.
    pub(crate) fn keys(&self, keys: &str) {
        File::from(self.ours.try_clone().unwrap()).write_all(keys.as_bytes()).unwrap();
    }

    /// Has the terminal take nothing any more, or go on.
    pub(crate) fn set_stuck(&self, stuck: bool) {
        self.seen.lock().unwrap().stuck = stuck;
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.seen.lock().unwrap().parser.set_size(number(rows), number(columns));
        tcsetwinsize(&self.ours, winsize(rows, columns)).unwrap();
    }

    /// Whether the terminal is as it was before: keys make lines, its own screen is shown, and the cursor.
    pub(crate) fn is_given_back(&self) -> bool {
        let modes = tcgetattr(&self.ours).unwrap().local_modes;
        let seen = self.seen.lock().unwrap();
        let screen = seen.parser.screen();
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
            && !screen.alternate_screen()
            && !screen.hide_cursor()
    }

    /// Whether the screen is the view's own.
    pub(crate) fn is_taken(&self) -> bool {
        self.seen.lock().unwrap().parser.screen().alternate_screen()
    }

    /// The cells that have a colour.
    pub(crate) fn coloured(&self) -> usize {
        let seen = self.seen.lock().unwrap();
        let screen = seen.parser.screen();
        let (rows, columns) = screen.size();
        let cells = (0..rows.get())
            .flat_map(|row| (0..columns.get()).filter_map(move |column| screen.cell(row, column)));
        let plain = vt100::Color::Default;
        cells.filter(|cell| cell.fgcolor() != plain || cell.bgcolor() != plain).count()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid().cast_signed()).unwrap(), signal).unwrap();
    }

    /// Waits for the end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// SIGTERM, and the end.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = self.end();
        assert_eq!(status.code(), Some(0), "{}", self.text());
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        while let Ok(None) = self.child.try_wait() {
            self.signal(Signal::TERM);
            sleep(Duration::from_millis(10));
        }
    }
}

fn winsize(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn number(size: u16) -> NonZeroU16 {
    NonZeroU16::new(size).unwrap()
}
