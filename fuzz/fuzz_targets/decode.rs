//! Whatever read(2) returns is taken apart without a panic, and no name is longer than what came.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tripline::watch::{Malformed, decode};

fuzz_target!(|bytes: &[u8]| {
    let mut left = bytes.len();
    let mut events = decode(bytes);
    for event in events.by_ref() {
        match event {
            Ok(event) => left -= 16 + event.name.len(),
            Err(Malformed) => break,
        }
    }
    assert_eq!(events.next(), None, "something follows after the end");
});
