//! What files held when a rule last ran for them with success.

use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;

use super::Batch;
use crate::event::as_path;
use crate::rules::{FileSource, RuleId, Stamp};

/// Files whose content is known for one rule: at some 150 bytes each, 15 MB. Beyond it the oldest are forgotten,
/// and count as changed.
const MOST: usize = 100_000;
/// Larger files are not read: reading this much takes a few milliseconds, in which nothing else starts.
const LARGEST: u64 = 16 << 20;
/// No more is read for one batch.
const BUDGET: u64 = 64 << 20;

/// What a file holds, as far as is known without keeping it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// This is its hash.
    Hash(u128),
    /// It is too large to be read.
    Stamp(Stamp),
}

/// How much may still be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget(u64);

impl Budget {
    /// For one batch.
    pub(crate) const fn new() -> Self {
        Self(BUDGET)
    }

    /// What a file holds; none if it is no file.
    pub(crate) fn read(&mut self, files: &dyn FileSource, path: &[u8]) -> Option<Content> {
        let stamp = files.stamp(as_path(path))?;
        let most = LARGEST.min(self.0);
        match files.hash(as_path(path), most).filter(|_| stamp.size <= most) {
            Some(hash) => {
                self.0 -= stamp.size;
                Some(Content::Hash(hash))
            }
            None => Some(Content::Stamp(stamp)),
        }
    }
}

/// The contents by rule and path.
#[derive(Debug, Default)]
pub(crate) struct Contents(HashMap<RuleId, IndexMap<Vec<u8>, Content>>);

impl Contents {
    /// Whether the rule has run for this.
    pub(crate) fn knows(&self, rule: RuleId, path: &[u8], content: Content) -> bool {
        self.0.get(&rule).and_then(|known| known.get(path)) == Some(&content)
    }

    /// Notes what a run has succeeded with.
    pub(crate) fn keep(&mut self, rule: RuleId, batch: &Batch) {
        let known = self.0.entry(rule).or_default();
        for (path, change) in batch.iter() {
            match change.content() {
                Some(content) => drop(known.insert(path.to_vec(), content)),
                None => drop(known.swap_remove(path)),
            }
        }
        if let Some(more) = known.len().checked_sub(MOST) {
            known.drain(..more);
        }
    }

    /// Rules have other numbers now; those that have none are forgotten.
    pub(crate) fn renumber(&mut self, ids: &BTreeMap<RuleId, RuleId>) {
        let old = std::mem::take(&mut self.0).into_iter();
        self.0 = old.filter_map(|(rule, known)| Some((*ids.get(&rule)?, known))).collect();
    }
}
