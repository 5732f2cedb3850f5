//! Rules for the others: of so many, each for files of its own.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use tripline::event::{Event, EventMask, Subject, Trigger};
use tripline::rules::{IgnoreFiles, Rules, SourceFile, Surroundings};

/// How many.
pub(crate) const COUNTS: [usize; 5] = [1, 10, 100, 1_000, 10_000];

/// A shape of globs, by what rule `N` has in it.
const SHAPES: [&str; 6] =
    ["src/mN/**/*.rs", "src/**/mN/*.rs", "**/*.eN", "**/fN.txt", "src/**/tN_*.rs", "**/*-N-*"];

/// Each shape with each count.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, usize)> {
    SHAPES.into_iter().flat_map(|shape| COUNTS.map(|count| (shape, count)))
}

/// The rules file with `count` rules whose globs have this shape.
pub(crate) fn text(shape: &str, count: usize) -> String {
    let rule = |n: usize| {
        let glob = shape.replace('N', &n.to_string());
        format!("[rules.r{n}]\npaths = [\"{glob}\"]\nrun = [\"make\", \"m{n}\"]\n")
    };
    (0..count).map(rule).collect()
}

/// The rules of a rules file in `/w`, without any ignore file.
#[allow(clippy::expect_used, reason = "a mistake in them is one in this file")]
pub(crate) fn load(text: String) -> Arc<Rules> {
    let files = Arc::new(HashMap::<PathBuf, IgnoreFiles>::new());
    let around = Surroundings { directory: "/w".into(), home: None, files };
    let rules = Rules::parse(SourceFile { name: "rules".to_owned(), text }, &around);
    rules.map(Arc::new).map_err(|mistakes| mistakes.render(false)).expect("the rules have no mistake")
}

/// A save of a file below the root.
pub(crate) fn save(name: &str) -> Event {
    Event {
        mask: EventMask::CLOSE_WRITE | EventMask::CHANGE,
        path: format!("/w/{name}").into_bytes(),
        subject: Subject::File,
        from: None,
        cookie: 0,
        trigger: Trigger::Event,
    }
}
