//! From the dispatcher's thread to the view's. Bounded: who gives never waits, and what nobody has taken makes room for
//! what is new.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::layout::areas;
use super::model::OWN;
use super::scrollback::MOST;
use crate::dispatch::{Cause, Screen};
use crate::rules::Rules;
use crate::sys::{WindowSize, stdout, window_size};
use ratatui::crossterm::event::KeyEvent;
use ratatui::layout::Rect;

/// What anything takes beside its bytes.
const OVERHEAD: usize = 64;
/// Beyond this, what is new is added to what is there. It bounds how much is moved at once.
const PIECE: usize = 64 << 10;

/// Something about a rule, in the order in which it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A run begins.
    Begin(Cause),
    /// Its commands have written this.
    Bytes(Vec<u8>),
    /// tripline says this about it; `bad` if somebody should look.
    Line { text: Vec<u8>, bad: bool },
}

impl Piece {
    fn cost(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Begin(cause) => cause.first.as_ref().map_or(0, |(path, _)| path.len()),
                Self::Bytes(bytes) => bytes.capacity(),
                Self::Line { text, .. } => text.len(),
            }
    }
}

/// What waits for the view.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) pieces: HashMap<String, Pieces>,
    pub(super) rules: Option<Arc<Rules>>,
    pub(super) keys: Vec<KeyEvent>,
    /// Sequences for the terminal that draw nothing.
    pub(super) aside: Vec<u8>,
    pub(super) ready: bool,
    pub(super) closed: bool,
    /// Whether the terminal is to be given back for now, or taken again.
    pub(super) suspend: bool,
    pub(super) resume: bool,
    stirred: bool,
    /// Whether somebody waits for what is new.
    urgent: bool,
}

/// What waits of one rule.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pub(super) queue: VecDeque<Piece>,
    cost: usize,
}

impl Pieces {
    fn push(&mut self, piece: Piece) {
        if let (Piece::Bytes(new), Some(Piece::Bytes(last))) = (&piece, self.queue.back_mut())
            && last.len() + new.len() <= PIECE
        {
            let before = last.capacity();
            last.extend(new);
            self.cost += last.capacity() - before;
        } else {
            self.cost += piece.cost();
            self.queue.push_back(piece);
        }
        while self.cost > MOST {
            let Some(first) = self.queue.pop_front() else { break };
            self.cost -= first.cost();
        }
    }
}

/// The place where both threads meet.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    news: Mutex<News>,
    changed: Condvar,
    /// Whether the view has given the terminal back.
    given_back: Mutex<bool>,
    back: Condvar,
    /// How many rows the list of rules has.
    rows: AtomicUsize,
}

impl Feed {
    fn change(&self, change: impl FnOnce(&mut News)) {
        let mut news = lock(&self.news);
        change(&mut news);
        let first = !std::mem::replace(&mut news.stirred, true);
        drop(news);
        if first {
            self.changed.notify_one();
        }
    }

    /// The same, for what somebody waits for.
    fn hurry(&self, change: impl FnOnce(&mut News)) {
        self.change(|news| {
            change(news);
            news.urgent = true;
        });
        self.changed.notify_one();
    }

    /// Something has happened that is seen when somebody looks.
    pub(super) fn stir(&self) {
        self.change(|_| {});
    }

    pub(super) fn put(&self, rule: &str, piece: Piece) {
        self.change(|news| match news.pieces.get_mut(rule) {
            Some(pieces) => pieces.push(piece),
            None => news.pieces.entry(rule.to_owned()).or_default().push(piece),
        });
    }

    pub(super) fn aside(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.change(|news| news.aside.extend(bytes));
        }
    }

    pub(super) fn rules(&self, rules: Arc<Rules>) {
        self.rows.store(rules.rules.len() + 1, Ordering::Relaxed);
        self.change(|news| news.rules = Some(rules));
    }

    pub(super) fn ready(&self) {
        self.change(|news| news.ready = true);
    }

    pub(super) fn key(&self, key: KeyEvent) {
        self.hurry(|news| news.keys.push(key));
    }

    pub(super) fn close(&self) {
        *lock(&self.given_back) = false;
        self.hurry(|news| news.closed = true);
    }

    pub(super) fn suspend(&self) {
        *lock(&self.given_back) = false;
        self.hurry(|news| news.suspend = true);
    }

    pub(super) fn resume(&self) {
        self.hurry(|news| news.resume = true);
    }

    /// The terminal is given back.
    pub(super) fn give_back(&self) {
        *lock(&self.given_back) = true;
        self.back.notify_all();
    }

    /// Waits until the terminal is given back; answers whether it was.
    pub(super) fn wait_for_it(&self, patience: Duration) -> bool {
        let guard = lock(&self.given_back);
        let waited = self.back.wait_timeout_while(guard, patience, |back| !*back);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits so long, unless somebody waits for what is new.
    pub(super) fn rest(&self, time: Duration) {
        drop(self.changed.wait_timeout_while(lock(&self.news), time, |news| !news.urgent));
    }

    /// Takes what is new; waits for it so long, or for ever.
    pub(super) fn take(&self, timeout: Option<Duration>) -> News {
        let guard = lock(&self.news);
        let nothing = |news: &mut News| !news.stirred;
        let mut news = match timeout {
            Some(timeout) => {
                self.changed
                    .wait_timeout_while(guard, timeout, nothing)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
            None => self.changed.wait_while(guard, nothing).unwrap_or_else(PoisonError::into_inner),
        };
        std::mem::take(&mut news)
    }
}

impl Screen for Feed {
    fn write(&self, rule: &str, bytes: &[u8]) {
        self.put(rule, Piece::Bytes(bytes.to_vec()));
    }

    fn size(&self) -> WindowSize {
        let WindowSize { rows, columns } = window_size(stdout()).unwrap_or_default();
        let area = Rect { x: 0, y: 0, width: columns, height: rows };
        let output = areas(area, self.rows.load(Ordering::Relaxed), false).output;
        WindowSize { rows: output.height.max(1), columns: output.width.max(1) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves what waits as good as it was.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A line of the log, which comes in one piece: it goes where tripline itself has its say.
pub(crate) struct LogLine(pub(crate) Arc<Feed>);

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.put(OWN, Piece::Line { text: bytes.trim_ascii_end().to_vec(), bad: true });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_takes_is_bounded_and_the_last_of_it_is_there() {
        let feed = Feed::default();
        for number in 0..5_000_u32 {
            feed.put("r", Piece::Bytes(vec![b'x'; 4000]));
            feed.put("r", Piece::Bytes(format!("{number}\n").into_bytes()));
        }
        feed.put("other", Piece::Bytes(b"kept".to_vec()));
        let news = feed.take(None);
        let pieces = &news.pieces["r"];
        let held: usize = pieces.queue.iter().map(Piece::cost).sum();
        assert!(held == pieces.cost && held <= MOST && held > MOST / 2, "{held}");
        assert!(matches!(pieces.queue.back(), Some(Piece::Bytes(bytes)) if bytes.ends_with(b"4999\n")));
        assert_eq!(news.pieces["other"].queue, [Piece::Bytes(b"kept".to_vec())]);
        assert!(feed.take(Some(Duration::ZERO)).pieces.is_empty());
    }

    #[test]
    fn lines_stay_in_their_place_between_what_is_written() {
        let feed = Feed::default();
        let (bytes, line) = (
            |text: &str| Piece::Bytes(text.into()),
            |text: &str| Piece::Line { text: text.into(), bad: false },
        );
        for piece in [bytes("a"), bytes("b"), line("said"), bytes("c")] {
            feed.put("r", piece);
        }
        assert_eq!(feed.take(None).pieces["r"].queue, [bytes("ab"), line("said"), bytes("c")]);
    }
}
