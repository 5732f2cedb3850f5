//! The directories that the rules can need, as a fresh look finds them: what the watcher watches when nothing changes.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::plan::Plan;
use crate::event::Scope;

/// The numbers of a file system and of a directory in it.
pub type DirId = (u64, u64);

/// A directory that was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// Its path, through a link where it was met through one.
    pub dir: PathBuf,
    /// The place, in the order of meeting, of the one that holds it; none for a root.
    pub above: Option<usize>,
    /// Whether its path ends in a symbolic link.
    pub is_link: bool,
    /// What it is to the rules.
    pub how: How,
}

/// What a directory that was met is to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Wanted. None where it is not there.
    First(Option<DirId>),
    /// Wanted by this path, too.
    Again,
    /// Left out, since it is on another file system.
    Elsewhere,
    /// Not wanted.
    Unwanted,
}

#[derive(Debug)]
struct Open {
    dir: PathBuf,
    above: Option<usize>,
    /// The file system of its root.
    home: Option<u64>,
    /// The directory that holds it, where it is a link.
    holder: Option<DirId>,
}

/// A walk through them, each before those in it, in the order of their names; what links lead to comes last.
#[derive(Debug)]
pub struct Walk<'p> {
    plan: &'p Plan,
    open: Vec<Open>,
    links: VecDeque<Open>,
    /// Links that were followed. One is followed by one path only, or links in a circle were followed for ever.
    followed: HashSet<(DirId, OsString)>,
    seen: HashSet<DirId>,
    met: usize,
}

impl Plan {
    /// The directories that the rules can need now.
    #[must_use]
    pub fn walk(&self) -> Walk<'_> {
        let root = |dir: &PathBuf| {
            let home = fs::metadata(dir).ok().map(|found| found.dev());
            Open { dir: dir.clone(), above: None, home, holder: None }
        };
        let open = self.roots().iter().rev().map(root).collect();
        Walk {
            plan: self,
            open,
            links: VecDeque::new(),
            followed: HashSet::new(),
            seen: HashSet::new(),
            met: 0,
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Met;

    fn next(&mut self) -> Option<Met> {
        let at = self.open.pop().or_else(|| self.links.pop_front())?;
        let how = self.judge(&at);
        if let How::First(_) | How::Again = how {
            self.descend(&at);
        }
        self.met += 1;
        let Open { dir, above, holder, .. } = at;
        Some(Met { dir, above, is_link: holder.is_some(), how })
    }
}

impl Walk<'_> {
    fn judge(&mut self, at: &Open) -> How {
        if !self.plan.wants_dir(at.dir.as_os_str().as_bytes()) {
            return How::Unwanted;
        }
        if let (Some(holder), Some(name)) = (at.holder, at.dir.file_name())
            && !self.followed.insert((holder, name.to_owned()))
        {
            return How::Unwanted;
        }
        let Some(found) = id(&at.dir) else { return How::First(None) };
        if self.plan.extent().one_file_system && Some(found.0) != at.home {
            How::Elsewhere
        } else if self.seen.insert(found) {
            How::First(Some(found))
        } else {
            How::Again
        }
    }

    /// What cannot be read has nothing in it.
    fn descend(&mut self, at: &Open) {
        let (Ok(entries), follow) = (fs::read_dir(&at.dir), self.plan.extent().follow_symlinks) else {
            return;
        };
        let (holder, above, below) = (id(&at.dir), Some(self.met), self.open.len());
        let mut links = Vec::new();
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let open = |holder| Open { dir: entry.path(), above, home: at.home, holder };
            if kind.is_dir() {
                self.open.push(open(None));
            } else if kind.is_symlink() && follow && entry.path().is_dir() {
                links.push(open(holder));
            }
        }
        self.open[below..].sort_unstable_by(|a, b| b.dir.cmp(&a.dir));
        links.sort_unstable_by(|a, b| a.dir.cmp(&b.dir));
        self.links.extend(links);
    }
}

fn id(dir: &Path) -> Option<DirId> {
    fs::metadata(dir).ok().map(|found| (found.dev(), found.ino()))
}
