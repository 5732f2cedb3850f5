//! Symbolic links below the roots, where they are followed. A directory that a link leads to is watched like any
//! other, and the way to it like the way to a root; of a file, the directory that holds it.

use std::io;
use std::sync::Arc;

use super::ancestors::{ARRIVALS, ITSELF, WayId};
use super::roots::{Missing, RETRY, is_absent, is_forbidden, split};
use super::symlinks::{Alias, LinkId, Target};
use crate::event::{Event, EventMask, Subject, Trigger};
use crate::sys::{Kind, Wd};
use crate::time::MonoTime;
use crate::watch::backend::Kernel;
use crate::watch::backend::decode::RawEvent;
use crate::watch::crawl::lookup::Looking;
use crate::watch::crawl::{Frame, Purpose};
use crate::watch::observer::{Observer, join};
use crate::watch::pipeline::pending::Incident;
use crate::watch::pipeline::translate::LIMBO;
use crate::watch::tree::path::Route;
use crate::watch::tree::{Name, Place};

impl<K: Kernel> Observer<K> {
    /// Whether a name in an open directory is a symbolic link to follow.
    pub(crate) fn is_followed(&self, dir: &K::Dir, name: &[u8]) -> bool {
        self.state.follows && self.kernel.status(dir, name).is_ok_and(|status| status.kind == Kind::Symlink)
    }

    /// Asks what a link leads to, and watches that and the way to it. Answers false if it changed meanwhile.
    pub(crate) fn follow_link(&mut self, at: &Looking<'_, K::Dir>, name: &Name, now: MonoTime) -> bool {
        let link = (at.parent, Arc::clone(name));
        self.follow_anew(&WayId::Link(link.clone()), |own| own.follow_link_once(at, &link, now))
    }

    fn follow_link_once(&mut self, at: &Looking<'_, K::Dir>, link: &LinkId, now: MonoTime) -> bool {
        let (way, path) = (WayId::Link(link.clone()), join(at.path, &link.1));
        let led = self.watch_way(&way, &path, now);
        match (self.watch_proven(|own| own.watch_linked(at, &link.1, &path)), led) {
            (Ok(Some(wd)), led) => self.settle_link(at, link, wd, now) && led.is_ok(),
            (Ok(None), _) => false,
            (Err(error), Ok(file)) if error.raw_os_error() == Some(libc::ENOTDIR) => {
                self.settle_file(at, link, &file, now)
            }
            (Err(error), led) => {
                self.lead(at, link, &Target::Nothing, now);
                self.link_failed(at, link, &error, led, now)
            }
        }
    }

    /// Watches the directory that a link leads to, with `EXDEV` where the watcher is to stay out of it.
    fn watch_linked(&mut self, at: &Looking<'_, K::Dir>, name: &[u8], path: &[u8]) -> io::Result<Wd> {
        let dir = self.kernel.follow(at.dir, name)?;
        let dir = self.stay(at.dir, dir)?;
        if !self.wants_dir(at, path) {
            return Err(io::Error::from_raw_os_error(libc::EXDEV));
        }
        self.watch(&dir, path)
    }

    fn link_failed(
        &mut self,
        at: &Looking<'_, K::Dir>,
        link: &LinkId,
        error: &io::Error,
        led: Result<Vec<u8>, Missing>,
        now: MonoTime,
    ) -> bool {
        let (way, denied) = (WayId::Link(link.clone()), is_forbidden(error));
        if denied {
            self.deny(at.parent, &link.1, join(at.path, &link.1));
            self.ways.again(&way, now + RETRY);
        }
        match led {
            Err(missing) => self.await_name(&way, missing, now),
            Ok(path) if denied => self.await_name(&way, split(&path), now),
            Ok(_) => error.raw_os_error() == Some(libc::EXDEV),
        }
    }

    /// Hangs the directory that a link leads to where the link is, unless it has a place already. Answers false if
    /// it cannot hang there.
    fn settle_link(&mut self, at: &Looking<'_, K::Dir>, link: &LinkId, wd: Wd, now: MonoTime) -> bool {
        let purpose = at.scan.purpose;
        self.state.denied.remove(link);
        let known = self.lead(at, link, &Target::Dir(wd), now);
        // It may end, or be renamed, without an event of the link.
        self.ways.add(&WayId::Link(link.clone()), wd);
        let hangs = self.state.tree.child(at.parent, &link.1) == Some(wd);
        if hangs || (known && self.state.tree.is_attached(wd)) {
            if hangs && at.scan.deep {
                self.push(Frame::deep(wd, purpose, None));
            }
            return true;
        }
        let place = Place::Below(at.parent, Arc::clone(&link.1));
        if self.state.tree.is_attached(wd) || self.state.tree.attach(wd, &place) {
            self.push(Frame::deep(wd, purpose.for_new(), None));
            return true;
        }
        false
    }

    /// Watches the directory of the file that a link leads to. Answers false if it has changed meanwhile.
    fn settle_file(&mut self, at: &Looking<'_, K::Dir>, link: &LinkId, file: &[u8], now: MonoTime) -> bool {
        let (dir, name) = split(file);
        if !self.wants_file(at, &join(at.path, &link.1)) {
            self.lead(at, link, &Target::Nothing, now);
            return true;
        }
        match self.watch_for(&dir, self.state.mask() | ITSELF | ARRIVALS) {
            Ok(Some(wd)) => {
                self.ways.wait(&WayId::Link(link.clone()), wd, name.clone());
                let target = Target::File(wd, dir.clone(), name.as_slice().into());
                let same = self.lead(at, link, &target, now);
                self.compare_file(at, link, (&dir, &name), same);
                true
            }
            Ok(None) => false,
            Err(error) => {
                self.ways.again(&WayId::Link(link.clone()), now + RETRY);
                !is_absent(&error)
            }
        }
    }

    /// Notes that a link leads to another file or, after a loss, that the file may have changed.
    fn compare_file(
        &mut self,
        at: &Looking<'_, K::Dir>,
        link: &LinkId,
        (dir, name): (&[u8], &[u8]),
        same: bool,
    ) {
        let Ok(dir) = self.kernel.open(dir) else { return };
        let changed = match at.scan.purpose {
            Purpose::Changed { since } if same => {
                self.kernel.status(&dir, name).is_ok_and(|status| status.ctime >= since)
            }
            _ => !same,
        };
        if changed && !self.state.pending.is_decided(link.0, &link.1) {
            // Once it is closed, that is an event.
            let written = self.is_being_written(&dir, name) == Some(true);
            let mask = if written { EventMask::CREATE } else { EventMask::CHANGE };
            self.found_through(at, link, mask, Subject::File);
        }
    }

    /// Notes what a link leads to; answers whether it has led there before. What it led to before has left it.
    fn lead(&mut self, at: &Looking<'_, K::Dir>, link: &LinkId, target: &Target, now: MonoTime) -> bool {
        let before = self.state.links.set(link, target.clone());
        if before.as_ref() == Some(target) {
            return true;
        }
        match before {
            Some(Target::Dir(left)) => self.leave(at, link, left, now),
            Some(Target::File(..)) if *target == Target::Nothing => {
                self.found_through(at, link, EventMask::DELETE | EventMask::CHANGE, Subject::Gone);
            }
            Some(_) => {}
            None => {
                // A directory was here in person.
                if let Some(left) = self.state.tree.child(at.parent, &link.1) {
                    self.orphan(left, at.scan.purpose, now);
                }
                // The arrival of the link itself says that there is a file.
                return matches!(target, Target::File(..));
            }
        }
        false
    }

    /// The directory that a link led to has left it. It is silent at once: nobody has removed it.
    fn leave(&mut self, at: &Looking<'_, K::Dir>, link: &LinkId, left: Wd, now: MonoTime) {
        if self.state.tree.child(link.0, &link.1) == Some(left) {
            self.state.tree.orphan(left, now + LIMBO, false);
            self.state.tree.set_moved(left);
        }
        self.found_through(
            at,
            link,
            EventMask::MOVED_FROM | EventMask::CHANGE | EventMask::ISDIR,
            Subject::Dir,
        );
    }

    fn found_through(&mut self, at: &Looking<'_, K::Dir>, link: &LinkId, mask: EventMask, subject: Subject) {
        if !matches!(at.scan.purpose, Purpose::Initial | Purpose::Rescoped) {
            let trigger = if at.scan.purpose.follows_loss() { Trigger::Overflow } else { Trigger::Scan };
            self.note_found(link.0, Arc::clone(&link.1), mask, subject, trigger);
        }
    }

    /// The name is no link, or none any more.
    pub(crate) fn forget_link(&mut self, at: &Looking<'_, K::Dir>, link: &LinkId, now: MonoTime) {
        if let Some(Target::Dir(left)) = self.unlink(link) {
            self.leave(at, link, left, now);
        }
    }

    fn unlink(&mut self, link: &LinkId) -> Option<Target> {
        let before = self.state.links.remove(link)?;
        let above = self.ways.forget(&WayId::Link(link.clone()));
        above.into_iter().for_each(|wd| self.unwatch_stranger(wd));
        Some(before)
    }

    /// A directory is no longer watched, or under another watch: the links in it are forgotten, and those that
    /// lead to it followed again.
    pub(crate) fn relink(&mut self, wd: Wd) {
        for link in self.state.links.of(wd) {
            self.unlink(&link);
        }
        let leading: Vec<_> = self.state.links.leading_to(wd).cloned().collect();
        for link in leading {
            self.state.links.set(&link, Target::Nothing);
            self.ways.again(&WayId::Link(link), MonoTime::default());
        }
    }

    /// What happens to a file happens to the links that lead to it.
    pub(crate) fn note_through_links(&mut self, raw: &RawEvent<'_>, now: MonoTime) {
        if self.state.links.is_empty() || raw.mask.intersects(EventMask::ISDIR) {
            return;
        }
        for (wd, name) in self.ways.links_awaiting(raw) {
            let to_file = matches!(self.state.links.target(wd, &name), Some(Target::File(..)));
            if !to_file || !self.state.interest.intersects(raw.mask) {
                continue;
            }
            let moved = raw.mask.intersects(EventMask::MOVED_TO);
            let mask = if moved { raw.mask | EventMask::CHANGE } else { raw.mask };
            let ended = raw.mask.intersects(EventMask::DELETE | EventMask::MOVED_FROM);
            let subject = Some(if ended { Subject::Gone } else { Subject::File });
            if raw.mask.intersects(EventMask::CREATE) {
                self.ask_later(wd, &name, now);
            }
            let (cookie, from, trigger, doubtful) = (0, None, Trigger::Event, false);
            self.state.pending.note(Incident { wd, name, mask, cookie, from, trigger, subject, doubtful });
        }
    }

    /// The other paths of a directory: through each link that leads to it or to one that holds it.
    pub(crate) fn aliases(&self, wd: Wd) -> Vec<Alias> {
        let (links, tree) = (&self.state.links, &self.state.tree);
        let (mut aliases, mut at) = (Vec::new(), wd);
        if links.is_empty() {
            return aliases;
        }
        // The last places of what has left may run in a circle.
        for _ in 0..=tree.len() {
            let others = links
                .leading_to(at)
                .filter(|(dir, name)| tree.child(*dir, name) != Some(at) && tree.is_attached(*dir));
            aliases.extend(others.filter_map(|(dir, name)| {
                Some(Alias { own: self.path_of(at)?, link: join(&self.path_of(*dir)?, name) })
            }));
            let Some(Place::Below(parent, _)) = tree.place(at) else { break };
            at = parent;
        }
        aliases
    }

    fn path_of(&self, wd: Wd) -> Option<Vec<u8>> {
        match self.state.tree.route(wd) {
            Route::Path(root, relative) => Some(self.absolute(root, &relative)),
            Route::Unsettled | Route::Left => None,
        }
    }

    /// Hands an event of a directory over, once for each path.
    pub(crate) fn hand_over(&self, wd: Wd, event: Event, out: &mut Vec<Event>) {
        for alias in self.aliases(wd) {
            if let Some(path) = alias.of(&event.path) {
                let from = event.from.as_ref().map(|from| alias.of(from).unwrap_or_else(|| from.clone()));
                out.push(Event { path, from, ..event.clone() });
            }
        }
        out.push(event);
    }

    /// Whether a path, by its place in the tree, is wanted as a directory under any of its names.
    pub(crate) fn wants_dir(&self, at: &Looking<'_, K::Dir>, path: &[u8]) -> bool {
        self.scope.wants_dir(path)
            || at.also.iter().any(|alias| alias.of(path).is_some_and(|path| self.scope.wants_dir(&path)))
    }

    /// Whether a path is one of a file that concerns somebody under any of its names.
    pub(crate) fn wants_file(&self, at: &Looking<'_, K::Dir>, path: &[u8]) -> bool {
        let concerns = |path: Vec<u8>| self.scope.wants_file(&path);
        self.scope.wants_file(path) || at.also.iter().any(|alias| alias.of(path).is_some_and(concerns))
    }

    /// Whether the end of a file is to be told under any of its names.
    pub(crate) fn remembers(&self, also: &[Alias], path: &[u8]) -> bool {
        self.scope.remembers(path)
            || also.iter().any(|alias| alias.of(path).is_some_and(|path| self.scope.remembers(&path)))
    }

    /// Where a file is asked about: in the directory that holds it, under its name there, be the name a link to it.
    pub(crate) fn target_of(&self, dir: K::Dir, wd: Wd, name: &Name) -> (K::Dir, Name) {
        if let Some(Target::File(_, path, target)) = self.state.links.target(wd, name)
            && let Ok(dir) = self.kernel.open(path)
        {
            return (dir, Arc::clone(target));
        }
        (dir, Arc::clone(name))
    }
}
