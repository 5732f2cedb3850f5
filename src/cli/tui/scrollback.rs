//! What commands have written, as lines that can be shown anywhere: colours stay, whatever moves a cursor or clears a
//! screen does not. Bounded. Pure.

use std::collections::VecDeque;

use ratatui::style::Style;
use vte::{Params, Parser, Perform};

use super::sgr;

/// What is kept, counted with what it takes beside its text: some hundred thousand lines of a build.
pub(super) const MOST: usize = 8 << 20;
/// A longer line is broken: what never ends a line takes no more than this.
const LONGEST: usize = 16 * 1024;
/// What a line takes beside its text: two allocations and what names them.
const OVERHEAD: usize = 64;
const TAB: usize = 8;

/// A line that is complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: Box<str>,
    /// Where a style begins, in bytes of the text; plain before the first.
    styles: Box<[(usize, Style)]>,
}

impl Line {
    fn cost(&self) -> usize {
        self.text.len() + self.styles.len() * size_of::<(usize, Style)>() + OVERHEAD
    }

    /// The style of what stands at this byte of the text.
    pub(super) fn style_at(&self, at: usize) -> Style {
        let after = self.styles.partition_point(|(start, _)| *start <= at);
        after.checked_sub(1).map_or(Style::new(), |last| self.styles[last].1)
    }
}

/// The output of a rule.
#[derive(Default)]
pub(super) struct Pane {
    parser: Parser,
    text: Text,
}

#[derive(Default)]
struct Text {
    lines: VecDeque<Line>,
    cost: usize,
    /// How many lines were there that are no more.
    gone: usize,
    /// The line that is being written.
    open: Vec<(char, Style)>,
    column: usize,
    style: Style,
}

impl Pane {
    /// Takes in what was written.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.parser.advance(&mut self.text, bytes);
    }

    /// Begins a line, if one is open, in no style.
    pub(super) fn break_line(&mut self) {
        if !self.text.open.is_empty() {
            self.text.end_line();
        }
        (self.parser, self.text.style) = (Parser::new(), Style::new());
    }

    pub(super) fn clear(&mut self) {
        self.text.gone = self.end();
        (self.text.lines, self.text.cost) = (VecDeque::new(), 0);
        self.text.open.clear();
        self.text.column = 0;
    }

    /// The number of the first line that is kept. Lines are numbered from the first that was ever written.
    pub(super) const fn start(&self) -> usize {
        self.text.gone
    }

    /// The number after that of the last line.
    pub(super) fn end(&self) -> usize {
        self.text.gone + self.text.lines.len() + usize::from(!self.text.open.is_empty())
    }

    /// A line by its number.
    pub(super) fn line(&self, number: usize) -> Option<std::borrow::Cow<'_, Line>> {
        let at = number.checked_sub(self.text.gone)?;
        match self.text.lines.get(at) {
            Some(line) => Some(std::borrow::Cow::Borrowed(line)),
            None if at == self.text.lines.len() && !self.text.open.is_empty() => {
                Some(std::borrow::Cow::Owned(self.text.opened()))
            }
            None => None,
        }
    }
}

impl Text {
    /// The open line, as it would be if it ended here.
    fn opened(&self) -> Line {
        let (mut text, mut styles, mut before) = (String::new(), Vec::new(), Style::new());
        for &(c, style) in &self.open {
            if style != before {
                styles.push((text.len(), style));
                before = style;
            }
            text.push(c);
        }
        Line { text: text.into(), styles: styles.into() }
    }

    fn end_line(&mut self) {
        let line = self.opened();
        self.open.clear();
        self.column = 0;
        self.cost += line.cost();
        self.lines.push_back(line);
        while self.cost > MOST {
            let Some(first) = self.lines.pop_front() else { break };
            self.cost -= first.cost();
            self.gone += 1;
        }
    }

    /// "Erase in line".
    fn erase(&mut self, which: u16) {
        match which {
            0 => self.open.truncate(self.column),
            1 => self.open.iter_mut().take(self.column + 1).for_each(|cell| *cell = (' ', Style::new())),
            2 => self.open.clear(),
            _ => {}
        }
    }
}

impl Perform for Text {
    fn print(&mut self, c: char) {
        if c.is_control() {
            return;
        }
        if self.column >= LONGEST {
            self.end_line();
        }
        if self.column > self.open.len() {
            self.open.resize(self.column, (' ', Style::new()));
        }
        match self.open.get_mut(self.column) {
            Some(cell) => *cell = (c, self.style),
            None => self.open.push((c, self.style)),
        }
        self.column += 1;
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' => self.end_line(),
            b'\r' => self.column = 0,
            b'\t' => self.column = (self.column / TAB + 1) * TAB,
            b'\x08' => self.column = self.column.saturating_sub(1),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if ignore || !intermediates.is_empty() {
            return;
        }
        let first = params.iter().flatten().next().copied();
        let count = usize::from(first.unwrap_or(1).max(1));
        match action {
            'm' => self.style = sgr::select(self.style, params),
            'K' => self.erase(first.unwrap_or(0)),
            'G' => self.column = (count - 1).min(LONGEST),
            'C' => self.column = (self.column + count).min(LONGEST),
            'D' => self.column = self.column.saturating_sub(count),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::style::{Color, Modifier};

    use super::*;

    fn pane(pieces: &[&[u8]]) -> Pane {
        let mut pane = Pane::default();
        pieces.iter().for_each(|piece| pane.write(piece));
        pane
    }

    fn lines(pane: &Pane) -> Vec<String> {
        (pane.start()..pane.end()).map(|number| pane.line(number).unwrap().text.to_string()).collect()
    }

    #[test]
    fn lines_are_put_together_and_written_over_as_on_a_terminal() {
        for (written, shown) in [
            (&[&b"on"[..], b"e\ntw", b"o"][..], &["one", "two"][..]),
            (&[b"10%\r50%\r100%\r\ndone\r\n"], &["100%", "done"]),
            (&[b"a long line\rshort\x1b[K\n"], &["short"]),
            (&[b"a\tb\n", b"12345678\tc\n"], &["a       b", "12345678        c"]),
            (&[b"abc\x08\x08X\n"], &["aXc"]),
            (&[b"ab\x1b[5Gx\x1b[2Dy\n"], &["ab yx"]),
            (&[b"\xff\xfe caf\xc3", b"\xa9\n"], &["\u{fffd}\u{fffd} café"]),
            // What moves elsewhere, clears, or asks the terminal something.
            (&[b"a\x1b[2J\x1b[H\x1b[10Ab\x1b]0;title\x07c\x1b[6n\x1bPx\x1b\\d\n"], &["abcd"]),
            (&[b"\n\n"], &["", ""]),
        ] {
            assert_eq!(lines(&pane(written)), shown, "{written:?}");
        }
    }

    #[test]
    fn colours_stay_and_go_on_in_the_next_line() {
        let pane =
            pane(&[b"plain \x1b[1;31mred\n", b"still\x1b[m not \x1b[38;5;200mx\x1b[38:2:1:2:3my\x1b[0m"]);
        let [first, second] = [0, 1].map(|number| pane.line(number).unwrap());
        let red = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        assert_eq!((first.style_at(0), first.style_at(6), second.style_at(0)), (Style::new(), red, red));
        assert_eq!(second.style_at(5), Style::new());
        let at = second.text.find('x').unwrap();
        assert_eq!(second.style_at(at).fg, Some(Color::Indexed(200)));
        assert_eq!(second.style_at(at + 1).fg, Some(Color::Rgb(1, 2, 3)));
    }

    #[test]
    fn what_is_kept_is_bounded_and_keeps_its_numbers() {
        let mut pane = Pane::default();
        let line = "x".repeat(1000);
        for number in 0..20_000 {
            pane.write(format!("{number} {line}\n").as_bytes());
        }
        assert!(pane.text.cost <= MOST);
        assert!(pane.start() > 10_000 && pane.line(pane.start() - 1).is_none());
        for number in [pane.start(), pane.end() - 1] {
            assert!(pane.line(number).unwrap().text.starts_with(&format!("{number} ")));
        }
        pane.clear();
        assert_eq!((pane.start(), pane.end()), (20_000, 20_000));
        pane.write(&vec![b'y'; 3 * LONGEST]);
        assert_eq!(pane.end() - pane.start(), 3);
    }

    #[test]
    fn a_line_that_is_broken_off_begins_anew() {
        let mut pane = pane(&[b"half \x1b[31"]);
        pane.break_line();
        pane.write(b"next\n");
        pane.break_line();
        assert_eq!(lines(&pane), ["half ", "next"]);
        assert_eq!(pane.line(1).unwrap().style_at(0), Style::new());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_lose_count(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut pane = Pane::default();
            for piece in pieces {
                pane.write(&piece);
                prop_assert!(pane.text.open.len() <= LONGEST + TAB);
                prop_assert!(lines(&pane).iter().all(|line| !line.contains(char::is_control)));
            }
        }
    }
}
