//! All processes of a run: its group, and what has left that.
//!
//! tripline is a subreaper: a process whose parent has ended becomes its child. So what has descended from a run
//! is found below its leader or below such an orphan, however it was started.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use super::cgroup::Cgroup;
use super::proc;
use crate::dispatch::RunId;
use crate::sys::{Pid, PidFd, group_is_empty, reap, signal_group};
use crate::time::MonoTime;

/// Between two reminders to end: at first, and at most.
const FIRST_REMINDER: Duration = Duration::from_millis(50);
const LAST_REMINDER: Duration = Duration::from_secs(1);

/// Children of tripline that no run has started itself, each with the run that it has descended from.
#[derive(Debug)]
pub(crate) struct Orphans(Vec<(i32, Option<RunId>)>);

impl Orphans {
    /// Those that there are, but for `strangers`. `leaders` knows the children that runs have started, `only` the
    /// one run that there is, if there can be no other.
    pub(crate) fn find(
        strangers: &HashSet<i32>,
        leaders: impl Fn(Pid) -> Option<RunId>,
        only: Option<RunId>,
    ) -> Self {
        let own = proc::children(std::process::id().cast_signed()).into_iter();
        let orphans = own.filter(|&pid| leaders(Pid(pid)).is_none() && !strangers.contains(&pid));
        let run = |pid| {
            let group = proc::stat(pid).and_then(|stat| leaders(Pid(stat.group)));
            group.or_else(|| proc::run_of(pid)).or(only)
        };
        Self(orphans.map(|pid| (pid, run(pid))).collect())
    }

    fn of(&self, run: RunId) -> impl Iterator<Item = i32> {
        self.0.iter().filter(move |(_, of)| *of == Some(run)).map(|&(pid, _)| pid)
    }

    /// Kills them all, whosever they are.
    pub(crate) fn kill(&self) {
        for &(pid, _) in &self.0 {
            // Nobody else waits for them, so that the number is theirs.
            let _ = PidFd::open(Pid(pid)).and_then(|process| process.signal(libc::SIGKILL));
        }
    }
}

/// What a run was last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    /// To end.
    Stop,
    /// SIGKILL.
    Kill,
}

/// The processes of one run.
#[derive(Debug)]
pub(crate) struct Tree {
    run: RunId,
    leader: Pid,
    /// Its leader has been waited for; others may live.
    reaped: bool,
    told: Told,
    /// When what is left after the leader is told again, and how long after the last time that is.
    reminder: Option<(MonoTime, Duration)>,
    cgroup: Option<Cgroup>,
    /// What it is to end by.
    stop_signal: i32,
    /// Those that may not be signalled: another user's.
    foreign: HashSet<i32>,
}

impl Tree {
    /// What `leader`, which leads a process group, starts from now on.
    pub(crate) fn new(run: RunId, leader: Pid, cgroup: Option<Cgroup>, stop_signal: i32) -> Self {
        Self {
            run,
            leader,
            reaped: false,
            told: Told::Nothing,
            reminder: None,
            cgroup,
            stop_signal,
            foreign: HashSet::new(),
        }
    }

    /// Waits for the leader, which has ended.
    pub(crate) fn reap(&mut self) {
        reap(self.leader);
        self.reaped = true;
    }

    /// Sends a signal to every process of the run.
    pub(crate) fn signal(&mut self, signal: i32, orphans: &Orphans) {
        if signal == libc::SIGKILL {
            self.told = Told::Kill;
        } else if signal == self.stop_signal {
            self.told = Told::Stop;
        }
        if signal == self.stop_signal {
            // A process that is stopped would not see it. One is told both at once: with its parent's end it may have
            // gone from where it was found.
            self.send(&[signal, libc::SIGCONT], orphans);
        } else {
            self.send(&[signal], orphans);
        }
    }

    /// Whether nothing of the run is left. If something is, it is killed again after SIGKILL, which what was just
    /// starting may have missed, and reminded after a signal to end.
    pub(crate) fn is_gone(&mut self, orphans: &Orphans, now: MonoTime) -> bool {
        let gone = self.reaped
            && group_is_empty(self.leader)
            && self.cgroup.as_ref().is_none_or(Cgroup::is_empty)
            && self.members(orphans).iter().all(|pid| self.foreign.contains(pid));
        match self.told {
            Told::Stop if !gone && self.reaped && self.reminder.is_none() => {
                self.reminder = Some((now + FIRST_REMINDER, FIRST_REMINDER));
            }
            Told::Kill if !gone && self.reaped => self.send(&[libc::SIGKILL], orphans),
            _ => {}
        }
        gone
    }

    /// When it is to be [reminded](Self::remind).
    pub(crate) fn deadline(&self) -> Option<MonoTime> {
        self.reminder.map(|(at, _)| at).filter(|_| self.told == Told::Stop)
    }

    /// Sends the signal to end once more to those that do not catch it and live all the same: a shell that was just
    /// starting a command took it in its place.
    pub(crate) fn remind(&mut self, orphans: &Orphans, now: MonoTime) {
        let Some((_, wait)) = self.reminder.filter(|&(at, _)| at <= now && self.told == Told::Stop) else {
            return;
        };
        let wait = (wait * 2).min(LAST_REMINDER);
        self.reminder = Some((now + wait, wait));
        let members = self.members(orphans);
        for &pid in members.iter().filter(|&&pid| !proc::catches(pid, self.stop_signal)) {
            let _ = self.send_to(pid, &[self.stop_signal, libc::SIGCONT], &members, |_| true);
        }
    }

    fn send(&mut self, signals: &[i32], orphans: &Orphans) {
        let members = self.members(orphans);
        if !(self.reaped && group_is_empty(self.leader)) {
            signals.iter().for_each(|&signal| signal_group(self.leader, signal));
        }
        if let Some(cgroup) = self.cgroup.as_ref().filter(|_| signals == [libc::SIGKILL])
            && cgroup.kill().is_ok()
        {
            return;
        }
        for &pid in &members {
            let outside = |group| group != self.leader.0;
            let failed = self.send_to(pid, signals, &members, outside).err();
            if failed.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
                self.foreign.insert(pid);
            }
        }
    }

    /// Signals a member, if its process group is one that is `meant`.
    fn send_to(
        &self,
        pid: i32,
        signals: &[i32],
        members: &[i32],
        meant: impl Fn(i32) -> bool,
    ) -> io::Result<()> {
        let process = PidFd::open(Pid(pid))?;
        // Before this it may have been another process. What a member has started is one.
        let own = std::process::id().cast_signed();
        let known = |parent| parent == own || parent == self.leader.0 || members.contains(&parent);
        match proc::stat(pid) {
            Some(stat) if meant(stat.group) && known(stat.parent) => {
                signals.iter().try_for_each(|&signal| process.signal(signal))
            }
            _ => Ok(()),
        }
    }

    /// Every process of the run but its leader.
    fn members(&self, orphans: &Orphans) -> Vec<i32> {
        if let Some(cgroup) = &self.cgroup {
            return cgroup.members().into_iter().filter(|&pid| pid != self.leader.0).collect();
        }
        let mut members: Vec<_> = orphans.of(self.run).collect();
        if !self.reaped {
            members.extend(proc::children(self.leader.0));
        }
        let mut at = 0;
        while at < members.len() {
            members.extend(proc::children(members[at]));
            at += 1;
        }
        members
    }
}
