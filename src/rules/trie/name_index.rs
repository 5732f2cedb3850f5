//! Patterns for one name, found by what they spell out.

use std::collections::BTreeSet;
use std::hash::Hash;

use hashbrown::HashMap;

use super::{NameMap, NodeId};

/// A pattern for one name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NamePattern<W> {
    /// Matches this name.
    Literal(Vec<u8>),
    /// Matches what any of these match.
    Affixes(Vec<Affix>),
    /// Any other pattern.
    Wildcard(W),
}

/// A pattern with a single `*`: the bytes before it and the bytes after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Affix {
    pub(crate) prefix: Vec<u8>,
    pub(crate) suffix: Vec<u8>,
}

impl Affix {
    /// Returns the part after the last dot if a name that matches must have exactly that part after its last dot.
    fn extension(&self) -> Option<&[u8]> {
        extension(&self.suffix)
    }

    #[cfg(test)]
    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        name.starts_with(&self.prefix) && ends_after(self.prefix.len(), name, &self.suffix)
    }
}

/// Returns whether `name` ends with `suffix` after its first `start` bytes.
fn ends_after(start: usize, name: &[u8], suffix: &[u8]) -> bool {
    name.get(start..).is_some_and(|rest| rest.ends_with(suffix))
}

/// The patterns that need more than a comparison of the beginning and the end of a name.
pub(crate) trait WildcardSet: Default {
    /// One of them.
    type Wildcard: Clone + Eq + Hash;

    /// Adds a pattern. It differs from all others of the set.
    fn insert(&mut self, wildcard: &Self::Wildcard, id: NodeId);

    /// Calls `found` with the number of every pattern that matches `name`.
    fn find(&self, name: &[u8], found: &mut impl FnMut(NodeId));
}

/// Patterns for one name, each with a number. Literal names, beginnings and extensions are found by hash.
pub(crate) struct NameIndex<S: WildcardSet> {
    literals: HashMap<Vec<u8>, NodeId>,
    literal_starts: ByteSet,
    /// In a box, because most nodes have no other patterns.
    patterns: Option<Box<Patterns<S>>>,
}

struct Patterns<S: WildcardSet> {
    ids: HashMap<NamePattern<S::Wildcard>, NodeId>,
    /// The suffixes of the affixes that have this prefix.
    by_prefix: HashMap<Vec<u8>, Vec<Suffix>>,
    prefix_lengths: BTreeSet<usize>,
    prefix_starts: ByteSet,
    /// The suffixes of the affixes without a prefix that have this extension. Empty if they are the extension alone.
    by_extension: HashMap<Vec<u8>, Vec<Suffix>>,
    extension_ends: ByteSet,
    /// The suffixes of the other affixes.
    suffixes: Vec<Suffix>,
    wildcards: S,
}

/// What a name must end with, and the number of the pattern that says so.
type Suffix = (Vec<u8>, NodeId);

/// The first or last bytes of some names, modulo 64. Most names that are looked up have another, and cost no hash.
#[derive(Clone, Copy, Default)]
pub(crate) struct ByteSet(u64);

impl ByteSet {
    /// Adds a byte; `None` adds all of them.
    pub(crate) fn insert(&mut self, byte: Option<u8>) {
        self.0 |= byte.map_or(u64::MAX, |byte| 1 << (byte % 64));
    }

    /// Returns whether the byte may be in the set; without a byte, `false`.
    pub(crate) fn may_have(self, byte: Option<&u8>) -> bool {
        byte.is_some_and(|byte| self.0 & (1 << (byte % 64)) != 0)
    }
}

impl<S: WildcardSet> Default for NameIndex<S> {
    fn default() -> Self {
        Self { literals: HashMap::default(), literal_starts: ByteSet::default(), patterns: None }
    }
}

impl<S: WildcardSet> NameMap for NameIndex<S> {
    type Pattern = NamePattern<S::Wildcard>;

    fn is_literal(pattern: &Self::Pattern) -> bool {
        matches!(pattern, NamePattern::Literal(_))
    }

    fn get_or_insert(&mut self, pattern: &Self::Pattern, new: NodeId) -> NodeId {
        if let NamePattern::Literal(name) = pattern {
            self.literal_starts.insert(name.first().copied());
            return *self.literals.entry(name.clone()).or_insert(new);
        }
        self.patterns.get_or_insert_default().get_or_insert(pattern, new)
    }

    fn find(&self, name: &[u8], mut found: impl FnMut(NodeId)) {
        if self.literal_starts.may_have(name.first())
            && let Some(&id) = self.literals.get(name)
        {
            found(id);
        }
        if let Some(patterns) = &self.patterns {
            patterns.find(name, &mut found);
        }
    }

    fn children(&self) -> impl Iterator<Item = NodeId> {
        let patterns = self.patterns.iter().flat_map(|patterns| patterns.ids.values());
        self.literals.values().chain(patterns).copied()
    }
}

impl<S: WildcardSet> Default for Patterns<S> {
    fn default() -> Self {
        Self {
            ids: HashMap::default(),
            by_prefix: HashMap::default(),
            prefix_lengths: BTreeSet::default(),
            prefix_starts: ByteSet::default(),
            by_extension: HashMap::default(),
            extension_ends: ByteSet::default(),
            suffixes: Vec::default(),
            wildcards: S::default(),
        }
    }
}

impl<S: WildcardSet> Patterns<S> {
    fn get_or_insert(&mut self, pattern: &NamePattern<S::Wildcard>, new: NodeId) -> NodeId {
        if let Some(&known) = self.ids.get(pattern) {
            return known;
        }
        self.ids.insert(pattern.clone(), new);
        match pattern {
            NamePattern::Literal(_) => {}
            NamePattern::Affixes(affixes) => affixes.iter().for_each(|affix| self.add_affix(affix, new)),
            NamePattern::Wildcard(wildcard) => self.wildcards.insert(wildcard, new),
        }
        new
    }

    fn add_affix(&mut self, affix: &Affix, id: NodeId) {
        let suffix = affix.suffix.clone();
        if !affix.prefix.is_empty() {
            self.prefix_lengths.insert(affix.prefix.len());
            self.prefix_starts.insert(affix.prefix.first().copied());
            self.by_prefix.entry_ref(affix.prefix.as_slice()).or_default().push((suffix, id));
        } else if let Some(extension) = affix.extension() {
            self.extension_ends.insert(extension.last().copied());
            let is_alone = suffix.len() == extension.len() + ".".len();
            let suffix = if is_alone { Vec::new() } else { suffix };
            self.by_extension.entry_ref(extension).or_default().push((suffix, id));
        } else {
            self.suffixes.push((suffix, id));
        }
    }

    fn find(&self, name: &[u8], found: &mut impl FnMut(NodeId)) {
        if self.prefix_starts.may_have(name.first()) {
            for &len in self.prefix_lengths.range(..=name.len()) {
                let suffixes = self.by_prefix.get(&name[..len]).into_iter().flatten();
                suffixes.filter(|(suffix, _)| ends_after(len, name, suffix)).for_each(|&(_, id)| found(id));
            }
        }
        if self.extension_ends.may_have(name.last()) {
            let suffixes = extension(name).and_then(|extension| self.by_extension.get(extension));
            let suffixes = suffixes.into_iter().flatten();
            suffixes.filter(|(suffix, _)| name.ends_with(suffix)).for_each(|&(_, id)| found(id));
        }
        self.suffixes.iter().filter(|(suffix, _)| name.ends_with(suffix)).for_each(|&(_, id)| found(id));
        self.wildcards.find(name, found);
    }
}

/// Returns what follows the last dot. Extensions are short, so a search byte by byte costs less than one by words.
fn extension(name: &[u8]) -> Option<&[u8]> {
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    Some(&name[dot + 1..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes the names of this length.
    #[derive(Default)]
    struct Lengths(Vec<(usize, NodeId)>);

    impl WildcardSet for Lengths {
        type Wildcard = usize;

        fn insert(&mut self, len: &usize, id: NodeId) {
            self.0.push((*len, id));
        }

        fn find(&self, name: &[u8], found: &mut impl FnMut(NodeId)) {
            self.0.iter().filter(|(len, _)| *len == name.len()).for_each(|&(_, id)| found(id));
        }
    }

    fn pattern() -> impl Strategy<Value = NamePattern<usize>> {
        let bytes = |len: std::ops::Range<usize>| {
            prop::collection::vec(prop::sample::select(b"ab.\xff".to_vec()), len)
        };
        let affix = (bytes(0..3), bytes(0..4)).prop_map(|(prefix, suffix)| Affix { prefix, suffix });
        prop_oneof![
            bytes(1..4).prop_map(NamePattern::Literal),
            prop::collection::vec(affix, 1..3).prop_map(NamePattern::Affixes),
            (0..6_usize).prop_map(NamePattern::Wildcard),
        ]
    }

    fn matches(pattern: &NamePattern<usize>, name: &[u8]) -> bool {
        match pattern {
            NamePattern::Literal(literal) => literal == name,
            NamePattern::Affixes(affixes) => affixes.iter().any(|affix| affix.matches(name)),
            NamePattern::Wildcard(len) => *len == name.len(),
        }
    }

    proptest! {
        #[test]
        fn a_name_finds_the_patterns_that_match_it_and_no_other(
            patterns in prop::collection::vec(pattern(), 0..8),
            name in prop::collection::vec(prop::sample::select(b"ab.\xff".to_vec()), 1..6),
        ) {
            let mut index = NameIndex::<Lengths>::default();
            let ids: Vec<_> =
                patterns.iter().enumerate().map(|(new, pattern)| index.get_or_insert(pattern, new)).collect();
            let mut found = Vec::new();
            index.find(&name, |id| found.push(id));
            found.sort_unstable();
            found.dedup();
            let takes = |number: &usize| ids[*number] == *number && matches(&patterns[*number], &name);
            prop_assert_eq!(found, (0..patterns.len()).filter(takes).collect::<Vec<_>>());
        }
    }
}
