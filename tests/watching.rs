//! `tripline watch` on real inotify: no change is lost (P1), no path is wrong (P2).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::place::in_memory;
use crate::support::proc::{eventually, settled_switches, switches};
use crate::support::running::Running;
use crate::support::watching::{Seen, Watching, unshared, watched_inodes};

fn place() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let root = directory.path().canonicalize().unwrap().join("root");
    fs::create_dir(&root).unwrap();
    (directory, root)
}

fn has(seen: &Seen, event: &str) -> bool {
    seen.events.iter().any(|name| name == event)
}

/// How often each path with this name was reported by one and the same event.
fn reported(all: &[Seen], name: &str) -> BTreeMap<PathBuf, usize> {
    let mut times = BTreeMap::new();
    for seen in all.iter().filter(|seen| seen.path.ends_with(name)) {
        for event in &seen.events {
            *times.entry((seen.path.clone(), event.clone())).or_insert(0) += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((path, _), times) in times {
        let known = most.entry(path).or_insert(0);
        *known = times.max(*known);
    }
    most
}

#[test]
fn a_file_in_a_chain_of_fresh_directories_is_never_missed() {
    let (_directory, root) = place();
    let mut watching = Watching::start(&root, &[]);
    let chains = (0..500).map(|i| root.join(format!("{i}/b/c/d/e")));
    let files: BTreeSet<_> = chains
        .map(|chain| {
            fs::create_dir_all(&chain).unwrap();
            let file = chain.join("file");
            fs::write(&file, "content").unwrap();
            file
        })
        .collect();
    let all = watching.so_far();
    let reported = reported(&all, "file");
    let missed: Vec<_> = files.iter().filter(|file| !reported.contains_key(*file)).collect();
    assert!(missed.is_empty(), "{} of 500 missed: {missed:?}", missed.len());
    let twice: Vec<_> = reported.iter().filter(|&(_, &times)| times > 1).collect();
    assert!(twice.is_empty(), "reported more than once: {twice:?}");
}

#[test]
fn a_populated_directory_moved_in_reports_each_file_once() {
    let (directory, root) = place();
    let outside = directory.path().join("outside");
    fs::create_dir_all(outside.join("a/b")).unwrap();
    for file in ["one", "a/two", "a/b/three"] {
        fs::write(outside.join(file), "content").unwrap();
    }
    let mut watching = Watching::start(&root, &[]);
    fs::rename(&outside, root.join("in")).unwrap();
    let all = watching.so_far();
    for file in ["one", "a/two", "a/b/three"] {
        let found = all.iter().filter(|seen| seen.path == root.join("in").join(file)).count();
        assert_eq!(found, 1, "{file} in {all:#?}");
    }
}

#[test]
fn after_a_directory_of_20_000_is_renamed_its_deepest_reports_its_new_path() {
    let (_directory, root) = place();
    for outer in 0..200 {
        for inner in 0..99 {
            fs::create_dir_all(root.join(format!("old/{outer}/{inner}"))).unwrap();
        }
    }
    fs::create_dir_all(root.join("old/0/0/a/b/c")).unwrap();
    let watching = Watching::start(&root, &[]);
    fs::rename(root.join("old"), root.join("new")).unwrap();
    fs::write(root.join("new/0/0/a/b/c/file"), "content").unwrap();
    let all = watching.until(|seen| seen.path.ends_with("file") && has(seen, "close_write"));
    assert_eq!(all.last().unwrap().path, root.join("new/0/0/a/b/c/file"));
    let old: Vec<_> = all.iter().filter(|seen| seen.path.starts_with(root.join("old/"))).collect();
    let stale: Vec<_> = old.iter().filter(|seen| seen.path != root.join("old")).collect();
    assert!(stale.is_empty(), "{stale:?}");
}

#[test]
fn what_was_moved_out_is_silent_and_no_longer_watched() {
    let (directory, root) = place();
    fs::create_dir_all(root.join("d/e")).unwrap();
    let mut watching = Watching::start(&root, &[]);
    let inode = fs::metadata(root.join("d/e")).unwrap().ino();
    assert!(watching.watched_inodes().contains(&inode));
    let outside = directory.path().join("outside");
    fs::rename(root.join("d"), &outside).unwrap();
    fs::write(outside.join("e/file"), "content").unwrap();
    let start = std::time::Instant::now();
    while watching.watched_inodes().contains(&inode) {
        assert!(start.elapsed() < crate::support::watching::LIMIT, "still watched");
        thread::yield_now();
    }
    let all = watching.so_far();
    assert!(all.iter().all(|seen| !seen.path.ends_with("file")), "{all:#?}");
    assert!(all.iter().any(|seen| seen.path == root.join("d") && has(seen, "moved_from")));
}

#[test]
fn names_arrive_byte_for_byte() {
    let (_directory, root) = place();
    let names: [&[u8]; 6] =
        [b"$(touch pwned);\"'", b"a\nb", b"\xff\xfe", b"-rf", b" ", "\u{202e}".as_bytes()];
    let mut watching = Watching::start(&root, &[]);
    for name in names {
        fs::write(root.join(OsStr::from_bytes(name)), "content").unwrap();
    }
    let all = watching.so_far();
    for name in names {
        let path = root.join(OsStr::from_bytes(name));
        assert!(all.iter().any(|seen| seen.path == path && has(seen, "close_write")), "{path:?}");
    }
}

#[test]
fn a_rename_carries_the_old_path() {
    let (_directory, root) = place();
    fs::write(root.join("a"), "content").unwrap();
    let mut watching = Watching::start(&root, &[]);
    fs::rename(root.join("a"), root.join("b")).unwrap();
    let all = watching.so_far();
    let renamed = all.iter().find(|seen| seen.path == root.join("b")).unwrap();
    assert_eq!(
        (renamed.from.as_deref(), renamed.kind.as_deref()),
        (Some(root.join("a").as_path()), Some("file"))
    );
}

#[test]
fn a_root_that_comes_and_goes_is_watched_again() {
    let (_directory, root) = place();
    let late = root.join("not/yet/there");
    let mut watching = Watching::start(&late, &[]);
    for round in ["first", "second"] {
        fs::create_dir_all(late.join("sub")).unwrap();
        fs::write(late.join("sub").join(round), "content").unwrap();
        watching.until(|seen| seen.path == late.join("sub").join(round));
        watching.so_far();
        fs::remove_dir_all(root.join("not")).unwrap();
        watching.until(|seen| seen.path == late.join("sub").join(round) && has(seen, "delete"));
    }
    fs::create_dir_all(root.join("spare/there")).unwrap();
    fs::write(root.join("spare/there/third"), "content").unwrap();
    fs::create_dir(root.join("not")).unwrap();
    fs::rename(root.join("spare"), root.join("not/yet")).unwrap();
    watching.until(|seen| seen.path == late.join("third"));
}

#[test]
fn a_root_whose_ancestors_go_while_it_is_looked_for_is_found_again() {
    let (_directory, root) = place();
    let late = root.join("not/yet/there");
    let watching = Watching::start(&late, &[]);
    for round in 0..200 {
        // Removed from below while the watcher still follows the path of what was made.
        for _ in 0..=round % 4 {
            fs::create_dir_all(&late).unwrap();
            fs::remove_dir_all(root.join("not")).unwrap();
        }
        fs::create_dir_all(&late).unwrap();
        let file = late.join(round.to_string());
        fs::write(&file, "content").unwrap();
        watching.until(|seen| seen.path == file);
        fs::remove_dir_all(root.join("not")).unwrap();
    }
}

#[test]
fn what_the_watch_limit_leaves_out_is_looked_through_and_watched_once_the_limit_is_raised() {
    let (_directory, root) = place();
    for number in 0..40 {
        fs::create_dir_all(root.join(format!("d{number}/sub"))).unwrap();
        fs::write(root.join(format!("d{number}/sub/old")), "content").unwrap();
    }
    let limit = |watches: u32| format!("echo {watches} > /proc/sys/user/max_inotify_watches");
    let Some(watching) = Watching::start_unshared(&root, &[], &limit(20)) else { return };
    // Whichever are watched, each file is changed, made and removed.
    for (name, event) in [("old", "close_write"), ("new", "create"), ("old", "delete")] {
        let mut left: BTreeSet<_> =
            (0..40).map(|number| root.join(format!("d{number}/sub/{name}"))).collect();
        for path in &left {
            if event == "delete" { fs::remove_file(path).unwrap() } else { fs::write(path, "more").unwrap() }
        }
        watching.until(|seen| {
            if has(seen, event) {
                left.remove(&seen.path);
            }
            left.is_empty()
        });
    }
    fs::create_dir_all(root.join("late/deep")).unwrap();
    fs::write(root.join("late/deep/file"), "content").unwrap();
    watching.until(|seen| seen.path == root.join("late/deep/file"));
    assert!(watching.warnings().contains("watch limit reached: 20 in use here, "), "{}", watching.warnings());
    watching.inside(&limit(1_000));
    let expected = directories_below(&root);
    eventually(|| expected.iter().all(|inode| watching.watched_inodes().contains(inode)).then_some(()));
    let last = root.join("d17/sub/last");
    fs::write(&last, "content").unwrap();
    let all = watching.until(|seen| seen.path == last);
    assert!(!all.iter().any(|seen| seen.path.ends_with("new")), "reported again: {all:?}");
}

#[test]
fn without_inotify_all_is_found_by_looking() {
    let (_directory, root) = place();
    fs::create_dir_all(root.join("a/b")).unwrap();
    for name in ["changed", "removed", "renamed"] {
        fs::write(root.join("a/b").join(name), "content").unwrap();
    }
    let watching = Watching::start(&root, &["--poll=50ms"]);
    let below = |name: &str| root.join("a/b").join(name);
    fs::write(below("made"), "content").unwrap();
    watching.until(|seen| seen.path == below("made") && has(seen, "create"));
    fs::write(below("changed"), "other content").unwrap();
    watching.until(|seen| seen.path == below("changed") && has(seen, "close_write"));
    fs::remove_file(below("removed")).unwrap();
    watching.until(|seen| seen.path == below("removed") && has(seen, "delete"));
    fs::rename(root.join("a"), root.join("c")).unwrap();
    fs::write(root.join("c/b/renamed"), "after it").unwrap();
    watching.until(|seen| seen.path == root.join("c/b/renamed"));
    fs::rename(&root, root.with_extension("away")).unwrap();
    fs::create_dir_all(root.join("new")).unwrap();
    fs::write(root.join("new/file"), "content").unwrap();
    watching.until(|seen| seen.path == root.join("new/file"));
    assert!(watching.watched_inodes().is_disjoint(&directories_below(&root).into_iter().collect()));
}

/// The inodes of a directory and of all in it.
fn directories_below(dir: &std::path::Path) -> BTreeSet<u64> {
    let mut inodes = BTreeSet::from([fs::metadata(dir).unwrap().ino()]);
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            inodes.extend(directories_below(&entry.path()));
        }
    }
    inodes
}

#[test]
fn a_mount_over_a_watched_directory_is_followed_and_so_is_its_end() {
    let (_directory, root) = place();
    let point = root.join("point");
    fs::create_dir(&point).unwrap();
    let Some(watching) = Watching::start_unshared(&root, &[], "") else { return };
    let shown = point.display();
    for round in ["first", "second"] {
        watching
            .inside(&format!("mount -t tmpfs none {shown}; mkdir {shown}/dir; echo > {shown}/dir/{round}"));
        let inside = point.join("dir").join(round);
        watching.until(|seen| seen.path == inside);
        watching.inside(&format!("echo more > {}", inside.display()));
        watching.until(|seen| seen.path == inside && has(seen, "close_write"));
        watching.inside(&format!("umount {shown}"));
        let beneath = point.join(round);
        fs::write(&beneath, "content").unwrap();
        watching.until(|seen| seen.path == beneath);
    }
}

#[test]
fn an_idle_watcher_does_not_wake_up() {
    let (_directory, root) = place();
    fs::create_dir_all(root.join("a/b")).unwrap();
    let mut watching = Watching::start(&root, &[]);
    watching.so_far();
    let before = settled_switches(watching.pid());
    // Idle time cannot be waited for by an event: this is how long nothing may happen.
    thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(switches(watching.pid()), before);
}

#[test]
fn a_symbolic_link_above_the_root_that_is_retargeted_is_followed() {
    let (directory, root) = place();
    let base = directory.path().canonicalize().unwrap();
    for target in ["one", "two"] {
        fs::create_dir_all(base.join(target).join("sub")).unwrap();
    }
    // The link's target leads through another link, and that is the one that changes.
    std::os::unix::fs::symlink("one", base.join("current")).unwrap();
    std::os::unix::fs::symlink(base.join("current"), root.join("link")).unwrap();
    let watched = root.join("link/sub");
    let watching = Watching::start(&watched, &[]);
    fs::write(base.join("one/sub/before"), "content").unwrap();
    watching.until(|seen| seen.path == watched.join("before"));
    std::os::unix::fs::symlink("two", base.join("next")).unwrap();
    fs::write(base.join("two/sub/there"), "content").unwrap();
    fs::rename(base.join("next"), base.join("current")).unwrap();
    watching.until(|seen| seen.path == watched.join("there"));
    fs::write(base.join("two/sub/after"), "content").unwrap();
    let all = watching.until(|seen| seen.path == watched.join("after"));
    assert!(all.iter().all(|seen| seen.path.starts_with(&watched)), "{all:#?}");
}

#[test]
fn an_ancestor_of_the_root_that_is_renamed_and_replaced_is_followed() {
    let (_directory, root) = place();
    let watched = root.join("a/b/c");
    fs::create_dir_all(&watched).unwrap();
    let watching = Watching::start(&watched, &[]);
    fs::rename(root.join("a"), root.join("away")).unwrap();
    fs::write(root.join("away/b/c/old"), "content").unwrap();
    fs::create_dir_all(&watched).unwrap();
    fs::write(watched.join("new"), "content").unwrap();
    let all = watching.until(|seen| seen.path == watched.join("new"));
    assert!(all.iter().all(|seen| !seen.path.ends_with("old")), "what has left is silent: {all:#?}");
    fs::remove_dir_all(root.join("a")).unwrap();
    fs::rename(root.join("away"), root.join("a")).unwrap();
    watching.until(|seen| seen.path == watched.join("old"));
}

#[test]
fn only_directories_that_the_rules_can_match_in_are_watched() {
    let (_directory, root) = place();
    for dir in ["src/a", "src/gen/a", "docs/a", "target/debug/deps"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    let rules = "[settings]\nignore = [\"target/\", \"gen/\"]\n\
                 [rules.r]\nrun = [\"true\"]\npaths = [\"src/**/*.rs\", \"target/debug/server\"]\n";
    let running = Running::with_rules(&root, rules);
    running.until_ready();
    // What is made later is judged as what was there.
    for dir in ["src/b/c", "src/gen/b", "target/release", "docs/b"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    fs::write(root.join("src/b/c/x.rs"), "content").unwrap();
    running.until(|line| line == "r: ok");
    let watched = watched_inodes(running.pid());
    let is_watched = |dir: &str| watched.contains(&fs::metadata(root.join(dir)).unwrap().ino());
    for dir in [".", "src", "src/a", "src/b/c", "target", "target/debug"] {
        assert!(is_watched(dir), "{dir} should be watched");
    }
    for dir in ["docs", "docs/b", "src/gen", "src/gen/b", "target/debug/deps", "target/release"] {
        assert!(!is_watched(dir), "{dir} should not be watched");
    }
}

/// As [`place`], for another user than root; none where this one may not start a process as another.
fn place_for_nobody() -> Option<(TempDir, PathBuf)> {
    if !Watching::can_start_as_nobody() {
        eprintln!("skipped: only root can start it as a user to whom something is denied");
        return None;
    }
    let (directory, root) = place();
    permit(directory.path(), 0o755);
    Some((directory, root))
}

fn permit(dir: &std::path::Path, mode: u32) {
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_unreadable_directory_is_named_and_looked_through_once_it_may_be_read() {
    let Some((_directory, root)) = place_for_nobody() else { return };
    let [there, late] = ["there", "late"].map(|name| root.join(name));
    fs::create_dir_all(there.join("sub")).unwrap();
    permit(&there, 0o000);
    let watching = Watching::start_as_nobody(&root, &[]);
    fs::write(there.join("sub/file"), "content").unwrap();
    permit(&there, 0o755);
    watching.until(|seen| seen.path == there.join("sub/file"));
    // One that is unreadable from its first moment on.
    let outside = root.with_file_name("outside");
    fs::create_dir_all(outside.join("sub")).unwrap();
    fs::write(outside.join("sub/file"), "content").unwrap();
    permit(&outside, 0o000);
    fs::rename(&outside, &late).unwrap();
    eventually(|| watching.warnings().contains(&format!("{}", late.display())).then_some(()));
    permit(&late, 0o755);
    watching.until(|seen| seen.path == late.join("sub/file"));
    fs::write(late.join("sub/file"), "more").unwrap();
    watching.until(|seen| seen.path == late.join("sub/file") && has(seen, "close_write"));
}

#[test]
fn a_root_that_becomes_readable_is_watched_at_once() {
    let Some((_directory, root)) = place_for_nobody() else { return };
    let (target, link) = (root.with_file_name("target"), root.join("link"));
    fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    for (dir, watched) in [(&root, &root), (&target, &link)] {
        let mut waits = Vec::new();
        for _ in 0..3 {
            permit(dir, 0o000);
            fs::write(dir.join("file"), "content").unwrap();
            let start = if watched == &root { &root } else { root.parent().unwrap() };
            let watching = Watching::start_as_nobody(start, &["--follow-symlinks"]);
            let began = std::time::Instant::now();
            permit(dir, 0o755);
            watching.until(|seen| seen.path == watched.join("file"));
            waits.push(began.elapsed());
            fs::remove_file(dir.join("file")).unwrap();
        }
        // By trying again from time to time each would take five seconds.
        assert!(waits.iter().any(|wait| *wait < std::time::Duration::from_secs(3)), "{waits:?}");
    }
}

#[test]
fn what_is_in_an_unreadable_directory_below_a_renamed_one_is_reported_once_it_may_be_read() {
    let Some((_directory, root)) = place_for_nobody() else { return };
    fs::create_dir_all(root.join("a/closed")).unwrap();
    fs::write(root.join("a/closed/file"), "content").unwrap();
    let mut watching = Watching::start_as_nobody(&root, &[]);
    permit(&root.join("a/closed"), 0o000);
    fs::rename(root.join("a"), root.join("b")).unwrap();
    watching.so_far();
    permit(&root.join("b/closed"), 0o755);
    watching.until(|seen| seen.path == root.join("b/closed/file"));
}

#[test]
fn what_an_unreadable_directory_has_taken_the_place_of_is_silent() {
    let Some((_directory, root)) = place_for_nobody() else { return };
    let [old, new] = ["old", "new"].map(|name| root.with_file_name(name));
    fs::create_dir(root.join("dir")).unwrap();
    fs::create_dir(&new).unwrap();
    permit(&new, 0o000);
    let mut watching = Watching::start_as_nobody(&root, &[]);
    // Stopped, it sees both at once.
    watching.signal(Signal::STOP);
    fs::rename(root.join("dir"), &old).unwrap();
    fs::rename(&new, root.join("dir")).unwrap();
    watching.signal(Signal::CONT);
    watching.so_far();
    fs::write(old.join("file"), "content").unwrap();
    let all = watching.so_far();
    assert!(all.iter().all(|seen| !seen.path.ends_with("file")), "{all:#?}");
}

#[test]
fn without_an_inotify_instance_it_ends_and_says_what_to_do() {
    let (_directory, root) = place();
    let Some(mut command) = unshared("echo 0 > /proc/sys/user/max_inotify_instances") else { return };
    let output = command.arg("watch").arg(&root).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("as it may, 0; "), "{said}");
    assert!(said.contains("sysctl user.max_inotify_instances=512"), "{said}");
}

#[test]
fn without_descriptors_it_ends_and_says_what_to_do() {
    let (_directory, root) = place();
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 5; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_tripline"), "watch"])
        .arg(&root);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("ulimit -n"), "{said}");
}

#[test]
fn without_a_single_watch_all_is_found_by_looking() {
    let (_directory, root) = place();
    let limit = |watches: u32| format!("echo {watches} > /proc/sys/user/max_inotify_watches");
    let Some(watching) = Watching::start_unshared(&root, &[], &limit(0)) else { return };
    for file in [root.join("file"), root.join("dir/file")] {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "content").unwrap();
        watching.until(|seen| seen.path == file);
    }
    watching.inside(&limit(1_000));
    let expected = directories_below(&root);
    eventually(|| expected.is_subset(&watching.watched_inodes().into_iter().collect()).then_some(()));
}

#[test]
fn what_is_written_through_a_memory_map_counts_when_the_map_ends() {
    let (_directory, root) = place();
    let file = root.join("file");
    fs::write(&file, "content").unwrap();
    let script = "import mmap, os, sys\n\
                  fd = os.open(sys.argv[1], os.O_RDWR)\n\
                  memory = mmap.mmap(fd, 4)\n\
                  os.close(fd)\n\
                  memory[0:4] = b'wine'\n\
                  sys.stdin.read()\n\
                  memory.close()\n\
                  open(sys.argv[1] + '.after', 'w')";
    let mut watching = Watching::start(&root, &[]);
    let mut python = Command::new("python3");
    let Ok(mut child) = python.args(["-c", script]).arg(&file).stdin(Stdio::piped()).spawn() else {
        eprintln!("skipped: no python3 here");
        return;
    };
    let written = || fs::read(&file).is_ok_and(|content| content == b"wineent");
    eventually(|| written().then_some(()));
    let all = watching.so_far();
    assert!(all.iter().all(|seen| seen.path != file), "{all:#?}");
    drop(child.stdin.take());
    child.wait().unwrap();
    watching.until(|seen| seen.path == file && has(seen, "close_write"));
}

#[test]
fn on_an_overlay_what_is_written_to_the_lower_layers_files_is_reported() {
    let (_directory, root) = place();
    let base = root.with_file_name("layers");
    for dir in ["lower/dir", "upper", "work"] {
        fs::create_dir_all(base.join(dir)).unwrap();
    }
    fs::write(base.join("lower/dir/file"), "content").unwrap();
    let (base, shown) = (base.display(), root.display());
    let mount = format!(
        "mount -t overlay -o lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work none {shown}"
    );
    let can = Command::new("unshare").args(["-U", "-r", "-m", "sh", "-c", &mount]).status();
    if !can.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no overlays here");
        return;
    }
    let Some(watching) = Watching::start_unshared(&root, &[], &mount) else { return };
    // Written by its first writer it is copied up, and is another inode from then on.
    for (name, event) in [("file", "close_write"), ("file", "close_write"), ("new", "create")] {
        watching.inside(&format!("echo more >> {shown}/dir/{name}"));
        watching.until(|seen| seen.path == root.join("dir").join(name) && has(seen, event));
    }
}

#[test]
fn what_happens_while_the_queue_is_never_empty_is_reported() {
    let directory = TempDir::new_in(in_memory()).unwrap();
    let root = directory.path().canonicalize().unwrap().join("root");
    fs::create_dir_all(root.join("quiet")).unwrap();
    let watching = Watching::start(&root, &[]);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..4 {
            let dir = root.join(writer.to_string());
            fs::create_dir(&dir).unwrap();
            let done = &done;
            scope.spawn(move || {
                let (one, other) = (dir.join("one"), dir.join("other"));
                fs::write(&one, "content").unwrap();
                while !done.load(Ordering::Relaxed) {
                    fs::rename(&one, &other).and_then(|()| fs::rename(&other, &one)).unwrap();
                }
            });
        }
        // The first may come before the queue is full.
        let seen = (0..3).map(|number| {
            let file = root.join("quiet").join(number.to_string());
            fs::write(&file, "content").unwrap();
            catch_unwind(AssertUnwindSafe(|| watching.until(|seen| seen.path == file))).is_ok()
        });
        let seen = seen.take_while(|seen| *seen).count();
        done.store(true, Ordering::Relaxed);
        assert_eq!(seen, 3, "{}", watching.warnings());
    });
}

#[test]
fn without_inotify_too_everything_that_goes_with_a_directory_is_reported() {
    let (_directory, root) = place();
    let outside = root.with_file_name("outside");
    for dir in
        ["removed/deep", "moved", "replaced"].map(|dir| root.join(dir)).into_iter().chain([outside.clone()])
    {
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("file"), "content").unwrap();
    }
    let watching = Watching::start(&root, &["--poll=50ms"]);
    let until_gone = |file: &str| watching.until(|seen| seen.path == root.join(file) && has(seen, "delete"));
    fs::remove_dir_all(root.join("removed")).unwrap();
    until_gone("removed/deep/file");
    fs::rename(root.join("moved"), outside.with_extension("away")).unwrap();
    until_gone("moved/file");
    fs::rename(outside.join("file"), outside.join("other")).unwrap();
    renameat_with(CWD, root.join("replaced"), CWD, &outside, RenameFlags::EXCHANGE).unwrap();
    let all = until_gone("replaced/file");
    assert!(all.iter().any(|seen| seen.path == root.join("replaced/other")), "{all:#?}");
}

#[test]
fn a_root_that_one_of_its_own_directories_has_replaced_is_watched() {
    for options in [&[][..], &["--poll=20ms"]] {
        let (_directory, root) = place();
        fs::create_dir_all(root.join("sub/deep")).unwrap();
        let watching = Watching::start(&root, options);
        let away = ["away", "other"].map(|name| root.with_file_name(name));
        // Stopped, it sees all of it at once.
        watching.signal(Signal::STOP);
        fs::rename(root.join("sub"), &away[1]).unwrap();
        fs::rename(&root, &away[0]).unwrap();
        fs::rename(&away[1], &root).unwrap();
        watching.signal(Signal::CONT);
        for name in ["deep/file", "file", "deep/other"] {
            fs::write(root.join(name), "content").unwrap();
            watching.until(|seen| seen.path == root.join(name));
        }
    }
}
