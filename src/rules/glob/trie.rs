//! Patterns in one tree, by components: a walk along a path meets exactly the patterns that match it.
//!
//! A walk keeps every place in the tree that the components so far lead to. What patterns have in common is
//! one path through the tree, and a name finds its children by hash, so that a thousand patterns cost
//! little more than ten.

use std::fmt;

use smallvec::SmallVec;

use super::Part;
use super::children::Names;
use super::component::Name;

/// The number of a node: children have greater ones than their parents.
pub(crate) type Id = usize;

/// Patterns with a value each.
pub(crate) struct Tree<T> {
    nodes: Vec<Node<T>>,
}

struct Node<T> {
    names: Names,
    /// The child for `**`.
    deep: Option<Id>,
    /// Whether this is such a child, which a walk may stay at.
    is_deep: bool,
    /// Whether only plain names lead here.
    spelled_out: bool,
    /// Of the patterns that end here.
    values: Vec<T>,
}

/// A place that a walk has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State {
    /// Where.
    pub(crate) node: Id,
    /// Whether `**` stands for nothing yet: at the end of a pattern it must not.
    pub(crate) pending: bool,
    /// How many bytes of the path are spelled out by the patterns at and below this place.
    pub(crate) base: usize,
}

/// Every place that a walk has reached: seldom more than a few.
pub(crate) type States = SmallVec<[State; 8]>;

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::new(false, true)] }
    }
}

impl<T> Node<T> {
    fn new(is_deep: bool, spelled_out: bool) -> Self {
        Self { names: Names::default(), deep: None, is_deep, spelled_out, values: Vec::new() }
    }
}

impl<T> Tree<T> {
    /// Adds a pattern.
    pub(crate) fn insert(&mut self, parts: &[Part], value: T) {
        let node = parts.iter().fold(0, |node, part| match part {
            Part::AnyDepth => self.deep(node),
            Part::One(name) => self.child(node, name),
        });
        self.nodes[node].values.push(value);
    }

    fn deep(&mut self, node: Id) -> Id {
        if self.nodes[node].is_deep {
            return node;
        }
        let new = self.nodes.len();
        let deep = *self.nodes[node].deep.get_or_insert(new);
        if deep == new {
            self.nodes.push(Node::new(true, false));
        }
        deep
    }

    fn child(&mut self, node: Id, name: &Name) -> Id {
        let new = self.nodes.len();
        let spelled_out = self.nodes[node].spelled_out && name.is_plain();
        let child = self.nodes[node].names.get_or_insert(name, new);
        if child == new {
            self.nodes.push(Node::new(false, spelled_out));
        }
        child
    }

    /// Every place that all components of `path` together lead to.
    pub(crate) fn walk(&self, path: &[u8]) -> States {
        let mut states = States::from_iter([State { node: 0, pending: false, base: 0 }]);
        self.close(&mut states);
        let mut end = 0;
        for part in path.split(|&byte| byte == b'/') {
            end += part.len();
            if !part.is_empty() {
                states = self.step(&states, part, end);
            }
            if states.is_empty() {
                break;
            }
            end += "/".len();
        }
        states
    }

    /// Whether the same patterns match what has the same path below two directories.
    pub(crate) fn lead_alike(&self, one: &[u8], other: &[u8]) -> bool {
        let places = |path| self.walk(path).into_iter().map(|State { node, pending, .. }| (node, pending));
        places(one).eq(places(other))
    }

    /// Where `name`, which ends at byte `end` of the path, leads from these states.
    pub(crate) fn step(&self, states: &[State], name: &[u8], end: usize) -> States {
        let mut next = States::new();
        for state in states {
            let node = &self.nodes[state.node];
            if node.is_deep {
                next.push(State { pending: false, ..*state });
            }
            node.names.find(name, |child| {
                let base = if self.nodes[child].spelled_out { end } else { state.base };
                next.push(State { node: child, pending: false, base });
            });
        }
        self.close(&mut next);
        next
    }

    /// Adds where `**` leads that stands for nothing, and takes out what is there twice: else a few `**` in
    /// one pattern would multiply without end.
    fn close(&self, states: &mut States) {
        for at in 0..states.len() {
            if let Some(deep) = self.nodes[states[at].node].deep {
                states.push(State { node: deep, pending: true, base: states[at].base });
            }
        }
        if states.len() > 1 {
            states.sort_unstable();
            states.dedup_by_key(|state| state.node);
        }
    }

    /// The values of the patterns that match a path which leads to this state.
    pub(crate) fn matching(&self, state: State) -> &[T] {
        if state.pending { &[] } else { self.values(state.node) }
    }

    /// The values of the patterns that end at this node.
    pub(crate) fn values(&self, node: Id) -> &[T] {
        &self.nodes[node].values
    }

    /// Whether a walk may stay at this node, whatever the next name is.
    pub(crate) fn is_deep(&self, node: Id) -> bool {
        self.nodes[node].is_deep
    }

    /// The nodes that one more part of a pattern leads to.
    pub(crate) fn children(&self, node: Id) -> impl Iterator<Item = Id> {
        let node = &self.nodes[node];
        node.names.children().chain(node.deep)
    }

    /// Whether there is no pattern.
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.len() == 1 && self.nodes[0].values.is_empty()
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }
}

/// Without the patterns: they fill pages.
impl<T> fmt::Debug for Tree<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Anchors, Case, Glob};
    use super::*;

    fn tree(globs: &[&str], case: Case) -> Tree<usize> {
        let anchors = Anchors { root: b"/w", home: None };
        let mut tree = Tree::default();
        for (number, text) in globs.iter().enumerate() {
            for glob in Glob::parse(text, anchors, case).unwrap() {
                tree.insert(&glob.parts, number);
            }
        }
        tree
    }

    fn matching(tree: &Tree<usize>, path: &[u8]) -> Vec<usize> {
        let states = tree.walk(path);
        let mut found: Vec<_> = states.iter().flat_map(|&state| tree.matching(state)).copied().collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn a_table_of_globs_and_paths() {
        for (glob, yes, no) in [
            (
                "src/**/*.rs",
                vec!["/w/src/a.rs", "/w/src/a/b.rs", "/w/src/.rs"],
                vec!["/w/a.rs", "/w/src/a.c"],
            ),
            ("*.rs", vec!["/w/a.rs", "/w/.a.rs"], vec!["/w/a/b.rs", "/a.rs"]),
            ("src", vec!["/w/src", "/w/src/a", "/w/src/a/b"], vec!["/w/srcx", "/w", "/src"]),
            ("src/", vec!["/w/src/a", "/w/src/a/b"], vec!["/w/src"]),
            (".", vec!["/w/a", "/w/a/b"], vec!["/w", "/x"]),
            ("a/**/b", vec!["/w/a/b", "/w/a/x/b", "/w/a/x/y/b"], vec!["/w/a/b/c", "/w/ab"]),
            ("a/**", vec!["/w/a/b", "/w/a/b/c"], vec!["/w/a"]),
            ("**/a/**", vec!["/w/a/b", "/w/x/a/b/c"], vec!["/w/a", "/w/b/c", "/w/x/a"]),
            ("**/a/*", vec!["/w/a/x", "/w/b/a/x"], vec!["/w/a", "/w/a/x/y"]),
            ("*/b", vec!["/w/a/b"], vec!["/w/b", "/w/a/a/b"]),
            ("{a,b/c}/*", vec!["/w/a/x", "/w/b/c/x"], vec!["/w/b/x"]),
            ("/etc/hosts", vec!["/etc/hosts"], vec!["/etc/hostname", "/w/etc/hosts"]),
            ("/**", vec!["/a", "/w/x"], vec!["/"]),
            ("a\\*b", vec!["/w/a*b"], vec!["/w/axb"]),
            ("x/[!a]c", vec!["/w/x/bc"], vec!["/w/x/ac", "/w/x/b/c"]),
            ("**/*.tar.gz", vec!["/w/a.tar.gz"], vec!["/w/a.gz", "/w/a.tar.gz.x"]),
            ("**/{a,b}.x", vec!["/w/q/b.x"], vec!["/w/q/c.x"]),
            ("**/[a,b]x", vec!["/w/ax", "/w/d/,x"], vec!["/w/a,bx"]),
        ] {
            let tree = tree(&[glob], Case::Exact);
            for path in yes {
                assert!(!matching(&tree, path.as_bytes()).is_empty(), "{glob} should match {path}");
            }
            for path in no {
                assert!(matching(&tree, path.as_bytes()).is_empty(), "{glob} should not match {path}");
            }
        }
    }

    #[test]
    fn either_case_matches_where_that_is_asked_for() {
        let tree = tree(&["Src/**/*.JPG", "Makefile", "/Etc/*.Conf"], Case::Either);
        for path in ["/w/src/a/b.jpg", "/w/SRC/x.Jpg", "/w/makefile", "/Etc/a.CONF"] {
            assert_eq!(matching(&tree, path.as_bytes()).len(), 1, "{path}");
        }
        for path in ["/W/src/b.jpg", "/etc/a.conf", "/w/src/b.jpeg"] {
            assert!(matching(&tree, path.as_bytes()).is_empty(), "{path}");
        }
    }

    #[test]
    fn the_base_is_what_the_pattern_spells_out() {
        for (glob, path, base) in [
            ("src/**/a", "/w/src/a", "/w/src"),
            ("src/*/a", "/w/src/x/a", "/w/src"),
            ("src/a", "/w/src/a", "/w/src/a"),
            ("src/a", "/w/src/a/b", "/w/src/a"),
            ("**/src/*", "/w/src/a", "/w"),
            ("/**/w/*", "/w/a", ""),
        ] {
            let tree = tree(&[glob], Case::Exact);
            let states = tree.walk(path.as_bytes());
            let ends = states.iter().find(|&&state| !tree.matching(state).is_empty());
            assert_eq!(ends.unwrap().base, base.len(), "{glob}");
        }
    }

    #[test]
    fn names_that_are_not_text_match_too() {
        assert_eq!(matching(&tree(&["*.csv"], Case::Either), b"/w/\xff\n.csv"), [0]);
    }

    #[test]
    fn odd_paths_do_no_harm() {
        let tree = tree(&["**", "/a/b"], Case::Exact);
        for path in ["", "w/a", "/", "//", "/a//b", "/w/"] {
            let _ = matching(&tree, path.as_bytes());
        }
        assert!(matching(&tree, b"").is_empty());
    }

    #[test]
    fn several_globs_meet_on_one_path() {
        let tree = tree(&["src/**", "src/a/*.rs", "/w/src/a/b.rs", "docs", "**/b*", "**/*.rs"], Case::Exact);
        assert_eq!(matching(&tree, b"/w/src/a/b.rs"), [0, 1, 2, 4, 5]);
    }

    #[test]
    fn many_stars_on_a_deep_path_stay_cheap() {
        let glob = format!("{}b", "**/a/".repeat(100));
        let deep = format!("/w{}", "/a".repeat(1000));
        assert!(tree(&[&glob], Case::Exact).walk(deep.as_bytes()).len() < 500);
    }
}
