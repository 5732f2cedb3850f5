//! What the parts cost, one at a time, and what they allocate:
//!
//!     cargo bench                # all
//!     cargo bench -- matching    # those with this in their names

mod debouncing;
mod decoding;
mod environment;
mod loading;
mod matching;
mod rules;
mod watch;

use divan::AllocProfiler;
// The parts that are no one's to use from outside are compiled from their sources, which name these.
use tripline::{event, sys, time};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}
