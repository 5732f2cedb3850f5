//! Where on the screen everything goes, however small it is. Pure.

use ratatui::layout::Rect;

/// Below this, the rules stand above the output and not beside it.
const WIDE: u16 = 60;
/// Below this there is no room for more than one rule.
const TALL: u16 = 8;
const LIST: std::ops::RangeInclusive<u16> = 26..=44;

/// The parts of the screen. What has no room is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Areas {
    /// The line at the top.
    pub(super) head: Rect,
    /// The rules.
    pub(super) list: Rect,
    /// Between the rules and the output, where they stand side by side.
    pub(super) line: Rect,
    pub(super) output: Rect,
    /// The line at the bottom.
    pub(super) status: Rect,
}

/// Divides the screen, for so many rules. With `full`, the output has it.
pub(super) fn areas(area: Rect, rows: usize, full: bool) -> Areas {
    let (nothing, height) = (Rect::default(), area.height);
    let head = Rect { height: height.min(1), ..area };
    let status = Rect { y: area.bottom().saturating_sub(1), height: u16::from(height > 2), ..area };
    let body = Rect { y: head.bottom(), height: height.saturating_sub(head.height + status.height), ..area };
    if full || height < TALL {
        return Areas { head, list: nothing, line: nothing, output: body, status };
    }
    if area.width < WIDE {
        let rows = u16::try_from(rows).unwrap_or(u16::MAX).min(body.height / 3);
        let list = Rect { height: rows, ..body };
        let output = Rect { y: list.bottom(), height: body.height - rows, ..body };
        return Areas { head, list, line: nothing, output, status };
    }
    let width = (area.width / 3).clamp(*LIST.start(), *LIST.end());
    let list = Rect { width, ..body };
    let line = Rect { x: list.right(), width: 1, ..body };
    let output = Rect { x: line.right(), width: area.width - width - 1, ..body };
    Areas { head, list, line, output, status }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_divided_without_a_gap_and_nothing_is_outside() {
        for (width, height) in (0..130).flat_map(|width| (0..50).map(move |height| (width, height))) {
            let area = Rect { x: 0, y: 0, width, height };
            for full in [false, true] {
                let Areas { head, list, line, output, status } = areas(area, 5, full);
                let parts = [head, list, line, output, status];
                let covered: u32 = parts.iter().map(|part| part.area()).sum();
                assert_eq!(covered, area.area(), "{width}x{height}");
                assert!(
                    parts.iter().all(|part| area.union(*part) == area || part.is_empty()),
                    "{width}x{height}"
                );
            }
        }
        let small = areas(Rect { x: 0, y: 0, width: 20, height: 5 }, 5, false);
        assert_eq!((small.output.height, small.list.height), (3, 0));
    }
}
