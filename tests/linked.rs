//! After any random sequence of operations with symbolic links among them, what is followed equals what a fresh
//! look finds: every directory that can be reached is watched, no other is, and each reports a probe under its
//! own path and under that of every link to it in the tree.
//!
//! `TRIPLINE_SEEDS=300` runs as many seeds, `TRIPLINE_SEED=17` one of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::proc::eventually;
use crate::support::watching::{LIMIT, Watching};
use crate::support::writer::Random;

const WRITERS: u64 = 2;
const OPERATIONS: usize = 400;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

#[test]
fn what_links_lead_to_equals_a_fresh_look_after_random_operations() {
    converge(false, 4);
}

#[test]
fn what_links_lead_to_equals_a_fresh_look_after_the_queue_has_overflowed() {
    converge(true, 2);
}

fn converge(overflow: bool, by_default: u64) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let seeds: Vec<u64> = match number("TRIPLINE_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("TRIPLINE_SEEDS").unwrap_or(by_default)).collect(),
    };
    let mut wrong = Vec::new();
    for seed in seeds {
        let found = diverged(seed, overflow);
        if !found.is_empty() {
            eprintln!("TRIPLINE_SEED={seed} diverged:\n  {}", found.join("\n  "));
            wrong.push(seed);
        }
    }
    assert!(wrong.is_empty(), "seeds {wrong:?} diverged");
}

fn diverged(seed: u64, overflow: bool) -> Vec<String> {
    let directory = TempDir::new().unwrap();
    let base = directory.path().canonicalize().unwrap();
    for dir in ["root", "outside"] {
        fs::create_dir(base.join(dir)).unwrap();
    }
    let root = base.join("root");
    let mut watching = Watching::start(&root, &["--follow-symlinks"]);
    operate_at_once(seed, &base);
    if overflow {
        watching.so_far();
        watching.signal(Signal::STOP);
        flood(&root);
        operate_at_once(seed + 1_000_000, &base);
        watching.signal(Signal::CONT);
    }
    let mut wrong = settle(&mut watching, &base);
    if overflow {
        eventually(|| watching.warnings().contains("overflowed").then_some(()));
    }
    wrong.extend(probe(&mut watching, &root));
    wrong
}

fn operate_at_once(seed: u64, base: &Path) {
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let mut random = Random(seed * WRITERS + writer + 1);
            scope.spawn(move || (0..OPERATIONS).for_each(|_| operate(&mut random, base)));
        }
    });
}

/// Fills the kernel's queue, so that everything after it is lost.
pub(crate) fn flood(root: &Path) {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    for _ in 0..=limit.trim().parse::<usize>().unwrap() / 2 {
        fs::write(root.join("flood"), "x").unwrap();
        fs::remove_file(root.join("flood")).unwrap();
    }
}

fn name(random: &mut Random) -> &'static str {
    NAMES[random.below(NAMES.len())]
}

/// A directory up to three levels down, of the tree or outside it.
fn dir(random: &mut Random, base: &Path) -> PathBuf {
    let mut dir = base.join(if random.below(3) == 0 { "outside" } else { "root" });
    for _ in 0..random.below(4) {
        let below = dir.join(name(random));
        if !below.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            break;
        }
        dir = below;
    }
    dir
}

/// One operation; others make many of them fail, which is as it should be.
fn operate(random: &mut Random, base: &Path) {
    let sub = dir(random, base).join(name(random));
    let _ = match random.below(100) {
        0..35 => fs::create_dir(&sub),
        35..45 => fs::write(sub.with_extension("file"), "content"),
        45..65 => {
            let to = dir(random, base).join(name(random));
            fs::rename(&sub, to)
        }
        65..70 => fs::remove_dir_all(&sub),
        70..78 => fs::remove_file(&sub),
        78..84 => symlink(name(random), &sub),
        84..88 => symlink(Path::new("..").join(name(random)), &sub),
        88..90 => symlink("..", &sub),
        90..92 => symlink(format!("{}.file", name(random)), &sub),
        _ => {
            let to = dir(random, base).join(name(random));
            symlink(to, &sub)
        }
    };
}

/// What a fresh look finds.
#[derive(Default)]
struct Found {
    /// Every directory that is reached, by its path without links.
    dirs: BTreeMap<PathBuf, u64>,
    /// Every link in those, and where it leads, if to a directory.
    links: BTreeMap<PathBuf, Option<PathBuf>>,
}

fn look(root: &Path) -> Found {
    let (mut found, mut open) = (Found::default(), vec![root.to_owned()]);
    while let Some(dir) = open.pop() {
        if found.dirs.contains_key(&dir) {
            continue;
        }
        found.dirs.insert(dir.clone(), fs::metadata(&dir).unwrap().ino());
        for entry in fs::read_dir(&dir).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            let target = kind.is_symlink().then(|| entry.path().canonicalize().ok().filter(|to| to.is_dir()));
            open.extend(if kind.is_dir() { Some(entry.path()) } else { target.clone().flatten() });
            found.links.extend(target.map(|target| (entry.path(), target)));
        }
    }
    found
}

/// Every directory above a base, and every link below it: what ways may lead through.
fn above_and_links(base: &Path) -> HashSet<u64> {
    let mut inodes: HashSet<u64> = base.ancestors().map(|dir| fs::metadata(dir).unwrap().ino()).collect();
    let mut open = vec![base.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            if kind.is_symlink() {
                inodes.insert(entry.metadata().unwrap().ino());
            } else if kind.is_dir() {
                open.push(entry.path());
            }
        }
    }
    inodes
}

/// A path of an inode, if it has one.
fn named(base: &Path, inode: u64) -> Option<PathBuf> {
    let mut open = vec![base.to_owned()];
    while let Some(path) = open.pop() {
        let found = path.symlink_metadata().ok()?;
        if found.ino() == inode {
            return Some(path);
        }
        if found.is_dir() {
            open.extend(fs::read_dir(path).ok()?.map(|entry| entry.unwrap().path()));
        }
    }
    None
}

/// Waits until the watched directories are those that are reached; names the difference if that never comes.
fn settle(watching: &mut Watching, base: &Path) -> Vec<String> {
    let start = Instant::now();
    loop {
        watching.so_far();
        let (found, mut allowed) = (look(&base.join("root")), above_and_links(base));
        let dirs: HashSet<u64> = found.dirs.values().copied().collect();
        allowed.extend(found.links.keys().flat_map(|link| way(link)));
        let watched = watching.watched_inodes();
        let blind = found.dirs.iter().filter(|(_, inode)| !watched.contains(inode));
        let leaked = watched.iter().filter(|inode| !dirs.contains(inode) && !allowed.contains(inode));
        let mut wrong: Vec<_> = blind.map(|found| format!("not watched: {found:?}")).collect();
        wrong.extend(
            leaked.map(|inode| format!("watched for nothing: inode {inode} of {:?}", named(base, *inode))),
        );
        if wrong.is_empty() || start.elapsed() > LIMIT / 4 {
            return wrong;
        }
        thread::yield_now();
    }
}

/// The directories that a path leads through, links and what they lead to among them.
fn way(path: &Path) -> HashSet<u64> {
    let (mut inodes, mut at, mut links) = (HashSet::new(), PathBuf::from("/"), 0);
    let mut rest: Vec<_> = path.components().skip(1).map(|name| name.as_os_str().to_owned()).collect();
    rest.reverse();
    while let Some(name) = rest.pop() {
        inodes.extend(fs::metadata(&at).map(|found| found.ino()));
        let next = at.join(&name);
        if name == ".." {
            at.pop();
        } else if let Ok(target) = fs::read_link(&next) {
            links += 1;
            if links > 40 {
                break;
            }
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            let names = target.components().filter(|name| *name != std::path::Component::RootDir);
            rest.extend(names.map(|name| name.as_os_str().to_owned()).rev());
        } else {
            at = next;
        }
    }
    inodes
}

/// Has every directory report a file.
fn probe(watching: &mut Watching, root: &Path) -> Vec<String> {
    let found = look(root);
    for dir in found.dirs.keys() {
        fs::write(dir.join("probe"), "probe").unwrap();
    }
    let all = watching.so_far();
    let closed = all.iter().filter(|seen| seen.events.contains(&"close_write".to_owned()));
    let probes = closed.filter(|seen| seen.path.ends_with("probe")).map(|seen| seen.path.clone());
    let seen: BTreeSet<PathBuf> = probes.collect();
    // By its own path what is in the tree, through a link what a link in the tree leads to.
    let own = found.dirs.keys().filter(|dir| dir.starts_with(root)).cloned();
    let links = found.links.iter().filter(|(link, target)| link.starts_with(root) && target.is_some());
    let expected: BTreeSet<PathBuf> =
        own.chain(links.map(|(link, _)| link.clone())).map(|dir| dir.join("probe")).collect();
    let missing = expected.difference(&seen).map(|path| format!("probe not reported: {}", path.display()));
    let phantom = seen.iter().filter(|path| {
        let real = path.canonicalize().ok();
        !path.starts_with(root) || !real.is_some_and(|real| found.dirs.contains_key(real.parent().unwrap()))
    });
    missing.chain(phantom.map(|path| format!("phantom: {}", path.display()))).collect()
}
