//! Up from a node to its root, over today's parents. Pure.

use super::{RootId, Standing, Tree};
use crate::sys::Wd;

/// What a node's path is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// This is its path.
    Path(RootId, Vec<u8>),
    /// It may be in the tree again in a moment.
    Unsettled,
    /// It has left the tree.
    Left,
}

impl Tree {
    /// The node's path below its root, from today's parents. Where a directory was removed, its last
    /// place still names what happened in it.
    pub(crate) fn route(&self, wd: Wd) -> Route {
        self.route_over(wd, |standing| match standing {
            Standing::Limbo { moved: true, .. } => Some(Route::Unsettled),
            Standing::Dead { moved: true } => Some(Route::Left),
            _ => None,
        })
    }

    /// The path where the node was last, though it may have been moved away from there.
    pub(crate) fn last_route(&self, wd: Wd) -> Route {
        self.route_over(wd, |_| None)
    }

    /// Follows the places up to the root, unless a node on the way is no part of the path.
    fn route_over(&self, wd: Wd, ends: impl Fn(Standing) -> Option<Route>) -> Route {
        let mut names: Vec<&[u8]> = Vec::new();
        let mut at = wd;
        loop {
            if let Some(end) = self.standings.get(&at).copied().and_then(&ends) {
                return end;
            }
            match self.nodes.step(at) {
                None => return Route::Left,
                Some(Err(root)) => {
                    names.reverse();
                    return Route::Path(root, names.join(&b'/'));
                }
                // The last place of a node in limbo may since have come to lie below the node.
                Some(Ok(_)) if names.len() > self.nodes.len() => return Route::Unsettled,
                Some(Ok((parent, name))) => {
                    names.push(name);
                    at = parent;
                }
            }
        }
    }

    /// Whether the node hangs in the tree, with all its ancestors.
    pub(crate) fn is_attached(&self, wd: Wd) -> bool {
        let mut at = wd;
        loop {
            match self.nodes.step(at).filter(|_| !self.standings.contains_key(&at)) {
                Some(Ok((parent, _))) => at = parent,
                Some(Err(_)) => return true,
                None => return false,
            }
        }
    }

    /// Whether a node is this one or hangs below it.
    pub(crate) fn is_below(&self, wd: Wd, ancestor: Wd) -> bool {
        let mut at = wd;
        loop {
            if at == ancestor {
                return true;
            }
            match self.nodes.step(at) {
                Some(Ok((parent, _))) if !self.standings.contains_key(&at) => at = parent,
                _ => return false,
            }
        }
    }
}
