//! Which rename a `MOVED_TO` completes. Pure.
//!
//! The halves are not adjacent in one pair of six under concurrent writes, and reads split them. The
//! cookie only names the old path: the tree never rests on it.

use std::collections::VecDeque;

use crate::sys::Wd;
use crate::watch::tree::Name;

/// First halves remembered. Between the halves of one rename the kernel queues what other processors
/// report in that instant; far fewer than this.
const CAPACITY: usize = 256;

/// First halves whose second has not come yet, and the latest second halves.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    halves: VecDeque<(u32, Wd, Name)>,
    arrived: VecDeque<(Wd, Name)>,
}

impl Pairs {
    /// A name left its directory.
    pub(crate) fn moved_from(&mut self, cookie: u32, wd: Wd, name: Name) {
        if self.halves.len() == CAPACITY {
            self.halves.pop_front();
        }
        self.halves.push_back((cookie, wd, name));
    }

    /// Whether something was renamed to this name lately. If the name is left after that, it may still be there:
    /// an exchange (`RENAME_EXCHANGE`) reports of each name that it was entered, and then that it was left.
    pub(crate) fn has_arrived(&self, wd: Wd, name: &Name) -> bool {
        self.arrived.iter().any(|(at, arrived)| *at == wd && arrived == name)
    }

    /// A name entered its directory: where it came from, if from a watched one.
    pub(crate) fn moved_to(&mut self, cookie: u32, wd: Wd, name: Name) -> Option<(Wd, Name)> {
        if self.arrived.len() == CAPACITY {
            self.arrived.pop_front();
        }
        self.arrived.push_back((wd, name));
        let at = self.halves.iter().rposition(|half| half.0 == cookie)?;
        self.halves.remove(at).map(|(_, wd, name)| (wd, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.as_bytes().into()
    }

    #[test]
    fn halves_pair_across_others_and_only_once() {
        let mut pairs = Pairs::default();
        pairs.moved_from(1, Wd(1), name("a"));
        pairs.moved_from(2, Wd(1), name("b"));
        assert_eq!(pairs.moved_to(1, Wd(1), name("z")), Some((Wd(1), name("a"))));
        assert_eq!(pairs.moved_to(1, Wd(1), name("z")), None);
        assert_eq!(pairs.moved_to(2, Wd(1), name("z")), Some((Wd(1), name("b"))));
    }

    #[test]
    fn what_leaves_the_tree_for_good_is_forgotten_in_time() {
        let mut pairs = Pairs::default();
        for cookie in 0..=CAPACITY as u32 {
            pairs.moved_from(cookie, Wd(1), name("a"));
        }
        assert_eq!(pairs.moved_to(0, Wd(1), name("z")), None);
        assert!(pairs.moved_to(1, Wd(1), name("z")).is_some());
    }
}
