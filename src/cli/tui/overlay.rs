//! The box in front of the rest: its lines, its place, and how far it is scrolled where it is higher than the screen.
//! Pure.

use ratatui::crossterm::event::KeyCode;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::help::KEYS;
use super::model::Front;
use super::wrap::rows;

/// What its frame takes of the screen, at both sides together.
const FRAME: (u16, u16) = (4, 2);

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) lines: Vec<String>,
    pub(super) place: Rect,
}

impl Leaf {
    /// What is in front, on a screen of that size; none if nothing is.
    pub(super) fn of(front: &Front, area: Rect) -> Option<Self> {
        let room = usize::from(area.width.saturating_sub(FRAME.0)).max(1);
        let wrap = |line: &str| {
            rows(line, room).into_iter().map(|row| line[row].trim_start().to_owned()).collect::<Vec<_>>()
        };
        let lines: Vec<String> = match front {
            Front::Nothing | Front::Prompt(_) => return None,
            Front::Help => {
                let table: Vec<_> = KEYS.iter().map(|(keys, what)| format!("{keys:<16}{what}")).collect();
                if table.iter().all(|line| line.len() <= room) {
                    table
                } else {
                    KEYS.iter().flat_map(|(keys, what)| wrap(&format!("{keys}: {what}"))).collect()
                }
            }
            Front::Explanation(text) => text.lines().flat_map(wrap).collect(),
        };
        let widest = lines.iter().map(|line| Span::raw(line).width()).max().unwrap_or(0);
        let cells = |count: usize, frame: u16| u16::try_from(count).unwrap_or(u16::MAX).saturating_add(frame);
        let (width, height) =
            (cells(widest, FRAME.0).min(area.width), cells(lines.len(), FRAME.1).min(area.height));
        let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
        Some(Self { lines, place })
    }

    /// Where its lines are.
    pub(super) fn inner(&self) -> Rect {
        let Rect { x, y, width, height } = self.place;
        let (width, height) = (width.saturating_sub(FRAME.0), height.saturating_sub(FRAME.1));
        Rect { x: x + FRAME.0 / 2, y: y + FRAME.1 / 2, width, height }
    }

    /// The last line that may be the first to be seen.
    pub(super) fn most(&self) -> usize {
        self.lines.len() - usize::from(self.inner().height).min(self.lines.len())
    }

    /// The first line to be seen after a key, from the one before; none if the key does not scroll, or nothing can be.
    pub(super) fn scrolled(&self, top: usize, key: KeyCode) -> Option<usize> {
        let (top, most) = (top.min(self.most()), self.most());
        let page = usize::from(self.inner().height).max(1);
        let to = match key {
            _ if most == 0 => return None,
            KeyCode::Up | KeyCode::Char('k') => top.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => top + 1,
            KeyCode::PageUp => top.saturating_sub(page),
            KeyCode::PageDown | KeyCode::Char(' ') => top + page,
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => most,
            _ => return None,
        };
        Some(to.min(most))
    }
}
