//! What README.md says to type in place of another tool's line does what it is said to.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use crate::support::proc::eventually;
use crate::support::running::{Running, tripline};

/// A line of the table.
struct Row {
    tool: String,
    line: String,
}

fn rows() -> Vec<Row> {
    let text = include_str!("../README.md");
    let table = text.split_once("## Coming from another tool\n").unwrap().1.split_once("\n## ").unwrap().0;
    let lines = table.lines().filter(|line| line.starts_with('|') && line.contains("`tripline "));
    let mut rows: Vec<Row> = Vec::new();
    for line in lines {
        let line = line.replace("\\|", "or");
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [tool, theirs, ours] = cells[..] else { panic!("three cells, but: {line}") };
        assert!(theirs.starts_with('`'), "{line}");
        let tool = match (tool, rows.last()) {
            ("", Some(above)) => above.tool.clone(),
            _ => tool.to_owned(),
        };
        rows.push(Row { tool, line: ours.trim_matches('`').to_owned() });
    }
    rows
}

/// Each program that the lines call: notes how it was called, and stays if it is a server.
const PROGRAM: &str = r#"#!/bin/sh
name=$(basename "$0")
echo "$name $*" >> "$CALLS"
case "$name $1" in "node server.js" | "server " | "go run" | "npm run") exec sleep 1000 ;; esac
"#;

const PROGRAMS: [&str; 8] = ["cargo", "node", "make", "psql", "go", "pandoc", "import", "npm"];

/// A file that the line's globs match.
fn saved(line: &str) -> &'static str {
    let files = [
        (".rs'", "src/deep/main.rs"),
        ("rs,toml", "Cargo.toml"),
        ("on src", "src/app.js"),
        ("'src/*.c'", "src/main.c"),
        ("*.sql", "query.sql"),
        ("*.go", "cmd/main.go"),
        ("*.md", "page.md"),
        ("inbox", "inbox/new file.csv"),
        ("js,json", "lib/a.json"),
        ("*.ts", "src/a/b.ts"),
        ("'**'", "notes.txt"),
    ];
    let of_line = files.iter().find(|(glob, _)| line.contains(glob));
    of_line.unwrap_or_else(|| panic!("what is to be saved for {line}?")).1
}

/// What one run calls: the commands after `--`, as [`PROGRAM`] notes them.
fn calls(line: &str, path: &str, root: &str) -> Vec<String> {
    let (_, command) = line.split_once(" -- ").unwrap();
    let script = command.strip_prefix("sh -c '").and_then(|script| script.strip_suffix('\''));
    let commands = script.unwrap_or(command).split(" && ");
    let with_paths = |command: &str| {
        let command = command.replace("{path}", &format!("{root}/{path}")).replace("{rel}", path);
        let words = command.trim_start_matches("./").to_owned();
        if words.contains(' ') { words } else { words + " " }
    };
    commands.map(with_paths).collect()
}

fn try_line(line: &str) {
    let directory = tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let (bin, work, log) = (root.join("bin"), root.join("work"), root.join("calls"));
    for dir in [&bin, &work.join("src/deep"), &work.join("inbox")] {
        fs::create_dir_all(dir).unwrap();
    }
    let programs = PROGRAMS.map(|name| bin.join(name)).into_iter().chain([work.join("server")]);
    for program in programs {
        fs::write(&program, PROGRAM).unwrap();
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    symlink(env!("CARGO_BIN_EXE_tripline"), bin.join("tripline")).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());

    let mut command = Command::new("sh");
    command.envs(tripline().get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(["-c", &format!("exec {line}")]).current_dir(&work).env("PATH", path).env("CALLS", &log);
    let running = Running::start(&mut command);
    running.until_ready();
    let saved = saved(line);
    let once = calls(line, saved, work.to_str().unwrap());
    let mut expected = Vec::new();
    if line.contains("--on-start") {
        expected.extend(once.clone());
    }
    until_called(&log, &expected, line);
    save(&work.join("noise.log"));
    save(&work.join(saved));
    expected.extend(once);
    until_called(&log, &expected, line);
    if line.contains("--exit") {
        assert_eq!(running.end().unwrap().1.code(), Some(0), "{line}");
    } else {
        running.stop();
    }
    assert_eq!(called(&log), expected, "{line}");
}

fn save(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "content\n").unwrap();
}

fn called(log: &Path) -> Vec<String> {
    fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn until_called(log: &Path, expected: &[String], line: &str) {
    eventually(|| {
        let called = called(log);
        assert!(expected.starts_with(&called), "{line}: {called:?}");
        (called == expected).then_some(())
    });
}

#[test]
fn each_line_in_place_of_another_tools_runs_its_command_on_a_save() {
    let rows = rows();
    let tools: BTreeSet<_> = rows.iter().map(|row| row.tool.as_str()).collect();
    let peers = ["cargo-watch", "entr", "incron", "modd", "nodemon", "reflex", "watchexec"];
    assert_eq!(tools, BTreeSet::from(peers));
    rows.iter().for_each(|row| try_line(&row.line));
}
