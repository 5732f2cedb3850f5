//! What is remembered is written by a thread of its own: the dispatcher never waits for a disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::path as history_path;
use super::store::{Store, Trouble};
use crate::dispatch::Record;
use crate::sys::block_all;

/// Runs that may wait to be written. Each is a few hundred kilobytes at most.
const CAPACITY: usize = 64;
/// From one time that it is written to the next, at least: each waits for the disk twice, and takes as much processor
/// time as a few small runs.
const REST: Duration = Duration::from_secs(1);
/// How long the disk may let the end wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// The thread, seen from outside. It starts with the first run, and ends with this value.
#[derive(Debug)]
pub(in crate::cli) struct Writer {
    /// Whose history it is.
    rules: PathBuf,
    thread: Option<Thread>,
    /// Whether the disk was too slow: that is said once.
    late: bool,
}

#[derive(Debug)]
struct Thread {
    queue: SyncSender<(Record, u64)>,
    /// Its other end is gone once everything is written.
    over: Receiver<()>,
}

impl Writer {
    /// For the rules file of that path, which has no symbolic links.
    pub(in crate::cli) const fn new(rules: PathBuf) -> Self {
        Self { rules, thread: None, late: false }
    }

    /// Has a run remembered; `bound` is how many bytes all of them may take.
    pub(in crate::cli) fn put(&mut self, record: Record, bound: u64) {
        let thread = match &self.thread {
            Some(thread) => thread,
            None => match start(self.rules.clone()) {
                Ok(thread) => self.thread.insert(thread),
                Err(error) => return tracing::warn!("no history of runs is kept: {error}"),
            },
        };
        if let Err(TrySendError::Full(_)) = thread.queue.try_send((record, bound))
            && !std::mem::replace(&mut self.late, true)
        {
            tracing::warn!("the history of runs has gaps: it is written more slowly than rules run");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(Thread { queue, over }) = self.thread.take() {
            drop(queue);
            // It never sends anything.
            let _ = over.recv_timeout(PATIENCE);
        }
    }
}

fn start(rules: PathBuf) -> std::io::Result<Thread> {
    let (queue, records) = sync_channel(CAPACITY);
    let (alive, over) = channel();
    let write = move || {
        // Even a file that grows beyond its limit is then an error and no signal (setrlimit(2)).
        block_all();
        write(&rules, &records);
        drop(alive);
    };
    thread::Builder::new().name("history".to_owned()).spawn(write)?;
    Ok(Thread { queue, over })
}

fn write(rules: &Path, records: &Receiver<(Record, u64)>) {
    let (mut thorough, mut failed) = (true, false);
    let mut rested = Instant::now();
    while let Ok((first, mut bound)) = records.recv() {
        let mut batch = vec![first];
        while batch.len() < CAPACITY
            && let Ok((record, latest)) =
                records.recv_timeout(rested.saturating_duration_since(Instant::now()))
        {
            batch.push(record);
            bound = latest;
        }
        rested = Instant::now() + REST;
        let done = history_path::of(rules).and_then(|file| add(&file, &batch, bound, thorough));
        match done {
            Ok(()) => (thorough, failed) = (false, false),
            Err(error) => {
                if !std::mem::replace(&mut failed, true) {
                    tracing::warn!(
                        "no history of runs is kept for now: {error}; `history = \"0\"` in [settings] does without"
                    );
                }
            }
        }
    }
}

/// Adds runs to a history. One that is damaged is put aside, and another begun.
fn add(file: &Path, records: &[Record], bound: u64, thorough: bool) -> Result<(), String> {
    let shown = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let add = || {
        history_path::prepare(file).map_err(|error| shown(&error))?;
        Ok::<_, String>(Store::open(file, thorough).and_then(|mut store| store.add(records, bound)))
    };
    let failed = match add()? {
        Ok(()) => return Ok(()),
        Err(trouble) => trouble,
    };
    if !matches!(failed, Trouble::Damaged) {
        return Err(shown(&failed));
    }
    let aside = history_path::aside(file);
    fs::rename(file, &aside).map_err(|error| shown(&error))?;
    let mut journal = file.as_os_str().to_owned();
    journal.push("-journal");
    let _ = fs::remove_file(journal);
    tracing::warn!(
        "the history of runs was damaged and begins anew; what there was is in {}",
        aside.display()
    );
    add()?.map_err(|error| shown(&error))
}
