//! What was found out about directories in which something was judged, until it is forgotten. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use super::dir::Level;
use crate::event::path;

/// So many directories, at most 255, are forgotten before what lies below them is taken out: that takes a
/// look at everything, and a rename is to take no longer in a large tree.
const FORGOTTEN: usize = 32;

/// At most as many directories as there are watches.
#[derive(Default)]
pub(crate) struct Memory {
    dirs: HashMap<Vec<u8>, Known>,
    /// How often something was forgotten.
    forgettings: u64,
    /// Directories below which nothing counts that was found out before they were forgotten.
    forgotten: Vec<Vec<u8>>,
}

/// As small as can be: there may be one for each directory.
#[derive(Default)]
struct Known {
    /// How many directories were in `forgotten` when it was found out.
    since: u8,
    /// Whether it was looked for what governs the names in the directory.
    looked: bool,
    /// What does.
    level: Option<Arc<Level>>,
    /// By list, how many bytes of the directory's path the deepest ignored name ends at.
    ignored: BTreeMap<usize, usize>,
}

impl Memory {
    /// How often something was forgotten. What was begun to be found out before the last time may be wrong by now, and
    /// is not learnt.
    pub(crate) fn forgettings(&self) -> u64 {
        self.forgettings
    }

    /// What governs the names in a directory, if that is known.
    pub(crate) fn level(&self, dir: &[u8]) -> Option<Option<Arc<Level>>> {
        self.known(dir).filter(|known| known.looked).map(|known| known.level.clone())
    }

    /// How many bytes of the directory's path the deepest name ends at that is ignored for a list, if that is known.
    pub(crate) fn ignored(&self, dir: &[u8], list: usize) -> Option<usize> {
        self.known(dir)?.ignored.get(&list).copied()
    }

    /// Remembers what governs the names in a directory.
    pub(crate) fn learn_level(&mut self, begun: u64, dir: &[u8], level: Option<Arc<Level>>) {
        self.learn(begun, dir, |known| (known.looked, known.level) = (true, level));
    }

    /// Remembers how many bytes of the directory's path the deepest name ends at that is ignored for a list.
    pub(crate) fn learn_ignored(&mut self, begun: u64, dir: &[u8], list: usize, deepest: usize) {
        self.learn(begun, dir, |known| _ = known.ignored.insert(list, deepest));
    }

    /// Has nothing count any more that is known of a directory and of what lies below it.
    pub(crate) fn forget(&mut self, dir: &[u8]) {
        self.forgettings += 1;
        self.forgotten.push(dir.to_vec());
        if self.forgotten.len() >= FORGOTTEN {
            let forgotten = std::mem::take(&mut self.forgotten);
            self.dirs.retain(|dir, known| {
                let since = std::mem::take(&mut known.since);
                !is_forgotten(&forgotten, dir, since)
            });
        }
    }

    fn known(&self, dir: &[u8]) -> Option<&Known> {
        self.dirs.get(dir).filter(|known| !is_forgotten(&self.forgotten, dir, known.since))
    }

    fn learn(&mut self, begun: u64, dir: &[u8], learn: impl FnOnce(&mut Known)) {
        if begun != self.forgettings {
            return;
        }
        let known = self.dirs.entry(dir.to_vec()).or_default();
        if is_forgotten(&self.forgotten, dir, known.since) {
            *known = Known::default();
        }
        known.since = u8::try_from(self.forgotten.len()).unwrap_or_default();
        learn(known);
    }
}

/// Whether a directory lies in one that was forgotten after those first ones.
fn is_forgotten(forgotten: &[Vec<u8>], dir: &[u8], since: u8) -> bool {
    forgotten.iter().skip(usize::from(since)).any(|above| path::below(above, dir).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(memory: &mut Memory, dir: &str, deepest: usize) {
        memory.learn_ignored(memory.forgettings(), dir.as_bytes(), 0, deepest);
    }

    #[test]
    fn what_is_forgotten_stays_so_until_it_is_learnt_anew() {
        for more in [0, 1, FORGOTTEN, 3 * FORGOTTEN] {
            let mut memory = Memory::default();
            ["/a", "/a/b", "/ab"].iter().for_each(|dir| learn(&mut memory, dir, 1));
            memory.forget(b"/a");
            learn(&mut memory, "/a/b", 2);
            (0..more).for_each(|n| memory.forget(format!("/other{n}").as_bytes()));
            let ignored = |dir: &str| memory.ignored(dir.as_bytes(), 0);
            assert_eq!([ignored("/a"), ignored("/a/b"), ignored("/ab")], [None, Some(2), Some(1)], "{more}");
        }
    }

    #[test]
    fn what_is_learnt_anew_brings_nothing_back_that_was_forgotten() {
        let mut memory = Memory::default();
        learn(&mut memory, "/a", 1);
        memory.forget(b"/a");
        memory.learn_level(memory.forgettings(), b"/a", None);
        assert!(memory.ignored(b"/a", 0).is_none() && memory.level(b"/a").is_some());
    }

    #[test]
    fn what_was_found_out_before_something_was_forgotten_is_not_learnt() {
        let mut memory = Memory::default();
        let begun = memory.forgettings();
        memory.forget(b"/x");
        memory.learn_ignored(begun, b"/a", 0, 1);
        assert_eq!(memory.ignored(b"/a", 0), None);
    }

    #[test]
    fn what_is_known_takes_little_room() {
        assert!(size_of::<Known>() <= 40);
    }

    #[test]
    fn what_is_forgotten_is_taken_out_in_the_end() {
        let mut memory = Memory::default();
        for n in 0..10 * FORGOTTEN {
            let dir = format!("/{n}");
            learn(&mut memory, &dir, 1);
            memory.forget(dir.as_bytes());
        }
        assert!(memory.dirs.len() <= FORGOTTEN && memory.forgotten.len() <= FORGOTTEN);
    }
}
