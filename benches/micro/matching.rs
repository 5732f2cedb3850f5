//! Which rules an event concerns, and whether they need a directory, by how many there are.

use std::hint::black_box;

use divan::Bencher;
use tripline::event::Scope;

use super::rules::{COUNTS, all, load, save, text};

/// An event that one of the rules is for, where there are more than seven.
#[divan::bench(args = all())]
fn an_event_matched(bencher: Bencher<'_, '_>, of: (&str, usize)) {
    event(bencher, of, "src/m7/deep/m7/t7_-7-.e7");
}

/// An event that no rule is for.
#[divan::bench(args = all())]
fn an_event_unmatched(bencher: Bencher<'_, '_>, of: (&str, usize)) {
    event(bencher, of, "doc/deep/er/a.md");
}

fn event(bencher: Bencher<'_, '_>, of: (&str, usize), name: &str) {
    let (rules, event, mut out) = (load(text(of.0, of.1)), save(name), Vec::new());
    bencher.bench_local(|| {
        out.clear();
        rules.matches(black_box(&event), &mut out);
    });
}

/// Events of 10,000 names, each of which a glob without a literal start or extension takes.
#[divan::bench(args = COUNTS)]
fn many_names_matched(bencher: Bencher<'_, '_>, count: usize) {
    let (rules, mut out) = (load(text("**/*-N-*", count)), Vec::new());
    let events: Vec<_> =
        (0..10_000).map(|n| save(&format!("src/{}-{}-{n}.log", n % 89, n % count))).collect();
    let mut events = events.iter().cycle();
    bencher.bench_local(|| {
        out.clear();
        events.next().into_iter().for_each(|event| rules.matches(black_box(event), &mut out));
    });
}

/// Whether something in or below a directory could match.
#[divan::bench(args = all())]
fn a_directory(bencher: Bencher<'_, '_>, of: (&str, usize)) {
    let rules = load(text(of.0, of.1));
    bencher.bench_local(|| rules.plan().wants_dir(black_box(b"/w/src/m7/deep/er")));
}
