//! A model of the kernel for the watcher: a file system in memory with inotify's rules, where others act
//! before any call that the watcher makes. Every interleaving of short sequences is tried, and longer
//! ones at random; then the watcher must know exactly what is there.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy.toml allows them in tests; fuzzing needs this too"
)]

#[cfg(test)]
mod faults;
#[cfg(test)]
mod interleave;
mod kernel;
mod queue;
mod run;
mod world;

use kernel::Schedule;
use queue::Queue;
use run::{Start, run};
use world::{Op, World};

const DIRS: [&str; 6] = ["/p", "/p/r", "/p/r/a", "/p/r/b", "/p/r/a/b", "/o"];
const FILES: [&str; 2] = ["/p/r/f", "/p/r/a/f"];

/// Events that the kernel's queue holds where nothing is to be lost.
const AMPLE: usize = 10_000;

/// A root with a directory and a file in it.
const THERE: Start = Start {
    made: &[Op::Mkdir("/p"), Op::Mkdir("/p/r"), Op::Mkdir("/p/r/a"), Op::Write("/p/r/a/f")],
    root: "/p/r",
    more: &[],
    limit: AMPLE,
    batch: AMPLE,
    slow: false,
    during_first_crawl: false,
    before: None,
    careless: false,
};
/// Nothing of the root's path.
const MISSING: Start = Start { made: &[], ..THERE };
/// A root of which the first crawl begins with what happens.
const CRAWLED: Start = Start { during_first_crawl: true, ..THERE };
/// As that, of a scope that need not know what files there are.
const CARELESS: Start = Start {
    made: &[
        Op::Mkdir("/p"),
        Op::Mkdir("/p/r"),
        Op::Mkdir("/p/r/a"),
        Op::Mkdir("/p/r/a/b"),
        Op::Mkdir("/p/r/b"),
        Op::Write("/p/r/a/f"),
    ],
    careless: true,
    ..CRAWLED
};
/// A kernel that tells one thing at a time.
const PIECEMEAL: Start = Start { batch: 1, ..THERE };
/// Another scope that wants the same takes the place of the first when what happens begins.
const RESCOPED: Start = Start { before: Some("/p/r"), ..THERE };
/// The same of a wider scope.
const NARROWED: Start = Start { before: Some("/p"), ..THERE };
/// The same of a narrower one.
const WIDENED: Start = Start { before: Some("/p/r/a"), ..THERE };
/// Somebody who seldom takes the events.
const SLOW: Start = Start { slow: true, ..THERE };
/// A kernel that drops most of what happens.
const LOSSY: Start = Start { limit: 2, ..THERE };

/// Directories that change places, files too.
const EXCHANGED: Start = Start {
    more: &[
        Op::Exchange("/p/r/a", "/p/r/b"),
        Op::Exchange("/p/r/a", "/o"),
        Op::Exchange("/p/r/a/b", "/p/r/b"),
        Op::Exchange("/p", "/o"),
        Op::Exchange("/p/r/f", "/p/r/a/f"),
        Op::Exchange("/p/r/f", "/p/r/a/b"),
    ],
    ..THERE
};
/// A root whose path leads through a symbolic link, and links below it.
const LINKED: Start = Start {
    made: &[
        Op::Mkdir("/p"),
        Op::Mkdir("/p/r"),
        Op::Mkdir("/p/r/a"),
        Op::Write("/p/r/a/f"),
        Op::Mkdir("/o"),
        Op::Link("/p", "/l"),
    ],
    root: "/l/r",
    more: &[
        Op::Link("/o", "/l"),
        Op::Link("/p", "/l"),
        Op::Unlink("/l"),
        Op::Mkdir("/o/r"),
        Op::Write("/o/r/f"),
        Op::Rename("/p/r", "/o/r"),
        Op::Rename("/o/r", "/p/r"),
        Op::Link("/p/r/a", "/p/r/b"),
        Op::Link("/o", "/p/r/b"),
        Op::Link("/p/r", "/p/r/a/b"),
        Op::Unlink("/p/r/b"),
        Op::Unlink("/p/r/a/b"),
    ],
    ..THERE
};
/// All of them.
const STARTS: [Start; 12] = [
    THERE, MISSING, CRAWLED, CARELESS, PIECEMEAL, RESCOPED, NARROWED, WIDENED, SLOW, LOSSY, EXCHANGED, LINKED,
];

/// Every operation that can happen after a start.
fn operations(start: Start) -> Vec<Op> {
    let mut all = start.more.to_vec();
    for dir in DIRS {
        all.extend([Op::Mkdir(dir), Op::Rmdir(dir)]);
        all.extend(DIRS.into_iter().filter(|to| *to != dir).map(|to| Op::Rename(dir, to)));
    }
    for file in FILES {
        all.extend([Op::Write(file), Op::Truncate(file), Op::Unlink(file)]);
        all.extend(FILES.into_iter().filter(|to| *to != file).map(|to| Op::Rename(file, to)));
    }
    all
}

fn is_possible(start: Start, sequence: &[Op]) -> bool {
    let mut world = World::new(Queue::new(AMPLE));
    start.made.iter().chain(sequence).all(|&op| world.apply(op))
}

/// Waits with the operations chosen, or the next after each in the list that the kernel lets be.
fn schedule(start: Start, steps: &[(usize, usize)]) -> Schedule {
    let (mut sequence, all) = (Vec::new(), operations(start));
    for (_, choice) in steps {
        let mut candidates = all.iter().cycle().skip(*choice).take(all.len());
        let possible = |op: &&Op| is_possible(start, &[sequence.as_slice(), &[**op]].concat());
        sequence.extend(candidates.find(possible));
    }
    steps.iter().map(|&(wait, _)| wait).zip(sequence).collect()
}

/// What others do, as bytes tell: where it starts, and two for each operation, its wait and its choice.
fn told(bytes: &[u8]) -> Option<(Start, Schedule)> {
    let (&start, rest) = bytes.split_first()?;
    let start = STARTS[usize::from(start) % STARTS.len()];
    let steps: Vec<_> =
        rest.chunks_exact(2).map(|step| (usize::from(step[0]), usize::from(step[1]))).collect();
    Some((start, schedule(start, &steps)))
}

/// Has happen what these bytes say, and panics if the watcher is wrong about what is there in the end.
pub(super) fn follow(bytes: &[u8]) {
    if let Some((start, schedule)) = told(bytes)
        && let Err(error) = run(start, schedule.clone())
    {
        panic!("{error}: {schedule:?} from {start:?}");
    }
}
