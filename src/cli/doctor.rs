//! `tripline doctor`: what would keep changes from being seen, or commands from running, and what mends it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::DoctorArgs;
use super::quote::quoted;
use super::report::count;
use super::{Exit, location, refuse, verify};
use crate::dispatch::Escaped;
use crate::event::Scope;
use crate::rules::{How, Loaded, Rules, load_profile};
use crate::sys::{Dir, Inotify, InotifyLimits, InotifyUse, MountInfo, inotify_limits, inotify_users};
use crate::watch::file_system;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Ok,
    /// As it should be, but good to know.
    Note,
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) status: Status,
    pub(super) message: String,
    /// What to type, or to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mend: Option<String>,
}

impl Finding {
    pub(super) fn ok(message: impl Into<String>) -> Self {
        Self { status: Status::Ok, message: message.into(), mend: None }
    }

    fn note(message: impl Into<String>) -> Self {
        Self { status: Status::Note, message: message.into(), mend: None }
    }

    pub(super) fn problem(message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { status: Status::Problem, message: message.into(), mend: Some(mend.into()) }
    }
}

pub(super) fn doctor(args: &DoctorArgs) -> Exit {
    let load = || load_profile(&location(args.config.as_ref()), args.profile.as_deref());
    let found = match args.verify {
        Some(Some(pid)) => verify::verify(pid),
        Some(None) => match load() {
            Ok(loaded) => verify::find(&loaded.files),
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
    let mut found = vec![kernel()];
    let tree = loaded.map(|loaded| tree(&loaded.rules));
    let needed = tree.as_ref().map_or(0, |tree| tree.watched);
    match (inotify_limits(), inotify_users()) {
        (Ok(limits), Ok(mut users)) => {
            // What runs these rules has what they need.
            let running = loaded.map(|loaded| verify::running(&loaded.files)).unwrap_or_default();
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
        found.extend(tree.findings);
        found.extend(programs(&loaded.rules));
    }
    found
}

/// Before 5.9, close_range(2) is missing, and 5.11 for what it is needed for.
const CLOSES: (u32, u32) = (5, 11);

fn kernel() -> Finding {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim_end();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) < CLOSES => Finding::note(format!(
            "Linux {release}: before 5.11, commands inherit the descriptors that tripline was started with"
        )),
        _ => Finding::ok(format!("Linux {release}")),
    }
}

/// `running` has what the rules need already.
fn watches(limits: InotifyLimits, others: &[InotifyUse], running: &[InotifyUse], needed: u64) -> Finding {
    let sum = |users: &[InotifyUse]| users.iter().map(|user| user.watches).sum::<u64>();
    let (used, ours) = (sum(others), sum(running));
    let mut message = format!(
        "inotify watches: {} of {} in use by this user's processes, {needed} needed for the rules",
        used + ours,
        limits.watches
    );
    let needed = if running.is_empty() { needed } else { ours.max(needed) };
    if used + needed <= limits.watches {
        return Finding::ok(message);
    }
    if let Some(most) = others.iter().max_by_key(|user| user.watches) {
        message += &format!("; {} (pid {}) has {}", Escaped(most.name.as_bytes()), most.pid, most.watches);
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
            "60 of 100 in use by this user's processes, 41 needed for the rules; b (pid 7) has 40"
        ));
        assert_eq!(finding.mend.as_deref(), Some("sysctl fs.inotify.max_user_watches=1048576"));
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
