//! Calls that fail: nothing is lost for good, the trouble is told, and all is right once it is over.

use std::time::Duration;

use super::super::Notice;
use super::interleave::{depth, sequences};
use super::kernel::{Call, Fault, Schedule};
use super::run::{Run, Start};
use super::world::Op;
use super::{CRAWLED, MISSING, THERE};

/// What can fail, and how.
const FAULTS: [(Call, i32); 15] = [
    (Call::Watch, libc::ENOSPC),
    (Call::Watch, libc::ENOMEM),
    (Call::Watch, libc::EACCES),
    (Call::Open, libc::EMFILE),
    (Call::Open, libc::ENFILE),
    (Call::Open, libc::EACCES),
    (Call::Open, libc::EIO),
    (Call::Open, libc::ENOMEM),
    (Call::List, libc::EIO),
    (Call::List, libc::ENOMEM),
    (Call::Status, libc::EIO),
    (Call::Status, libc::ENOMEM),
    (Call::Lease, libc::EMFILE),
    (Call::Lease, libc::EACCES),
    (Call::Read, libc::EIO),
];

/// How long a fault lasts that is there to stay, and the calls that are a spin.
const LASTING: Duration = Duration::from_secs(60);
const SPIN: usize = 10_000;

/// Does what is scheduled under a fault, ends the fault, and checks. Answers how often it struck.
fn suffer(start: Start, schedule: Schedule, fault: Fault) -> Result<usize, String> {
    let mut run = Run::new(start, schedule, Some(fault))?;
    endure(&mut run)?;
    // What nothing more was asked for after.
    while run.machine.borrow_mut().hurry() {}
    endure(&mut run)?;
    let before = run.machine.borrow().done;
    run.machine.borrow_mut().apply(Op::Write("/p/r/a/f"));
    let struck = run.machine.borrow_mut().fault.take().map_or(0, |fault| fault.struck);
    let notices = &run.observer.notices;
    // A root above which nothing may be read counts as missing.
    let missing = fault.code == libc::EACCES
        && notices.iter().any(|notice| matches!(notice, Notice::RootMissing { .. }));
    let told = missing || notices.iter().any(is_trouble);
    if struck > 2 && !told && !matches!(fault.call, Call::Lease) {
        return Err(format!("nothing but {notices:?} is told"));
    }
    run.machine.borrow_mut().world.chmod_below(start.root);
    run.rest()?;
    run.check(start)?;
    run.check_reports(start, before)?;
    Ok(struck)
}

/// Turns until all is quiet, or for as long as the fault lasts.
fn endure(run: &mut Run) -> Result<(), String> {
    let (end, calls) = (run.now + LASTING, run.machine.borrow().calls);
    while !run.turn(true)? && run.now < end {
        if run.machine.borrow().calls > calls + SPIN {
            return Err(format!("{SPIN} calls by {:?}", run.now));
        }
    }
    Ok(())
}

fn is_trouble(notice: &Notice) -> bool {
    matches!(
        notice,
        Notice::CannotLook { .. }
            | Notice::Unread { .. }
            | Notice::Unreadable { .. }
            | Notice::WatchLimit { .. }
    )
}

/// Has each call fail from each place on, once and for a minute, in all sequences of a length.
fn exhaust(start: Start, default: usize) {
    for sequence in sequences(start, depth(default)) {
        every_fault(start, &sequence);
    }
}

fn every_fault(start: Start, sequence: &[Op]) {
    for (call, code) in FAULTS {
        for times in [1, usize::MAX] {
            for wait in [0, 4] {
                everywhere(start, sequence, wait, |after| Fault { call, after, times, code, struck: 0 });
            }
        }
    }
}

fn everywhere(start: Start, sequence: &[Op], wait: usize, fault: impl Fn(usize) -> Fault) {
    for after in 0.. {
        let schedule = sequence.iter().map(|&op| (wait, op)).collect();
        let fault = fault(after);
        match suffer(start, schedule, fault) {
            Ok(0) => break,
            Ok(_) => {}
            // It ends with that, and the reason.
            Err(reason) if fault.call == Call::Read && fault.times > 1 => {
                assert!(reason.contains("Input/output error"), "{reason}");
            }
            Err(error) => panic!("{error}: {sequence:?} after {wait} calls each, {fault:?} from {start:?}"),
        }
    }
}

#[test]
fn what_fails_while_something_happens_is_told_and_made_good() {
    exhaust(THERE, 1);
}

#[test]
fn what_fails_during_the_first_crawl_is_told_and_made_good() {
    exhaust(CRAWLED, 1);
}

#[test]
fn what_fails_while_a_root_is_awaited_is_told_and_made_good() {
    exhaust(MISSING, 2);
}

#[test]
fn a_look_that_failed_once_under_a_root_that_was_replaced_is_tried_again_in_peace() {
    let ops = [Op::Rename("/p/r/a/f", "/p/r/f"), Op::Rename("/p/r", "/o"), Op::Mkdir("/p/r")];
    let schedule = ops.iter().map(|&op| (0, op)).collect();
    let fault = Fault { call: Call::Open, after: 0, times: 1, code: libc::EMFILE, struck: 0 };
    assert_eq!(suffer(THERE, schedule, fault), Ok(1));
}

#[test]
fn a_limit_that_is_reached_after_the_last_operation_is_told() {
    every_fault(THERE, &[Op::Rename("/p", "/o"), Op::Mkdir("/p"), Op::Rename("/o", "/p/r")]);
}
