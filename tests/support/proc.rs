//! Other processes, as proc(5) shows them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::watching::LIMIT;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
    /// `Z` is a zombie.
    pub(crate) state: String,
    pub(crate) parent: u32,
    pub(crate) group: u32,
}

/// The children of a process, the dead that it has not waited for among them.
pub(crate) fn children(parent: u32) -> Vec<Process> {
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let processes = pids.filter_map(|pid| process(pid.parse().ok()?));
    processes.filter(|process| process.parent == parent).collect()
}

/// Whether there is such a process that has not ended.
pub(crate) fn lives(pid: u32) -> bool {
    process(pid).is_some_and(|process| process.state != "Z")
}

/// None if there is no such process.
fn process(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, a parenthesis too.
    let (head, tail) = stat.rsplit_once(") ")?;
    let name = head.split_once(" (")?.1.to_owned();
    let mut fields = tail.split(' ');
    let state = fields.next()?.to_owned();
    let [parent, group] = [fields.next()?.parse().ok()?, fields.next()?.parse().ok()?];
    Some(Process { pid, name, state, parent, group })
}

/// Waits until every thread of a process has stopped: SIGSTOP is taken by one, and the others go on until it has been.
pub(crate) fn until_stopped(pid: u32) {
    let stopped = |task: &Path| {
        let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, tail)| tail.starts_with('T'))
    };
    let tasks = || fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|entry| entry.unwrap().path());
    eventually(|| tasks().all(|task| stopped(&task)).then_some(()));
}

/// The child that has become this program.
pub(crate) fn child(parent: u32, name: &str) -> Process {
    eventually(|| children(parent).into_iter().find(|child| child.name == name))
}

/// What each descriptor of a process leads to.
pub(crate) fn descriptors(pid: u32) -> BTreeMap<u32, PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|entry| entry.unwrap());
    let number = |name: &Path| name.file_name().and_then(|name| name.to_str()).unwrap().parse().unwrap();
    entries.map(|entry| (number(&entry.path()), fs::read_link(entry.path()).unwrap_or_default())).collect()
}

/// Whether all threads of a process are stopped.
pub(crate) fn is_stopped(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|entry| entry.unwrap().path());
    tasks.map(|task| line_of(&task, "State")).all(|state| state.starts_with('T'))
}

/// A line of `/proc/PID/status`.
pub(crate) fn status(pid: u32, field: &str) -> String {
    line_of(&PathBuf::from(format!("/proc/{pid}")), field)
}

/// Voluntary context switches of every thread, once all of them wait and nothing wakes them.
pub(crate) fn settled_switches(pid: u32) -> BTreeMap<PathBuf, u64> {
    loop {
        let before = switches(pid);
        sleep(Duration::from_millis(300));
        // On a busy machine, what is to run may not have had its turn.
        let waits = |task: &PathBuf| line_of(task, "State").starts_with('S');
        if switches(pid) == before && before.keys().all(waits) {
            return before;
        }
    }
}

/// Voluntary context switches of every thread.
pub(crate) fn switches(pid: u32) -> BTreeMap<PathBuf, u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|entry| entry.unwrap().path());
    tasks.map(|task| (task.clone(), line_of(&task, "voluntary_ctxt_switches").parse().unwrap())).collect()
}

fn line_of(process: &Path, field: &str) -> String {
    let text = fs::read_to_string(process.join("status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap().trim().to_owned()
}

/// Asks again and again until there is an answer.
pub(crate) fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < LIMIT, "it never came to be");
        sleep(Duration::from_millis(5));
    }
}

/// How many inotify watches a process has.
pub(crate) fn watches(pid: u32) -> usize {
    let files = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    let texts = files.filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok());
    texts.map(|text| text.lines().filter(|line| line.starts_with("inotify ")).count()).sum()
}

/// How long all threads of a process have been at work, to ten milliseconds (proc_pid_stat(5)).
pub(crate) fn cpu_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let ticks: u64 = after_name.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}
