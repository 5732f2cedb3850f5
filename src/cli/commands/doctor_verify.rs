//! `tripline doctor --verify`: whether a running tripline watches what a fresh look says that it should.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::Parser;

use super::doctor::Finding;
use crate::cli::args::{Cli, Command};
use crate::cli::lines::count;
use crate::dispatch::Escaped;
use crate::event::Scope;
use crate::rules::{Attempt, How, Loaded, Location, Sources, attempt};
use crate::sys::{Dir, command_line, inotify_users, inotify_watches};

/// A file system's number, and that of a directory or link in it.
type Id = (u64, u64);

/// Looks at what is still settling: only a difference that all of them find is one.
const LOOKS: usize = 5;
/// Between two looks: longer than a directory that has lost its name is kept.
const PAUSE: Duration = Duration::from_millis(300);

/// What should be watched.
#[derive(Debug, Default)]
struct Wanted {
    dirs: BTreeMap<Id, PathBuf>,
    /// What may be watched besides: the ways to the roots, and to what links lead to.
    ways: BTreeSet<Id>,
    /// Directories that are there and not wanted.
    others: BTreeMap<Id, PathBuf>,
    /// How many directories are looked through instead.
    polled: usize,
}

/// What is not as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Difference {
    /// Wanted, and not watched.
    missing: BTreeSet<Id>,
    /// Watched, and not wanted.
    surplus: BTreeSet<Id>,
}

/// `watched` is what each instance watches: one what the rules want, and perhaps another the rules files.
fn compare(wanted: &Wanted, watched: &[BTreeSet<Id>]) -> Difference {
    let dirs: BTreeSet<Id> = wanted.dirs.keys().copied().collect();
    let known: BTreeSet<Id> = dirs.union(&wanted.ways).copied().collect();
    let missing = watched.iter().map(|watched| without(&dirs, watched)).min_by_key(BTreeSet::len);
    let all = watched.iter().flatten().copied().collect();
    Difference { missing: missing.unwrap_or(dirs), surplus: without(&all, &known) }
}

/// Those that the others do not have. Some file systems have more than one number for a device (btrfs's subvolumes):
/// where the others have nothing on one, the numbers in it count alone.
fn without(ids: &BTreeSet<Id>, others: &BTreeSet<Id>) -> BTreeSet<Id> {
    let devices: BTreeSet<u64> = others.iter().map(|id| id.0).collect();
    let inodes: BTreeSet<u64> = others.iter().map(|id| id.1).collect();
    let has = |id: &Id| if devices.contains(&id.0) { others.contains(id) } else { inodes.contains(&id.1) };
    ids.iter().filter(|id| !has(id)).copied().collect()
}

/// Verifies the tripline that runs these rules files.
pub(crate) fn find(files: &[PathBuf]) -> Vec<Finding> {
    let pids = running(files);
    if pids.is_empty() {
        let message = "no tripline of this user runs these rules";
        return vec![Finding::problem(message, "start it, or name another: tripline doctor --verify PID")];
    }
    pids.into_iter().flat_map(verify).collect()
}

/// The processes that run these rules files.
pub(crate) fn running(files: &[PathBuf]) -> Vec<u32> {
    let canonical =
        |files: &[PathBuf]| -> Vec<_> { files.iter().map(|file| file.canonicalize().ok()).collect() };
    let files = canonical(files);
    let users = inotify_users().unwrap_or_default().into_iter();
    let runs = |pid: &u32| rules_of(*pid).is_ok_and(|(loaded, _)| canonical(&loaded.files) == files);
    users.map(|user| user.pid).filter(runs).collect()
}

/// The rules that a process was started with, as they are in their files now.
fn rules_of(pid: u32) -> Result<(Loaded, Sources), String> {
    let (args, cwd) = command_line(pid).map_err(|error| format!("process {pid}: {error}"))?;
    let is_tripline = args.first().is_some_and(|program| Path::new(program).ends_with("tripline"));
    let args = match Cli::try_parse_from(args) {
        Ok(Cli { command: None, run }) if is_tripline => run,
        Ok(Cli { command: Some(Command::Run(run)), .. }) if is_tripline => run,
        _ => return Err(format!("process {pid} is no `tripline run`")),
    };
    let location =
        args.config.map_or_else(|| Location::Search(cwd.clone()), |file| Location::Path(cwd.join(file)));
    let Attempt { loaded, sources } = attempt(&location, args.profile.as_deref());
    let mut loaded = loaded.map_err(|_| format!("process {pid} runs rules that have mistakes now"))?;
    if let Some(polling) = args.poll.asked() {
        loaded.rules.set_polling(polling);
    }
    Ok((loaded, sources))
}

/// Verifies one process.
pub(crate) fn verify(pid: u32) -> Vec<Finding> {
    match rules_of(pid).and_then(|(loaded, sources)| differences(pid, &loaded, &sources)) {
        Ok((wanted, difference)) => report(pid, &wanted, &difference),
        Err(message) => vec![Finding::problem(message, "name a running one: tripline doctor --verify PID")],
    }
}

fn differences(pid: u32, loaded: &Loaded, sources: &Sources) -> Result<(Wanted, Difference), String> {
    let look = || {
        let mut wanted = Wanted::by_fresh_look(loaded);
        wanted.add(sources);
        let watched = inotify_watches(pid).map_err(|error| format!("process {pid}: {error}"))?;
        let watched: Vec<BTreeSet<Id>> =
            watched.into_iter().map(|one| one.into_iter().map(|id| (id.0, id.1)).collect()).collect();
        let difference = compare(&wanted, &watched);
        Ok::<_, String>((wanted, difference))
    };
    let (mut wanted, mut difference) = look()?;
    for _ in 1..LOOKS {
        if difference == Difference::default() {
            break;
        }
        thread::sleep(PAUSE);
        let (wanted_now, now) = look()?;
        wanted = wanted_now;
        difference.missing.retain(|id| now.missing.contains(id));
        difference.surplus.retain(|id| now.surplus.contains(id));
    }
    Ok((wanted, difference))
}

fn report(pid: u32, wanted: &Wanted, difference: &Difference) -> Vec<Finding> {
    let name = |path: &PathBuf| Escaped(path.as_os_str().as_bytes()).to_string();
    let mend = format!(
        "restart it (pid {pid}), unless it is stopped or busy; and please report how it came to this"
    );
    let missing = difference.missing.iter().filter_map(|id| wanted.dirs.get(id));
    let mut found: Vec<_> = missing
        .map(|path| Finding::problem(format!("{} is wanted, and not watched", name(path)), &mend))
        .collect();
    found.extend(difference.surplus.iter().map(|id| {
        let what =
            wanted.others.get(id).map_or_else(|| format!("inode {} of device {:#x}", id.1, id.0), name);
        Finding::problem(format!("{what} is watched, and no rule needs it"), &mend)
    }));
    if found.is_empty() {
        let dirs = count(wanted.dirs.len(), "directory", "directories");
        let polled = match wanted.polled {
            0 => String::new(),
            polled => format!(", and {} looked through", count(polled, "directory", "directories")),
        };
        found.push(Finding::ok(format!("pid {pid} watches what it should: no difference in {dirs}{polled}")));
    }
    found
}

impl Wanted {
    fn by_fresh_look(Loaded { rules, .. }: &Loaded) -> Self {
        let (plan, mut wanted) = (rules.plan(), Self::default());
        for met in plan.walk() {
            match met.how {
                How::First(found) => {
                    if met.above.is_none() || met.is_link {
                        wanted.ways.extend(way(&met.dir));
                    }
                    let watched = Dir::open(met.dir.as_os_str().as_bytes())
                        .is_ok_and(|dir| dir.notifies() && !plan.polling().always);
                    match found {
                        Some(id) if watched => drop(wanted.dirs.insert(id, met.dir.clone())),
                        found => wanted.polled += usize::from(found.is_some()),
                    }
                    if plan.extent().follow_symlinks {
                        wanted.ways.extend(links(&met.dir).iter().flat_map(|link| way(link)));
                    }
                }
                How::Again => {}
                How::Elsewhere | How::Unwanted => {
                    wanted.others.extend(id(&met.dir).map(|id| (id, met.dir)));
                }
            }
        }
        wanted
    }

    /// The rules files are watched, too, by an instance of their own.
    fn add(&mut self, sources: &Sources) {
        let mut open = sources.roots().to_vec();
        self.ways.extend(open.iter().flat_map(|root| way(root)));
        while let Some(dir) = open.pop() {
            self.ways.extend(id(&dir));
            let below = fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path());
            open.extend(below.filter(|path| {
                !path.is_symlink() && path.is_dir() && sources.wants_dir(path.as_os_str().as_bytes())
            }));
        }
    }
}

fn links(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_symlink()).collect()
}

/// The directories that a path leads through, the links on it, and what those lead through.
fn way(path: &Path) -> Vec<Id> {
    let (mut ids, mut at, mut left) = (Vec::new(), PathBuf::from("/"), 40);
    let mut rest: VecDeque<_> = path.components().map(|part| part.as_os_str().to_owned()).collect();
    while let Some(name) = rest.pop_front() {
        ids.extend(id(&at));
        let next = at.join(&name);
        match fs::read_link(&next) {
            _ if name == ".." => drop(at.pop()),
            Ok(target) if left > 0 => {
                left -= 1;
                ids.extend(id(&next));
                target.components().rev().for_each(|part| rest.push_front(part.as_os_str().to_owned()));
            }
            _ => at = next,
        }
    }
    ids.extend(id(&at));
    ids
}

fn id(path: &Path) -> Option<Id> {
    path.symlink_metadata().ok().map(|found| (found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(dirs: &[Id], ways: &[Id]) -> Wanted {
        let dirs = dirs.iter().map(|&id| (id, PathBuf::from("/w"))).collect();
        Wanted { dirs, ways: ways.iter().copied().collect(), ..Wanted::default() }
    }

    #[test]
    fn what_is_missing_and_what_is_too_much_is_told_by_device_and_inode() {
        let wanted = wanted(&[(1, 10), (1, 11), (2, 10)], &[(1, 2)]);
        let ids = |ids: &[Id]| ids.iter().copied().collect::<BTreeSet<_>>();
        let difference = |watched: &[Id]| compare(&wanted, &[ids(watched)]);
        assert_eq!(difference(&[(1, 2), (1, 10), (1, 11), (2, 10)]), Difference::default());
        assert_eq!(
            difference(&[(1, 10), (1, 11), (2, 10)]),
            Difference::default(),
            "a way need not be watched"
        );
        let found = difference(&[(1, 10), (2, 10), (1, 12), (2, 11)]);
        assert_eq!((found.missing, found.surplus), (ids(&[(1, 11)]), ids(&[(1, 12), (2, 11)])));
        // What the other instance watches is not what this one should.
        let found = compare(&wanted, &[ids(&[(1, 10), (2, 10)]), ids(&[(1, 11)])]);
        assert_eq!((found.missing, found.surplus), (ids(&[(1, 11)]), ids(&[])));
    }

    #[test]
    fn where_a_device_has_another_number_inodes_are_compared() {
        let wanted = wanted(&[(1, 10), (1, 11)], &[]);
        let found = compare(&wanted, &[BTreeSet::from([(9, 10), (9, 12)])]);
        assert_eq!((found.missing, found.surplus), (BTreeSet::from([(1, 11)]), BTreeSet::from([(9, 12)])));
    }
}
