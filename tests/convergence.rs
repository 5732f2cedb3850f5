//! After any random sequence of file operations the watcher's tree equals a fresh scan: every directory is
//! watched, no other is, each reports a probe under its right path, and what was reported of the files is
//! what is there.
//!
//! No hard links: a write through one name changes the other without an event.
//!
//! `TRIPLINE_SEEDS=300` runs as many seeds, `TRIPLINE_SEED=17` one of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::watching::{LIMIT, Seen, Watching};

/// Writers that get in each other's way, and what each does.
const WRITERS: u64 = 3;
const OPERATIONS: usize = 1_500;

/// The names of directories, few enough for constant collisions; files are `f` and one of these.
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

#[test]
fn the_tree_equals_a_fresh_scan_after_random_operations() {
    converge(Reader::Awake, 6);
}

#[test]
fn the_tree_equals_a_fresh_scan_after_the_queue_has_overflowed() {
    converge(Reader::Stopped, 3);
}

/// Whether the watcher reads while the writers write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Awake,
    Stopped,
}

fn converge(reader: Reader, by_default: u64) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let seeds: Vec<u64> = match number("TRIPLINE_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("TRIPLINE_SEEDS").unwrap_or(by_default)).collect(),
    };
    let mut wrong = Vec::new();
    for seed in seeds {
        let found = diverged(seed, reader);
        if !found.is_empty() {
            eprintln!("TRIPLINE_SEED={seed} diverged:\n  {}", found.join("\n  "));
            wrong.push(seed);
        }
    }
    assert!(wrong.is_empty(), "seeds {wrong:?} diverged");
}

/// What is wrong after a seed's operations.
fn diverged(seed: u64, reader: Reader) -> Vec<String> {
    let directory = TempDir::new().unwrap();
    let base = directory.path().canonicalize().unwrap();
    let (root, outside) = (base.join("root"), base.join("outside"));
    fs::create_dir(&root).unwrap();
    fs::create_dir(&outside).unwrap();
    let mut watching = Watching::start(&root, &[]);
    let mut known = Known::default();
    operate(seed, &root, &outside);
    if reader == Reader::Stopped {
        known.learn(&watching.so_far());
        watching.signal(Signal::STOP);
        flood(&root);
        operate(seed + 1_000_000, &root, &outside);
        watching.signal(Signal::CONT);
    }
    let mut wrong = settle(&mut watching, &root, &mut known);
    wrong.extend(probe(&mut watching, &root, &mut known));
    wrong.extend(known.differences(&root));
    if reader == Reader::Stopped && !watching.warnings().contains("overflowed") {
        wrong.push("the queue did not overflow: this showed nothing".to_owned());
    }
    wrong
}

/// Has the writers do their random operations.
fn operate(seed: u64, root: &Path, outside: &Path) {
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let random = Random(seed * WRITERS + writer + 1);
            let mut writer = Writer { random, writer, root: root.to_owned(), outside: outside.to_owned() };
            scope.spawn(move || (0..OPERATIONS).for_each(|step| writer.operate(step)));
        }
    });
}

/// Fills the kernel's queue, so that everything after it is lost.
fn flood(root: &Path) {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    let file = root.join("fflood");
    for _ in 0..=limit / 2 {
        fs::write(&file, "x").unwrap();
        fs::remove_file(&file).unwrap();
    }
}

/// Waits until the watched directories are those that exist, and what was reported of the files is what is
/// there; names the difference if that never comes. What left unseen is waited for before its end counts.
fn settle(watching: &mut Watching, root: &Path, known: &mut Known) -> Vec<String> {
    let start = Instant::now();
    loop {
        known.learn(&watching.so_far());
        let directories = directories(root);
        let inodes: HashSet<u64> = directories.values().copied().collect();
        let watched = watching.watched_inodes();
        let above: HashSet<u64> =
            root.ancestors().skip(1).map(|dir| fs::metadata(dir).unwrap().ino()).collect();
        let leaked: Vec<_> = watched.difference(&inodes).filter(|inode| !above.contains(inode)).collect();
        let blind: Vec<_> = directories.iter().filter(|(_, inode)| !watched.contains(inode)).collect();
        let mut wrong = known.differences(root);
        wrong.extend(blind.iter().map(|found| format!("not watched: {found:?}")));
        wrong.extend(leaked.iter().map(|inode| format!("watched for nothing: inode {inode}")));
        if wrong.is_empty() || start.elapsed() > LIMIT / 4 {
            return wrong;
        }
        thread::yield_now();
    }
}

/// Has every directory report a file.
fn probe(watching: &mut Watching, root: &Path, known: &mut Known) -> Vec<String> {
    let probes: BTreeSet<PathBuf> = directories(root).into_keys().map(|dir| dir.join("fprobe")).collect();
    for probe in &probes {
        fs::write(probe, "probe").unwrap();
    }
    let all = watching.so_far();
    known.learn(&all);
    let closed =
        |seen: &&Seen| seen.path.ends_with("fprobe") && seen.events.contains(&"close_write".to_owned());
    let seen: BTreeSet<PathBuf> = all.iter().filter(closed).map(|seen| seen.path.clone()).collect();
    let missing = probes.difference(&seen).map(|path| format!("probe not reported: {}", path.display()));
    let phantom = seen.difference(&probes).map(|path| format!("phantom: {}", path.display()));
    missing.chain(phantom).collect()
}

/// Every directory, with its inode.
fn directories(root: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::from([(root.to_owned(), fs::metadata(root).unwrap().ino())]);
    let mut queue = vec![root.to_owned()];
    while let Some(dir) = queue.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                found.insert(entry.path(), entry.metadata().unwrap().ino());
                queue.push(entry.path());
            }
        }
    }
    found
}

/// What the events say is there: each path's content when it was last reported.
#[derive(Default)]
struct Known(BTreeMap<PathBuf, Option<Vec<u8>>>);

impl Known {
    fn learn(&mut self, all: &[Seen]) {
        for seen in all {
            let left = seen.events.iter().any(|event| event == "delete" || event == "moved_from");
            if left {
                // By now another directory may have that name, its files reported under it.
                self.0.retain(|path, _| !path.starts_with(&seen.path) || content(path).is_ok());
            }
            if let Ok(content) = content(&seen.path) {
                self.0.insert(seen.path.clone(), content);
            }
        }
    }

    fn differences(&self, root: &Path) -> Vec<String> {
        let mut there = BTreeMap::new();
        for dir in directories(root).into_keys() {
            for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
                if !entry.file_type().unwrap().is_dir() {
                    there.insert(entry.path(), content(&entry.path()).unwrap());
                }
            }
        }
        there.retain(|path, _| !path.file_name().unwrap().to_string_lossy().starts_with(".sentinel"));
        let lost = there.iter().filter(|(path, content)| self.0.get(*path) != Some(content));
        let lost = lost.map(|(path, _)| format!("change not reported: {}", path.display()));
        let phantom = self.0.keys().filter(|path| content(path).is_err());
        lost.chain(phantom.map(|path| format!("end not reported: {}", path.display()))).collect()
    }
}

/// A file's bytes; none for what has no content of its own. A path that leads through a symbolic link
/// names nothing in the tree.
fn content(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    if path.parent().is_some_and(|dir| dir.canonicalize().ok().as_deref() != Some(dir)) {
        return Err(std::io::ErrorKind::NotFound.into());
    }
    if path.symlink_metadata()?.is_file() { fs::read(path).map(Some) } else { Ok(None) }
}

/// xorshift64*: repeatable, and random enough to collide.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % limit
    }
}

struct Writer {
    random: Random,
    writer: u64,
    root: PathBuf,
    outside: PathBuf,
}

impl Writer {
    fn name(&mut self) -> &'static str {
        NAMES[self.random.below(NAMES.len())]
    }

    fn file_in(&mut self, dir: &Path) -> PathBuf {
        dir.join(format!("f{}", self.name()))
    }

    /// A directory of the tree, up to four levels down.
    fn dir(&mut self) -> PathBuf {
        let mut dir = self.root.clone();
        for _ in 0..self.random.below(4) {
            let below = dir.join(self.name());
            if !below.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                break;
            }
            dir = below;
        }
        dir
    }

    fn one_outside(&mut self) -> Option<PathBuf> {
        let all: Vec<_> = fs::read_dir(&self.outside).ok()?.flatten().map(|entry| entry.path()).collect();
        (!all.is_empty()).then(|| all[self.random.below(all.len())].clone())
    }

    /// One operation; others make many of them fail, which is as it should be.
    fn operate(&mut self, step: usize) {
        let dir = self.dir();
        let sub = dir.join(self.name());
        let text = format!("{}-{step}", self.writer);
        let _ = match self.random.below(100) {
            0..22 => fs::create_dir(&sub),
            22..28 => {
                let deep = sub.join(self.name()).join(self.name());
                let file = self.file_in(&deep);
                fs::create_dir_all(&deep).and_then(|()| fs::write(file, text))
            }
            28..48 => fs::write(self.file_in(&dir), text),
            48..53 => fs::remove_file(self.file_in(&dir)),
            53..58 => {
                let (from, to) = (self.file_in(&dir), self.dir());
                fs::rename(from, self.file_in(&to))
            }
            58..72 => {
                let to = self.dir().join(self.name());
                fs::rename(&sub, to)
            }
            72..77 => {
                let other = self.dir().join(self.name());
                renameat_with(CWD, &sub, CWD, &other, RenameFlags::EXCHANGE).map_err(Into::into)
            }
            77..82 => {
                let name = format!("{}{}", self.name(), self.name());
                fs::rename(&sub, self.outside.join(name))
            }
            82..87 => self.one_outside().map_or(Ok(()), |back| fs::rename(back, &sub)),
            87..90 => fs::remove_dir(&sub),
            90..93 => fs::remove_dir_all(&sub),
            93..95 => std::os::unix::fs::symlink(self.name(), &sub),
            _ => match self.one_outside() {
                Some(old) if fs::read_dir(&self.outside).is_ok_and(|all| all.count() > 8) => {
                    fs::remove_dir_all(old)
                }
                _ if sub.is_symlink() => fs::remove_file(&sub),
                _ => Ok(()),
            },
        };
    }
}
