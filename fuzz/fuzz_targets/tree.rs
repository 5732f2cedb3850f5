//! Whatever others do while the watcher looks, it knows in the end what is there, and has told it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tripline::watch::follow(bytes));
