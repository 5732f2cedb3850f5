//! Whether a screen flickers, from the bytes that came to it. Pure.
//!
//! A frame is what stands between the marks of a synchronized update, which a terminal shows at once. It flickers where
//! it is not: where something is drawn outside of a frame, where a frame clears a part of the screen or draws a cell
//! twice, and where a frame leaves much of what was there blank and the next one brings it back.

use std::collections::HashSet;
use std::fmt;

use unicode_width::UnicodeWidthChar;
use vt100::Screen;
use vte::{Params, Parser, Perform};

use super::terminal::{COLUMNS, ROWS, blank};

const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";
/// That much of what was shown goes and comes: more than an empty line among others that scroll.
const MUCH: usize = 4;

#[derive(Default)]
pub(crate) struct Frames {
    frames: usize,
    bytes: usize,
    /// Cells drawn, in all frames but the first, which draws everything.
    cells: usize,
    largest: usize,
    outside: usize,
    cleared: usize,
    twice: usize,
    blinked: usize,
}

impl Frames {
    pub(crate) const fn flicker(&self) -> usize {
        self.outside + self.cleared + self.twice + self.blinked
    }
}

impl fmt::Display for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frames, bytes, cells, largest, outside, cleared, twice, blinked } = self;
        write!(
            f,
            "{frames} frames of {bytes} bytes in all, {} cells on average and {largest} at most; \
             flicker: {outside} cells outside of a frame, {cleared} clears, {twice} cells drawn twice, {blinked} blinks",
            cells / frames.saturating_sub(1).max(1)
        )
    }
}

pub(crate) fn frames(bytes: &[u8]) -> Frames {
    let (mut all, mut parser, mut screen) = (Frames::default(), Parser::new(), blank());
    let mut shown: [Vec<Option<char>>; 2] = Default::default();
    all.bytes = bytes.len();
    for part in split_after(bytes, END) {
        let Some(begin) = part.windows(BEGIN.len()).position(|part| part == BEGIN) else { continue };
        let (mut outside, mut frame) = (Drawn::default(), Drawn::default());
        parser.advance(&mut outside, &part[..begin]);
        parser.advance(&mut frame, &part[begin..]);
        screen.process(part);
        let now = cells(screen.screen());
        // Before the first frame the terminal is taken, and after it each has one to compare with.
        if all.frames > 0 {
            all.outside += outside.count;
            all.cleared += outside.clears + frame.clears;
            all.cells += frame.count;
            all.largest = all.largest.max(frame.count);
        }
        all.twice += frame.twice;
        all.blinked += usize::from(blinks(&shown[0], &shown[1], &now));
        all.frames += 1;
        let [_, last] = shown;
        shown = [last, now];
    }
    all
}

/// Whether much of what was shown was blank in between.
fn blinks(before: &[Option<char>], between: &[Option<char>], now: &[Option<char>]) -> bool {
    let full = before.iter().flatten().count();
    let gone = before.iter().zip(between).zip(now);
    gone.filter(|((before, between), now)| before.is_some() && between.is_none() && before == now).count()
        * MUCH
        > full.max(1)
}

/// The characters on a screen; a space is none.
fn cells(screen: &Screen) -> Vec<Option<char>> {
    let places = (0..ROWS).flat_map(|row| (0..COLUMNS).map(move |column| (row, column)));
    let content = |(row, column)| screen.cell(row, column)?.contents().chars().next();
    places.map(|place| content(place).filter(|c| *c != ' ')).collect()
}

fn split_after<'a>(mut bytes: &'a [u8], end: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = bytes.windows(end.len()).position(|part| part == end) {
        let (part, rest) = bytes.split_at(at + end.len());
        parts.push(part);
        bytes = rest;
    }
    parts
}

/// What a piece draws, cell by cell.
#[derive(Default)]
struct Drawn {
    row: usize,
    column: usize,
    cells: HashSet<(usize, usize)>,
    count: usize,
    twice: usize,
    clears: usize,
}

impl Perform for Drawn {
    fn print(&mut self, c: char) {
        self.count += 1;
        self.twice += usize::from(!self.cells.insert((self.row, self.column)));
        self.column += c.width().unwrap_or(0);
    }

    fn csi_dispatch(&mut self, params: &Params, _: &[u8], _: bool, action: char) {
        let mut numbers = params.iter().map(|param| usize::from(param[0]).max(1));
        match action {
            'H' => (self.row, self.column) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1)),
            'J' | 'K' | 'X' | 'L' | 'M' | 'S' | 'T' => self.clears += 1,
            _ => {}
        }
    }
}
