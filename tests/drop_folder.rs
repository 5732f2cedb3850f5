//! A drop folder: files that arrive in bursts, slowly or by rename, and a command that fails now and then.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use tempfile::tempdir;

use crate::support::running::Running;

/// `TRIPLINE_FILES=5000` for more.
fn files() -> usize {
    std::env::var("TRIPLINE_FILES").ok().and_then(|files| files.parse().ok()).unwrap_or(400)
}

const BURST: usize = 100;

/// At once, as the rule says.
const AT_ONCE: usize = 4;

/// A tenth of the files fail the first time. A directory can be made once: a second success shows, and so does a
/// file that was not complete.
const RULES: &str = r#"
[rules.r]
paths = ["inbox/*.job"]
on = ["close_write", "moved_to"]
per = "file"
max_parallel = 4
retry = { max = 3, initial = "50ms" }
run = """
name=${1##*/}
case $name in *0.job) mkdir failed/$name 2>/dev/null && exit 75;; esac
[ "$(tail -n 1 "$1")" = end ] || echo $name >> incomplete
mkdir done/$name || echo $name >> twice
"""
"#;

/// Puts the file there in one of three ways.
fn deliver(root: &Path, number: usize) {
    let name = format!("{number}.job");
    match number % 3 {
        0 => fs::write(root.join("inbox").join(name), "begin\nend\n").unwrap(),
        1 => {
            let mut file = File::create(root.join("inbox").join(name)).unwrap();
            file.write_all(b"begin\n").unwrap();
            // A slow writer is one that takes time.
            sleep(Duration::from_millis(2));
            file.write_all(b"end\n").unwrap();
        }
        _ => {
            fs::write(root.join("made").join(&name), "begin\nend\n").unwrap();
            fs::rename(root.join("made").join(&name), root.join("inbox").join(&name)).unwrap();
        }
    }
}

#[test]
fn each_file_of_a_drop_folder_is_done_once() {
    let directory = tempdir().unwrap();
    let root = directory.path().to_owned();
    for name in ["inbox", "made", "done", "failed"] {
        fs::create_dir(root.join(name)).unwrap();
    }
    let running = Running::with_rules(&root, RULES);
    running.until_ready();
    let start = Instant::now();
    let sender = spawn(move || {
        for burst in (0..files()).collect::<Vec<_>>().chunks(BURST) {
            burst.iter().for_each(|&number| deliver(&root, number));
            // Between bursts it is quiet for a while, shorter and longer than a debounce.
            sleep(Duration::from_millis(20 * (burst[0] / BURST % 6) as u64));
        }
    });
    let (mut going, mut most, mut done, mut failed) = (0, 0, 0, 0);
    while done < files() {
        let line = running.next().unwrap().expect("it ended too early");
        if line.starts_with("r: inbox/") && !line.contains("has changed") {
            going += 1;
            most = going.max(most);
        } else if line == "r: ok" || line == "r: exit code 75" {
            going -= 1;
            if line == "r: ok" { done += 1 } else { failed += 1 }
        }
    }
    sender.join().unwrap();
    assert_eq!(running.stop(), Vec::<String>::new());
    println!("{done} files in {:?}, {failed} failures, {most} at once", start.elapsed());
    let made: BTreeSet<_> = fs::read_dir(directory.path().join("done"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(made.len(), files());
    assert_eq!(failed, files().div_ceil(10));
    assert!(most <= AT_ONCE, "{most} at once");
    for bad in ["twice", "incomplete"] {
        assert!(
            !directory.path().join(bad).exists(),
            "{bad}: {:?}",
            fs::read_to_string(directory.path().join(bad))
        );
    }
}
