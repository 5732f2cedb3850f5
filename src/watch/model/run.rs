//! One run of the watcher on the model, and what must hold of it once all is quiet.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::kernel::{Fault, Machine, Model, Schedule};
use super::world::Op;
use crate::event::{Event, EventMask, Scope, Subject, is_below};
use crate::sys::Kind;
use crate::time::MonoTime;
use crate::watch::crawl::subject;
use crate::watch::observer::{Next, Observer};
use crate::watch::tree::path::Route;

/// Turns after which a run counts as one that never ends.
const TURNS: usize = 500;

/// All that is below a root.
#[derive(Debug)]
struct Everything {
    roots: [PathBuf; 1],
    /// Whether the end of a file concerns nobody.
    careless: bool,
}

impl Scope for Everything {
    fn roots(&self) -> &[PathBuf] {
        &self.roots
    }
    fn wants_dir(&self, _: &[u8]) -> bool {
        true
    }
    fn wants_file(&self, _: &[u8]) -> bool {
        true
    }
    fn remembers(&self, _: &[u8]) -> bool {
        !self.careless
    }
    fn record_rename(&self, from: &[u8], to: &[u8]) -> bool {
        let inside = |path| is_below(path, self.roots[0].as_os_str().as_bytes());
        inside(from) && inside(to)
    }
    fn mask(&self) -> EventMask {
        if self.careless { EventMask::CLOSE_WRITE } else { EventMask::CHANGE | EventMask::RENAME }
    }
}

/// What a run starts from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) made: &'static [Op],
    /// The root of the scope.
    pub(super) root: &'static str,
    /// What can happen besides the usual.
    pub(super) more: &'static [Op],
    /// Events that the kernel's queue holds.
    pub(super) limit: usize,
    /// Events that one read(2) answers.
    pub(super) batch: usize,
    /// Whether events are taken from the watcher in one turn of three only.
    pub(super) slow: bool,
    /// Whether the schedule begins with the first crawl, of which no file is reported.
    pub(super) during_first_crawl: bool,
    /// The root of the scope that is followed until what happens begins.
    pub(super) before: Option<&'static str>,
    /// Whether the end of a file concerns nobody, so that its name need not be known.
    pub(super) careless: bool,
}

#[derive(Clone, Copy, Debug)]
struct Report {
    subject: Subject,
    done: usize,
    /// Whether a directory above has been reported to have left since.
    left: bool,
}

pub(super) struct Run {
    pub(super) machine: Rc<RefCell<Machine>>,
    pub(super) observer: Observer<Model>,
    pub(super) now: MonoTime,
    slow: bool,
    /// What was last reported of a path, and how many operations were done by then.
    reported: BTreeMap<Vec<u8>, Report>,
    /// Whether all scheduled operations came before the watcher was quiet.
    pub(super) all_due: bool,
}

impl Run {
    /// The watcher at the start, with what is scheduled to happen, and what fails from then on.
    pub(super) fn new(start: Start, schedule: Schedule, fault: Option<Fault>) -> Result<Self, String> {
        let mut machine = Machine::new(start.root, start.limit, start.batch);
        for &op in start.made {
            assert!(machine.apply(op), "{op:?}");
        }
        machine.root_changed = false;
        let machine = Rc::new(RefCell::new(machine));
        let careless = start.careless;
        let below = |root: &str| Arc::new(Everything { roots: [PathBuf::from(root)], careless });
        let observer = Observer::new(Model(Rc::clone(&machine)), below(start.before.unwrap_or(start.root)));
        let (now, reported) = (MonoTime::default(), BTreeMap::new());
        let mut run = Self { machine, observer, now, slow: start.slow, reported, all_due: true };
        if !start.during_first_crawl {
            run.observer.start(run.now);
            run.rest()?;
            run.reported.clear();
        }
        let mut machine = run.machine.borrow_mut();
        (machine.schedule, machine.fault) = (schedule, fault);
        drop(machine);
        if start.during_first_crawl {
            run.observer.start(run.now);
        } else if start.before.is_some() {
            run.observer.rescope(below(start.root), run.now);
        }
        Ok(run)
    }

    /// Turns until nothing is left to do but to wait for the kernel.
    pub(super) fn rest(&mut self) -> Result<(), String> {
        for turn in 0..TURNS {
            if self.turn(!self.slow || turn % 3 == 2)? {
                return Ok(());
            }
        }
        Err("never quiet".to_owned())
    }

    /// One turn; answers whether there is nothing left to do. Where there is, time passes until then.
    pub(super) fn turn(&mut self, room: bool) -> Result<bool, String> {
        let mut out = Vec::new();
        let next = self.observer.turn(self.now, room, &mut out).map_err(|error| error.to_string())?;
        self.absorb(out);
        self.machine.borrow_mut().go_home();
        let queued = !self.machine.borrow().world.queue.is_empty();
        let before = self.now;
        self.now = match next {
            Next::Idle(None) if room && !queued => return Ok(true),
            Next::Idle(Some(at)) if at <= self.now => return Err("waits for what has passed".to_owned()),
            Next::Idle(Some(at)) if !queued => at,
            Next::Rest(at) => at,
            _ => self.now + Duration::from_millis(1),
        };
        let mut machine = self.machine.borrow_mut();
        machine.world.clock = machine.world.clock.saturating_add(self.now.since(before));
        Ok(false)
    }

    fn absorb(&mut self, events: Vec<Event>) {
        let done = self.machine.borrow().done;
        for event in events {
            let is_dir = event.mask.intersects(EventMask::ISDIR);
            let ended = event.mask.intersects(EventMask::DELETE | EventMask::MOVED_FROM);
            if is_dir && ended {
                let below = [&event.path, &b"/"[..]].concat();
                let below = self.reported.iter_mut().filter(|(path, _)| path.starts_with(&below));
                below.for_each(|(_, report)| report.left = true);
            }
            let subject = if ended { Subject::Gone } else { event.subject };
            self.reported.insert(event.path, Report { subject, done, left: false });
        }
    }

    /// Everything that must hold when all is quiet.
    pub(super) fn check(&self, start: Start) -> Result<(), String> {
        self.check_tree(start.root)?;
        self.check_leaks()?;
        if start.during_first_crawl { Ok(()) } else { self.check_reports(start, start.made.len()) }
    }

    fn check_tree(&self, root: &str) -> Result<(), String> {
        let machine = self.machine.borrow();
        let (world, tree) = (&machine.world, &self.observer.state.tree);
        let all = world.all(root);
        let dirs = || all.iter().filter(|(_, ino)| world.inodes[**ino].kind() == Kind::Dir);
        for (path, &ino) in dirs() {
            let shown = path.escape_ascii();
            let Some(wd) = world.queue.wd(ino) else { return Err(format!("{shown} is not watched")) };
            let relative = path[root.len()..].strip_prefix(b"/").unwrap_or_default().to_vec();
            if !tree.is_attached(wd) || tree.route(wd) != Route::Path(0, relative) {
                return Err(format!("{shown} is known as {:?}", tree.route(wd)));
            }
        }
        let (known, there) = (tree.len(), dirs().count());
        if known != there {
            return Err(format!("{known} directories are known, {there} are there"));
        }
        Ok(())
    }

    fn check_leaks(&self) -> Result<(), String> {
        let machine = self.machine.borrow();
        let observer = &self.observer;
        for (wd, _) in machine.world.queue.watches() {
            if !observer.state.tree.contains(wd) && !observer.ways.contain(wd) {
                return Err(format!("{wd:?} is nobody's"));
            }
        }
        for wd in observer.ways.watches() {
            if machine.world.queue.watches().all(|(at, _)| at != wd) {
                return Err(format!("{wd:?} above the root has ended"));
            }
        }
        Ok(())
    }

    /// Everything that operations after the first so many have brought about must have been told.
    pub(super) fn check_reports(&self, start: Start, made: usize) -> Result<(), String> {
        let wanted = start.before.unwrap_or(start.root);
        let machine = self.machine.borrow();
        let world = &machine.world;
        let all = world.all(start.root);
        for (path, &(_, _, changed)) in &machine.seen {
            let Some(&ino) = all.get(path) else { continue };
            let is_told = |report: &Report| {
                report.subject == subject(world.inodes[ino].kind()) && report.done >= changed && !report.left
            };
            let last = self.reported.get(path);
            let inside = path != wanted.as_bytes() && is_below(path, wanted.as_bytes());
            if changed > made && inside && !last.is_some_and(is_told) {
                return Err(format!("{} changed at {changed}, last: {last:?}", path.escape_ascii()));
            }
        }
        let phantom = self.reported.iter().find(|(path, report)| {
            let gone = report.left || report.subject == Subject::Gone;
            !gone && *path != start.root.as_bytes() && !all.contains_key(*path)
        });
        match phantom {
            Some((path, _)) if !machine.root_changed => Err(format!("{} is a phantom", path.escape_ascii())),
            _ => Ok(()),
        }
    }
}

/// Does all that is scheduled, and then makes the root anew and writes a file in it. Answers whether all
/// came before the watcher was quiet.
pub(super) fn run(start: Start, schedule: Schedule) -> Result<bool, String> {
    let mut run = Run::new(start, schedule, None)?;
    run.rest()?;
    while run.machine.borrow_mut().hurry() {
        run.all_due = false;
        run.rest()?;
    }
    run.check(start)?;
    for op in [Op::Mkdir("/p"), Op::Mkdir("/p/r"), Op::Write("/p/r/probe")] {
        run.machine.borrow_mut().apply(op);
    }
    run.rest()?;
    run.check(start).map_err(|error| format!("once the root is made again: {error}"))?;
    Ok(run.all_due)
}
