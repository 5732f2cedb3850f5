//! Every interleaving of short sequences, and longer sequences at random.

use proptest::prelude::*;

use super::kernel::Schedule;
use super::run::{Start, run};
use super::world::Op;
use super::*;

/// The sequences of operations of a length that the kernel lets be.
pub(super) fn sequences(start: Start, length: usize) -> Vec<Vec<Op>> {
    let mut sequences: Vec<Vec<Op>> = vec![Vec::new()];
    for _ in 0..length {
        let longer = sequences.iter().flat_map(|sequence| {
            operations(start).into_iter().map(|op| [sequence.as_slice(), &[op]].concat())
        });
        sequences = longer.filter(|sequence| is_possible(start, sequence)).collect();
    }
    sequences
}

/// Tries every way in which the operations can fall between the watcher's calls; answers how many.
fn interleave(start: Start, sequence: &[Op]) -> usize {
    interleave_after(start, sequence, &mut Vec::new())
}

fn interleave_after(start: Start, sequence: &[Op], before: &mut Vec<(usize, Op)>) -> usize {
    let Some((&op, rest)) = sequence.split_first() else { return 0 };
    let mut tried = 0;
    for wait in 0.. {
        before.push((wait, op));
        let schedule = Schedule::from_iter(before.iter().copied());
        let due = run(start, schedule).unwrap_or_else(|error| panic!("{error}: {before:?} from {start:?}"));
        tried += 1 + interleave_after(start, rest, before);
        before.pop();
        if !due {
            break;
        }
    }
    tried
}

/// The length of the sequences to try: `TRIPLINE_DEPTH` where it is set.
pub(super) fn depth(default: usize) -> usize {
    std::env::var("TRIPLINE_DEPTH").ok().and_then(|depth| depth.parse().ok()).unwrap_or(default)
}

/// Tries all sequences of a length.
fn exhaust(start: Start, default: usize) {
    let sequences = sequences(start, depth(default));
    let tried: usize = sequences.iter().map(|sequence| interleave(start, sequence)).sum();
    eprintln!("{} sequences, {tried} interleavings", sequences.len());
}

proptest! {
    #[test]
    fn longer_sequences_hold_too(
        start in prop::sample::select(&STARTS[..]),
        steps in prop::collection::vec((0..40_usize, 0..operations(LINKED).len()), 3..9),
    ) {
        let schedule = schedule(start, &steps);
        let outcome = run(start, schedule.clone());
        prop_assert!(outcome.is_ok(), "{outcome:?}: {schedule:?} from {start:?}");
    }

    #[test]
    fn whatever_bytes_say_is_followed(bytes in prop::collection::vec(any::<u8>(), 0..16)) {
        follow(&bytes);
    }
}

#[test]
fn a_tree_is_followed_whatever_falls_between_two_calls() {
    exhaust(THERE, 2);
}

#[test]
fn a_first_crawl_is_complete_whatever_falls_between_two_calls() {
    exhaust(CRAWLED, 1);
}

#[test]
fn a_first_crawl_that_lists_no_leaves_is_complete_whatever_falls_between_two_calls() {
    exhaust(CARELESS, 2);
}

#[test]
fn events_read_one_by_one_say_the_same() {
    exhaust(PIECEMEAL, 2);
}

#[test]
fn events_wait_for_room_and_the_watcher_sleeps_meanwhile() {
    exhaust(SLOW, 2);
}

#[test]
fn what_an_overflow_drops_is_found_whatever_falls_between_two_calls() {
    exhaust(LOSSY, 2);
}

#[test]
fn nothing_is_missed_while_another_scope_takes_over_whatever_falls_between_two_calls() {
    exhaust(RESCOPED, 2);
    exhaust(NARROWED, 1);
    exhaust(WIDENED, 1);
}

#[test]
fn what_changes_places_is_known_whatever_falls_between_two_calls() {
    exhaust(EXCHANGED, 2);
}

#[test]
fn a_root_behind_a_link_is_found_whatever_falls_between_two_calls() {
    exhaust(LINKED, 1);
}

#[test]
fn a_missing_root_is_found_whatever_falls_between_two_calls() {
    exhaust(MISSING, 3);
}

#[test]
fn a_root_that_is_renamed_between_its_opening_and_its_watch_is_let_go() {
    interleave(MISSING, &[Op::Mkdir("/p"), Op::Mkdir("/p/r"), Op::Rename("/p/r", "/o")]);
}

#[test]
fn a_directory_that_is_renamed_before_a_name_is_awaited_in_it_is_let_go() {
    interleave(MISSING, &[Op::Mkdir("/p"), Op::Rmdir("/p"), Op::Mkdir("/p"), Op::Rename("/p", "/o")]);
}

#[test]
fn what_lies_above_a_root_that_is_found_late_is_watched_too() {
    interleave(THERE, &[Op::Rename("/p", "/o"), Op::Rename("/o", "/p"), Op::Rename("/p", "/o")]);
}

#[test]
fn nothing_is_found_in_a_directory_that_had_left_when_its_watch_began() {
    interleave(THERE, &[Op::Rename("/p/r/a", "/o"), Op::Rename("/o", "/p/r/a"), Op::Rename("/p/r/a", "/o")]);
}

#[test]
fn a_file_is_not_taken_for_gone_because_its_directory_cannot_be_opened_now() {
    interleave(THERE, &[Op::Rename("/p/r/a/f", "/p/r/f"), Op::Rename("/p", "/o"), Op::Rename("/o", "/p")]);
}

#[test]
fn the_files_of_a_directory_that_was_replaced_amid_a_loss_are_told_gone() {
    interleave(LOSSY, &[Op::Write("/p/r/a/f"), Op::Rename("/p/r/a", "/o"), Op::Mkdir("/p/r/a")]);
}

#[test]
fn what_changed_below_a_directory_that_could_not_be_opened_after_a_loss_is_found() {
    let mut writes = vec![(0, Op::Write("/p/r/f")), (0, Op::Write("/p/r/a/f"))];
    let moves = [Op::Rename("/p", "/o"), Op::Rename("/o", "/p")];
    interleave_after(LOSSY, &moves, &mut writes);
}

/// Histories that once left the watcher with a wrong idea of what is there.
const ONCE_WRONG: [(Start, &[(usize, Op)]); 14] = [
    // A directory that had left was reported to have ended, with its files, when another had its name.
    (
        LOSSY,
        &[
            (0, Op::Rename("/p/r/a", "/p/r/b")),
            (0, Op::Mkdir("/p/r/a")),
            (0, Op::Mkdir("/o")),
            (7, Op::Write("/p/r/a/f")),
            (2, Op::Rename("/p/r/b", "/o")),
            (0, Op::Rename("/p/r/a", "/p/r/b")),
        ],
    ),
    // A directory was found under its new name before its loss was known: nothing said that it had left.
    (
        LOSSY,
        &[
            (0, Op::Mkdir("/p/r/b")),
            (1, Op::Write("/p/r/a/f")),
            (10, Op::Rename("/p/r/b", "/p/r/a/b")),
            (0, Op::Rename("/p/r/a", "/p/r/b")),
        ],
    ),
    // What was found in a directory stood before the event that it had left.
    (
        PIECEMEAL,
        &[
            (0, Op::Rename("/p", "/o")),
            (9, Op::Rename("/o", "/p")),
            (14, Op::Rename("/p/r/a", "/p/r/b")),
            (12, Op::Rename("/p/r/b", "/p/r/a")),
            (0, Op::Rename("/p/r/a", "/p/r/b")),
        ],
    ),
    (
        LOSSY,
        &[
            (0, Op::Rename("/p/r/a", "/p/r/b")),
            (13, Op::Rename("/p/r/b", "/p/r/a")),
            (0, Op::Rename("/p/r/a", "/p/r/b")),
        ],
    ),
    // The parent's event of a removal was lost when the watch had ended already.
    (LOSSY, &[(0, Op::Mkdir("/p/r/a/b")), (0, Op::Mkdir("/o")), (9, Op::Rmdir("/p/r/a/b"))]),
    // The arrival of a directory that looking had told of already was lost, but not the leaving before it.
    (
        LOSSY,
        &[
            (0, Op::Rename("/p/r/a", "/p/r/b")),
            (18, Op::Rename("/p/r/b", "/p/r/a")),
            (27, Op::Rename("/p/r/a", "/p/r/b")),
            (0, Op::Mkdir("/p/r/a")),
        ],
    ),
    // A directory in one that had left, in whose place there is another.
    (
        LOSSY,
        &[
            (0, Op::Mkdir("/p/r/a/b")),
            (1, Op::Write("/p/r/f")),
            (0, Op::Rename("/p/r/a", "/o")),
            (0, Op::Mkdir("/p/r/a")),
        ],
    ),
    (
        LOSSY,
        &[
            (0, Op::Mkdir("/p/r/a/b")),
            (0, Op::Write("/p/r/f")),
            (9, Op::Write("/p/r/f")),
            (7, Op::Rename("/p/r/a", "/o")),
            (13, Op::Mkdir("/p/r/a")),
        ],
    ),
    // One that had left was looked through, and what was found reported under its old path.
    (
        LOSSY,
        &[
            (2, Op::Mkdir("/p/r/a/b")),
            (5, Op::Rename("/p/r/a", "/p/r/b")),
            (8, Op::Rename("/p/r/b", "/o")),
            (15, Op::Mkdir("/p/r/b")),
        ],
    ),
    // Its watch ended while it waited to be reported.
    (
        LOSSY,
        &[
            (0, Op::Mkdir("/p/r/b")),
            (0, Op::Mkdir("/o")),
            (4, Op::Write("/p/r/f")),
            (0, Op::Rename("/p/r/b", "/o")),
            (8, Op::Rmdir("/o")),
            (23, Op::Rename("/p/r/a", "/o")),
        ],
    ),
    // It came back elsewhere, by an event, before it was reported.
    (
        LOSSY,
        &[
            (0, Op::Write("/p/r/f")),
            (17, Op::Rename("/p/r/a", "/p/r/b")),
            (34, Op::Write("/p/r/f")),
            (3, Op::Rename("/p/r/b", "/o")),
            (24, Op::Rename("/o", "/p/r/a")),
        ],
    ),
    // That it had left was forgotten when another was made in its place.
    (
        LOSSY,
        &[
            (0, Op::Mkdir("/o")),
            (0, Op::Rename("/o", "/p/r/a/b")),
            (10, Op::Rename("/p/r/a/b", "/p/r/b")),
            (0, Op::Rename("/p/r/a", "/p/r/b")),
            (13, Op::Write("/p/r/f")),
            (19, Op::Rename("/p/r/b", "/o")),
            (5, Op::Mkdir("/p/r/a")),
        ],
    ),
    // A link on the way to the root was replaced after it was read, and before it was watched.
    (
        LINKED,
        &[
            (0, Op::Rename("/p/r", "/o")),
            (0, Op::Rename("/o", "/p")),
            (0, Op::Rename("/p", "/o")),
            (0, Op::Rename("/o", "/p")),
            (0, Op::Link("/o", "/l")),
            (23, Op::Rename("/p", "/o")),
            (3, Op::Link("/p", "/l")),
        ],
    ),
    // A directory above the root was not there while it was to be watched, and back when the root was.
    (
        THERE,
        &[
            (0, Op::Rename("/p/r/a", "/p/r/b")),
            (9, Op::Rename("/p", "/o")),
            (8, Op::Rename("/o", "/p")),
            (24, Op::Rename("/p", "/o")),
            (1, Op::Rename("/o", "/p")),
            (5, Op::Rename("/p", "/o")),
        ],
    ),
];

#[test]
fn what_was_wrong_once_is_right() {
    for (start, steps) in ONCE_WRONG {
        let outcome = run(start, steps.iter().copied().collect());
        assert!(outcome.is_ok(), "{outcome:?}: {steps:?} from {start:?}");
    }
}
