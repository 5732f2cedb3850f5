//! The names that may come next at one place of a tree of patterns.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use memchr::memrchr;

use super::tree::Id;
use super::wildcard::{Name, folded};

/// Children by what they ask of a name. Plain names, beginnings and extensions are found by hash; only patterns
/// without any are tried one by one.
#[derive(Debug, Default)]
pub(crate) struct Names {
    plain: HashMap<Vec<u8>, Id>,
    /// Boxed, since most nodes have none.
    patterns: Option<Box<Patterns>>,
}

#[derive(Debug, Default)]
struct Patterns {
    /// In lower case, for either case.
    either: HashMap<Vec<u8>, Id>,
    wild: HashMap<Name, Id>,
    /// The patterns whose names must begin with this, and how long those beginnings are.
    by_prefix: HashMap<Vec<u8>, Vec<(Name, Id)>>,
    prefix_lengths: BTreeSet<usize>,
    /// The other patterns, if their names must end in a dot and this; none if that is all they ask.
    by_extension: HashMap<Vec<u8>, Vec<(Option<Name>, Id)>>,
    /// What is left, each with the byte that its names must end with.
    others: Vec<(Option<u8>, Name, Id)>,
}

impl Names {
    /// The child for this name; `new` if there was none, which is the child from now on.
    pub(crate) fn get_or_insert(&mut self, name: &Name, new: Id) -> Id {
        match name {
            Name::Literal(plain) => *self.plain.entry(plain.clone()).or_insert(new),
            Name::Either(_) | Name::Wild { .. } => {
                self.patterns.get_or_insert_default().get_or_insert(name, new)
            }
        }
    }

    /// Calls `found` with every child that takes this name.
    pub(crate) fn find(&self, name: &[u8], mut found: impl FnMut(Id)) {
        if let Some(&child) = self.plain.get(name) {
            found(child);
        }
        if let Some(patterns) = &self.patterns {
            patterns.find(name, found);
        }
    }

    /// All children.
    pub(crate) fn children(&self) -> impl Iterator<Item = Id> {
        let patterns = self.patterns.iter();
        let others = patterns.flat_map(|patterns| patterns.either.values().chain(patterns.wild.values()));
        self.plain.values().chain(others).copied()
    }
}

impl Patterns {
    fn get_or_insert(&mut self, name: &Name, new: Id) -> Id {
        if let Name::Either(plain) = name {
            return *self.either.entry(plain.clone()).or_insert(new);
        }
        let child = *self.wild.entry(name.clone()).or_insert(new);
        if child == new {
            self.add_wild(name.clone(), new);
        }
        child
    }

    fn add_wild(&mut self, name: Name, child: Id) {
        let prefix = name.prefix();
        if !prefix.is_empty() {
            self.prefix_lengths.insert(prefix.len());
            self.by_prefix.entry(prefix).or_default().push((name, child));
        } else if let Some(extension) = name.extension() {
            let more = (!name.asks_for_extension_only()).then_some(name);
            self.by_extension.entry(extension).or_default().push((more, child));
        } else {
            self.others.push((name.last_byte(), name, child));
        }
    }

    fn find(&self, name: &[u8], mut found: impl FnMut(Id)) {
        if !self.either.is_empty()
            && let Some(&child) = self.either.get(&folded(name))
        {
            found(child);
        }
        let extension = memrchr(b'.', name).map(|dot| &name[dot + 1..]);
        let ending = extension.and_then(|extension| self.by_extension.get(extension));
        let beginnings = self.prefix_lengths.range(..=name.len());
        let beginning = beginnings.filter_map(|&length| self.by_prefix.get(&name[..length])).flatten();
        let others = self.others.iter().filter(|(end, ..)| end.is_none_or(|end| name.last() == Some(&end)));
        let tried = beginning
            .map(|(pattern, child)| (Some(pattern), child))
            .chain(ending.into_iter().flatten().map(|(pattern, child)| (pattern.as_ref(), child)))
            .chain(others.map(|(_, pattern, child)| (Some(pattern), child)));
        for (pattern, &child) in tried {
            if pattern.is_none_or(|pattern| pattern.matches(name)) {
                found(child);
            }
        }
    }
}
