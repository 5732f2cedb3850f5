//! The numbers of the tree's roots.

use super::{RootId, Tree};
use crate::sys::Wd;

impl Tree {
    pub(in crate::watch) fn root_of(&self, wd: Wd) -> Option<RootId> {
        self.roots.iter().find(|&(_, &at)| at == wd).map(|(&root, _)| root)
    }

    /// The nodes whose place is this root or was it last.
    pub(in crate::watch) fn at_root(&self, root: RootId) -> Vec<Wd> {
        self.nodes.at_root(root)
    }

    /// Gives the roots other numbers. Nothing hangs at those that have none.
    pub(in crate::watch) fn renumber_roots(&mut self, ids: &[Option<RootId>]) {
        self.nodes.renumber_roots(ids);
        let roots = std::mem::take(&mut self.roots).into_iter();
        self.roots = roots.filter_map(|(root, wd)| Some((ids[root]?, wd))).collect();
    }
}
