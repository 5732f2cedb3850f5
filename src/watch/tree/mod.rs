//! Which directory each watch stands for: wd <-> parent + name. Pure.
//!
//! The watch descriptor is a node's identity. A path is worked out from today's parents when it is
//! asked for, so the rename of a directory is one edit, whatever is below it.

pub(super) mod arena;
pub(super) mod path;

use std::sync::Arc;

use hashbrown::HashMap;

use self::arena::Nodes;
use crate::event::EventMask;
use crate::sys::Wd;
use crate::time::MonoTime;

/// The name of a directory entry.
pub(super) type Name = Arc<[u8]>;

/// One of the directories that the scope starts from, by its place in `Scope::roots`.
pub(super) type RootId = usize;

/// Where a node hangs, or hung last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Root(RootId),
    Below(Wd, Name),
}

/// Whether a node is in the tree. `moved` once its own watch has said that it was renamed: without that,
/// it was removed. `unreported` if no event has told that it left, because the kernel dropped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It hangs where its place says.
    Attached,
    /// Its name is gone, and it may come back under another one until this moment.
    Limbo { until: MonoTime, moved: bool, unreported: bool },
    /// Its watch has ended.
    Dead { moved: bool },
}

/// The tree, or trees: one below each root that exists.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: Nodes,
    roots: HashMap<RootId, Wd>,
    /// Of the nodes that are not attached.
    pub(super) standings: HashMap<Wd, Standing>,
    /// Events that are asked of the kernel beyond the watcher's own mask.
    extras: HashMap<Wd, EventMask>,
    limbo: Vec<Wd>,
    dead: Vec<Wd>,
}

impl Tree {
    /// How many directories are watched.
    pub(super) fn len(&self) -> usize {
        self.nodes.len() - self.dead.len()
    }

    pub(super) fn contains(&self, wd: Wd) -> bool {
        self.standing(wd).is_some_and(|s| !matches!(s, Standing::Dead { .. }))
    }

    pub(super) fn standing(&self, wd: Wd) -> Option<Standing> {
        self.nodes.contains(wd).then(|| self.standings.get(&wd).copied().unwrap_or(Standing::Attached))
    }

    /// Where the node hangs, or hung last.
    pub(super) fn place(&self, wd: Wd) -> Option<Place> {
        self.nodes.place(wd)
    }

    pub(super) fn root(&self, root: RootId) -> Option<Wd> {
        self.roots.get(&root).copied()
    }

    pub(super) fn root_of(&self, wd: Wd) -> Option<RootId> {
        self.roots.iter().find(|&(_, &at)| at == wd).map(|(&root, _)| root)
    }

    /// The nodes whose place is this root or was it last.
    pub(super) fn at_root(&self, root: RootId) -> Vec<Wd> {
        self.nodes.at_root(root)
    }

    /// Gives the roots other numbers. Nothing hangs at those that have none.
    pub(super) fn renumber_roots(&mut self, ids: &[Option<RootId>]) {
        self.nodes.renumber_roots(ids);
        let roots = std::mem::take(&mut self.roots).into_iter();
        self.roots = roots.filter_map(|(root, wd)| Some((ids[root]?, wd))).collect();
    }

    pub(super) fn child(&self, parent: Wd, name: &[u8]) -> Option<Wd> {
        self.nodes.child(parent, name)
    }

    /// The node at a place now.
    pub(super) fn at(&self, place: &Place) -> Option<Wd> {
        match place {
            Place::Root(root) => self.root(*root),
            Place::Below(parent, name) => self.child(*parent, name),
        }
    }

    /// The node at a path below a root.
    pub(super) fn find(&self, root: RootId, relative: &[u8]) -> Option<Wd> {
        let names = relative.split(|&byte| byte == b'/').filter(|name| !name.is_empty());
        names.fold(self.root(root), |at, name| self.child(at?, name))
    }

    /// The directories that hang below a node.
    pub(super) fn children(&self, parent: Wd) -> impl Iterator<Item = Wd> {
        self.nodes.children(parent)
    }

    /// The names of the directories that hang below a node.
    pub(super) fn names_below(&self, parent: Wd) -> impl Iterator<Item = Name> {
        self.nodes.children(parent).filter_map(|wd| self.nodes.step(wd)?.ok()).map(|(_, name)| name.into())
    }

    pub(super) fn extra(&self, wd: Wd) -> EventMask {
        self.extras.get(&wd).copied().unwrap_or_default()
    }

    pub(super) fn set_extra(&mut self, wd: Wd, extra: EventMask) {
        if self.nodes.contains(wd) {
            self.extras.insert(wd, extra);
        }
    }

    /// Hangs a node, new or known, at a place; what hung there must have been orphaned before. Answers
    /// false, and does nothing, if the place is below the node itself or below no node.
    pub(super) fn attach(&mut self, wd: Wd, place: &Place) -> bool {
        if let Place::Below(parent, _) = place
            && (!self.contains(*parent) || (self.nodes.contains(wd) && self.is_below(*parent, wd)))
        {
            return false;
        }
        self.unlink(wd);
        if !self.nodes.put(wd, place) {
            return false;
        }
        if let Place::Root(root) = place {
            self.roots.insert(*root, wd);
        }
        self.standings.remove(&wd);
        true
    }

    fn unlink(&mut self, wd: Wd) {
        if let Some(Err(root)) = self.nodes.step(wd)
            && self.roots.get(&root) == Some(&wd)
        {
            self.roots.remove(&root);
        }
        self.nodes.unlink(wd);
    }

    fn forget(&mut self, wd: Wd) {
        self.nodes.remove(wd);
        self.standings.remove(&wd);
        self.extras.remove(&wd);
    }

    /// A node and everything below it, parents first.
    pub(super) fn subtree(&self, wd: Wd) -> Vec<Wd> {
        self.subtree_until(wd, usize::MAX)
    }

    /// Whether a node and what is below it are so many.
    pub(super) fn are_at_least(&self, wd: Wd, count: usize) -> bool {
        self.subtree_until(wd, count).len() >= count
    }

    fn subtree_until(&self, wd: Wd, count: usize) -> Vec<Wd> {
        let mut all = vec![wd];
        let mut next = 0;
        while let Some(&at) = all.get(next).filter(|_| all.len() < count) {
            all.extend(self.nodes.children(at));
            next += 1;
        }
        all
    }

    /// Takes a node from its place; what is below stays below it. `unreported` if no event has told of it.
    pub(super) fn orphan(&mut self, wd: Wd, until: MonoTime, unreported: bool) {
        if self.standing(wd) != Some(Standing::Attached) {
            return;
        }
        self.unlink(wd);
        self.standings.insert(wd, Standing::Limbo { until, moved: false, unreported });
        self.limbo.push(wd);
    }

    /// The node's own watch says that it was renamed. In the tree again by then, that is no news.
    pub(super) fn set_moved(&mut self, wd: Wd) {
        if let Some(Standing::Limbo { moved, .. }) = self.standings.get_mut(&wd) {
            *moved = true;
        }
    }

    /// The node's watch has ended. It stays to name its last events until [`purge`](Self::purge); its
    /// children are orphaned, `unreported` as in [`orphan`](Self::orphan).
    pub(super) fn bury(&mut self, wd: Wd, until: MonoTime, unreported: bool) {
        let Some(standing) = self.standing(wd) else { return };
        let children: Vec<_> = self.nodes.children(wd).collect();
        for child in children {
            self.orphan(child, until, unreported);
        }
        self.unlink(wd);
        let moved = matches!(standing, Standing::Limbo { moved: true, .. });
        self.standings.insert(wd, Standing::Dead { moved });
        self.dead.push(wd);
    }

    /// Gives a node another watch. Its place and what is below it stay.
    pub(super) fn replace(&mut self, old: Wd, new: Wd) {
        if let Some(root) = self.root_of(old) {
            self.roots.insert(root, new);
        }
        self.nodes.replace(old, new);
        if let Some(standing) = self.standings.remove(&old) {
            self.standings.insert(new, standing);
        }
        if let Some(extra) = self.extras.remove(&old) {
            self.extras.insert(new, extra);
        }
    }

    /// Forgets the dead, and answers them.
    pub(super) fn purge(&mut self) -> Vec<Wd> {
        let dead = std::mem::take(&mut self.dead);
        dead.iter().for_each(|&wd| self.forget(wd));
        dead
    }

    /// Forgets a node and everything below it, and answers all their watches.
    pub(super) fn remove_subtree(&mut self, wd: Wd) -> Vec<Wd> {
        self.unlink(wd);
        let removed = self.subtree(wd);
        removed.iter().for_each(|&wd| self.forget(wd));
        self.dead.retain(|&dead| self.nodes.contains(dead));
        removed
    }

    /// The nodes that have been out of the tree for too long.
    pub(super) fn expired(&mut self, now: MonoTime) -> Vec<Wd> {
        let mut expired = Vec::new();
        let standings = &self.standings;
        self.limbo.retain(|wd| match standings.get(wd).copied() {
            Some(Standing::Limbo { until, .. }) => {
                if until <= now {
                    expired.push(*wd);
                }
                until > now
            }
            _ => false,
        });
        expired
    }

    /// The kernel has dropped events: what has left may have done so without one.
    pub(super) fn doubt(&mut self) {
        for wd in &self.limbo {
            if let Some(Standing::Limbo { unreported, .. }) = self.standings.get_mut(wd) {
                *unreported = true;
            }
        }
    }

    /// Whether the node left without an event that told so.
    pub(super) fn left_unreported(&self, wd: Wd) -> bool {
        matches!(self.standing(wd), Some(Standing::Limbo { unreported: true, .. }))
    }

    /// When the next node will have been out of the tree for too long.
    pub(super) fn deadline(&self) -> Option<MonoTime> {
        let until = |wd: &Wd| match self.standing(*wd) {
            Some(Standing::Limbo { until, .. }) => Some(until),
            _ => None,
        };
        self.limbo.iter().filter_map(until).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tree::path::Route;
    use super::*;

    const LATER: MonoTime = MonoTime::from_origin(Duration::from_millis(200));

    fn below(parent: i32, name: &str) -> Place {
        Place::Below(Wd(parent), name.as_bytes().into())
    }

    /// 1 is the root, 2 is `a`, 3 is `a/b`, 4 is `c`.
    fn tree() -> Tree {
        let mut tree = Tree::default();
        assert!(tree.attach(Wd(1), &Place::Root(0)));
        assert!(tree.attach(Wd(2), &below(1, "a")));
        assert!(tree.attach(Wd(3), &below(2, "b")));
        assert!(tree.attach(Wd(4), &below(1, "c")));
        tree
    }

    fn path(tree: &Tree, wd: i32) -> String {
        match tree.route(Wd(wd)) {
            Route::Path(_, path) => String::from_utf8(path).unwrap(),
            route => format!("{route:?}"),
        }
    }

    #[test]
    fn a_rename_is_one_edit_for_everything_below() {
        let mut tree = tree();
        tree.orphan(Wd(2), LATER, false);
        assert!(tree.attach(Wd(2), &below(4, "x")));
        assert_eq!(path(&tree, 3), "c/x/b");
        assert_eq!(tree.child(Wd(1), b"a"), None);
        assert_eq!(tree.deadline(), None);
    }

    #[test]
    fn another_watch_changes_nothing_else() {
        let mut tree = tree();
        tree.replace(Wd(2), Wd(9));
        tree.replace(Wd(1), Wd(8));
        assert_eq!(path(&tree, 3), "a/b");
        assert_eq!((tree.child(Wd(8), b"a"), tree.root(0)), (Some(Wd(9)), Some(Wd(8))));
        assert!(!tree.contains(Wd(2)) && !tree.contains(Wd(1)));
    }

    #[test]
    fn a_node_never_hangs_below_itself() {
        let mut tree = tree();
        assert!(!tree.attach(Wd(2), &below(3, "loop")));
        assert!(!tree.attach(Wd(2), &below(2, "loop")));
        assert_eq!(path(&tree, 3), "a/b");
    }

    #[test]
    fn a_removed_directory_still_names_its_last_events() {
        let mut tree = tree();
        tree.orphan(Wd(2), LATER, false);
        assert_eq!(path(&tree, 3), "a/b");
        tree.bury(Wd(2), LATER, false);
        assert_eq!(path(&tree, 3), "a/b");
        tree.purge();
        assert_eq!(tree.route(Wd(2)), Route::Left);
    }

    #[test]
    fn what_was_moved_away_has_no_path() {
        let mut tree = tree();
        tree.orphan(Wd(2), LATER, false);
        tree.set_moved(Wd(2));
        assert_eq!(tree.route(Wd(3)), Route::Unsettled);
        assert!(!tree.is_attached(Wd(3)));
        tree.bury(Wd(2), LATER, false);
        assert_eq!(tree.route(Wd(2)), Route::Left);
    }

    #[test]
    fn a_last_place_that_has_come_to_lie_below_the_node_is_no_path() {
        let mut tree = tree();
        tree.orphan(Wd(3), LATER, false);
        assert!(tree.attach(Wd(5), &below(3, "x")));
        tree.orphan(Wd(2), LATER, false);
        assert!(tree.attach(Wd(2), &below(5, "y")));
        assert_eq!(tree.route(Wd(3)), Route::Unsettled);
    }

    #[test]
    fn limbo_ends_at_its_deadline_with_all_watches_below() {
        let mut tree = tree();
        tree.orphan(Wd(2), LATER, false);
        assert_eq!(tree.deadline(), Some(LATER));
        assert!(tree.expired(MonoTime::default()).is_empty());
        assert_eq!(tree.expired(LATER), [Wd(2)]);
        let mut removed = tree.remove_subtree(Wd(2));
        removed.sort();
        assert_eq!(removed, [Wd(2), Wd(3)]);
        assert_eq!(tree.len(), 2);
    }

    #[test]
    fn a_name_taken_over_keeps_its_new_owner() {
        let mut tree = tree();
        tree.orphan(Wd(2), LATER, false);
        assert!(tree.attach(Wd(5), &below(1, "a")));
        tree.bury(Wd(2), LATER, false);
        assert_eq!(tree.child(Wd(1), b"a"), Some(Wd(5)));
    }
}
