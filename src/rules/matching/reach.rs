//! What can match below each node of the globs' tree.

use std::collections::BTreeMap;

use super::glob_match::Entry;
use crate::rules::glob::Glob;
use crate::rules::glob::GlobTrie;
use crate::rules::ignore::Ignores;
use crate::rules::rule::RuleId;
use crate::rules::trie::NodeId;

/// What can match below a node, put together: one for each different ignore list, but one for each rule
/// that excludes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reach {
    pub(crate) list: usize,
    pub(crate) excluding: Option<RuleId>,
}

/// What can match below one node, and the last place in `paths` of a glob that can.
pub(crate) type Reaches = BTreeMap<Reach, usize>;

/// What can match below each node. Children come after their parents, so one pass from the end is enough.
pub(crate) fn below(tree: &GlobTrie<Entry>, globs: &[(Entry, Glob)], ignores: &Ignores) -> Vec<Reaches> {
    let mut excluding: Vec<_> =
        globs.iter().filter(|(entry, _)| entry.excludes).map(|(entry, _)| entry.rule).collect();
    excluding.dedup();
    let reach = |entry: &Entry| Reach {
        list: ignores.list_of(entry.rule),
        excluding: excluding.binary_search(&entry.rule).is_ok().then_some(entry.rule),
    };
    let mut below = vec![Reaches::new(); tree.len()];
    for node in (0..tree.len()).rev() {
        let mut reaches = Reaches::new();
        let mut add = |node: NodeId| {
            for entry in tree.values(node).iter().filter(|entry| !entry.excludes) {
                let place = reaches.entry(reach(entry)).or_insert(0);
                *place = entry.place.max(*place);
            }
        };
        if tree.is_deep(node) {
            add(node);
        }
        tree.children(node).for_each(&mut add);
        for child in tree.children(node) {
            for (&reach, &place) in &below[child] {
                let known = reaches.entry(reach).or_insert(0);
                *known = place.max(*known);
            }
        }
        below[node] = reaches;
    }
    below
}
