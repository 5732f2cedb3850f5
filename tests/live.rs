//! Every `.trip` file under `tests/live` with the real binary on a real file system.
//!
//! Where a step is more than one event, the quiet period is long enough for a busy machine to take them in
//! one run.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use crate::support::live::play;
use crate::support::trip::Script;

/// Scripts played side by side.
const AT_ONCE: usize = 8;

#[test]
fn every_live_script_comes_out_as_written() {
    let files = &scripts();
    assert!(files.len() >= 18, "only {} scripts found", files.len());
    // They mostly wait for quiet periods.
    let failures: Vec<_> = thread::scope(|scope| {
        let part =
            |first: usize| files.iter().skip(first).step_by(AT_ONCE).filter_map(|file| check(file).err());
        let threads: Vec<_> =
            (0..AT_ONCE).map(|first| scope.spawn(move || part(first).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{} of {} failed\n\n{}", failures.len(), files.len(), failures.join("\n"));
}

fn scripts() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live");
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn check(file: &Path) -> Result<(), String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    play(&Script::parse(file, &text)?)
}

#[test]
fn what_makes_no_sense_with_real_processes_is_an_error_with_its_line() {
    let rules = "-- rules\n[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\n";
    for (steps, error) in [
        ("-- steps\n0ms exit r\n", "line 6: real processes"),
        ("-- steps\n0ms ready\n", "line 6: real processes"),
        ("-- steps\n0ms rm a\n", "line 6: No such file"),
        ("-- before\nsh exit 3\n-- steps\n0ms halt\n", "line 6: `exit 3` ended with exit status: 3"),
        ("-- show stdin\n-- steps\n0ms halt\n", "`-- show` means nothing here"),
    ] {
        let text = format!("{rules}{steps}-- expect\n0ms nothing\n");
        let script = Script::parse(Path::new("x.trip"), &text).unwrap();
        let found = play(&script).unwrap_err();
        assert!(found.starts_with(&format!("x.trip: {error}")), "{found}");
    }
}
