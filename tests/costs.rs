//! What a fixed workload costs, counted and not timed: the system calls of a running tripline, and the allocations
//! of what decides on each event. Each figure of `tests/costs/` may differ by a tenth, or by a few where the order
//! of things is left to chance. `TRIP_BLESS=1` writes what came of it instead; read the difference before you keep
//! it, and say in the commit what it is for.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tripline::dispatch::{Core, Input, Limits};
use tripline::event::{Event, EventMask, Subject, Trigger};
use tripline::rules::{IgnoreFiles, Rules, SourceFile, Surroundings};
use tripline::time::MonoTime;

/// What was counted, by what it is called.
type Figures = BTreeMap<String, u64>;

/// Calls that come now and then: so many more or fewer are not told.
const FEW: u64 = 10;

/// Compares with the figures in a file. What is in only one of them counts as nothing in the other.
fn check(file: &str, now: &Figures) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/costs").join(file);
    if std::env::var_os("TRIP_BLESS").is_some_and(|value| value == "1") {
        let mut text = String::new();
        now.iter().for_each(|(what, count)| writeln!(text, "{count:>6} {what}").unwrap());
        return fs::write(path, text).unwrap();
    }
    let text = fs::read_to_string(&path).unwrap();
    let line = |line: &str| {
        let (count, what) = line.trim_start().split_once(' ').unwrap();
        (what.to_owned(), count.parse::<u64>().unwrap())
    };
    let before: Figures = text.lines().map(line).collect();
    let mut changed = String::new();
    for what in before.keys().chain(now.keys().filter(|what| !before.contains_key(*what))) {
        let figure = |all: &Figures| all.get(what).copied().unwrap_or_default();
        let (before, now) = (figure(&before), figure(now));
        if before.abs_diff(now) > (before / 10).max(FEW) {
            writeln!(changed, "{what}: {before} before, {now} now").unwrap();
        }
    }
    assert!(changed.is_empty(), "it costs more or less than {} says:\n{changed}", path.display());
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod calls {
    use tempfile::tempdir;

    use super::{Figures, check, fs};
    use crate::support::running::{READY, tripline};
    use crate::support::tracer::{Calls, Traced};

    /// No history: it is written by a thread of its own, and how many runs that writes at once is left to chance.
    const RULES: &str = "[settings]\nhistory = \"0\"\n[rules.each]\npaths = [\"each/*.x\"]\ndebounce = \"0ms\"\nrun = [\"true\"]\noutput = \"inherit\"\nmay_loop = true\n\
                         [rules.all]\npaths = [\"**/*.y\"]\nrun = [\"true\"]\noutput = \"inherit\"\n";

    /// The C library's own affair, which differs from version to version.
    const MEMORY: [&str; 6] = ["brk", "futex", "madvise", "mmap", "mprotect", "munmap"];

    fn add(figures: &mut Figures, phase: &str, calls: Calls) {
        let own = calls.into_iter().filter(|(name, _)| !MEMORY.contains(&name.as_str()));
        figures.extend(own.map(|(name, count)| (format!("{phase}: {name}"), count)));
    }

    /// The tree is in place before the start; what is saved later is saved while no thread of tripline goes on.
    #[test]
    fn no_more_system_calls_are_made_than_before() {
        let (directory, mut figures) = (tempdir().unwrap(), Figures::new());
        let root = directory.path();
        for outer in 0..20 {
            for inner in 0..24 {
                let dir = root.join(format!("d{outer}/d{inner}"));
                fs::create_dir_all(&dir).unwrap();
                fs::write(dir.join("a.y"), "a\n").unwrap();
            }
        }
        fs::create_dir(root.join("each")).unwrap();
        fs::write(root.join("tripline.toml"), RULES).unwrap();
        let mut traced = Traced::start(tripline().arg("run").current_dir(root));
        add(&mut figures, "start, 500 directories", traced.calls_until(|line| line.starts_with(READY)));

        let mut all = Calls::new();
        for n in 0..50 {
            fs::write(root.join(format!("each/{n}.x")), "a\n").unwrap();
            let calls = traced.calls_until(|line| line == "each: ok");
            calls.into_iter().for_each(|(name, count)| *all.entry(name).or_default() += count);
        }
        add(&mut figures, "50 saves, each with a run", all);

        (0..2000).for_each(|n| fs::write(root.join(format!("d{}/{n}.z", n % 20)), "a\n").unwrap());
        fs::write(root.join("each/last.x"), "a\n").unwrap();
        let unmatched = traced.calls_until(|line| line == "each: ok");
        add(&mut figures, "2000 saves that no rule matches, and one run", unmatched);

        (0..2000).for_each(|n| fs::write(root.join(format!("d{}/{n}.y", n % 20)), "a\n").unwrap());
        let matched = traced.calls_until(|line| line == "all: ok");
        add(&mut figures, "2000 saves for one run", matched);
        check("calls.txt", &figures);
    }
}

/// Rules of which the one that counts is the first: each of the others is for files of its own.
fn rules(count: usize) -> Arc<Rules> {
    let others = (1..count)
        .map(|n| format!("[rules.r{n}]\npaths = [\"m{n}/**/*.c\", \"**/*.e{n}\"]\nrun = [\"true\"]\n"));
    let text =
        std::iter::once("[rules.first]\npaths = [\"**/*.txt\"]\nrun = [\"true\"]\n".to_owned()).chain(others);
    let files = Arc::new(HashMap::<PathBuf, IgnoreFiles>::new());
    let around = Surroundings { directory: "/w".into(), home: None, files };
    Arc::new(Rules::parse(SourceFile { name: "rules".to_owned(), text: text.collect() }, &around).unwrap())
}

/// What the core allocates for so many events, after as many of the same kind.
fn allocated(rules: usize, name: impl Fn(u64) -> String) -> u64 {
    const EVENTS: u64 = 1000;
    let mut core = Core::new(self::rules(rules), Limits { exec_bytes: 1 << 20 });
    let event = |n| Event {
        mask: EventMask::CLOSE_WRITE | EventMask::CHANGE,
        path: format!("/w/some/where/{}", name(n)).into_bytes(),
        subject: Subject::File,
        from: None,
        cookie: 0,
        trigger: Trigger::Event,
    };
    let (mut effects, now) = (Vec::new(), MonoTime::from_origin(Duration::from_secs(1)));
    (0..EVENTS).for_each(|n| core.step(Input::Event(event(n)), now, &mut effects));
    let mut more: Vec<_> = (EVENTS..2 * EVENTS).map(|n| Input::Event(event(n))).collect();
    let counted =
        allocation_counter::measure(|| more.drain(..).for_each(|input| core.step(input, now, &mut effects)));
    assert!(effects.is_empty());
    counted.count_total
}

#[test]
fn no_more_is_allocated_for_an_event_than_before() {
    let mut figures = Figures::new();
    for count in [1, 1000] {
        for (kind, name) in [
            ("that no rule matches", (|n| format!("{n}.none")) as fn(u64) -> String),
            ("each of another file", |n| format!("{n}.txt")),
            ("of ten files that have changed before", |n| format!("{}.txt", n % 10)),
        ] {
            figures.insert(format!("{count} rules, 1000 events {kind}"), allocated(count, name));
        }
    }
    check("allocations.txt", &figures);
}
