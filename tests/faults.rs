//! System calls that fail, by strace(1): what happens meanwhile is reported, the trouble told, and all is watched
//! once it is over.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::watching::{LIMIT, Watching};

const DIRS: [&str; 5] = ["a", "a/b", "c", "c/d", "n"];

/// Makes a directory and writes a file in each one of a tree under these faults; answers the warnings.
fn suffer(faults: &[&str]) -> Option<String> {
    let tree = TempDir::new().unwrap();
    let root = &tree.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::create_dir_all(root.join("c/d")).unwrap();
    let at_root =
        faults.iter().map(|fault| fault.replace("ROOT", root.to_str().unwrap())).collect::<Vec<_>>();
    let mut watching =
        Watching::start_failing(root, &at_root.iter().map(String::as_str).collect::<Vec<_>>())?;
    fs::create_dir(root.join("n")).unwrap();
    let mut awaited: HashSet<_> = DIRS.iter().map(|dir| root.join(dir).join("f")).collect();
    awaited.iter().for_each(|file| fs::write(file, "").unwrap());
    watching.until(|seen| {
        awaited.remove(&seen.path);
        awaited.is_empty()
    });
    await_watches(&watching, root);
    watching.so_far();
    Some(watching.warnings())
}

fn await_watches(watching: &Watching, root: &Path) {
    let dirs: HashSet<_> = DIRS.iter().map(|dir| fs::metadata(root.join(dir)).unwrap().ino()).collect();
    let start = Instant::now();
    while !watching.watched_inodes().is_superset(&dirs) {
        assert!(start.elapsed() < LIMIT, "not all is watched: {}", watching.warnings());
        thread::sleep(Duration::from_millis(20));
    }
}

fn assert_told(faults: &[&str], expected: &[&str]) {
    let Some(warnings) = suffer(faults) else { return };
    for text in expected {
        assert!(warnings.contains(text), "not told: {text}\n{warnings}");
    }
}

#[test]
fn watches_that_are_refused_are_added_once_they_are_granted() {
    let fault = "inject=inotify_add_watch:error=ENOSPC:when=7..12";
    assert_told(&["-e", "trace=inotify_add_watch", "-e", fault], &["fs.inotify.max_user_watches="]);
    let fault = "inject=inotify_add_watch:error=ENOMEM:when=7..12";
    assert_told(&["-e", "trace=inotify_add_watch", "-e", fault], &["trying again", "looked at again"]);
}

#[test]
fn a_directory_that_cannot_be_opened_or_listed_is_looked_at_later() {
    let open = [
        "-P",
        "ROOT",
        "-P",
        "ROOT/a",
        "-e",
        "trace=openat,openat2",
        "-e",
        "inject=openat,openat2:error=EMFILE:when=4..7",
    ];
    assert_told(&open, &["ulimit -n", "looked at again"]);
    let list = ["-e", "trace=getdents64", "-e", "inject=getdents64:error=EIO:when=2+3"];
    assert_told(&list, &["Input/output error", "looked at again"]);
}

#[test]
fn events_that_could_not_be_read_are_made_good() {
    let read = ["-P", "anon_inode:inotify", "-e", "trace=read", "-e"];
    assert_told(
        &[&read[..], &["inject=read:error=EIO:when=3..4"]].concat(),
        &["looking at everything again"],
    );
    let Some(warnings) = suffer(&[&read[..], &["inject=read:error=EINTR:when=1..20"]].concat()) else {
        return;
    };
    assert_eq!(warnings, "");
}

#[test]
fn a_watcher_that_can_read_no_more_says_so_and_ends() {
    let tree = TempDir::new().unwrap();
    let read = ["-P", "anon_inode:inotify", "-e", "trace=read", "-e", "inject=read:error=EIO:when=3+"];
    let Some(mut watching) = Watching::start_failing(tree.path(), &read) else { return };
    fs::write(tree.path().join("f"), "").unwrap();
    assert!(!watching.ended().success());
    let warnings = watching.warnings();
    assert!(warnings.contains("cannot read what the kernel reports: Input/output error"), "{warnings}");
}
