//! After any random sequence of file operations the watcher's tree equals a fresh scan: every directory is
//! watched, no other is, each reports a probe under its right path, and what was reported of the files is
//! what is there.
//!
//! `TRIPLINE_SEEDS=300` runs as many seeds, `TRIPLINE_SEED=17` one of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::renameat;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::place::in_memory;
use crate::support::proc::eventually;
use crate::support::watching::{LIMIT, Seen, Watching, unshared};
use crate::support::writer::{Ground, Landlord, Random, Writer};

/// Writers that get in each other's way, and what each does.
const WRITERS: u64 = 3;
const OPERATIONS: usize = 1_500;
/// What the pauses of those who disturb are made of: none is too short to recover in, four are enough.
const PAUSE: Duration = Duration::from_millis(30);
/// Operations after which the writers rest a little.
const BREATH: usize = 100;
/// How often the queue is made to overflow or the root to go, where that goes on all the time.
const DISTURBANCES: usize = 8;
/// A directory that only floods write to.
const FLOODED: &str = "flood";

#[test]
fn the_tree_equals_a_fresh_scan_after_random_operations() {
    converge(Conditions::default(), 6);
}

#[test]
fn the_tree_equals_a_fresh_scan_after_the_queue_has_overflowed() {
    converge(Conditions { stopped: true, ..Conditions::default() }, 3);
}

#[test]
fn the_tree_equals_a_fresh_scan_after_the_queue_has_overflowed_again_and_again() {
    converge(Conditions { nagged: true, ..Conditions::default() }, 3);
}

#[test]
fn the_tree_equals_a_fresh_scan_when_the_queue_has_never_been_empty() {
    converge(Conditions { nagged: true, restless: true, ..Conditions::default() }, 1);
}

#[test]
fn the_tree_equals_a_fresh_scan_when_the_root_has_come_and_gone() {
    converge(Conditions { landlord: true, ..Conditions::default() }, 4);
}

#[test]
fn the_tree_equals_a_fresh_scan_when_the_root_has_come_and_gone_in_overflows() {
    converge(Conditions { landlord: true, nagged: true, ..Conditions::default() }, 2);
}

#[test]
fn the_tree_equals_a_fresh_scan_when_directories_were_unreadable() {
    if !Watching::can_start_as_nobody() {
        eprintln!("skipped: only root can deny itself nothing and another user something");
        return;
    }
    converge(Conditions { denied: true, ..Conditions::default() }, 2);
    converge(Conditions { denied: true, nagged: true, ..Conditions::default() }, 1);
}

#[test]
fn the_tree_equals_a_fresh_scan_when_the_limit_of_watches_was_low() {
    if unshared("").is_some() {
        converge(Conditions { limited: true, ..Conditions::default() }, 2);
    }
}

#[test]
fn the_tree_equals_a_fresh_scan_without_inotify() {
    converge(Conditions { polled: true, ..Conditions::default() }, 2);
}

/// What it says then.
const OVERFLOWED: &str = "queue overflowed";

/// What the watcher has to bear.
#[derive(Clone, Copy, Debug, Default)]
struct Conditions {
    /// It is stopped while the queue overflows and more is done.
    stopped: bool,
    /// It is stopped until the queue overflows, many times while everything goes on.
    nagged: bool,
    /// With that, the writers never let the queue run empty, for seconds.
    restless: bool,
    /// The root, and what its path leads through, comes and goes.
    landlord: bool,
    /// It is another user than the writers, who make directories unreadable for a while.
    denied: bool,
    /// It may have no more than a few watches until the writers have done.
    limited: bool,
    /// It is not to use inotify.
    polled: bool,
}

/// What was done in all.
#[derive(Debug, Default)]
struct Tally {
    seeds: usize,
    operations: AtomicUsize,
    events: usize,
    overflows: usize,
}

fn converge(conditions: Conditions, by_default: u64) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let seeds: Vec<u64> = match number("TRIPLINE_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("TRIPLINE_SEEDS").unwrap_or(by_default)).collect(),
    };
    let (mut wrong, mut tally) = (Vec::new(), Tally::default());
    for seed in seeds {
        tally.seeds += 1;
        let found = catch_unwind(AssertUnwindSafe(|| diverged(seed, conditions, &mut tally)));
        let found = found.unwrap_or_else(|_| vec!["it panicked, as above".to_owned()]);
        if !found.is_empty() {
            eprintln!("TRIPLINE_SEED={seed} diverged with {conditions:?}:\n  {}", found.join("\n  "));
            wrong.push(seed);
        }
    }
    eprintln!("{conditions:?}: {tally:?}");
    assert!(wrong.is_empty(), "seeds {wrong:?} diverged");
}

/// What is wrong after a seed's operations.
fn diverged(seed: u64, conditions: Conditions, tally: &mut Tally) -> Vec<String> {
    let (_directory, ground) = ground(seed, conditions);
    let root = &ground.root;
    let mut watching = watcher(conditions, root);
    let mut known = Known { root: root.clone(), reported: files(root) };
    operate(seed, Conditions::default(), &ground, &watching, &tally.operations);
    // What is reported and ends later must be reported to end.
    let all = watching.so_far();
    tally.events += all.len();
    known.learn(&all);
    if conditions.stopped {
        watching.signal(Signal::STOP);
        flood(root);
    }
    operate(seed + 1_000_000, conditions, &ground, &watching, &tally.operations);
    if conditions.stopped {
        watching.signal(Signal::CONT);
    }
    ground.permit();
    if conditions.limited {
        watching.inside(&limit(100_000));
    }
    let mut wrong = settle(&mut watching, &mut known, conditions.polled, tally);
    if wrong.is_empty() {
        wrong = probe(&mut watching, &mut known);
        wrong.extend(known.differences());
    }
    if conditions.stopped || conditions.nagged {
        wait_for_overflow(&watching);
    }
    tally.overflows += watching.warnings().matches(OVERFLOWED).count();
    wrong
}

fn watcher(conditions: Conditions, root: &Path) -> Watching {
    match conditions {
        Conditions { denied: true, .. } => Watching::start_as_nobody(root, &[]),
        Conditions { limited: true, .. } => Watching::start_unshared(root, &[], &limit(12)).unwrap(),
        Conditions { polled: true, .. } => Watching::start(root, &["--poll=20ms"]),
        _ => Watching::start(root, &[]),
    }
}

fn limit(watches: usize) -> String {
    format!("echo {watches} > /proc/sys/user/max_inotify_watches")
}

/// Without an overflow, nothing was shown.
fn wait_for_overflow(watching: &Watching) {
    eventually(|| watching.warnings().contains(OVERFLOWED).then_some(()));
}

/// A fresh place, in memory where that can be, but with each fourth seed. Others may read it.
fn ground(seed: u64, conditions: Conditions) -> (TempDir, Ground) {
    let parent = if seed % 4 == 3 { std::env::temp_dir() } else { in_memory() };
    let directory = TempDir::new_in(parent).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let base = directory.path().canonicalize().unwrap();
    let mut root = base.join("root");
    if conditions.landlord {
        fs::create_dir_all(base.join("one")).unwrap();
        fs::create_dir_all(base.join("two")).unwrap();
        symlink("one", base.join("link")).unwrap();
        root = base.join("link/mid/root");
    }
    let outside = base.join("outside");
    fs::create_dir_all(&root).unwrap();
    fs::create_dir(&outside).unwrap();
    make_floodable(&root);
    (directory, Ground { root, outside, denies: conditions.denied })
}

/// Has everybody do random operations: each writer so many, and on until it has been disturbed often enough.
fn operate(seed: u64, conditions: Conditions, ground: &Ground, watching: &Watching, done: &AtomicUsize) {
    let disturbances =
        AtomicUsize::new(if conditions.nagged || conditions.landlord { DISTURBANCES } else { 0 });
    let disturbed = || disturbances.load(Ordering::Relaxed) == 0;
    let random = |who: u64| Random(seed * (WRITERS + 2) + who + 1);
    thread::scope(|scope| {
        for number in 0..WRITERS {
            let mut writer = Writer::new(number, random(number), ground.clone());
            scope.spawn(move || {
                let steps = (0..).take_while(|step| *step < OPERATIONS || !disturbed());
                let succeeded = steps.filter(|step| {
                    // While the queue never empties there is no recovery that could be disturbed.
                    if step % BREATH == 0 && conditions.nagged && !conditions.restless {
                        thread::sleep(PAUSE / 10);
                    }
                    writer.operate(*step).is_ok()
                });
                let succeeded = succeeded.count();
                done.fetch_add(succeeded, Ordering::Relaxed);
            });
        }
        let (mut random, mut landlord) =
            (random(WRITERS), Landlord::new(random(WRITERS + 1), ground.clone()));
        while !disturbed() {
            if conditions.landlord {
                let _ = landlord.operate();
            }
            make_floodable(&ground.root);
            let pause = PAUSE * if conditions.restless { 10 } else { 1 };
            thread::sleep(pause * u32::try_from(random.below(5)).unwrap());
            if conditions.nagged {
                watching.signal(Signal::STOP);
                flood(&ground.root);
                watching.signal(Signal::CONT);
            }
            disturbances.fetch_sub(1, Ordering::Relaxed);
        }
    });
}

/// Makes what [`flood`] needs. It does nothing in a directory that is not watched yet.
fn make_floodable(root: &Path) {
    let _ = fs::create_dir(root.join(FLOODED));
    let _ = fs::write(root.join(FLOODED).join("f0"), "");
}

/// Fills the kernel's queue, so that everything after it is lost.
fn flood(root: &Path) {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    // It may lose its name meanwhile.
    let Ok(directory) = File::open(root.join(FLOODED)) else { return };
    // Two events each, and no other call makes as many in as little time; twice as many as it can hold.
    for turn in 0..limit {
        let (from, to) = if turn % 2 == 0 { ("f0", "f1") } else { ("f1", "f0") };
        let _ = renameat(&directory, from, &directory, to);
    }
}

/// Waits until the watched directories are those that exist, and what was reported of the files is what is
/// there; names the difference if that never comes. What left unseen is waited for before its end counts.
fn settle(watching: &mut Watching, known: &mut Known, polled: bool, tally: &mut Tally) -> Vec<String> {
    let start = Instant::now();
    let root = known.root.clone();
    loop {
        let all = watching.so_far();
        tally.events += all.len();
        known.learn(&all);
        let directories = directories(&root);
        let inodes: HashSet<u64> = directories.values().copied().collect();
        let watched = watching.watched_inodes();
        let above = above(&root);
        let leaked: Vec<_> = watched.difference(&inodes).filter(|inode| !above.contains(inode)).collect();
        let blind: Vec<_> =
            directories.iter().filter(|(_, inode)| !polled && !watched.contains(inode)).collect();
        let mut wrong = known.differences();
        wrong.extend(blind.iter().map(|found| format!("not watched: {found:?}")));
        wrong.extend(leaked.iter().map(|inode| format!("watched for nothing: inode {inode}")));
        if wrong.is_empty() || start.elapsed() > LIMIT / 4 {
            return wrong;
        }
        thread::yield_now();
    }
}

/// The inodes that the root's path leads through, symbolic links among them.
fn above(root: &Path) -> HashSet<u64> {
    let led = root.canonicalize().unwrap();
    let components = root.ancestors().skip(1).chain(led.ancestors().skip(1));
    components
        .flat_map(|dir| [fs::metadata(dir), fs::symlink_metadata(dir)])
        .map(|m| m.unwrap().ino())
        .collect()
}

/// Has every directory report a file.
fn probe(watching: &mut Watching, known: &mut Known) -> Vec<String> {
    let probes: BTreeSet<PathBuf> =
        directories(&known.root).into_keys().map(|dir| dir.join("fprobe")).collect();
    for probe in &probes {
        fs::write(probe, "probe").unwrap();
    }
    let all = watching.so_far();
    known.learn(&all);
    let is_probe = |seen: &&Seen| seen.path.ends_with("fprobe");
    let seen: BTreeSet<PathBuf> = all.iter().filter(is_probe).map(|seen| seen.path.clone()).collect();
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
struct Known {
    root: PathBuf,
    reported: BTreeMap<PathBuf, Vec<u8>>,
}

impl Known {
    fn learn(&mut self, all: &[Seen]) {
        for seen in all {
            let ends = ["delete", "moved_from", "delete_self", "move_self"];
            if seen.events.iter().any(|event| ends.contains(&event.as_str())) {
                // By now another directory may have that name, its files reported under it.
                let root = &self.root;
                self.reported.retain(|path, _| !path.starts_with(&seen.path) || content(root, path).is_ok());
            }
            if let Ok(content) = content(&self.root, &seen.path) {
                self.reported.insert(seen.path.clone(), content);
            }
        }
    }

    fn differences(&self) -> Vec<String> {
        let mut there = files(&self.root);
        there.retain(|path, _| !path.file_name().unwrap().to_string_lossy().starts_with(".sentinel"));
        let lost = there.iter().filter(|(path, content)| self.reported.get(*path) != Some(content));
        let lost = lost.map(|(path, _)| format!("change not reported: {path:?}"));
        let phantom = self.reported.keys().filter(|path| content(&self.root, path).is_err());
        lost.chain(phantom.map(|path| format!("end not reported: {path:?}"))).collect()
    }
}

/// Everything but directories, with its content.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut there = BTreeMap::new();
    for dir in directories(root).into_keys() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            if !entry.file_type().unwrap().is_dir() {
                there.insert(entry.path(), content(root, &entry.path()).unwrap());
            }
        }
    }
    there
}

/// A file's bytes; for a symbolic link where it leads, for a directory nothing. A path that leads through a
/// symbolic link below the root names nothing in the tree.
fn content(root: &Path, path: &Path) -> io::Result<Vec<u8>> {
    if let Some(below) = path.parent().and_then(|dir| dir.strip_prefix(root).ok()) {
        let led = path.with_file_name("").canonicalize()?;
        if led != root.canonicalize()?.join(below) {
            return Err(io::ErrorKind::NotFound.into());
        }
    }
    let kind = path.symlink_metadata()?.file_type();
    if kind.is_symlink() {
        fs::read_link(path).map(|target| target.into_os_string().into_vec())
    } else if kind.is_file() {
        fs::read(path)
    } else {
        Ok(Vec::new())
    }
}
