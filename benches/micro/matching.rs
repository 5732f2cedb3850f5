//! Which rules an event concerns, and whether they need a directory, by how many there are.

use std::hint::black_box;

use divan::Bencher;
use tripline::event::Scope;

use super::rules::{all, load, save, text};

/// An event that one of the rules is for, where there are more than seven.
#[divan::bench(args = all())]
fn an_event_matched(bencher: Bencher<'_, '_>, of: (&str, usize)) {
    event(bencher, of, "src/m7/deep/m7/t7_a.e7");
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

/// Whether something in or below a directory could match.
#[divan::bench(args = all())]
fn a_directory(bencher: Bencher<'_, '_>, of: (&str, usize)) {
    let rules = load(text(of.0, of.1));
    bencher.bench_local(|| rules.plan().wants_dir(black_box(b"/w/src/m7/deep/er")));
}
