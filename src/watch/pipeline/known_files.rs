//! Names of files whose end must be reported even if the kernel drops the event. Pure.
//!
//! A name takes its own length and some 50 bytes, which is its place in a table and what the allocator adds: 67
//! bytes for one of 16, 147 for one of 100. Only names whose end a rule asks for are here.

use std::collections::HashSet as Names;

use hashbrown::{HashMap, HashSet};

use crate::sys::Wd;
use crate::watch::tree::Name;

/// The names, by directory.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    names: HashMap<Wd, HashSet<Box<[u8]>>>,
}

impl Kept {
    /// Remembers a name.
    pub(crate) fn keep(&mut self, wd: Wd, name: &[u8]) {
        let names = self.names.entry(wd).or_default();
        if !names.contains(name) {
            names.insert(name.into());
        }
    }

    /// Whether it remembers a name.
    pub(crate) fn has(&self, wd: Wd, name: &[u8]) -> bool {
        self.names.get(&wd).is_some_and(|names| names.contains(name))
    }

    /// Forgets a name.
    pub(crate) fn release(&mut self, wd: Wd, name: &[u8]) {
        if let Some(names) = self.names.get_mut(&wd) {
            names.remove(name);
        }
    }

    /// Forgets the names that are not among those `there`, and answers them.
    pub(crate) fn release_missing(&mut self, wd: Wd, there: &Names<&[u8]>) -> Vec<Name> {
        let Some(names) = self.names.get_mut(&wd) else { return Vec::new() };
        names.extract_if(|name| !there.contains(&**name)).map(Name::from).collect()
    }

    /// The directory goes by another watch now.
    pub(crate) fn replace(&mut self, old: Wd, new: Wd) {
        if let Some(names) = self.names.remove(&old) {
            self.names.insert(new, names);
        }
    }

    /// Forgets a directory.
    pub(crate) fn release_all(&mut self, wd: Wd) {
        self.names.remove(&wd);
    }

    /// The directories with names, unless they are more than `most`.
    pub(crate) fn directories(&self, most: usize) -> Option<impl Iterator<Item = Wd>> {
        let few = self.names.len() <= most;
        few.then(|| self.names.iter().filter(|(_, names)| !names.is_empty()).map(|(&wd, _)| wd))
    }

    /// The names in a directory.
    pub(crate) fn of(&self, wd: Wd) -> impl Iterator<Item = &[u8]> {
        self.names.get(&wd).into_iter().flatten().map(|name| &**name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_answered_once() {
        let mut kept = Kept::default();
        for name in [b"a", b"b", b"c"] {
            kept.keep(Wd(1), name);
        }
        kept.release(Wd(1), b"c");
        let there = Names::from([&b"a"[..]]);
        assert_eq!(kept.release_missing(Wd(1), &there), [Name::from(&b"b"[..])]);
        assert!(kept.release_missing(Wd(1), &there).is_empty());
        assert_eq!(kept.of(Wd(1)).collect::<Vec<_>>(), [b"a"]);
        kept.keep(Wd(2), b"d");
        kept.release(Wd(2), b"d");
        assert_eq!(kept.directories(2).unwrap().collect::<Vec<_>>(), [Wd(1)]);
        assert!(kept.directories(1).is_none());
        kept.release_all(Wd(1));
        assert_eq!(kept.of(Wd(1)).count(), 0);
    }
}
