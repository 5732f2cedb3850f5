//! Every `.cli` file under `tests/golden`: files, commands and exactly what they print.
//!
//! ```text
//! # What this shows.
//! -- file tripline.toml
//! ...
//! -- dir empty
//! -- link name target
//! -- run tripline explain src/a.rs
//! what it prints, standard output first
//! ```
//!
//! The directory it runs in is shown as `/w`. Nothing of the environment counts but a `PATH`. An exit code
//! other than 0 is the last line. `TRIP_BLESS=1` writes what came of it into the file instead.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::diff::diff;

#[test]
fn every_command_prints_what_is_written() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let failures: Vec<_> = files.iter().filter_map(|file| check(file).err()).collect();
    assert!(failures.is_empty(), "{} of {} failed\n\n{}", failures.len(), files.len(), failures.join("\n"));
}

fn check(file: &Path) -> Result<(), String> {
    let text = fs::read_to_string(file).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().canonicalize().unwrap().join("w");
    fs::create_dir(&root).unwrap();
    let mut actual = String::new();
    let mut sections = text.split_inclusive("\n-- ").map(|section| section.trim_end_matches("-- "));
    actual += sections.next().unwrap_or_default();
    for section in sections {
        let (line, body) = section.split_once('\n').unwrap_or((section, ""));
        actual += &format!("-- {line}\n");
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["file", name] => {
                put(&root.join(name), body);
                actual += body;
            }
            ["dir", name] => {
                fs::create_dir_all(root.join(name)).unwrap();
                actual += body;
            }
            ["link", name, target] => {
                symlink(target, root.join(name)).unwrap();
                actual += body;
            }
            ["run", "tripline", args @ ..] => actual += &run(&root, args),
            _ => return Err(format!("{}: `-- {line}` means nothing", file.display())),
        }
    }
    if std::env::var_os("TRIP_BLESS").is_some_and(|value| value == "1") {
        return fs::write(file, actual).map_err(|error| error.to_string());
    }
    if actual == text {
        return Ok(());
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    Err(format!("{}\n{}", file.display(), diff(&lines(&text), &lines(&actual))))
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn run(root: &Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .args(args)
        .current_dir(root)
        .env_clear()
        .env("PATH", "/bin:/usr/bin")
        .env("HOME", root.join("home"))
        .output()
        .unwrap();
    let mut shown = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    shown = shown.replace(root.to_str().unwrap(), "/w");
    match output.status.code() {
        Some(0) => shown,
        code => shown + &format!("exit code {}\n", code.unwrap_or(-1)),
    }
}
