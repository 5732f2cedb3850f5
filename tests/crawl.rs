//! The first look at a tree: what it costs, and that nothing is left out.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

use crate::support::place::in_memory;
use crate::support::watching::Watching;

/// What asks for no file's end, so that no names need be known.
const CARELESS: [&str; 2] = ["--on", "close_write"];

/// A root with 12 directories, each with 12 others that hold a file.
fn place() -> (TempDir, PathBuf) {
    let directory = TempDir::new_in(in_memory()).unwrap();
    let root = directory.path().canonicalize().unwrap().join("root");
    for outer in 0..12 {
        for inner in 0..12 {
            let dir = root.join(format!("{outer}/{inner}"));
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("file"), "").unwrap();
        }
    }
    (directory, root)
}

/// How often each call is made until `root`, with 157 directories, is watched.
fn calls(options: &[&str]) -> Option<BTreeMap<String, usize>> {
    let (directory, root) = place();
    let output = directory.path().join("calls");
    let traced = ["-e", "trace=openat,openat2,close,fstatfs,inotify_add_watch,getdents64,newfstatat,fchdir"];
    drop(Watching::start_traced(&root, options, &output, &traced)?);
    let mut calls = BTreeMap::new();
    for line in fs::read_to_string(output).unwrap().lines() {
        let name = line.split_once(' ').unwrap().1.trim_start().split('(').next().unwrap();
        *calls.entry(name.to_owned()).or_insert(0) += 1;
    }
    Some(calls)
}

#[test]
fn a_directory_costs_six_calls_and_one_that_holds_no_other_three_if_no_names_are_needed() {
    let Some(all) = calls(&[]) else { return };
    eprintln!("{all:?}");
    // Starting takes some as well, but the root is opened in another way.
    let per_directory =
        |calls: &BTreeMap<String, usize>, name: &str| (calls.get(name).copied().unwrap_or(0) + 20) / 157;
    for (name, most) in
        [("openat2", 1), ("close", 1), ("inotify_add_watch", 1), ("getdents64", 2), ("fchdir", 1)]
    {
        assert_eq!(per_directory(&all, name), most, "{name} in {all:?}");
    }
    for name in ["fstatfs", "newfstatat", "openat"] {
        assert_eq!(per_directory(&all, name), 0, "{name} in {all:?}");
    }
    let Some(careless) = calls(&CARELESS) else { return };
    eprintln!("{careless:?}");
    for name in ["inotify_add_watch", "newfstatat", "fchdir"] {
        assert_eq!(per_directory(&careless, name), 1, "{name} in {careless:?}");
    }
    for name in ["openat2", "close", "getdents64", "fstatfs"] {
        assert_eq!(per_directory(&careless, name), 0, "{name} in {careless:?}");
    }
}

#[test]
fn of_a_renamed_directory_only_what_holds_files_is_looked_through() {
    let (directory, root) = place();
    for outer in 0..12 {
        for inner in 0..12 {
            fs::remove_file(root.join(format!("{outer}/{inner}/file"))).unwrap();
        }
    }
    fs::create_dir_all(root.join("old")).unwrap();
    (0..12).for_each(|outer| {
        fs::rename(root.join(outer.to_string()), root.join("old").join(outer.to_string())).unwrap();
    });
    fs::write(root.join("old/7/7/file"), "").unwrap();
    let output = directory.path().join("calls");
    let Some(watching) = Watching::start_traced(&root, &[], &output, &["-e", "trace=getdents64"]) else {
        return;
    };
    fs::rename(root.join("old"), root.join("new")).unwrap();
    watching.until(|seen| seen.path == root.join("new/7/7/file"));
    fs::write(root.join("new/3/4/late"), "").unwrap();
    watching.until(|seen| seen.path == root.join("new/3/4/late"));
    drop(watching);
    let lists = fs::read_to_string(output).unwrap().matches("getdents64").count();
    // Two for each of the 158 directories at the start.
    assert!(lists < 2 * 158 + 20, "{lists} calls");
}

fn inodes(dir: &Path, into: &mut HashSet<u64>) {
    into.insert(fs::metadata(dir).unwrap().ino());
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            inodes(&entry.path(), into);
        }
    }
}

#[test]
fn a_tree_that_grows_and_moves_while_it_is_first_looked_through_is_watched_whole() {
    for round in 0..5 {
        let (_directory, root) = place();
        let mut watching = thread::scope(|scope| {
            scope.spawn(|| {
                for outer in 0..12 {
                    for inner in 0..12 {
                        fs::create_dir(root.join(format!("{outer}/{inner}/new"))).unwrap();
                    }
                    fs::rename(
                        root.join(format!("{outer}/{round}")),
                        root.join(format!("{outer}/5/new/moved")),
                    )
                    .unwrap();
                }
            });
            Watching::start(&root, &CARELESS)
        });
        watching.so_far();
        let mut there = HashSet::new();
        inodes(&root, &mut there);
        let watched = watching.watched_inodes();
        assert!(
            watched.is_superset(&there),
            "{} of {} are not watched",
            there.difference(&watched).count(),
            there.len()
        );
        let deepest = root.join(format!("3/5/new/moved/new/file{round}"));
        fs::write(&deepest, "").unwrap();
        watching.until(|seen| seen.path == deepest);
    }
}

#[test]
fn what_is_mounted_in_the_tree_is_looked_through_though_names_are_not_needed() {
    let (_directory, root) = place();
    let (mounted, proc) = (root.join("3/4"), root.join("5/6"));
    let script = format!(
        "mount -t tmpfs none {mounted}; mkdir -p {mounted}/a/b; mount --bind /proc/sys/fs/inotify {proc}",
        mounted = mounted.display(),
        proc = proc.display()
    );
    let Some(watching) = Watching::start_unshared(&root, &CARELESS, &script) else { return };
    watching.inside(&format!("echo > {}/a/b/file", mounted.display()));
    watching.until(|seen| seen.path == mounted.join("a/b/file"));
    assert!(watching.warnings().contains("5/6"), "proc is not polled: {}", watching.warnings());
}
