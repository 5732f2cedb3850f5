//! The nodes of the tree, packed: 24 bytes and the name, one byte longer, for each directory, and five for
//! finding it. Pure.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::{Name, Place, RootId};
use crate::sys::Wd;

/// No node: wds begin at 1, and those of polled directories go down from -2.
const NONE: Wd = Wd(0);
/// Bytes of names that are no longer used before the others are moved together.
const WASTE: usize = 64 * 1024;

/// Directories by watch and by parent and name. A node has a place; whether it is found there, or hung there
/// only at last, is a matter of being linked.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    by_wd: HashMap<Wd, Node>,
    /// Those that are linked, by parent and name.
    by_name: HashTable<Wd>,
    hasher: DefaultHashBuilder,
    /// Each after its length: none is longer than 255 bytes (`NAME_MAX`).
    names: Vec<u8>,
    wasted: usize,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// [`NONE`] of a root.
    parent: Wd,
    /// Where its name starts among all, or which root it is.
    start: u32,
    first_child: Wd,
    next: Wd,
    previous: Wd,
}

/// The name that starts there.
fn text(names: &[u8], start: u32) -> &[u8] {
    let start = start as usize;
    &names[start + 1..][..usize::from(names[start])]
}

impl Nodes {
    pub(crate) fn len(&self) -> usize {
        self.by_wd.len()
    }

    pub(crate) fn contains(&self, wd: Wd) -> bool {
        self.by_wd.contains_key(&wd)
    }

    pub(crate) fn place(&self, wd: Wd) -> Option<Place> {
        self.step(wd).map(|step| match step {
            Ok((parent, name)) => Place::Below(parent, Name::from(name)),
            Err(root) => Place::Root(root),
        })
    }

    /// The nodes whose place is this root.
    pub(crate) fn at_root(&self, root: RootId) -> Vec<Wd> {
        let is_there = |node: &Node| node.parent == NONE && node.start as RootId == root;
        self.by_wd.iter().filter(|(_, node)| is_there(node)).map(|(&wd, _)| wd).collect()
    }

    /// Gives the roots other numbers. No node is at one that has none.
    pub(crate) fn renumber_roots(&mut self, ids: &[Option<RootId>]) {
        for node in self.by_wd.values_mut().filter(|node| node.parent == NONE) {
            if let Some(id) = ids[node.start as RootId] {
                node.start = id as u32;
            }
        }
    }

    /// The root, or the parent and the name.
    pub(crate) fn step(&self, wd: Wd) -> Option<Result<(Wd, &[u8]), RootId>> {
        self.by_wd.get(&wd).map(|node| match node.parent {
            NONE => Err(node.start as RootId),
            parent => Ok((parent, text(&self.names, node.start))),
        })
    }

    pub(crate) fn child(&self, parent: Wd, name: &[u8]) -> Option<Wd> {
        let hash = self.hasher.hash_one((parent, name));
        self.by_name.find(hash, |&wd| self.step(wd) == Some(Ok((parent, name)))).copied()
    }

    pub(crate) fn children(&self, parent: Wd) -> impl Iterator<Item = Wd> {
        let first = self.by_wd.get(&parent).map(|node| node.first_child);
        let next = |&wd: &Wd| self.by_wd.get(&wd).map(|node| node.next).filter(|&next| next != NONE);
        std::iter::successors(first.filter(|&first| first != NONE), next)
    }

    /// Gives a node, new or known, a place below one that is known, and links it there. Answers false, and
    /// does nothing, where there is no room for a name.
    pub(crate) fn put(&mut self, wd: Wd, place: &Place) -> bool {
        let put = self.set(wd, place);
        if put {
            self.link(wd);
        }
        put
    }

    fn set(&mut self, wd: Wd, place: &Place) -> bool {
        self.unlink(wd);
        let (parent, start) = match place {
            Place::Root(root) => (NONE, u32::try_from(*root).ok()),
            Place::Below(parent, name) => (*parent, self.keep(name)),
        };
        let Some(start) = start else { return false };
        let before = self.by_wd.get(&wd).copied();
        before.into_iter().for_each(|before| self.waste(before));
        let first_child = before.map_or(NONE, |before| before.first_child);
        self.by_wd.insert(wd, Node { parent, start, first_child, next: NONE, previous: NONE });
        true
    }

    fn keep(&mut self, name: &[u8]) -> Option<u32> {
        if self.wasted > WASTE && self.wasted > self.names.len() / 2 {
            self.move_together();
        }
        let (start, length) = (u32::try_from(self.names.len()).ok()?, u8::try_from(name.len()).ok()?);
        self.names.push(length);
        self.names.extend_from_slice(name);
        Some(start)
    }

    fn move_together(&mut self) {
        let mut names = Vec::with_capacity(self.names.len() - self.wasted);
        for node in self.by_wd.values_mut().filter(|node| node.parent != NONE) {
            let (from, to) = (node.start as usize, names.len() as u32);
            names.extend_from_slice(&self.names[from..=from + usize::from(self.names[from])]);
            node.start = to;
        }
        (self.names, self.wasted) = (names, 0);
    }

    fn waste(&mut self, node: Node) {
        if node.parent != NONE {
            self.wasted += 1 + text(&self.names, node.start).len();
        }
    }

    fn link(&mut self, wd: Wd) {
        let Some(Ok((parent, name))) = self.step(wd) else { return };
        if let Some(other) = self.child(parent, name) {
            self.unlink(other);
        }
        let Some(Ok((_, name))) = self.step(wd) else { return };
        let (hash, hasher) = (self.hasher.hash_one((parent, name)), &self.hasher);
        let (by_wd, names) = (&self.by_wd, &self.names);
        let rehash = |wd: &Wd| match by_wd.get(wd) {
            Some(node) => hasher.hash_one((node.parent, text(names, node.start))),
            None => 0,
        };
        self.by_name.insert_unique(hash, wd, rehash);
        let first = self.edit(parent, |parent| std::mem::replace(&mut parent.first_child, wd));
        let first = first.unwrap_or(NONE);
        self.edit(wd, |node| node.next = first);
        self.edit(first, |node| node.previous = wd);
    }

    fn edit<T>(&mut self, wd: Wd, edit: impl FnOnce(&mut Node) -> T) -> Option<T> {
        self.by_wd.get_mut(&wd).map(edit)
    }

    /// Takes a node from where it is found. It keeps its place.
    pub(crate) fn unlink(&mut self, wd: Wd) {
        let Some(Ok((parent, name))) = self.step(wd) else { return };
        let hash = self.hasher.hash_one((parent, name));
        let Ok(entry) = self.by_name.find_entry(hash, |&found| found == wd) else { return };
        entry.remove();
        let links = self.edit(wd, |node| {
            let links = (node.previous, node.next);
            (node.previous, node.next) = (NONE, NONE);
            links
        });
        let Some((previous, next)) = links else { return };
        self.edit(next, |node| node.previous = previous);
        match previous {
            NONE => self.edit(parent, |node| node.first_child = next),
            previous => self.edit(previous, |node| node.next = next),
        };
    }

    /// Forgets a node below which none is linked.
    pub(crate) fn remove(&mut self, wd: Wd) {
        self.unlink(wd);
        if let Some(node) = self.by_wd.remove(&wd) {
            self.waste(node);
        }
    }

    /// Gives a node another watch. Its place and what is below it stay.
    pub(crate) fn replace(&mut self, old: Wd, new: Wd) {
        let Some(place) = self.place(old) else { return };
        let children: Vec<_> =
            self.children(old).filter_map(|child| Some((child, self.place(child)?))).collect();
        let linked = matches!(&place, Place::Below(parent, name) if self.child(*parent, name) == Some(old));
        self.remove(old);
        if self.set(new, &place) && linked {
            self.link(new);
        }
        for (child, place) in children {
            if let Place::Below(_, name) = place {
                self.put(child, &Place::Below(new, name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const TOP: i32 = 50;

    #[derive(Clone, Debug)]
    enum Change {
        Put(i32, i32, u8),
        Unlink(i32),
        Remove(i32),
        Replace(i32),
    }

    fn change() -> impl Strategy<Value = Change> {
        let wd = || 1..12_i32;
        prop_oneof![
            4 => (wd(), prop_oneof![wd(), Just(TOP)], 0..4_u8).prop_map(|(wd, parent, name)| Change::Put(wd, parent, name)),
            1 => wd().prop_map(Change::Unlink),
            1 => wd().prop_map(Change::Remove),
            1 => wd().prop_map(Change::Replace),
        ]
    }

    /// Long enough that a few hundred changes waste what has them moved together.
    fn name(number: u8) -> Name {
        vec![number; 251].into()
    }

    /// The same, plainly: each node's place, and whether it is linked.
    #[derive(Default)]
    struct Plain {
        nodes: BTreeMap<i32, (i32, u8, bool)>,
        replaced: i32,
    }

    impl Plain {
        fn apply(&mut self, change: &Change, nodes: &mut Nodes) {
            match *change {
                Change::Put(wd, parent, number) => {
                    if wd == parent || !(parent == TOP || self.nodes.contains_key(&parent)) {
                        return;
                    }
                    assert!(nodes.put(Wd(wd), &Place::Below(Wd(parent), name(number))));
                    for (at, below, linked) in self.nodes.values_mut() {
                        *linked &= (*at, *below) != (parent, number);
                    }
                    self.nodes.insert(wd, (parent, number, true));
                }
                Change::Unlink(wd) => {
                    nodes.unlink(Wd(wd));
                    self.nodes.entry(wd).and_modify(|node| node.2 = false);
                }
                Change::Remove(wd) => {
                    if self.nodes.values().any(|&(parent, _, linked)| linked && parent == wd) {
                        return;
                    }
                    nodes.remove(Wd(wd));
                    self.nodes.remove(&wd);
                }
                Change::Replace(wd) => {
                    self.replaced += 1;
                    let new = 100 + self.replaced;
                    nodes.replace(Wd(wd), Wd(new));
                    let Some(node) = self.nodes.remove(&wd) else { return };
                    self.nodes.insert(new, node);
                    for (parent, _, _) in self.nodes.values_mut().filter(|node| node.0 == wd && node.2) {
                        *parent = new;
                    }
                }
            }
        }
    }

    #[test]
    fn names_are_moved_together_once_most_are_no_longer_used() {
        let mut nodes = Nodes::default();
        for round in 0..2_000 {
            nodes.put(Wd(1), &Place::Below(Wd(2), name((round % 5) as u8)));
            nodes.put(Wd(3), &Place::Below(Wd(2), name(9)));
        }
        assert!(nodes.names.len() < 2 * WASTE, "{}", nodes.names.len());
        assert_eq!((nodes.child(Wd(2), &name(4)), nodes.child(Wd(2), &name(9))), (Some(Wd(1)), Some(Wd(3))));
    }

    proptest! {
        #[test]
        fn packed_nodes_answer_as_plain_ones_do(changes in prop::collection::vec(change(), 1..300)) {
            let (mut nodes, mut plain) = (Nodes::default(), Plain::default());
            nodes.put(Wd(TOP), &Place::Root(0));
            for change in &changes {
                plain.apply(change, &mut nodes);
            }
            prop_assert_eq!(nodes.len(), plain.nodes.len() + 1);
            for (&wd, &(parent, number, linked)) in &plain.nodes {
                prop_assert_eq!(nodes.place(Wd(wd)), Some(Place::Below(Wd(parent), name(number))));
                prop_assert_eq!(nodes.child(Wd(parent), &name(number)) == Some(Wd(wd)), linked);
                let there = parent == TOP || plain.nodes.contains_key(&parent);
                let listed = nodes.children(Wd(parent)).filter(|&child| child == Wd(wd)).count();
                prop_assert_eq!(listed, usize::from(linked && there), "{} below {}", wd, parent);
            }
        }
    }
}
