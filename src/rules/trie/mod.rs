//! A trie of path patterns, whose edges are components: a walk along a path meets exactly the patterns that match it.
//!
//! A walk keeps every node that the components so far lead to. Patterns share the nodes of what they have in common,
//! and a name finds its children by hash, so a thousand patterns cost little more than ten.
//!
//! The trie serves rule globs and ignore patterns alike. They differ in how they read a wildcard within one component,
//! which is the business of their [`NameMap`].

mod name_index;

use std::fmt;

use smallvec::SmallVec;

pub(crate) use self::name_index::{Affix, NameIndex, NamePattern, WildcardSet};

/// The number of a node. A child has a greater number than its parent.
pub(crate) type NodeId = usize;

/// One component of a path pattern.
#[derive(Clone, Debug)]
pub(crate) enum Component<P> {
    /// `**`: any number of names; at the end of a pattern, at least one.
    AnyDepth,
    /// A pattern for exactly one name.
    Name(P),
}

/// The children of a node, by the patterns that lead to them.
pub(crate) trait NameMap: Default {
    /// A pattern for one name.
    type Pattern;

    /// Returns whether the pattern is a name that is spelled out.
    fn is_literal(pattern: &Self::Pattern) -> bool;

    /// Returns the child for this pattern. If there is none, `new` becomes that child.
    fn get_or_insert(&mut self, pattern: &Self::Pattern, new: NodeId) -> NodeId;

    /// Calls `found` with every child whose pattern matches `name`, perhaps twice with the same.
    fn find(&self, name: &[u8], found: impl FnMut(NodeId));

    /// Returns all children.
    fn children(&self) -> impl Iterator<Item = NodeId>;
}

/// Path patterns, each with a value.
pub(crate) struct PathTrie<T, M> {
    nodes: Vec<Node<T, M>>,
}

struct Node<T, M> {
    names: M,
    /// The child for `**`.
    deep: Option<NodeId>,
    /// Set if this node is such a child. A walk may stay at it.
    is_deep: bool,
    /// Set if only literal names lead here.
    is_literal: bool,
    /// The values of the patterns that end here.
    values: Vec<T>,
}

/// A node that a walk has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State {
    pub(crate) node: NodeId,
    /// Set if the `**` that leads to the node stands for no name yet. At the end of a pattern it must stand for one.
    pub(crate) pending: bool,
    /// How many bytes of the path the patterns at and below this node spell out.
    pub(crate) literal_len: usize,
}

/// Every node that a walk has reached, seldom more than a few.
pub(crate) type States = SmallVec<[State; 8]>;

impl<T, M: NameMap> Default for PathTrie<T, M> {
    fn default() -> Self {
        Self { nodes: vec![Node::new(false, true)] }
    }
}

impl<T, M: NameMap> Node<T, M> {
    fn new(is_deep: bool, is_literal: bool) -> Self {
        Self { names: M::default(), deep: None, is_deep, is_literal, values: Vec::new() }
    }
}

impl<T, M: NameMap> PathTrie<T, M> {
    /// Adds a pattern.
    pub(crate) fn insert(&mut self, components: &[Component<M::Pattern>], value: T) {
        let node = components.iter().fold(0, |node, component| match component {
            Component::AnyDepth => self.deep_child(node),
            Component::Name(pattern) => self.child(node, pattern),
        });
        self.nodes[node].values.push(value);
    }

    fn deep_child(&mut self, node: NodeId) -> NodeId {
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

    fn child(&mut self, node: NodeId, pattern: &M::Pattern) -> NodeId {
        let new = self.nodes.len();
        let is_literal = self.nodes[node].is_literal && M::is_literal(pattern);
        let child = self.nodes[node].names.get_or_insert(pattern, new);
        if child == new {
            self.nodes.push(Node::new(false, is_literal));
        }
        child
    }

    /// Returns every node that all components of `path` together lead to.
    pub(crate) fn walk(&self, path: &[u8]) -> States {
        let mut states = States::from_iter([State { node: 0, pending: false, literal_len: 0 }]);
        self.close(&mut states);
        let mut end = 0;
        for name in path.split(|&byte| byte == b'/') {
            end += name.len();
            if !name.is_empty() {
                states = self.step(&states, name, end);
            }
            if states.is_empty() {
                break;
            }
            end += "/".len();
        }
        states
    }

    /// Returns whether the same patterns match below both directories, path for path.
    pub(crate) fn lead_alike(&self, one: &[u8], other: &[u8]) -> bool {
        let nodes = |path| self.walk(path).into_iter().map(|State { node, pending, .. }| (node, pending));
        nodes(one).eq(nodes(other))
    }

    /// Returns every node that `name` leads to from these states. `end` is the length of the path up to and with `name`.
    pub(crate) fn step(&self, states: &[State], name: &[u8], end: usize) -> States {
        let mut next = States::new();
        for state in states {
            let node = &self.nodes[state.node];
            if node.is_deep {
                next.push(State { pending: false, ..*state });
            }
            node.names.find(name, |child| {
                let literal_len = if self.nodes[child].is_literal { end } else { state.literal_len };
                next.push(State { node: child, pending: false, literal_len });
            });
        }
        self.close(&mut next);
        next
    }

    /// Adds the nodes that a `**` leads to which stands for no name, and removes duplicates: otherwise a few `**` in
    /// one pattern would multiply without end.
    fn close(&self, states: &mut States) {
        for number in 0..states.len() {
            let State { node, literal_len, .. } = states[number];
            if let Some(deep) = self.nodes[node].deep {
                states.push(State { node: deep, pending: true, literal_len });
            }
        }
        if states.len() > 1 {
            states.sort_unstable();
            states.dedup_by_key(|state| state.node);
        }
    }

    /// Returns the values of the patterns that match a path which leads to this state.
    pub(crate) fn matching(&self, state: State) -> &[T] {
        if state.pending { &[] } else { self.values(state.node) }
    }

    /// Returns the values of the patterns that end at this node.
    pub(crate) fn values(&self, node: NodeId) -> &[T] {
        &self.nodes[node].values
    }

    /// Returns whether a walk may stay at this node, whatever the next name is.
    pub(crate) fn is_deep(&self, node: NodeId) -> bool {
        self.nodes[node].is_deep
    }

    /// Returns the nodes that one more component of a pattern leads to.
    pub(crate) fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let node = &self.nodes[node];
        node.names.children().chain(node.deep)
    }

    /// Returns whether there is no pattern.
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.len() == 1 && self.nodes[0].values.is_empty()
    }

    /// Returns the number of nodes.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }
}

/// Leaves the patterns out: they fill pages.
impl<T, M> fmt::Debug for PathTrie<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PathTrie").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}
