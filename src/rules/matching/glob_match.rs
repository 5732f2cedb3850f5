//! The globs that match a path.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::rules::glob::GlobTrie;
use crate::rules::rule::RuleId;
use crate::rules::trie::{State, States};

/// One glob of a rule, as the tree holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// The rule.
    pub(crate) rule: RuleId,
    /// Its place in the rule's `paths`: later ones overrule earlier ones.
    pub(crate) place: usize,
    /// Whether it begins with `!`.
    pub(crate) excludes: bool,
}

/// A glob that matches a path, and how many bytes of it the glob spells out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) entry: Entry,
    pub(crate) base: usize,
}

/// All of them, seldom more than a few.
pub(crate) type Hits = SmallVec<[Hit; 4]>;

/// Every glob that matches `path` and is not overruled by a later exclusion of its rule.
pub(crate) fn hits(tree: &GlobTrie<Entry>, path: &[u8]) -> Hits {
    not_overruled(all_hits(tree, path))
}

/// Without those that are overruled by a later exclusion of their rule.
pub(crate) fn not_overruled(mut hits: Hits) -> Hits {
    if hits.iter().any(|hit| hit.entry.excludes) {
        let mut last = BTreeMap::new();
        for Hit { entry, .. } in hits.iter().filter(|hit| hit.entry.excludes) {
            let place = last.entry(entry.rule).or_insert(entry.place);
            *place = entry.place.max(*place);
        }
        hits.retain(|hit| last.get(&hit.entry.rule).is_none_or(|&place| hit.entry.place > place));
    }
    hits
}

/// Every glob that matches `path`, exclusions too.
pub(crate) fn all_hits(tree: &GlobTrie<Entry>, path: &[u8]) -> Hits {
    hits_of(tree, &states(tree, path))
}

/// Those of a path that leads to these states.
pub(crate) fn hits_of(tree: &GlobTrie<Entry>, states: &[State]) -> Hits {
    let matching = |state: &State| tree.matching(*state);
    let hits = states
        .iter()
        .flat_map(|state| matching(state).iter().map(move |&entry| Hit { entry, base: state.literal_len }));
    hits.collect()
}

/// Where an absolute path leads.
pub(crate) fn states(tree: &GlobTrie<Entry>, path: &[u8]) -> States {
    if path.starts_with(b"/") { tree.walk(path) } else { States::new() }
}
