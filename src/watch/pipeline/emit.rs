//! Handing over: what is pending becomes events, under the paths of today's tree.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use hashbrown::HashMap;

use super::pending::Incident;
use super::translate::COMINGS_AND_GOINGS;
use crate::event::{Event, EventMask, Subject, Trigger};
use crate::sys::{Kind, Status, Wd};
use crate::time::MonoTime;
use crate::watch::backend::Kernel;
use crate::watch::crawl::failures::is_passing;
use crate::watch::crawl::retry::Scan;
use crate::watch::crawl::{isdir, subject};
use crate::watch::observer::{Observer, join};
use crate::watch::tree::Name;
use crate::watch::tree::path::Route;

/// Where nobody can tell whether a file is still being written, it counts as complete when it has not
/// changed for this long, in nanoseconds.
pub(crate) const UNCHANGED: Duration = Duration::from_secs(1);

/// Before a file is asked about again whose directory could not be looked at.
const AGAIN: Duration = Duration::from_secs(1);

/// The directory that was opened last: events of one directory come together.
type Opened<D> = Option<(Wd, io::Result<D>)>;

impl<K: Kernel> Observer<K> {
    /// Appends an event for everything pending whose directory is settled. With `doubtful`, the tree may be wrong
    /// anywhere: only for what lies in a directory that has proved to be where the tree has it.
    pub(crate) fn flush(&mut self, now: MonoTime, doubtful: bool, out: &mut Vec<Event>) {
        let (mut opened, mut held, mut routes) = (None, HashSet::new(), HashMap::new());
        for incident in self.state.pending.take() {
            if held.contains(&incident.wd) {
                self.state.pending.note(incident);
                continue;
            }
            match routes.entry(incident.wd).or_insert_with(|| self.directory(incident.wd)) {
                // Found in a directory that has lost its name since: it was not there by that path.
                Route::Path(..) if incident.was_found() && !self.state.tree.is_attached(incident.wd) => {
                    self.state.pending.note(incident);
                }
                Route::Path(..) if doubtful && self.open_once(incident.wd, &mut opened).is_err() => {
                    self.state.pending.note(incident);
                }
                Route::Path(_, directory) => {
                    if let Some(event) = self.render(&incident, directory, &mut opened, now) {
                        // What may be there was asked, and is not.
                        if !incident.is_to_be_asked() || event.subject != Subject::Gone {
                            self.remember(&incident, &event);
                            if self.is_news(&incident, &event) {
                                self.hand_over(incident.wd, event, out);
                            }
                        }
                    } else {
                        held.insert(incident.wd);
                        self.hold(incident, now);
                    }
                }
                Route::Unsettled => self.state.pending.note(incident),
                // What has left the tree is silent.
                Route::Left => {}
            }
        }
        if !doubtful {
            for dead in self.state.tree.purge() {
                self.state.kept.release_all(dead);
                self.relink(dead);
            }
        }
    }

    /// The route to a directory, with its absolute path.
    fn directory(&self, wd: Wd) -> Route {
        match self.state.tree.route(wd) {
            Route::Path(root, relative) => Route::Path(root, self.absolute(root, &relative)),
            route => route,
        }
    }

    /// Keeps an incident whose directory cannot be asked about it now, for when it can.
    fn hold(&mut self, incident: Incident, now: MonoTime) {
        self.retry_later(incident.wd, Scan::UNFINISHED, now);
        self.state.pending.note(incident);
    }

    /// Keeps or forgets the name, for when the kernel drops the event of its end.
    fn remember(&mut self, incident: &Incident, event: &Event) {
        if !self.state.keeps || event.mask.intersects(EventMask::ISDIR) || incident.name.is_empty() {
            return;
        }
        if event.mask.intersects(EventMask::DELETE | EventMask::MOVED_FROM) {
            self.state.kept.release(incident.wd, &incident.name);
        } else if (event.subject != Subject::Gone || !self.state.tree.is_attached(incident.wd))
            && !self.state.kept.has(incident.wd, &incident.name)
            && self.remembers(&self.aliases(incident.wd), &event.path)
        {
            self.state.kept.keep(incident.wd, &incident.name);
        }
    }

    /// None if the directory must be asked, and cannot be now.
    fn render(
        &mut self,
        incident: &Incident,
        dir: &[u8],
        opened: &mut Opened<K::Dir>,
        now: MonoTime,
    ) -> Option<Event> {
        let (subject, complete) = self.judge(incident, opened, now)?;
        let mut mask = incident.mask | isdir(incident.is_to_be_asked() && subject == Subject::Dir);
        if complete {
            mask |= EventMask::CHANGE;
        }
        let from = incident.from.as_ref().and_then(|(wd, name)| match self.state.tree.route(*wd) {
            Route::Path(root, relative) => Some(join(&self.absolute(root, &relative), name)),
            _ => None,
        });
        if from.is_some() {
            mask |= EventMask::RENAME;
        }
        let (path, cookie, trigger) = (join(dir, &incident.name), incident.cookie, incident.trigger);
        Some(Event { mask, path, subject, from, cookie, trigger })
    }

    /// What the name is, and whether its content is complete or its existence changed.
    fn judge(
        &mut self,
        incident: &Incident,
        opened: &mut Opened<K::Dir>,
        now: MonoTime,
    ) -> Option<(Subject, bool)> {
        let Incident { wd, ref name, mask, subject: known, .. } = *incident;
        if mask.intersects(EventMask::ISDIR) || name.is_empty() {
            return Some((Subject::Dir, mask.intersects(COMINGS_AND_GOINGS)));
        }
        if mask.intersects(EventMask::DELETE | EventMask::MOVED_FROM) {
            self.state.settle.forget(wd, name);
            return Some((Subject::Gone, true));
        }
        if mask.intersects(EventMask::CLOSE_WRITE) {
            self.state.settle.forget(wd, name);
            return Some((Subject::File, true));
        }
        if mask.intersects(EventMask::MODIFY) {
            self.ask_later(wd, name, now);
            return Some((Subject::File, false));
        }
        // Found by a scan, which has judged it; or made and closed, which says all.
        if let Some(known) = known {
            return Some((known, mask.intersects(EventMask::CHANGE)));
        }
        let status = self.status(wd, name, opened)?;
        let (subject, status) = match status {
            Ok(status) => (subject(status.kind), Some(status)),
            Err(_) if incident.is_to_be_asked() => (Subject::Gone, None),
            Err(subject) => (subject, None),
        };
        if mask.intersects(EventMask::CREATE) {
            let complete = subject != Subject::Gone && self.is_complete_when_made(wd, name, status, now);
            return Some((subject, complete));
        }
        Some((subject, mask.intersects(EventMask::MOVED_TO)))
    }

    /// A regular file with one name may be about to be written. Anything else is what it will be.
    fn is_complete_when_made(&mut self, wd: Wd, name: &Name, status: Option<Status>, now: MonoTime) -> bool {
        match status {
            Some(Status { kind: Kind::File, links: 1, .. }) | None => {
                self.ask_later(wd, name, now);
                false
            }
            Some(_) => true,
        }
    }

    pub(crate) fn ask_later(&mut self, wd: Wd, name: &Name, now: MonoTime) {
        if self.state.settles {
            self.state.settle.note(wd, name, now);
        }
    }

    /// What a name is, or what it counts as where that cannot be asked: a file if the directory may not be read
    /// any more, or the disk fails. None if it can be told later: the directory, which events have not reported
    /// gone, cannot be opened now.
    fn status(
        &mut self,
        wd: Wd,
        name: &[u8],
        opened: &mut Opened<K::Dir>,
    ) -> Option<Result<Status, Subject>> {
        match self.open_once(wd, opened) {
            Ok(dir) => match self.kernel.status(dir, name) {
                Ok(status) => Some(Ok(status)),
                Err(error) if is_passing(&error) => {
                    self.cannot_look_in(wd, &error);
                    Some(Err(Subject::File))
                }
                Err(_) => Some(Err(Subject::Gone)),
            },
            Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM)) => {
                Some(Err(Subject::File))
            }
            Err(error) if self.state.tree.is_attached(wd) => {
                self.cannot_look_in(wd, error);
                None
            }
            Err(_) => Some(Err(Subject::Gone)),
        }
    }

    /// A node's directory, opened and proved unless it was the last one.
    fn open_once<'o>(&self, wd: Wd, opened: &'o mut Opened<K::Dir>) -> &'o io::Result<K::Dir> {
        let known = opened.take_if(|(last, _)| *last == wd);
        let one = known.unwrap_or_else(|| (wd, self.try_open_verified(wd).map(|(dir, _)| dir)));
        &opened.insert(one).1
    }

    /// Appends an event for each file that turned out to be complete without a `CLOSE_WRITE`.
    pub(crate) fn settle(&mut self, now: MonoTime, out: &mut Vec<Event>) {
        for (wd, name) in self.state.settle.due(now) {
            if !self.state.tree.contains(wd) || self.state.pending.is_decided(wd, &name) {
                continue;
            }
            let opened = self.try_open_verified(wd);
            let looked = opened.map(|(dir, path)| {
                let (dir, asked) = self.target_of(dir, wd, &name);
                (self.kernel.status(&dir, &asked), (dir, asked, path))
            });
            let (status, (dir, asked, path)) = match looked {
                Ok((Ok(status), looked)) => (status, looked),
                Ok((Err(error), ..)) if !is_passing(&error) => continue,
                Ok((Err(error), ..)) | Err(error) => {
                    self.cannot_look_in(wd, &error);
                    self.state.settle.note(wd, &name, now + AGAIN);
                    continue;
                }
            };
            match self.is_being_written(&dir, &asked) {
                Some(true) => {}
                None if self.kernel.file_clock() < status.ctime.saturating_add(UNCHANGED) => {
                    self.state.settle.note(wd, &name, now);
                }
                _ => {
                    let (mask, path, subject) = (EventMask::CHANGE, join(&path, &name), subject(status.kind));
                    let (from, cookie, trigger) = (None, 0, Trigger::Event);
                    self.hand_over(wd, Event { mask, path, subject, from, cookie, trigger }, out);
                }
            }
        }
    }
}
