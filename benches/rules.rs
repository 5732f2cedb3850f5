//! What many rules cost: how long they take to load, and what each event and each directory takes then.
//!
//!     cargo bench

use std::collections::HashMap;
use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tripline::event::{Event, EventMask, Scope, Subject, Trigger};
use tripline::rules::{IgnoreFiles, Rules, SourceFile, Surroundings};

/// Calls for each number: long enough for a clock of microseconds.
const ROUNDS: u32 = 100_000;

/// A shape of globs, and the glob of rule `n`.
type Kind = (&'static str, fn(usize) -> String);

/// What the globs of many rules may have in common.
const KINDS: [Kind; 5] = [
    ("src/mN/**/*.rs", |n| format!("src/m{n}/**/*.rs")),
    ("src/**/mN/*.rs", |n| format!("src/**/m{n}/*.rs")),
    ("**/*.eN", |n| format!("**/*.e{n}")),
    ("**/fN.txt", |n| format!("**/f{n}.txt")),
    ("src/**/tN_*.rs", |n| format!("src/**/t{n}_*.rs")),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:<16} {:>6} {:>10} {:>10} {:>10}", "globs", "rules", "load", "event", "directory");
    for (name, glob) in KINDS {
        for count in [10, 1_000, 10_000] {
            let start = Instant::now();
            let rules = load(count, glob)?;
            let loaded = start.elapsed();
            let (event, directory) = (time_event(&rules), time_directory(&rules));
            println!("{name:<16} {count:>6} {loaded:>10.1?} {event:>10.0?} {directory:>10.0?}");
        }
    }
    Ok(())
}

fn load(count: usize, glob: impl Fn(usize) -> String) -> Result<Rules, String> {
    let rule = |n| format!("[rules.r{n}]\npaths = [\"{}\"]\nrun = [\"make\", \"m{n}\"]\n", glob(n));
    let text = (0..count).map(rule).collect();
    let files = Arc::new(HashMap::<PathBuf, IgnoreFiles>::new());
    let around = Surroundings { directory: "/w".into(), home: None, files };
    Rules::parse(SourceFile { name: "rules".to_owned(), text }, &around).map_err(|found| found.render(false))
}

fn time_event(rules: &Rules) -> Duration {
    let event = Event {
        mask: EventMask::CLOSE_WRITE | EventMask::CHANGE,
        path: b"/w/src/m7/deep/er/m7/t7_a.rs".to_vec(),
        subject: Subject::File,
        from: None,
        cookie: 0,
        trigger: Trigger::Event,
    };
    let mut out = Vec::new();
    time(|| {
        out.clear();
        rules.matches(black_box(&event), &mut out);
    })
}

fn time_directory(rules: &Rules) -> Duration {
    let plan = rules.plan();
    time(|| {
        black_box(plan.wants(black_box(b"/w/src/m7/deep/er")));
    })
}

fn time(mut call: impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..ROUNDS).for_each(|_| call());
    start.elapsed() / ROUNDS
}
