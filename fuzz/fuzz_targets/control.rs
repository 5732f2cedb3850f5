//! Any bytes are requests or are refused with a reason, and whatever is asked for does no harm to a core that has
//! something to do. Each line is a request; after each, half a second passes.

#![no_main]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tripline::dispatch::{Asked, Core, Effect, Input, Limits, Request, Status};
use tripline::rules::{IgnoreFiles, Rules, SourceFile, Surroundings};
use tripline::time::MonoTime;

const RULES: &str = "[rules.a]\npaths = [\"*\"]\nrun = [\"a\"]\non_busy = \"restart\"\nretry = {}\n\
                     [rules.b]\nafter = [\"a\"]\nrun = [\"b\"]\nper = \"file\"\n\
                     [rules.c]\npaths = [\"c\"]\nservice = [\"c\"]\n";

fuzz_target!(|bytes: &[u8]| {
    let files = Arc::new(HashMap::<PathBuf, IgnoreFiles>::new());
    let around = Surroundings { directory: "/w".into(), home: None, files };
    let Ok(rules) = Rules::parse(SourceFile { name: "fuzz".to_owned(), text: RULES.to_owned() }, &around)
    else {
        return;
    };
    let mut core = Core::new(Arc::new(rules), Limits { exec_bytes: 4096 });
    let mut now = MonoTime::default();
    step(&mut core, Input::Ready, now);
    for line in bytes.split(|&byte| byte == b'\n') {
        match Request::decode(line) {
            Ok(Asked::Command(command)) => step(&mut core, Input::Command(command), now),
            Ok(Asked::Overview) => drop(serde_json::to_vec(&core.overview(now)).unwrap()),
            Ok(Asked::Events) => {}
            Err(reason) => assert!(!reason.is_empty()),
        }
        now = now + Duration::from_millis(500);
        step(&mut core, Input::Due, now);
    }
});

/// Every run begins, and ends when it is told to.
fn step(core: &mut Core, input: Input, now: MonoTime) {
    let mut inputs = vec![input];
    while let Some(input) = inputs.pop() {
        let mut effects = Vec::new();
        core.step(input, now, &mut effects);
        for effect in effects {
            match effect {
                Effect::Spawn(job) => inputs.insert(0, Input::Spawned { run: job.run }),
                Effect::Signal { run, signal } => {
                    inputs.insert(0, Input::Exited { run, status: Status::Signaled(signal) });
                    inputs.insert(0, Input::Gone { run });
                }
                _ => {}
            }
        }
    }
    assert!(core.deadline().is_none_or(|at| at > now));
}
