//! A directory that is known with all in it has got another name. What is in it counts under the new one; but the tree
//! has its directories, and the names of the files that concern somebody are kept, so that only those directories are
//! looked through that hold any.

use super::retry::Scan;
use super::{Frame, Purpose, isdir};
use crate::event::{EventMask, Subject, Trigger};
use crate::sys::Wd;
use crate::watch::backend::Kernel;
use crate::watch::observer::Observer;
use crate::watch::tree::path::Route;
use crate::watch::tree::{Name, Standing};

/// Directories that hold files in all of the tree; where they are more, it takes less to go through what was renamed.
const MANY: usize = 1024;
/// Directories that hold files, and are few whatever the tree.
const FEW: usize = 8;
/// Beyond that, directories for one that holds files, or all are looked through: in one go, each takes half the time.
const SPARSE: usize = 4;

impl<K: Kernel> Observer<K> {
    /// The last path of a directory of which everything is known: nothing in it waits to be looked at, and nothing may
    /// have been missed.
    pub(crate) fn known_path(&self, wd: Wd, purpose: Purpose) -> Option<Vec<u8>> {
        let state = &self.state;
        let watched = match state.tree.standing(wd)? {
            Standing::Attached | Standing::Limbo { unreported: false, .. } => true,
            Standing::Limbo { unreported: true, .. } | Standing::Dead { .. } => false,
        };
        let looked = self.crawl.is_empty() && self.retries.is_empty() && state.denied.is_empty();
        let plain =
            !state.follows && state.links.is_empty() && self.polls.is_empty() && self.before.is_none();
        let known = purpose == Purpose::arrived() && watched && state.keeps && looked && plain;
        match state.tree.last_route(wd) {
            Route::Path(root, relative) if known && !state.is_doubtful() => {
                Some(self.absolute(root, &relative))
            }
            _ => None,
        }
    }

    /// Has all that is in a directory count that has come from one path to another. Answers false if it must be
    /// looked through for that.
    pub(crate) fn recall(&mut self, wd: Wd, from: &[u8], to: &[u8]) -> bool {
        if !self.scope.record_rename(from, to) {
            return false;
        }
        let (holding, scan) = (self.holding(wd), Scan { purpose: Purpose::arrived(), deep: false });
        if holding.len() > FEW && !self.state.tree.are_at_least(wd, holding.len() * SPARSE) {
            return false;
        }
        if self.scope.wants_dir_events() && self.state.interest.intersects(EventMask::FOUND) {
            self.state.tree.subtree(wd).into_iter().skip(1).for_each(|dir| self.find_again(dir));
        }
        holding.into_iter().for_each(|dir| self.push(Frame::new(dir, scan, None)));
        true
    }

    /// The directories in one, and itself, that hold files which concern somebody.
    fn holding(&self, wd: Wd) -> Vec<Wd> {
        let (tree, kept) = (&self.state.tree, &self.state.kept);
        match kept.directories(MANY) {
            Some(all) => {
                let mut holding: Vec<_> = all.filter(|&dir| tree.is_below(dir, wd)).collect();
                holding.sort_unstable();
                holding
            }
            None => {
                let holds = |dir: &Wd| kept.of(*dir).next().is_some();
                tree.subtree(wd).into_iter().filter(holds).collect()
            }
        }
    }

    fn find_again(&mut self, dir: Wd) {
        let Some(Ok((parent, name))) = self.state.tree.nodes.step(dir) else { return };
        let name = Name::from(name);
        if self.state.pending.is_decided(parent, &name) {
            self.state.pending.renew(parent, &name);
        } else {
            let mask = EventMask::CREATE | EventMask::CHANGE | isdir(true);
            self.note_found(parent, name, mask, Subject::Dir, Trigger::Scan);
        }
    }
}
