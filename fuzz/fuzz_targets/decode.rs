//! Whatever read(2) returns is taken apart without a panic, and no name is longer than what came.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tripline::watch::{Malformed, decode};

fuzz_target!(|bytes: &[u8]| {
    let mut named = 0;
    let mut events = decode(bytes);
    for event in events.by_ref() {
        match event {
            Ok(event) => named += 16 + event.name.len(),
            Err(Malformed) => break,
        }
    }
    assert!(named <= bytes.len(), "more than came");
    assert_eq!(events.next(), None, "something follows after the end");
});
