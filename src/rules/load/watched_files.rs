//! Where rules were read from, and where more of them could come to be: what is watched to read them again.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::event::{Event, EventMask, Scope, Subject, is_below};
use crate::rules::glob::component::Name;

/// As many symbolic links as the kernel follows in one path (path_resolution(7)).
const LINKS: usize = 40;

/// The files that were read or looked for.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Each file with its text; none where it could not be read.
    read: Vec<(PathBuf, Option<String>)>,
    places: Places,
    roots: Vec<PathBuf>,
}

/// Directories, without symbolic links on the way to them, and what counts in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Places {
    dirs: BTreeSet<Vec<u8>>,
    /// A name counts in all of them: one directory may go by two paths.
    names: BTreeSet<Vec<u8>>,
    patterns: Vec<Name>,
}

impl Sources {
    /// A file, and what was in it.
    pub(crate) fn file(&mut self, path: &Path, text: Option<&str>) {
        self.expect(path);
        self.read.push((path.to_path_buf(), text.map(str::to_owned)));
    }

    /// A file that counts if it is there.
    pub(crate) fn expect(&mut self, path: &Path) {
        for (dir, name) in trail(path) {
            self.places.names.insert(name.into_encoded_bytes());
            self.watch(&dir);
        }
    }

    /// The files of a directory whose names match.
    pub(crate) fn all(&mut self, dir: &Path, pattern: Option<Name>) {
        self.expect(dir);
        self.places.patterns.extend(pattern);
        self.watch(&canonical(dir));
    }

    fn watch(&mut self, dir: &Path) {
        self.places.dirs.insert(dir.as_os_str().as_bytes().to_vec());
        // What lies inside a directory is not watched from once more.
        let all = || self.places.dirs.iter();
        let outer = |dir: &&Vec<u8>| all().all(|other| other == *dir || !is_below(dir, other));
        self.roots = all().filter(outer).map(|dir| PathBuf::from(OsStr::from_bytes(dir))).collect();
    }

    /// Whether the event may be about one of the files.
    #[must_use]
    pub fn concern(&self, event: &Event) -> bool {
        let holds = |dir: &Vec<u8>| is_below(dir, &event.path);
        let is_above = event.subject == Subject::Dir && self.places.dirs.iter().any(holds);
        is_above || self.is_named(&event.path) || event.from.as_ref().is_some_and(|from| self.is_named(from))
    }

    fn is_named(&self, path: &[u8]) -> bool {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        self.places.names.contains(name) || self.places.patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether the same was read.
    #[must_use]
    pub fn say_the_same(&self, other: &Self) -> bool {
        self.read == other.read
    }

    /// Whether the same is to be watched.
    #[must_use]
    pub fn lie_where(&self, other: &Self) -> bool {
        self.places == other.places
    }

    /// Whether a file is empty or gone that had a text before: it may be about to get another.
    #[must_use]
    pub fn are_emptied(&self, before: &Self) -> bool {
        let text = |sources: &Self, path: &Path| {
            let found = sources.read.iter().find(|(known, _)| known == path);
            found.and_then(|(_, text)| text.as_ref()).is_some_and(|text| !text.trim().is_empty())
        };
        before.read.iter().any(|(path, _)| text(before, path) && !text(self, path))
    }
}

impl Scope for Sources {
    fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    fn wants_dir(&self, dir: &[u8]) -> bool {
        self.places.dirs.iter().any(|wanted| is_below(wanted, dir))
    }

    fn wants_file(&self, path: &[u8]) -> bool {
        self.is_named(path)
    }

    fn remembers(&self, path: &[u8]) -> bool {
        self.is_named(path)
    }

    fn mask(&self) -> EventMask {
        EventMask::CHANGE | EventMask::MODIFY
    }

    fn events_wanted(&self, name: &[u8], is_dir: bool) -> EventMask {
        if is_dir || self.is_named(name) { self.mask() } else { EventMask::default() }
    }
}

/// Each place on the way to a file at which another one could come to be: a directory and a name in it. Symbolic
/// links are followed; those on the way to the file's directory are taken as they are now.
fn trail(path: &Path) -> Vec<(PathBuf, OsString)> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
    let (mut at, mut rest) = (canonical(dir), VecDeque::from([name.to_owned()]));
    let mut trail = Vec::new();
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        match fs::read_link(&next) {
            Ok(target) if trail.len() < LINKS => {
                trail.push((at.clone(), name));
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                let names = target.components().rev().filter_map(|component| match component {
                    Component::Normal(name) => Some(name.to_owned()),
                    Component::ParentDir => Some("..".into()),
                    Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
                });
                names.for_each(|name| rest.push_front(name));
            }
            _ if rest.is_empty() => trail.push((at.clone(), name)),
            _ => at = next,
        }
    }
    trail
}

fn canonical(dir: &Path) -> PathBuf {
    dir.canonicalize().or_else(|_| std::path::absolute(dir)).unwrap_or_else(|_| dir.to_path_buf())
}
