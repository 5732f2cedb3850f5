//! Works in front of the terminal view for some minutes, and tells what became of each save and each line, how often
//! the screen flickered, and what it took.
//!
//! ```text
//! cargo build --profile dist && cargo run --example session -- target/dist/tripline [MINUTES [SAVES [RECORD]]]
//! ```
//!
//! Ten minutes and 200 saves if nothing else is said. Every byte that came to the screen is written to RECORD.

mod frames;
mod rest;
mod saves;
#[path = "../terminal/mod.rs"]
mod terminal;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use frames::frames;
use regex::Regex;
use saves::{SERVER, Saves, told};
use terminal::{Failure, Terminal};

/// How often another rule's output is looked at.
const GLANCE: Duration = Duration::from_secs(20);
/// The last saves' runs are over then.
const LAST: Duration = Duration::from_secs(5);

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let tripline =
        fs::canonicalize(args.next().ok_or("usage: session TRIPLINE [MINUTES [SAVES [RECORD]]]")?)?;
    let minutes: f64 = args.next().map_or(Ok(10.0), |text| text.parse())?;
    let count: u32 = args.next().map_or(Ok(200), |text| text.parse())?;
    let record = args.next();
    let directory = tempfile::tempdir()?;
    let (project, log) = (directory.path().join("project"), directory.path().join("log"));
    let mut saves = Saves::begin(&project, &log)?;
    let mut terminal = Terminal::start(&tripline, &project)?;
    terminal.until("✓ server")?;
    let memory = work(&mut terminal, &mut saves, count, Duration::from_secs_f64(minutes * 60.0))?;

    // Without its service nothing happens any more.
    select(&mut terminal, SERVER)?;
    terminal.keys("s")?;
    terminal.until("server: stopping the service")?;
    let (seconds, drawn, woken) = rest::at_rest(&terminal)?;
    let shown = everything_shown(&mut terminal)?;
    let bytes = terminal.seen.lock().map_err(|_| "the reader has failed")?.bytes.clone();
    terminal.keys("q")?;
    terminal.child.wait()?;

    let told = told(&fs::read_to_string(&log)?)?;
    let lost: Vec<_> = told.lines.difference(&shown).collect();
    let frames = frames(&bytes);
    println!("{}", saves.fates(&told));
    println!("{} lines of runs and service, {} of them lost {lost:?}", told.lines.len(), lost.len());
    println!("{frames}");
    println!("PSS in KiB, each minute: {memory:?}");
    println!("at rest, in {seconds} s: {drawn} bytes drawn, {woken} wake-ups");
    if let Some(record) = record {
        fs::write(record, bytes)?;
    }
    let ok = lost.is_empty() && frames.flicker() == 0 && saves.lost(&told).is_empty();
    if ok { Ok(()) } else { Err("something was lost, or has flickered".into()) }
}

/// Saves so often in so long, and looks at one rule after another. Answers the memory that was taken, minute by minute.
fn work(
    terminal: &mut Terminal,
    saves: &mut Saves,
    count: u32,
    length: Duration,
) -> Result<Vec<u64>, Failure> {
    let (start, pid) = (Instant::now(), terminal.child.id());
    let (mut memory, mut glances) = (vec![rest::pss(pid)?], 0);
    let mut due = start;
    for number in 1..=count {
        while Instant::now() < due {
            sleep(Duration::from_millis(10));
            if start.elapsed() >= GLANCE * (glances + 1) {
                glances += 1;
                terminal.keys("\t")?;
            }
            if start.elapsed().as_secs() / 60 >= memory.len() as u64 {
                memory.push(rest::pss(pid)?);
            }
        }
        saves.save(number)?;
        due += saves.pause(number, length / count);
    }
    sleep(LAST);
    memory.push(rest::pss(pid)?);
    Ok(memory)
}

/// Selects a rule, from wherever.
fn select(terminal: &mut Terminal, rule: &str) -> Result<(), Failure> {
    for _ in 0..20 {
        if terminal.text()?.starts_with(&format!(" {rule}")) {
            return Ok(());
        }
        terminal.keys("\t")?;
        changed(terminal, &terminal.text()?)?;
    }
    Err(format!("{rule} cannot be selected:\n{}", terminal.text()?).into())
}

/// Waits a moment for another screen, and answers whether it came.
fn changed(terminal: &Terminal, before: &str) -> Result<bool, Failure> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        if terminal.text()? != before {
            return Ok(true);
        }
        sleep(Duration::from_millis(5));
    }
    Ok(false)
}

/// The numbered lines that are found by paging through each rule's output, from its beginning to its end.
fn everything_shown(terminal: &mut Terminal) -> Result<BTreeSet<String>, Failure> {
    let numbered = Regex::new(r"\b(?:check|pages|test|server) \d+\b")?;
    let mut found = BTreeSet::new();
    for rule in saves::RULES {
        select(terminal, rule)?;
        for key in ["\r", "\x1b[H", ""] {
            terminal.keys(key)?;
            sleep(Duration::from_millis(300));
        }
        loop {
            let before = terminal.text()?;
            found.extend(numbered.find_iter(&before).map(|found| found.as_str().to_owned()));
            terminal.keys("\x1b[6~")?;
            if !changed(terminal, &before)? {
                break;
            }
        }
        terminal.keys("\r")?;
        sleep(Duration::from_millis(300));
    }
    Ok(found)
}

/// Writes a file and the directories that it needs.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    Ok(fs::write(path, text)?)
}
