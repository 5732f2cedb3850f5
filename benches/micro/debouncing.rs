//! The core, told of saves that a rule waits for the end of.

use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use tripline::dispatch::{Core, Input, Limits};
use tripline::time::MonoTime;

use super::rules::{COUNTS, load, save, text};

/// Of each save, how many saves of another file come before the next of the same.
#[divan::bench(args = [1, 100, 10_000])]
fn saves_of_so_many_files(bencher: Bencher<'_, '_>, files: usize) {
    collect(bencher, 1, |n| format!("{}.e0", n % files));
}

/// By how many rules there are, one of which is concerned.
#[divan::bench(args = COUNTS)]
fn saves_with_so_many_rules(bencher: Bencher<'_, '_>, rules: usize) {
    collect(bencher, rules, |n| format!("src/{}.e0", n % 100));
}

/// By how many rules there are, none of which is.
#[divan::bench(args = COUNTS)]
fn saves_that_no_rule_matches(bencher: Bencher<'_, '_>, rules: usize) {
    collect(bencher, rules, |n| format!("src/{}.none", n % 100));
}

fn collect(bencher: Bencher<'_, '_>, rules: usize, name: impl Fn(usize) -> String) {
    const SAVES: usize = 10_000;
    let rules = load(text("**/*.eN", rules));
    let saves = || (0..SAVES).map(|n| Input::Event(save(&name(n)))).collect::<Vec<_>>();
    let now = MonoTime::from_origin(Duration::from_secs(1));
    let mut effects = Vec::new();
    bencher
        .counter(ItemsCount::new(SAVES))
        .with_inputs(|| (Core::new(rules.clone(), Limits { exec_bytes: 1 << 20 }), saves()))
        .bench_local_values(|(mut core, saves)| {
            saves.into_iter().for_each(|save| core.step(save, now, &mut effects));
            core
        });
}
