//! The watcher's tree: finding a directory's path, and moving, adding and removing directories.

use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;

use self::tree::{Place, Tree};
use super::sys::Wd;
use super::time::MonoTime;

// Nobody outside the watcher has a use for them.
#[allow(dead_code, reason = "only some of what the watcher needs is measured")]
#[path = "../../src/watch/tree/mod.rs"]
mod tree;

const DIRECTORIES: i32 = 100_000;

/// Ten in each.
fn place(wd: i32) -> Place {
    if wd == 1 {
        Place::Root(0)
    } else {
        Place::Below(Wd((wd + 8) / 10), format!("dir{wd}").into_bytes().into())
    }
}

fn grown() -> Tree {
    let mut tree = Tree::default();
    (1..=DIRECTORIES).for_each(|wd| assert!(tree.attach(Wd(wd), &place(wd))));
    tree
}

#[divan::bench(sample_count = 20)]
fn attach_all(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(DIRECTORIES as usize)).bench_local(grown);
}

#[divan::bench]
fn a_path(bencher: Bencher<'_, '_>) {
    let (tree, mut wd) = (grown(), 0);
    bencher.bench_local(|| {
        wd = (wd + 7_919) % DIRECTORIES;
        tree.route(Wd(wd + 1))
    });
}

#[divan::bench]
fn find_below(bencher: Bencher<'_, '_>) {
    let (tree, mut number) = (grown(), 0);
    let names: Vec<_> = (2..1_000).map(|wd| (Wd((wd + 8) / 10), format!("dir{wd}"))).collect();
    bencher.bench_local(|| {
        number = (number + 1) % names.len();
        tree.child(names[number].0, names[number].1.as_bytes())
    });
}

/// A directory that holds nine tenths of all.
#[divan::bench]
fn rename(bencher: Bencher<'_, '_>) {
    let (mut tree, later) = (grown(), MonoTime::from_origin(Duration::from_secs(1)));
    bencher.bench_local(|| {
        tree.orphan(Wd(2), later, false);
        tree.attach(Wd(2), &place(2))
    });
}

#[divan::bench(sample_count = 20)]
fn remove_all(bencher: Bencher<'_, '_>) {
    let bencher = bencher.counter(ItemsCount::new(DIRECTORIES as usize)).with_inputs(grown);
    bencher.bench_local_values(|mut tree| tree.remove_subtree(Wd(1)).len());
}
