//! Another scope takes the place of the one there is: what it wants is watched, and what it wants no longer is
//! let go. A watch that both want stays, and is known to stand for the same directory all the while, so that
//! nothing is missed there.

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::retry::Scan;
use super::{Frame, Purpose};
use crate::event::{Scope, is_below};
use crate::sys::Wd;
use crate::time::MonoTime;
use crate::watch::backend::Kernel;
use crate::watch::observer::Observer;
use crate::watch::paths::ancestors::WayId;
use crate::watch::paths::roots::Root;
use crate::watch::pipeline::interest::LastAsked;
use crate::watch::tree::RootId;
use crate::watch::tree::path::Route;

impl<K: Kernel> Observer<K> {
    /// Looks through a directory again, because the scope's answers below it have changed. What is there is
    /// no news.
    pub(crate) fn look_again(&mut self, dir: &[u8]) {
        for (root, Root { path, .. }) in self.roots.iter().enumerate() {
            let node = match dir.strip_prefix(path.as_slice()) {
                Some(relative) => self.state.tree.find(root, relative),
                // It lies above: everything below the root may be concerned.
                None if path.starts_with(dir) => self.state.tree.root(root),
                None => None,
            };
            self.crawl.extend(node.map(|wd| Frame::deep(wd, Purpose::Rescoped, None)));
        }
    }

    /// Follows another scope. What is there already is no news; [`Notice::Ready`](crate::watch::Notice::Ready) comes
    /// again once all that it wants is watched.
    pub(crate) fn rescope(&mut self, scope: Arc<dyn Scope>, now: MonoTime) {
        self.before = Some(std::mem::replace(&mut self.scope, scope));
        self.last_asked = LastAsked::default();
        self.state.ask(self.scope.mask());
        self.state.follows = self.scope.extent().follow_symlinks;
        self.ready = false;
        let wanted: Vec<_> =
            self.scope.roots().iter().map(|root| root.as_os_str().as_bytes().to_vec()).collect();
        let known = self.roots.len();
        for path in &wanted {
            if self.roots.iter().all(|root| root.path != *path) {
                self.roots.push(Root::new(path));
                self.resolve(self.roots.len() - 1, Purpose::Rescoped, now);
            }
        }
        let leaving: Vec<_> = (0..known).filter(|&root| !wanted.contains(&self.roots[root].path)).collect();
        leaving.iter().for_each(|&root| self.leave_root(root, now));
        let stay = known - leaving.len();
        self.renumber(&leaving);
        for root in 0..self.roots.len() {
            match self.state.tree.root(root) {
                Some(wd) if root < stay => self.crawl.push(Frame::deep(wd, Purpose::Rescoped, None)),
                Some(_) => {}
                // It may lead where a root led that has gone.
                None => self.resolve(root, Purpose::Rescoped, now),
            }
        }
    }

    /// Lets a root go, and what was watched for it alone.
    fn leave_root(&mut self, root: RootId, now: MonoTime) {
        let above = self.ways.forget(&WayId::Root(root));
        self.reach(root, now);
        for wd in self.state.tree.at_root(root) {
            self.drop_subtree(wd);
        }
        above.into_iter().for_each(|wd| self.unwatch_stranger(wd));
    }

    /// Looks at the directories on the way from a root that is wanted to one inside it that is not wanted as a
    /// root any more, so that it is known before it would be let go.
    fn reach(&mut self, inner: RootId, now: MonoTime) {
        let path = self.roots[inner].path.clone();
        let around = |root: &Root| root.path != path && is_below(&path, &root.path);
        let Some(outer) = self.roots.iter().position(around) else { return };
        let Some(mut at) = self.state.tree.root(outer) else { return };
        let rest = path[self.roots[outer].path.len()..].to_vec();
        for name in rest.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            self.look_at(at, &name.into(), Scan { purpose: Purpose::Rescoped, deep: false }, now);
            let Some(next) = self.state.tree.child(at, name) else { return };
            at = next;
        }
    }

    /// Takes the roots out that were let go, and numbers the others anew.
    fn renumber(&mut self, gone: &[RootId]) {
        let mut next = 0;
        let ids: Vec<Option<RootId>> = (0..self.roots.len())
            .map(|root| {
                let stays = !gone.contains(&root);
                next += usize::from(stays);
                stays.then(|| next - 1)
            })
            .collect();
        let mut number = 0..;
        self.roots.retain(|_| number.next().is_some_and(|root| ids[root].is_some()));
        self.state.tree.renumber_roots(&ids);
        self.ways.renumber_roots(&ids);
    }

    /// After a change of scope, why a directory is looked through that is about to be known at a path: if it was
    /// wanted there before, and not known there, it has just arrived, and an event will tell no more of it.
    pub(crate) fn purpose_at(&self, wd: Wd, path: &[u8], purpose: Purpose) -> Purpose {
        let known = || match self.state.tree.route(wd) {
            Route::Path(root, relative) => self.absolute(root, &relative) == path,
            Route::Unsettled | Route::Left => false,
        };
        if purpose == Purpose::Rescoped && self.was_wanted(path) && !known() {
            return Purpose::arrived();
        }
        purpose
    }

    fn was_wanted(&self, path: &[u8]) -> bool {
        let Some(before) = &self.before else { return false };
        before.roots().iter().any(|root| is_below(path, root.as_os_str().as_bytes()))
            && before.wants_dir(path)
    }
}
