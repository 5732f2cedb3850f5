//! What proc(5) tells of processes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::dispatch::RunId;

/// What is known of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) parent: i32,
    pub(crate) group: i32,
}

/// None if there is no such process any more.
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read(of(pid).join("stat")).ok()?)
}

/// The name comes second and may hold anything, a parenthesis too.
fn parse_stat(line: &[u8]) -> Option<Stat> {
    let end = line.iter().rposition(|&byte| byte == b')')?;
    let text = std::str::from_utf8(line.get(end + 1..)?).ok()?;
    let mut fields = text.split_ascii_whitespace().skip(1).map_while(|field| field.parse().ok());
    Some(Stat { parent: fields.next()?, group: fields.next()? })
}

/// Whether a process catches a signal.
pub(crate) fn catches(pid: i32, signal: i32) -> bool {
    let status = fs::read(of(pid).join("status")).unwrap_or_default();
    caught(&status).is_some_and(|signals| signals >> (signal - 1) & 1 == 1)
}

/// The signals that are caught, the first in the lowest bit. The name in a line before may hold anything but a line
/// feed.
fn caught(status: &[u8]) -> Option<u64> {
    let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"SigCgt:"))?;
    u64::from_str_radix(std::str::from_utf8(line).ok()?.trim(), 16).ok()
}

/// The children of all threads of a process, those too that it has not waited for (`CONFIG_PROC_CHILDREN`). One
/// that exits meanwhile may hide another, unless only the caller waits for them.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(of(pid).join("task")) else { return Vec::new() };
    let texts =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    texts
        .flat_map(|text| text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// The run of this tripline that a process was started by, as its environment tells.
pub(crate) fn run_of(pid: i32) -> Option<RunId> {
    run_in(&fs::read(of(pid).join("environ")).ok()?, std::process::id())
}

fn run_in(environment: &[u8], tripline: u32) -> Option<RunId> {
    let value = |name: &str| {
        let find = |variable: &&[u8]| variable.starts_with(name.as_bytes());
        let variable = environment.split(|&byte| byte == 0).find(find)?;
        std::str::from_utf8(&variable[name.len()..]).ok()?.parse().ok()
    };
    (value("TRIPLINE_PID=") == Some(u64::from(tripline))).then_some(RunId(value("TRIPLINE_RUN=")?))
}

/// The control group of version 2 that this process is in, where such groups are mounted (cgroups(7)).
pub(crate) fn own_cgroup() -> Option<PathBuf> {
    let group = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    cgroup_in(&group, &mounts)
}

fn cgroup_in(group: &str, mounts: &str) -> Option<PathBuf> {
    let path = group.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mounted = |line: &str| {
        let (head, tail) = line.split_once(" - ")?;
        let point = head.split(' ').nth(4)?;
        tail.starts_with("cgroup2 ").then(|| Path::new(point).join(path))
    };
    mounts.lines().find_map(mounted)
}

fn of(pid: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let stat = Some(Stat { parent: 7, group: 9 });
        assert_eq!(parse_stat(b"12 (a) S 1 2 (x)) S 7 9 9 0 -1 4194560"), stat);
        assert_eq!(parse_stat(b"12 (\xff) Z 7 9 9 0"), stat);
        assert_eq!(parse_stat(b"12 (a) S"), None);
        assert_eq!(parse_stat(b""), None);
    }

    #[test]
    fn what_is_caught_is_one_line_of_many() {
        assert_eq!(
            caught(b"Name:\tSigCgt:\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000004002\n"),
            Some(0x4002)
        );
        assert_eq!(caught(b"Name:\tx\n"), None);
    }

    #[test]
    fn a_run_is_that_of_this_tripline() {
        let environment = b"PATH=/bin\0TRIPLINE_PID=5\0TRIPLINE_RUN=17\0";
        assert_eq!(run_in(environment, 5), Some(RunId(17)));
        assert_eq!(run_in(environment, 6), None);
        assert_eq!(run_in(b"TRIPLINE_RUN=17\0", 5), None);
        assert_eq!(run_in(b"", 5), None);
    }

    #[test]
    fn a_control_group_is_found_beside_those_of_version_1() {
        let mounts = "30 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:5 - cgroup2 cgroup2 rw\n";
        let groups = "8:pids:/a\n0::/user.slice/b\n";
        assert_eq!(cgroup_in(groups, mounts), Some("/sys/fs/cgroup/unified/user.slice/b".into()));
        assert_eq!(cgroup_in("8:pids:/a\n", mounts), None);
        assert_eq!(cgroup_in(groups, ""), None);
    }
}
