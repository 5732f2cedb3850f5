//! Where the patterns stand in the directories that events come from, each worked out once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::rules::glob::GlobTrie;
use crate::rules::ignore::{Around, Ignores};
use crate::rules::trie::States;

/// Directories that are remembered, at some 400 bytes each. Beyond so many, those that matter are worked out anew.
const MOST: usize = 8192;

/// What is known of one directory.
pub(crate) struct Place {
    /// Where its path leads in the tree of patterns.
    pub(crate) states: States,
    /// What is ignored in it.
    pub(crate) around: Around,
}

#[derive(Default)]
pub(crate) struct Places(Mutex<HashMap<Box<[u8]>, Arc<Place>>>);

impl Places {
    /// What is known of an absolute directory.
    pub(crate) fn of<T>(&self, dir: &[u8], tree: &GlobTrie<T>, ignores: &Ignores) -> Arc<Place> {
        if let Some(place) = self.lock().get(dir) {
            return Arc::clone(place);
        }
        let begun = ignores.refreshed();
        let place = Arc::new(Place { states: tree.walk(dir), around: ignores.around(dir) });
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        // An ignore file that has changed meanwhile was perhaps read before.
        if begun == ignores.refreshed() {
            known.insert(dir.into(), Arc::clone(&place));
        }
        place
    }

    /// Forgets all: an ignore file has changed.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, Arc<Place>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
