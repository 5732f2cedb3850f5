//! The names that may come next at one place of a tree of patterns.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::component::{Name, folded};
use crate::rules::trie::{NameMap, NodeId};

/// Children by what they ask of a name. Plain names, beginnings and extensions are found by hash; only patterns
/// without any are tried one by one.
#[derive(Debug, Default)]
pub(crate) struct Names {
    plain: HashMap<Vec<u8>, NodeId>,
    /// What the plain ones begin with.
    plain_starts: Bytes,
    /// Boxed, since most nodes have none.
    patterns: Option<Box<Patterns>>,
}

#[derive(Debug, Default)]
struct Patterns {
    /// In lower case, for either case.
    either: HashMap<Vec<u8>, NodeId>,
    wild: HashMap<Name, NodeId>,
    /// The patterns whose names must begin with this, and how long those beginnings are.
    by_prefix: HashMap<Vec<u8>, Vec<(Name, NodeId)>>,
    prefix_lengths: BTreeSet<usize>,
    prefix_starts: Bytes,
    /// The other patterns, if their names must end in a dot and this; none if that is all they ask.
    by_extension: HashMap<Vec<u8>, Vec<(Option<Name>, NodeId)>>,
    /// What their names end with.
    extension_ends: Bytes,
    /// What is left, each with the byte that its names must end with.
    others: Vec<(Option<u8>, Name, NodeId)>,
}

/// The first or last bytes of some names, modulo 64. Most names that are asked about have another, and cost no hash.
#[derive(Clone, Copy, Debug, Default)]
struct Bytes(u64);

impl Bytes {
    fn insert(&mut self, byte: Option<&u8>) {
        self.0 |= byte.map_or(u64::MAX, |byte| 1 << (byte % 64));
    }

    /// Whether a name with this byte may be one of them; surely not if false.
    fn may_have(self, byte: Option<&u8>) -> bool {
        byte.is_some_and(|byte| self.0 & (1 << (byte % 64)) != 0)
    }
}

impl NameMap for Names {
    type Pattern = Name;

    fn is_literal(pattern: &Name) -> bool {
        pattern.is_plain()
    }

    fn get_or_insert(&mut self, name: &Name, new: NodeId) -> NodeId {
        match name {
            Name::Literal(plain) => {
                self.plain_starts.insert(plain.first());
                *self.plain.entry(plain.clone()).or_insert(new)
            }
            Name::Either(_) | Name::Wild { .. } => {
                self.patterns.get_or_insert_default().get_or_insert(name, new)
            }
        }
    }

    fn find(&self, name: &[u8], mut found: impl FnMut(NodeId)) {
        if self.plain_starts.may_have(name.first())
            && let Some(&child) = self.plain.get(name)
        {
            found(child);
        }
        if let Some(patterns) = &self.patterns {
            patterns.find(name, found);
        }
    }

    fn children(&self) -> impl Iterator<Item = NodeId> {
        let patterns = self.patterns.iter();
        let others = patterns.flat_map(|patterns| patterns.either.values().chain(patterns.wild.values()));
        self.plain.values().chain(others).copied()
    }
}

impl Patterns {
    fn get_or_insert(&mut self, name: &Name, new: NodeId) -> NodeId {
        if let Name::Either(plain) = name {
            return *self.either.entry(plain.clone()).or_insert(new);
        }
        let child = *self.wild.entry(name.clone()).or_insert(new);
        if child == new {
            self.add_wild(name.clone(), new);
        }
        child
    }

    fn add_wild(&mut self, name: Name, child: NodeId) {
        let prefix = name.prefix();
        if !prefix.is_empty() {
            self.prefix_lengths.insert(prefix.len());
            self.prefix_starts.insert(prefix.first());
            self.by_prefix.entry(prefix).or_default().push((name, child));
        } else if let Some(extension) = name.extension() {
            self.extension_ends.insert(extension.last());
            let more = (!name.asks_for_extension_only()).then_some(name);
            self.by_extension.entry(extension).or_default().push((more, child));
        } else {
            self.others.push((name.last_byte(), name, child));
        }
    }

    fn find(&self, name: &[u8], mut found: impl FnMut(NodeId)) {
        if !self.either.is_empty()
            && let Some(&child) = self.either.get(&folded(name))
        {
            found(child);
        }
        if self.prefix_starts.may_have(name.first()) {
            let lengths = self.prefix_lengths.range(..=name.len());
            let beginning = lengths.filter_map(|&length| self.by_prefix.get(&name[..length])).flatten();
            try_all(beginning.map(|(pattern, child)| (Some(pattern), child)), name, &mut found);
        }
        if self.extension_ends.may_have(name.last()) {
            let ending = extension(name).and_then(|extension| self.by_extension.get(extension));
            let ending = ending.into_iter().flatten();
            try_all(ending.map(|(pattern, child)| (pattern.as_ref(), child)), name, &mut found);
        }
        let others = self.others.iter().filter(|(end, ..)| end.is_none_or(|end| name.last() == Some(&end)));
        try_all(others.map(|(_, pattern, child)| (Some(pattern), child)), name, &mut found);
    }
}

/// Calls `found` with each child whose pattern, if there is one, takes the name.
fn try_all<'p>(
    patterns: impl Iterator<Item = (Option<&'p Name>, &'p NodeId)>,
    name: &[u8],
    found: &mut impl FnMut(NodeId),
) {
    for (pattern, &child) in patterns {
        if pattern.is_none_or(|pattern| pattern.matches(name)) {
            found(child);
        }
    }
}

/// What follows the last dot. Extensions are short: looked for byte by byte, they cost less than a search by words.
fn extension(name: &[u8]) -> Option<&[u8]> {
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    Some(&name[dot + 1..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Case;
    use super::*;

    proptest! {
        #[test]
        fn a_name_finds_the_patterns_that_take_it_and_no_other(
            patterns in prop::collection::vec("[ab.é]{0,2}[*?]?[ab.é]{0,3}", 0..8),
            plain in prop::collection::vec("[ab.é]{1,3}", 0..4),
            name in "[ab.é]{1,6}",
        ) {
            let texts = patterns.iter().chain(&plain);
            let parsed: Vec<Name> =
                texts.filter_map(|text| Name::parse(text, Case::Exact).ok()).collect();
            let mut names = Names::default();
            let ids: Vec<_> = parsed.iter().enumerate().map(|(at, name)| names.get_or_insert(name, at)).collect();
            let mut found = Vec::new();
            names.find(name.as_bytes(), |id| found.push(id));
            found.sort_unstable();
            let takes = |at: &usize| ids[*at] == *at && parsed[*at].matches(name.as_bytes());
            prop_assert_eq!(found, (0..parsed.len()).filter(takes).collect::<Vec<_>>());
        }
    }
}
