//! The thread that owns the terminal: it takes what is new, asks the dispatcher how things are, and draws. Nobody waits
//! for it, and it sleeps while nothing changes.

use std::io::{self, BufWriter, Stdout, Write, stdout};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute, queue};
use ratatui::layout::Rect;

use super::draw::draw;
use super::mailbox::{Feed, News, Piece};
use super::model::{Act, Model};
use crate::cli::commands::explain::why;
use crate::dispatch::{Command, Control};
use crate::rules::Rules;
use crate::sys::{ask_to_stop, block_all};
use crate::time::Clock;

/// Between two drawings: as often as an eye can follow numbers.
const FRAME: Duration = Duration::from_millis(50);
/// Of its time, what drawing and asking may take: a tenth.
const SHARE: u32 = 10;
/// The longest that something new waits.
const LONGEST: Duration = Duration::from_millis(500);
/// How long an answer of the dispatcher is waited for before what was known is drawn.
const PATIENCE: Duration = Duration::from_millis(100);
/// A frame of a large terminal in one write.
const BUFFER: usize = 1 << 16;

type Out = BufWriter<Stdout>;

/// Whether the terminal is ours: then who ends has to give it back.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes the terminal: keys come as they are pressed, and the screen is one of its own.
pub(super) fn take_terminal() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::Release);
    execute!(stdout(), EnterAlternateScreen, cursor::Hide)
}

/// Gives the terminal back as it was, if it is ours. Best effort: it may be gone.
fn give_back() {
    if TAKEN.swap(false, Ordering::AcqRel) {
        let _ = execute!(stdout(), EndSynchronizedUpdate, cursor::Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

/// Gives back what can be given back without writing, where nobody reads what is written.
pub(super) fn give_back_silently() {
    if TAKEN.swap(false, Ordering::AcqRel) {
        let _ = disable_raw_mode();
    }
}

/// Has a panic, in whatever thread, give the terminal back before it is told.
pub(super) fn give_back_on_panic() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        give_back();
        before(info);
    }));
}

/// Passes keys on, until the terminal has gone.
pub(super) fn read_keys(feed: &Feed) {
    block_all();
    while let Ok(event) = event::read() {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => feed.key(key),
            _ => feed.stir(),
        }
    }
}

/// Shows what comes, until the feed is closed.
pub(super) fn run(feed: &Feed, control: &Control, coloured: bool) {
    block_all();
    let _farewell = Farewell { feed, control };
    let backend = CrosstermBackend::new(BufWriter::with_capacity(BUFFER, stdout()));
    let Ok(terminal) = Terminal::new(backend) else { return };
    let mut screen = Screen {
        feed,
        control,
        coloured,
        terminal,
        model: Model::default(),
        rules: None,
        clock: Clock::start(),
    };
    // A terminal that takes nothing any more has gone.
    let _ = screen.run();
}

/// Whatever ends the view gives the terminal back, and ends tripline with it if that did not end before.
struct Farewell<'a> {
    feed: &'a Feed,
    control: &'a Control,
}

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        give_back();
        drop(self.control.send(Command::Stop));
        self.feed.give_back();
    }
}

struct Screen<'a> {
    feed: &'a Feed,
    control: &'a Control,
    coloured: bool,
    terminal: Terminal<CrosstermBackend<Out>>,
    model: Model,
    rules: Option<Arc<Rules>>,
    clock: Clock,
}

impl Screen<'_> {
    fn run(&mut self) -> io::Result<()> {
        loop {
            let now = self.clock.now();
            let timeout = self.model.deadline(now).map(|at| at.since(now));
            let mut news = self.feed.take(timeout);
            if news.closed {
                return Ok(());
            }
            if news.suspend && !news.resume {
                if self.suspend()? {
                    return Ok(());
                }
                news.resume = true;
            }
            if news.resume {
                take_terminal()?;
                self.redraw()?;
            }
            let start = Instant::now();
            self.take_in(news)?;
            self.draw()?;
            self.feed.rest((start.elapsed() * SHARE).clamp(FRAME, LONGEST));
        }
    }

    /// Gives the terminal back, and waits until it may be taken again; answers whether that never comes.
    fn suspend(&mut self) -> io::Result<bool> {
        give_back();
        self.feed.give_back();
        loop {
            let news = self.feed.take(None);
            let (resumed, closed) = (news.resume, news.closed);
            self.take_in(news)?;
            if resumed || closed {
                return Ok(closed);
            }
        }
    }

    fn take_in(&mut self, news: News) -> io::Result<()> {
        if let Some(rules) = news.rules {
            self.model.rules(&rules);
            self.rules = Some(rules);
        }
        self.model.ready |= news.ready;
        for (rule, pieces) in news.pieces {
            for piece in pieces.queue {
                match piece {
                    Piece::Begin(cause) => self.model.begin(&rule, cause),
                    Piece::Bytes(bytes) => self.model.write(&rule, &bytes),
                    Piece::Line { text, bad } => self.model.say(&rule, &text, bad),
                }
            }
        }
        for key in news.keys {
            if let Some(act) = self.model.press(key) {
                self.act(act)?;
            }
        }
        self.terminal.backend_mut().write_all(&news.aside)
    }

    fn act(&mut self, act: Act) -> io::Result<()> {
        match act {
            Act::Command(command) => {
                if let Ok(Err(refusal)) = self.control.send(command).recv_timeout(PATIENCE) {
                    self.model.answer = Some(refusal.to_string());
                }
                Ok(())
            }
            Act::Explain => {
                let row = self.model.rows.get(self.model.selected);
                let text = row
                    .zip(self.rules.as_ref())
                    .map(|(row, rules)| why(rules, &row.name, row.cause.as_ref()));
                self.model.explain(text.unwrap_or_default());
                Ok(())
            }
            Act::Suspend => {
                ask_to_stop();
                Ok(())
            }
            Act::Redraw => self.redraw(),
        }
    }

    /// Has everything drawn anew. `Terminal::clear` would ask where the cursor is, and the answer come as keys.
    fn redraw(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(Rect { x: 0, y: 0, width: size.width, height: size.height })
    }

    fn draw(&mut self) -> io::Result<()> {
        if let Ok(overview) = self.control.ask().recv_timeout(PATIENCE) {
            self.model.see(overview, self.clock.now());
        }
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let (model, coloured) = (&mut self.model, self.coloured);
        self.terminal.draw(|frame| {
            model.area = frame.area();
            draw(model, coloured, frame.buffer_mut());
        })?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::process::Command;
    use std::thread;

    use rustix::termios::tcgetattr;

    use super::*;
    use crate::sys::{WindowSize, pseudo_terminal};

    /// Set in the process that panics.
    const PANICS: &str = "TRIPLINE_TEST_PANICS";
    const NAME: &str = "cli::tui::screen::tests::a_panic_gives_the_terminal_back_before_it_is_told";

    #[test]
    fn a_panic_gives_the_terminal_back_before_it_is_told() {
        if std::env::var_os(PANICS).is_some() {
            give_back_on_panic();
            take_terminal().unwrap();
            assert!(thread::spawn(|| panic!("of the view")).join().is_err());
            return;
        }
        let (ours, theirs) = pseudo_terminal(WindowSize::default()).unwrap();
        let modes = || {
            let now = tcgetattr(&theirs).unwrap();
            (now.local_modes, now.input_modes, now.output_modes)
        };
        let before = modes();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", NAME, "--nocapture"]).env(PANICS, "1").env("RUST_BACKTRACE", "0");
        let end = || theirs.try_clone().unwrap();
        command.stdin(end()).stdout(end()).stderr(end());
        assert!(command.status().unwrap().success());
        assert_eq!(modes(), before, "as it was");
        drop((command, theirs));
        let mut bytes = Vec::new();
        // Once nobody has the other end, reading ends with an error (pty(7)), what was read before it being kept.
        assert!(File::from(ours).read_to_end(&mut bytes).is_err());
        let text = String::from_utf8_lossy(&bytes);
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part:?} in {text:?}"));
        let (taken, given_back, told) = (at("\x1b[?1049h"), at("\x1b[?1049l"), at("of the view"));
        assert!(taken < given_back && given_back < told, "{text:?}");
        assert!(at("\x1b[?25h") < told, "the cursor is seen: {text:?}");
    }
}
