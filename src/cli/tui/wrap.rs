//! Lines that are wider than the screen take several rows of it; scrolling is by rows. Pure.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::scrollback::Pane;

/// A row of a pane: of which line, and which of its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) line: usize,
    pub(super) row: usize,
}

/// What of a pane is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scroll {
    /// Its end, whatever is written.
    #[default]
    End,
    /// What begins there.
    At(At),
}

/// The rows of a line in so many columns, as bytes of its text; at least one.
pub(super) fn rows(text: &str, columns: usize) -> Vec<Range<usize>> {
    let (mut rows, mut start, mut width) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        let more = c.width().unwrap_or(0);
        if width + more > columns && at > start {
            rows.push(start..at);
            (start, width) = (at, 0);
        }
        width += more;
    }
    rows.push(start..text.len());
    rows
}

/// A pane in a window of so many columns and rows.
#[derive(Clone, Copy)]
pub(super) struct Window<'p> {
    pub(super) pane: &'p Pane,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Window<'_> {
    fn rows_of(self, line: usize) -> usize {
        self.pane.line(line).map_or(0, |line| rows(&line.text, self.columns).len())
    }

    /// The first row that is seen.
    pub(super) fn top(self, scroll: Scroll) -> At {
        match scroll {
            Scroll::End => self.back(At { line: self.pane.end(), row: 0 }, self.rows),
            Scroll::At(at) => at.max(At { line: self.pane.start(), row: 0 }),
        }
    }

    /// What is so many rows before.
    fn back(self, from: At, mut count: usize) -> At {
        let mut at = from;
        while count > at.row && at.line > self.pane.start() {
            count -= at.row + 1;
            at.line -= 1;
            at.row = self.rows_of(at.line).saturating_sub(1);
        }
        At { row: at.row.saturating_sub(count), ..at }
    }

    /// What is so many rows after.
    fn forth(self, from: At, mut count: usize) -> At {
        let mut at = from;
        while at.line < self.pane.end() {
            let left = self.rows_of(at.line).saturating_sub(at.row + 1);
            if count <= left {
                return At { row: at.row + count, ..at };
            }
            count -= left + 1;
            at = At { line: at.line + 1, row: 0 };
        }
        at
    }

    pub(super) fn up(self, scroll: Scroll, count: usize) -> Scroll {
        self.settle(self.back(self.top(scroll), count))
    }

    pub(super) fn down(self, scroll: Scroll, count: usize) -> Scroll {
        match scroll {
            Scroll::End => Scroll::End,
            Scroll::At(_) => self.settle(self.forth(self.top(scroll), count)),
        }
    }

    /// With this row on top; the end, where that would leave room below it.
    fn settle(self, at: At) -> Scroll {
        if at >= self.top(Scroll::End) { Scroll::End } else { Scroll::At(at) }
    }

    pub(super) fn home(self) -> Scroll {
        self.settle(At { line: self.pane.start(), row: 0 })
    }

    /// With this line in sight, below those before it.
    pub(super) fn show(self, line: usize) -> Scroll {
        self.settle(self.back(At { line, row: 0 }, self.rows / 3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pane(lines: &[&str]) -> Pane {
        let mut pane = Pane::default();
        lines.iter().for_each(|line| pane.write(format!("{line}\n").as_bytes()));
        pane
    }

    #[test]
    fn a_line_takes_as_many_rows_as_it_needs() {
        let shown = |text: &str, columns| -> Vec<String> {
            rows(text, columns).into_iter().map(|row| text[row].to_owned()).collect()
        };
        assert_eq!(shown("", 4), [""]);
        assert_eq!(shown("abcd", 4), ["abcd"]);
        assert_eq!(shown("abcde", 4), ["abcd", "e"]);
        assert_eq!(shown("a漢字b", 4), ["a漢", "字b"]);
        // One that fits nowhere stands alone.
        assert_eq!(shown("漢字", 1), ["漢", "字"]);
    }

    #[test]
    fn scrolling_goes_by_rows_and_stops_at_both_ends() {
        let pane = pane(&["one", "two is long", "three", "four", "five"]);
        let window = Window { pane: &pane, columns: 6, rows: 3 };
        let at = |line, row| Scroll::At(At { line, row });
        assert_eq!(window.top(Scroll::End), At { line: 2, row: 0 });
        let up = window.up(Scroll::End, 1);
        assert_eq!(up, at(1, 1));
        assert_eq!(window.up(up, 1), at(1, 0));
        assert_eq!(window.up(up, 100), at(0, 0));
        assert_eq!(window.down(at(0, 0), 2), at(1, 1));
        assert_eq!(window.down(at(0, 0), 3), Scroll::End);
        assert_eq!(window.down(Scroll::End, 1), Scroll::End);
        assert_eq!(window.home(), at(0, 0));
        assert_eq!((window.show(1), window.show(4)), (at(0, 0), Scroll::End));
    }

    #[test]
    fn what_is_gone_is_not_shown_and_what_fits_does_not_scroll() {
        let mut pane = pane(&["one", "two"]);
        let window = Window { pane: &pane, columns: 10, rows: 3 };
        assert_eq!(window.home(), Scroll::End);
        assert_eq!(window.up(Scroll::End, 5), Scroll::End);
        pane.clear();
        pane.write(b"three\n");
        let window = Window { pane: &pane, columns: 10, rows: 3 };
        assert_eq!(window.top(Scroll::At(At { line: 0, row: 0 })), At { line: 2, row: 0 });
    }
}
