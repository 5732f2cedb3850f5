//! What a process takes, from /proc (proc(5)).

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::terminal::{Failure, Terminal};

/// Longer than a bar of the rules' sparklines, which come to rest in a minute.
const STILL: Duration = Duration::from_secs(7);
/// How long is watched then.
const REST: Duration = Duration::from_secs(10);

/// A number in a file of /proc, by what stands before it.
fn number(path: &str, name: &str) -> Result<u64, Failure> {
    let text = fs::read_to_string(path)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    Ok(value.ok_or_else(|| format!("{path} has no {name}"))?.parse()?)
}

/// The memory of a process, what it shares divided among those who do, in KiB.
pub(crate) fn pss(pid: u32) -> Result<u64, Failure> {
    number(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

/// How often its threads have gone to sleep.
fn switches(pid: u32) -> Result<u64, Failure> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))?;
    tasks.map(|task| number(&format!("{}/status", task?.path().display()), "voluntary_ctxt_switches:")).sum()
}

/// Waits until nothing is drawn for a while; then for so many seconds, the bytes that are drawn and the wake-ups.
pub(crate) fn at_rest(terminal: &Terminal) -> Result<(u64, usize, u64), Failure> {
    let drawn = || terminal.seen.lock().map_or(0, |seen| seen.bytes.len());
    loop {
        let before = drawn();
        sleep(STILL);
        if drawn() == before {
            break;
        }
    }
    let (bytes, woken) = (drawn(), switches(terminal.child.id())?);
    sleep(REST);
    Ok((REST.as_secs(), drawn() - bytes, switches(terminal.child.id())? - woken))
}
