//! What is there when rules are to run once: every path that one of them matches, as an event.

use std::fs::{self, FileType};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::event::{Event, EventMask, Subject, Trigger};
use crate::rules::{How, Rules};

/// Directory by directory, as when watching, in the order of the names.
pub(super) fn existing(rules: &Rules) -> Vec<Event> {
    let plan = rules.plan();
    let (mut found, mut matches) = (Vec::new(), Vec::new());
    for met in plan.walk().filter(|met| matches!(met.how, How::First(_) | How::Again)) {
        for (path, kind) in entries(&met.dir) {
            let event = event(&path, kind);
            rules.matches(&event, &mut matches);
            if !matches.is_empty() {
                matches.clear();
                found.push(event);
            }
        }
    }
    found
}

fn entries(dir: &Path) -> Vec<(PathBuf, FileType)> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let entries = entries.flatten().filter_map(|entry| Some((entry.path(), entry.file_type().ok()?)));
    let mut entries: Vec<_> = entries.collect();
    entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    entries
}

fn event(path: &Path, kind: FileType) -> Event {
    let (subject, mask) = match kind {
        _ if kind.is_dir() => (Subject::Dir, EventMask::CHANGE | EventMask::ISDIR),
        _ if kind.is_file() => (Subject::File, EventMask::CHANGE),
        _ if kind.is_symlink() => (Subject::Symlink, EventMask::CHANGE),
        _ => (Subject::Other, EventMask::CHANGE),
    };
    let (path, trigger) = (path.as_os_str().as_bytes().to_vec(), Trigger::Start);
    Event { mask, path, subject, from: None, cookie: 0, trigger }
}
