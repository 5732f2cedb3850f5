//! Symbolic links below the roots, where they are followed, and what each leads to. Pure.
//!
//! A directory that a link leads to hangs in the tree where the link is, unless it has a place there already.
//! Then the link is one more path to it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::event::is_below;
use crate::sys::Wd;
use crate::watch::observer::join;
use crate::watch::tree::Name;

/// A link: the directory that holds it, and its name there.
pub(crate) type LinkId = (Wd, Name);

/// What a link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A watched directory.
    Dir(Wd),
    /// A file: the watch on the directory that holds it, the path of that, and the file's name there.
    File(Wd, Vec<u8>, Name),
    /// Nothing that is watched, for now.
    Nothing,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Links {
    by_dir: HashMap<Wd, HashMap<Name, Target>>,
    /// The links that lead to a directory.
    leading: HashMap<Wd, BTreeSet<LinkId>>,
}

impl Links {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_dir.is_empty()
    }

    /// What a link leads to; none if it is not known as one.
    pub(crate) fn target(&self, dir: Wd, name: &[u8]) -> Option<&Target> {
        self.by_dir.get(&dir)?.get(name)
    }

    /// Notes what a link leads to, and answers what it led to before.
    pub(crate) fn set(&mut self, (dir, name): &LinkId, target: Target) -> Option<Target> {
        let leads = if let Target::Dir(wd) = target { Some(wd) } else { None };
        let before = self.by_dir.entry(*dir).or_default().insert(Arc::clone(name), target);
        self.release(*dir, name, before.as_ref());
        if let Some(wd) = leads {
            self.leading.entry(wd).or_default().insert((*dir, Arc::clone(name)));
        }
        before
    }

    /// Forgets a link, and answers what it led to.
    pub(crate) fn remove(&mut self, (dir, name): &LinkId) -> Option<Target> {
        let names = self.by_dir.get_mut(dir)?;
        let before = names.remove(name);
        if names.is_empty() {
            self.by_dir.remove(dir);
        }
        self.release(*dir, name, before.as_ref());
        before
    }

    fn release(&mut self, dir: Wd, name: &Name, before: Option<&Target>) {
        if let Some(Target::Dir(wd)) = before
            && let Some(links) = self.leading.get_mut(wd)
        {
            links.remove(&(dir, Arc::clone(name)));
            if links.is_empty() {
                self.leading.remove(wd);
            }
        }
    }

    /// The links in a directory.
    pub(crate) fn of(&self, dir: Wd) -> Vec<LinkId> {
        self.by_dir
            .get(&dir)
            .map_or_else(Vec::new, |names| names.keys().map(|name| (dir, Arc::clone(name))).collect())
    }

    /// The links that lead to a directory.
    pub(crate) fn leading_to(&self, wd: Wd) -> impl Iterator<Item = &LinkId> {
        self.leading.get(&wd).into_iter().flatten()
    }
}

/// One more path to a directory and to all in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    /// Its path by its place in the tree.
    pub(crate) own: Vec<u8>,
    /// The path of the link to it.
    pub(crate) link: Vec<u8>,
}

impl Alias {
    /// The other path of what has this path by its place in the tree; none if it does not lie in the directory.
    pub(crate) fn of(&self, path: &[u8]) -> Option<Vec<u8>> {
        let rest = path.get(self.own.len()..).filter(|_| is_below(path, &self.own))?;
        Some(join(&self.link, rest.strip_prefix(b"/").unwrap_or(rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(dir: i32, name: &str) -> LinkId {
        (Wd(dir), name.as_bytes().into())
    }

    #[test]
    fn who_leads_to_a_directory_is_known_until_it_leads_elsewhere() {
        let mut links = Links::default();
        links.set(&link(1, "a"), Target::Dir(Wd(7)));
        links.set(&link(1, "b"), Target::Dir(Wd(7)));
        links.set(&link(2, "a"), Target::Dir(Wd(7)));
        assert_eq!(links.leading_to(Wd(7)).count(), 3);
        assert_eq!(links.set(&link(1, "a"), Target::Nothing), Some(Target::Dir(Wd(7))));
        assert_eq!(links.remove(&link(2, "a")), Some(Target::Dir(Wd(7))));
        assert_eq!(links.leading_to(Wd(7)).collect::<Vec<_>>(), [&link(1, "b")]);
        assert_eq!(links.of(Wd(1)).len(), 2);
        links.remove(&link(1, "a"));
        links.remove(&link(1, "b"));
        assert!(links.is_empty() && links.leading.is_empty());
    }

    #[test]
    fn an_alias_replaces_whole_components() {
        let alias = |own: &str| Alias { own: own.into(), link: b"/w/src/link".to_vec() };
        for (own, path, expected) in [
            ("/w/lib", "/w/lib/a/b", Some("/w/src/link/a/b")),
            ("/w/lib", "/w/lib", Some("/w/src/link")),
            ("/w/lib", "/w/library", None),
            ("/", "/etc", Some("/w/src/link/etc")),
        ] {
            assert_eq!(
                alias(own).of(path.as_bytes()),
                expected.map(|path| path.as_bytes().to_vec()),
                "{own} {path}"
            );
        }
    }
}
