//! Every `.trip` file under `tests/scenarios` on the virtual clock.
//!
//! The whole outcome is compared, line by line and with times. `TRIP_BLESS=1` writes what came of it into the
//! file instead; read the difference before you keep it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::diff::diff;
use crate::support::simulate::simulate;
use crate::support::trip::{Line, Script};

#[test]
fn every_scenario_comes_out_as_written() {
    let files = scenarios();
    assert!(files.len() >= 25, "only {} scenarios found", files.len());
    let failures: Vec<_> = files.iter().filter_map(|file| check(file).err()).collect();
    assert!(failures.is_empty(), "{} of {} failed\n\n{}", failures.len(), files.len(), failures.join("\n"));
}

fn scenarios() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn check(file: &Path) -> Result<(), String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let script = Script::parse(file, &text)?;
    let actual = simulate(&script)?;
    if std::env::var_os("TRIP_BLESS").is_some_and(|value| value == "1") {
        return fs::write(file, script.blessed(&actual)).map_err(|error| error.to_string());
    }
    if actual == script.expect {
        return Ok(());
    }
    let text = |lines: &[Line]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
    Err(format!("{}\n{}", file.display(), diff(&text(&script.expect), &text(&actual))))
}

#[test]
fn a_script_that_is_not_understood_is_an_error_with_its_line() {
    let cases = [
        ("-- rules\n-- steps\n0ms dance\n", "x.trip:3: `dance` is no verb"),
        ("-- rules\n-- steps\n0ms write \"a\n", "x.trip:3: a quote is not closed"),
        ("-- rules\n-- steps\nsoon halt\n", "x.trip:3: `soon` is no time: 120ms or 1.5s is one"),
        ("-- rules\n-- expect\n", "x.trip:2: `-- expect` means nothing here"),
        ("-- rules\n-- steps\n0ms halt\n", "x.trip:3: a section is missing"),
        ("-- rules\n-- steps\n-- expect\n0ms exit\n", "x.trip:4: there are no steps"),
        ("-- rules\n-- steps\n0ms halt\n-- expect\n# no\n", "x.trip:5: nothing is expected"),
        ("0ms halt\n", "x.trip:1: only comments come before `-- rules`"),
    ];
    for (text, error) in cases {
        assert_eq!(Script::parse(Path::new("x.trip"), text).unwrap_err(), error);
    }
}
