//! The verdict of the ignore layers on one path.

use std::sync::Arc;

use super::gitignore::Line;
use super::{Around, Ignores};
use crate::event::path;

/// The verdict on one path, found out once for all globs that match it.
pub(crate) struct Judge<'a> {
    ignores: &'a Ignores,
    path: &'a [u8],
    is_dir: bool,
    /// The deepest ignored prefix for rules without a list of their own, and for the last other list.
    known: [Option<(usize, usize)>; 2],
    around: Option<&'a Around>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(ignores: &'a Ignores, path: &'a [u8], is_dir: bool) -> Self {
        Self { ignores, path, is_dir, known: [None; 2], around: None }
    }

    /// The same, where that is known of the directory that holds the path.
    pub(crate) fn within(self, around: &'a Around) -> Self {
        Self { around: Some(around), ..self }
    }

    /// Whether the path is hidden from a glob that spells out its first `base` bytes, of a rule with that
    /// list.
    pub(crate) fn hides(&mut self, list: usize, base: usize) -> bool {
        if base >= self.path.len() {
            return false;
        }
        let slot = usize::from(list != 0);
        let deepest = match self.known[slot] {
            Some((known, deepest)) if known == list => deepest,
            _ => match self.around {
                Some(around) => self.ignores.deepest_in(around, list, self.path, self.is_dir),
                None => self.ignores.deepest(list, self.path, self.is_dir),
            },
        };
        self.known[slot] = Some((list, deepest));
        deepest > base
    }

    /// The outermost ignored name beyond `base`: how many bytes of the path it ends at, and the pattern
    /// that says so.
    pub(crate) fn reason(&self, list: usize, base: usize) -> Option<(usize, Arc<Line>)> {
        let ends: Vec<_> = path::prefixes_above(self.path, base).collect();
        ends.into_iter().rev().find_map(|end| Some((end, self.ignored(list, end)?)))
    }

    /// The pattern that ignores the prefix of the path that ends there.
    fn ignored(&self, list: usize, end: usize) -> Option<Arc<Line>> {
        let is_dir = self.is_dir || end < self.path.len();
        self.ignores.verdict(list, &self.path[..end], is_dir).filter(|line| !line.keeps)
    }
}
