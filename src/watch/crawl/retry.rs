//! Looks that failed, for when they may succeed.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use super::{Frame, Purpose};
use crate::sys::Wd;
use crate::time::MonoTime;
use crate::watch::backend::Kernel;
use crate::watch::observer::Observer;
use crate::watch::tree::Name;

/// The wait before a failed look is tried again, doubled up to the longest.
const WAIT: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(5);

/// The wait that follows one that has been of no use; the first follows none.
pub(crate) fn after(wait: Duration) -> Duration {
    (wait * 2).clamp(WAIT, LONGEST)
}

/// How a directory is looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    pub(crate) purpose: Purpose,
    /// Whether directories below that were known before are looked through too.
    pub(crate) deep: bool,
}

impl Scan {
    /// For directories that could not be looked at.
    pub(crate) const UNFINISHED: Self = Self { purpose: Purpose::Unfinished, deep: false };

    /// One that does for both, where `later` is wanted after this.
    fn with(self, later: Self) -> Self {
        let weaker = matches!(later.purpose, Purpose::Unfinished | Purpose::Rescoped);
        let purpose = if weaker { self.purpose } else { later.purpose };
        Self { purpose, deep: self.deep || later.deep }
    }
}

/// What to look at again in a directory: all of it, or names in it.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    pub(crate) at: MonoTime,
    wait: Duration,
    all: Option<Scan>,
    names: BTreeMap<Name, Scan>,
}

impl Retry {
    fn scans(&mut self) -> impl Iterator<Item = &mut Scan> {
        self.all.iter_mut().chain(self.names.values_mut())
    }

    fn is_empty(&self) -> bool {
        self.all.is_none() && self.names.is_empty()
    }

    fn postpone(&mut self, now: MonoTime) {
        self.wait = after(self.wait);
        self.at = now + self.wait;
    }
}

impl<K: Kernel> Observer<K> {
    /// Looks through a directory again later, longer from time to time.
    pub(crate) fn retry_later(&mut self, wd: Wd, scan: Scan, now: MonoTime) {
        if let Some(retry) = self.retry_of(wd, now) {
            retry.all = Some(retry.all.map_or(scan, |known| known.with(scan)));
        }
    }

    /// As [`retry_later`](Self::retry_later), of one name.
    pub(crate) fn retry_name_later(&mut self, wd: Wd, name: &Name, scan: Scan, now: MonoTime) {
        if let Some(retry) = self.retry_of(wd, now) {
            let known = retry.names.entry(Arc::clone(name)).or_insert(scan);
            *known = known.with(scan);
        }
    }

    fn retry_of(&mut self, wd: Wd, now: MonoTime) -> Option<&mut Retry> {
        if !self.state.tree.contains(wd) {
            return None;
        }
        tracing::debug!(wd = wd.0, "cannot look through a directory now");
        let retry = self.retries.entry(wd).or_default();
        if retry.is_empty() {
            retry.postpone(now);
        }
        Some(retry)
    }

    /// What could not be looked at when all else was is looked at for what has changed since.
    pub(crate) fn be_late(&mut self) {
        let late = Purpose::late(self.kernel.file_clock());
        for scan in self.retries.values_mut().flat_map(Retry::scans) {
            if matches!(scan.purpose, Purpose::Initial | Purpose::Rescoped) {
                scan.purpose = late;
            }
        }
    }

    /// A look through a directory is over: unless it has failed in part, the next failure is a new one.
    pub(crate) fn looked_through(&mut self, wd: Wd) {
        if self.retries.get(&wd).is_some_and(Retry::is_empty) {
            self.retries.remove(&wd);
        }
    }

    /// Takes up the looks that failed. What is out of the tree waits for what becomes of it.
    pub(crate) fn retry(&mut self, now: MonoTime) {
        let tree = &self.state.tree;
        self.retries.retain(|&wd, retry| tree.contains(wd) && !(retry.at <= now && retry.is_empty()));
        let mut frames = Vec::new();
        for (&wd, retry) in self.retries.iter_mut().filter(|(_, retry)| retry.at <= now) {
            if tree.is_attached(wd) {
                retry.at = now + retry.wait;
                let names = take(&mut retry.names).into_iter();
                frames.extend(names.map(|(name, scan)| Frame::partly(wd, scan, vec![name])));
                frames.extend(retry.all.take().map(|scan| Frame::new(wd, scan, None)));
            } else {
                retry.postpone(now);
            }
        }
        for mut frame in frames {
            if self.state.resyncing && !frame.scan.purpose.follows_loss() {
                frame.scan.purpose = self.purpose_of_events();
            }
            self.push(frame);
        }
    }
}
