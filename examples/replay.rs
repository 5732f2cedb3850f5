//! Drives the core by hand: rules and a few changes in, a timeline out. Nothing is watched and nothing runs.
//!
//!     cargo run --example replay

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tripline::dispatch::{Core, Effect, Input, Limits, Status};
use tripline::event::{Event, EventMask, Subject, Trigger};
use tripline::rules::{Rules, SourceFile, surroundings};
use tripline::time::MonoTime;

const RULES: &str = r#"
[rules.test]
paths = ["src/**/*.rs"]
run = ["cargo", "test"]
on_busy = "restart"
"#;

/// A save every so often, in milliseconds. The last comes while the tests still run.
const SAVES: [(u64, &str); 3] = [(0, "src/lib.rs"), (20, "src/main.rs"), (400, "src/lib.rs")];

fn main() -> Result<(), Box<dyn Error>> {
    let around = surroundings(PathBuf::from("/project"));
    let file = SourceFile { name: "tripline.toml".to_owned(), text: RULES.to_owned() };
    let rules = Rules::parse(file, &around).map_err(|mistakes| mistakes.render(false))?;
    let mut core = Core::new(Arc::new(rules), Limits { exec_bytes: 128 * 1024 });
    for (ms, path) in SAVES {
        let now = MonoTime::from_origin(Duration::from_millis(ms));
        wait(&mut core, Some(now));
        tell(&mut core, Input::Event(saved(path)), now);
    }
    wait(&mut core, None);
    Ok(())
}

fn saved(path: &str) -> Event {
    Event {
        mask: EventMask::CLOSE_WRITE | EventMask::CHANGE,
        path: format!("/project/{path}").into_bytes(),
        subject: Subject::File,
        from: None,
        cookie: 0,
        trigger: Trigger::Event,
    }
}

/// Calls the core at each of its deadlines, up to `until`.
fn wait(core: &mut Core, until: Option<MonoTime>) {
    while let Some(due) = core.deadline().filter(|&due| until.is_none_or(|until| due <= until)) {
        tell(core, Input::Due, due);
    }
}

/// Gives the core an input and plays the driver: every spawn succeeds, and a run ends when it is signalled.
fn tell(core: &mut Core, input: Input, now: MonoTime) {
    let mut effects = Vec::new();
    core.step(input, now, &mut effects);
    for effect in effects {
        let ms = now.since_origin().as_millis();
        match effect {
            Effect::Report(report) => println!("{ms:>4} ms  {report}"),
            Effect::Spawn(job) => tell(core, Input::Spawned { run: job.run }, now),
            Effect::Signal { run, signal } => {
                tell(core, Input::Exited { run, status: Status::Signaled(signal) }, now);
                tell(core, Input::Gone { run }, now);
            }
            Effect::Over { .. } | Effect::Look { .. } => {}
            Effect::LookAgain { .. } | Effect::Answer(_) => {}
            Effect::Exit => println!("{ms:>4} ms  the end"),
        }
    }
}
