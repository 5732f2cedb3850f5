//! `tripline doctor`: what would keep changes from being seen, or commands from running, and what mends it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{doctor_editors, doctor_verify};
use crate::cli::args::DoctorArgs;
use crate::cli::lines::count;
use crate::cli::quote::quoted;
use crate::cli::{Exit, location, refuse};
use crate::dispatch::{Escaped, control_groups_work};
use crate::event::Scope;
use crate::rules::{Contain, How, Loaded, Rules, load_profile};
use crate::sys::{Dir, Inotify, InotifyLimits, InotifyUse, MountInfo, inotify_limits, inotify_users};
use crate::watch::file_system;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Ok,
    /// As it should be, but good to know.
    Note,
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) status: Status,
    pub(crate) message: String,
    /// What to type, or to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mend: Option<String>,
}

impl Finding {
    pub(crate) fn ok(message: impl Into<String>) -> Self {
        Self { status: Status::Ok, message: message.into(), mend: None }
    }

    fn note(message: impl Into<String>) -> Self {
        Self { status: Status::Note, message: message.into(), mend: None }
    }

    pub(crate) fn problem(message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { status: Status::Problem, message: message.into(), mend: Some(mend.into()) }
    }
}

pub(crate) fn doctor(args: &DoctorArgs) -> Exit {
    let load = || load_profile(&location(args.config.as_ref()), args.profile.as_deref());
    let found = match args.verify {
        Some(Some(pid)) => doctor_verify::verify(pid),
        Some(None) => match load() {
            Ok(loaded) => doctor_verify::find(&loaded.files),
            Err(diagnostics) => return refuse(&diagnostics),
        },
        None => match load() {
            Ok(loaded) => examine(Some(&loaded)),
            Err(diagnostics) => {
                print(&examine(None), args.json);
                return refuse(&diagnostics);
            }
        },
    };
    print(&found, args.json);
    let wrong = found.iter().any(|finding| finding.status == Status::Problem);
    if wrong { Exit::Rules } else { Exit::Ok }
}

fn print(found: &[Finding], json: bool) {
    let mut out = Vec::new();
    found.iter().for_each(|finding| show(finding, json, &mut out));
    let _ = std::io::stdout().write_all(&out);
}

fn show(finding: &Finding, json: bool, out: &mut Vec<u8>) {
    let Finding { status, message, mend } = finding;
    if json {
        out.extend(serde_json::to_vec(finding).unwrap_or_default());
        out.push(b'\n');
        return;
    }
    let status = match status {
        Status::Ok => "ok",
        Status::Note => "note",
        Status::Problem => "problem",
    };
    out.extend(format!("{status:<9}{message}\n").into_bytes());
    out.extend(mend.iter().flat_map(|mend| format!("{:9}mend: {mend}\n", "").into_bytes()));
}

fn examine(loaded: Option<&Loaded>) -> Vec<Finding> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut found = vec![kernel(release.trim_end())];
    let tree = loaded.map(|loaded| tree(&loaded.rules));
    let needed = tree.as_ref().map_or(0, |tree| tree.watched);
    match (inotify_limits(), inotify_users()) {
        (Ok(limits), Ok(mut users)) => {
            // What runs these rules has what they need.
            let running = loaded.map(|loaded| doctor_verify::running(&loaded.files)).unwrap_or_default();
            let running = users.extract_if(.., |user| running.contains(&user.pid)).collect::<Vec<_>>();
            found.push(watches(limits, &users, &running, needed));
            users.extend(running);
            found.push(instances(limits, &users));
            found.push(Finding::ok(format!("inotify queue: {} events", limits.queue)));
        }
        (Err(error), _) | (_, Err(error)) => {
            let message = format!("/proc says nothing of inotify ({error}), nor of mounts that come and go");
            found.push(Finding::problem(message, "mount -t proc proc /proc"));
        }
    }
    if let (Some(loaded), Some(tree)) = (loaded, tree) {
        let rules = &loaded.rules;
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        found.extend(descriptors(&limits, rules.settings.jobs));
        found.extend(control_groups(rules));
        found.extend(tree.findings);
        found.extend(programs(rules));
        found.extend(editors(rules));
    }
    found
}

/// What a kernel can do from some version on, and what is so before.
const FEATURES: [((u32, u32), &str); 2] = [
    // close_range(2) with CLOSE_RANGE_CLOEXEC.
    ((5, 11), "before 5.11, commands inherit the descriptors that tripline was started with"),
    // `cgroup.kill`.
    ((5, 14), "before 5.14, the control group of a run is not killed as a whole"),
];

fn kernel(release: &str) -> Finding {
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    let version = numbers.next().zip(numbers.next()).unwrap_or((u32::MAX, 0));
    let lacks = FEATURES.iter().filter(|(since, _)| version < *since).map(|(_, lack)| *lack);
    match lacks.collect::<Vec<_>>().join("; ") {
        lacks if lacks.is_empty() => Finding::ok(format!("Linux {release}")),
        lacks => Finding::note(format!("Linux {release}: {lacks}")),
    }
}

/// A run takes five descriptors while it starts: two pipes with both their ends, and the list of its paths.
const DESCRIPTORS_OF_A_RUN: u64 = 5;
/// What tripline itself has open, and some more.
const DESCRIPTORS: u64 = 32;

/// `limits` is proc_pid_limits(5).
fn descriptors(limits: &str, jobs: usize) -> Option<Finding> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let limit = line.split_whitespace().next()?.parse().unwrap_or(u64::MAX);
    let needed = DESCRIPTORS + DESCRIPTORS_OF_A_RUN * jobs as u64;
    let message = format!(
        "descriptors: {limit} may be open, {needed} needed for {}",
        count(jobs, "run", "runs at once")
    );
    Some(match needed <= limit {
        true => Finding::ok(message),
        false => Finding::problem(message, format!("ulimit -n {}", needed.next_power_of_two())),
    })
}

/// Whether runs can have control groups, if rules want that.
fn control_groups(rules: &Rules) -> Option<Finding> {
    let mut names = rules.rules.iter().filter(|rule| rule.contain == Contain::Cgroup).map(|rule| &rule.name);
    let first = names.next()?;
    Some(match control_groups_work() {
        Ok(()) => Finding::ok("control groups: runs can have their own"),
        Err(error) => {
            let message =
                format!("{first}: no control group can be made here, a process group does instead: {error}");
            let mend = Some("run it by systemd: tripline service install --user".to_owned());
            Finding { mend, ..Finding::note(message) }
        }
    })
}

/// How the editors that are found save, and which rules would miss that.
fn editors(rules: &Rules) -> Vec<Finding> {
    let mut found = Vec::new();
    for habit in doctor_editors::habits() {
        found.push(Finding::ok(habit.words()));
        for message in rules.rules.iter().filter_map(|rule| habit.missed_by(rule)) {
            let mend = Some("on = [\"change\"]".to_owned());
            found.push(Finding { mend, ..Finding::note(message) });
        }
    }
    found
}

/// Of the processes that have watches, so many are named.
const MOST: usize = 3;

/// `running` has what the rules need already.
fn watches(limits: InotifyLimits, others: &[InotifyUse], running: &[InotifyUse], needed: u64) -> Finding {
    let sum = |users: &[InotifyUse]| users.iter().map(|user| user.watches).sum::<u64>();
    let (used, ours) = (sum(others), sum(running));
    let mut message = format!(
        "inotify watches: {} of {} in use by this user's processes, {needed} needed for the rules",
        used + ours,
        limits.watches
    );
    let mut most: Vec<_> = others.iter().chain(running).filter(|user| user.watches > 0).collect();
    most.sort_by_key(|user| (Reverse(user.watches), user.pid));
    for InotifyUse { pid, name, watches, .. } in most.into_iter().take(MOST) {
        message += &format!("; {} (pid {pid}) has {watches}", Escaped(name.as_bytes()));
    }
    let needed = if running.is_empty() { needed } else { ours.max(needed) };
    if used + needed <= limits.watches {
        return Finding::ok(message);
    }
    let enough = (2 * (used + needed)).next_power_of_two().max(1_048_576);
    Finding::problem(message, format!("sysctl fs.inotify.max_user_watches={enough}"))
}

fn instances(limits: InotifyLimits, users: &[InotifyUse]) -> Finding {
    let used: u64 = users.iter().map(|user| user.instances).sum();
    let message =
        format!("inotify instances: {used} of {} in use by this user's processes", limits.instances);
    match Inotify::new() {
        Ok(_) => Finding::ok(message),
        Err(error) => {
            let enough = (2 * used).next_power_of_two().max(512);
            let mend = format!(
                "end other watchers, or raise the limit: sysctl fs.inotify.max_user_instances={enough}"
            );
            Finding::problem(format!("{message}, and there is no other: {error}"), mend)
        }
    }
}

/// What the directories are that the rules want.
struct Tree {
    findings: Vec<Finding>,
    /// How many take a watch.
    watched: u64,
}

/// The directories on one file system.
struct Device {
    first: PathBuf,
    count: usize,
    notifies: bool,
}

fn tree(rules: &Rules) -> Tree {
    let plan = rules.plan();
    let (mut findings, mut devices) = (Vec::new(), BTreeMap::new());
    for met in plan.walk() {
        let shown = Escaped(met.dir.as_os_str().as_bytes()).to_string();
        match met.how {
            How::First(None) => {
                findings.push(Finding::note(format!("{shown} is not there; it is waited for")));
            }
            How::First(Some((device, _))) => match Dir::open(met.dir.as_os_str().as_bytes()) {
                Ok(dir) => {
                    let (first, notifies) = (met.dir, dir.notifies());
                    devices.entry(device).or_insert(Device { first, count: 0, notifies }).count += 1;
                }
                Err(error) => findings.push(unreadable(&met.dir, &shown, &error)),
            },
            How::Again | How::Elsewhere | How::Unwanted => {}
        }
    }
    let polling = plan.polling();
    let watched = |device: &&Device| device.notifies && !polling.always;
    let watched = devices.values().filter(watched).map(|device| device.count as u64).sum();
    let mounts = MountInfo::open().and_then(|mut info| info.read()).unwrap_or_default();
    let systems = devices.values().map(|device| {
        let first = Escaped(device.first.as_os_str().as_bytes());
        let more = match device.count - 1 {
            0 => String::new(),
            more => format!(" and {}", count(more, "more directory", "more directories")),
        };
        let path = device.first.canonicalize().unwrap_or_default();
        let kind = file_system(&mounts, path.as_os_str().as_bytes()).unwrap_or_default();
        let place = format!("{first}{more}: {}", Escaped(&kind));
        match (polling.always, device.notifies) {
            (true, _) => {
                Finding::note(format!("{place}, looked through every {:?}, as `poll` says", polling.interval))
            }
            (false, true) => Finding::ok(place),
            (false, false) => Finding::note(format!(
                "{place}, which does not report every change: looked through every {:?}",
                polling.interval
            )),
        }
    });
    findings.splice(0..0, systems);
    Tree { findings, watched }
}

fn unreadable(dir: &Path, shown: &str, error: &std::io::Error) -> Finding {
    let own = fs::metadata("/proc/self").map(|found| found.uid()).ok();
    let owner = dir.symlink_metadata().map(|found| found.uid()).ok();
    let path = quoted(dir.as_os_str().as_bytes());
    let mend = match (own, owner) {
        (Some(own), Some(owner)) if own != owner => format!("as its owner: setfacl -m u:{own}:rx {path}"),
        _ => format!("chmod u+rx {path}"),
    };
    Finding::problem(format!("{shown} cannot be watched: {error}"), mend)
}

fn programs(rules: &Rules) -> Vec<Finding> {
    let (mut found, mut there) = (Vec::new(), 0);
    let all =
        rules.rules.iter().flat_map(|rule| rules.programs(rule).map(move |program| (&rule.name, program)));
    for (rule, program) in all {
        let name = program.name.escape_debug();
        if program.is_there {
            there += 1;
        } else if program.name.contains('/') {
            found.push(Finding::note(format!("{rule}: {name} is not there yet, or cannot be executed")));
        } else {
            let message = format!("{rule}: no program `{name}` is in PATH");
            found.push(Finding::problem(message, "install it, or write its whole path"));
        }
    }
    if there > 0 {
        found.push(Finding::ok(format!("{} there", count(there, "program is", "programs are"))));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, watches: u64) -> InotifyUse {
        InotifyUse { pid: 7, name: name.to_owned(), instances: 1, watches }
    }

    #[test]
    fn watches_are_short_when_what_is_needed_does_not_fit_beside_the_others() {
        let limits = InotifyLimits { watches: 100, instances: 128, queue: 16_384 };
        let others = [user("a", 20), user("b", 40)];
        let status = |running: &[InotifyUse], needed| watches(limits, &others, running, needed).status;
        assert_eq!(status(&[], 40), Status::Ok);
        assert_eq!(status(&[], 41), Status::Problem);
        // It runs already, and has what it needs; or has not got it.
        assert_eq!(status(&[user("tripline", 40)], 38), Status::Ok);
        assert_eq!(status(&[user("tripline", 38)], 50), Status::Problem);
        let finding = watches(limits, &others, &[], 41);
        assert!(finding.message.ends_with(
            "60 of 100 in use by this user's processes, 41 needed for the rules; b (pid 7) has 40; a (pid 7) has 20"
        ));
        assert_eq!(finding.mend.as_deref(), Some("sysctl fs.inotify.max_user_watches=1048576"));
    }

    #[test]
    fn what_an_old_kernel_lacks_is_noted() {
        for (release, status, lack) in [
            ("6.18.44", Status::Ok, ""),
            ("5.14.0-rc1", Status::Ok, ""),
            ("5.13.1-generic", Status::Note, "control group"),
            ("4.19.0", Status::Note, "descriptors"),
            ("who knows", Status::Ok, ""),
        ] {
            let finding = kernel(release);
            assert!(finding.status == status && finding.message.contains(lack), "{finding:?}");
        }
    }

    #[test]
    fn descriptors_must_do_for_as_many_runs_as_there_may_be() {
        let limits = |soft: &str| {
            format!("Max open files            {soft}                 4096                 files\n")
        };
        let status =
            |soft: &str, jobs| descriptors(&limits(soft), jobs).map(|found| (found.status, found.mend));
        assert_eq!(status("72", 8), Some((Status::Ok, None)));
        assert_eq!(status("72", 9), Some((Status::Problem, Some("ulimit -n 128".to_owned()))));
        assert_eq!(status("unlimited", 9), Some((Status::Ok, None)));
        assert_eq!(descriptors("", 8), None);
    }

    #[test]
    fn a_finding_is_a_line_and_what_mends_it_another() {
        let mut out = Vec::new();
        show(&Finding::ok("fine"), false, &mut out);
        show(&Finding::problem("bad", "mend it"), false, &mut out);
        show(&Finding::problem("bad", "mend it"), true, &mut out);
        let expected = "ok       fine\nproblem  bad\n         mend: mend it\n\
                        {\"status\":\"problem\",\"message\":\"bad\",\"mend\":\"mend it\"}\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
