//! Paths, names, directories and trees as long, as full and as large as they come.
//!
//! `TRIPLINE_SCALE=50` makes the numbers fifty times as large: a million names, a hundred thousand directories.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use tempfile::TempDir;

use crate::support::place::in_memory;
use crate::support::proc::cpu_time;
use crate::support::watching::{Seen, Watching};

fn place() -> (TempDir, PathBuf) {
    let directory = TempDir::new_in(in_memory()).unwrap();
    let root = directory.path().canonicalize().unwrap().join("root");
    fs::create_dir(&root).unwrap();
    (directory, root)
}

fn scaled(number: usize) -> usize {
    number * std::env::var("TRIPLINE_SCALE").map_or(1, |scale| scale.parse().unwrap())
}

fn was_closed(seen: &Seen) -> bool {
    seen.events.iter().any(|event| event == "close_write")
}

/// Directories in one another, with names of 250 bytes; the path of the last, and the last itself.
fn chain(from: &Path, length: usize) -> (PathBuf, OwnedFd) {
    let directory = OFlags::DIRECTORY | OFlags::RDONLY;
    let mut at = openat(CWD, from, directory, Mode::empty()).unwrap();
    let mut path = from.to_owned();
    for number in 0..length {
        let name = format!("{number:0250}");
        mkdirat(&at, &name, Mode::RWXU).unwrap();
        at = openat(&at, &name, directory, Mode::empty()).unwrap();
        path.push(name);
    }
    (path, at)
}

fn write_in(directory: &OwnedFd, name: &str) {
    let flags = OFlags::CREATE | OFlags::WRONLY;
    drop(openat(directory, name, flags, Mode::RWXU).unwrap());
}

#[test]
fn a_path_longer_than_the_kernel_takes_is_reported_whole() {
    let (_directory, root) = place();
    let (before, there) = chain(&root, 20);
    let watching = Watching::start(&root, &[]);
    write_in(&there, "file");
    watching.until(|seen| seen.path == before.join("file") && was_closed(seen));
    fs::create_dir(root.join("late")).unwrap();
    let (after, late) = chain(&root.join("late"), 20);
    write_in(&late, "file");
    watching.until(|seen| seen.path == after.join("file"));
    assert!(after.as_os_str().len() > 5_000);
    fs::rename(root.join("late"), root.join("renamed")).unwrap();
    write_in(&late, "other");
    let renamed = root.join("renamed").join(after.strip_prefix(root.join("late")).unwrap());
    watching.until(|seen| seen.path == renamed.join("other"));
}

#[test]
fn a_directory_of_very_many_files_is_looked_through_and_moved_in() {
    let (_directory, root) = place();
    let (outside, full) = (root.with_file_name("outside"), root.join("full"));
    for dir in [&outside, &full] {
        fs::create_dir(dir).unwrap();
        for number in 0..scaled(10_000) {
            fs::File::create(dir.join(number.to_string())).unwrap();
        }
    }
    let mut watching = Watching::start(&root, &[]);
    fs::write(full.join("one more"), "content").unwrap();
    watching.until(|seen| seen.path == full.join("one more") && was_closed(seen));
    let inside = root.join("in");
    fs::rename(&outside, &inside).unwrap();
    let all = watching.so_far();
    let below = all.iter().filter(|seen| seen.path.parent() == Some(&inside)).count();
    assert_eq!(below, scaled(10_000), "each once");
    fs::remove_dir_all(&inside).unwrap();
    let gone = |seen: &&Seen| seen.events.iter().any(|event| event == "delete");
    let mut ended = 0;
    while ended < scaled(10_000) {
        ended += watching.so_far().iter().filter(gone).filter(|s| s.path.parent() == Some(&inside)).count();
    }
}

#[test]
fn a_tree_of_very_many_directories_is_watched_from_the_start_and_as_it_grows() {
    let (_directory, root) = place();
    let wide = |top: &Path, number: usize| {
        for outer in 0..number / 100 {
            for inner in 0..99 {
                fs::create_dir_all(top.join(format!("{outer}/{inner}"))).unwrap();
            }
        }
    };
    let half = scaled(1_000);
    wide(&root.join("there"), half);
    let mut watching = Watching::start(&root, &[]);
    wide(&root.join("made"), half);
    for top in ["there", "made"] {
        let file = root.join(top).join("7/98/file");
        fs::write(&file, "content").unwrap();
        watching.until(|seen| seen.path == file);
    }
    watching.so_far();
    let watched = watching.watched_inodes().len();
    assert!(watched >= 2 * half, "{watched} of {}", 2 * half);
}

#[test]
fn removing_a_tree_costs_in_proportion_to_its_size() {
    let cost = |number: usize| {
        let (_directory, root) = place();
        let tree = root.join("tree");
        for outer in 0..number / 100 {
            for inner in 0..99 {
                fs::create_dir_all(tree.join(format!("{outer}/{inner}"))).unwrap();
            }
        }
        let mut watching = Watching::start(&root, &[]);
        watching.so_far();
        let before = cpu_time(watching.pid());
        fs::remove_dir_all(&tree).unwrap();
        watching.until(|seen| seen.path == tree && seen.events.iter().any(|event| event == "delete"));
        while watching.watched_inodes().len() > root.ancestors().count() + 5 {
            watching.so_far();
        }
        cpu_time(watching.pid()) - before
    };
    let (small, large) = (cost(5_000), cost(20_000));
    eprintln!("CPU time of removing 5,000 directories: {small:?}, 20,000: {large:?}");
    // Four times as many; what is quadratic takes sixteen times as long.
    assert!(large < small * 8, "{small:?} for 5,000 directories, {large:?} for 20,000");
}
