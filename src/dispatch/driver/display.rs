//! What the person is told, when, and what is started to tell them.

use std::borrow::Cow;
use std::ffi::CStr;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use super::view::Errand;
use super::{Driver, View};
use crate::dispatch::{Input, Job, Report, Status};
use crate::sys::{Pid, SpawnFds, SpawnOptions, SpawnSetup, spawn, stop_here};
use crate::time::MonoTime;

/// Between two looks at how far the crawl has come: as often as an eye takes in a number.
pub(super) const CRAWL: Duration = Duration::from_millis(250);

impl Driver<'_> {
    pub(super) fn report(&mut self, report: &Report) {
        if let Report::Ended { run, outcome, stopped, .. } = report {
            let failed = outcome.code() != 0 && !stopped;
            self.children.show(*run, failed, &mut self.sinks, &self.epoll);
        }
        self.memory.see(report, self.clock.now());
        if let Some(server) = &mut self.server {
            server.publish(report, &self.epoll);
        }
        if let Report::Started { .. } = report {
            // Whoever reads this does not hold up the start of what it tells of.
            self.tell_after(|view, out| view.report(report, out));
        } else {
            self.tell(|view, out| view.report(report, out));
        }
    }

    pub(super) fn show(&mut self, job: &Job) -> Vec<Input> {
        let run = job.run;
        self.tell(|view, out| view.job(job, out));
        vec![Input::Spawned { run }, Input::Exited { run, status: Status::Exited(0) }, Input::Gone { run }]
    }

    /// Tells all there is to be seen of this moment.
    pub(super) fn show_state(&mut self) {
        let seen = self.overview();
        self.tell(|view, out| view.state(&seen, out));
    }

    pub(super) fn tell(&mut self, tell: impl FnOnce(&mut dyn View, &mut Vec<u8>)) {
        self.tell_after(tell);
        self.sinks[1].flush(&self.epoll);
    }

    /// The same, after what else is to be done in this step.
    fn tell_after(&mut self, tell: impl FnOnce(&mut dyn View, &mut Vec<u8>)) {
        let mut out = Vec::new();
        tell(self.view, &mut out);
        self.sinks[1].add(&out);
        self.run_errand();
    }

    /// The terminal has another size.
    pub(super) fn resize(&mut self) {
        self.view.stirred();
        self.children.resize();
    }

    /// Stops, as a shell's user asks for with Ctrl-Z, once the terminal is given back.
    pub(super) fn suspend(&mut self) {
        self.view.suspend();
        stop_here();
        self.view.resume();
    }

    /// Tells how far the crawl has come, if it is time.
    pub(super) fn tell_crawl(&mut self) {
        let now = self.clock.now();
        if self.crawl.is_some_and(|at| at <= now) {
            self.crawl = Some(now + CRAWL);
            let directories = self.watcher.as_ref().map_or(0, |watcher| watcher.load().watches);
            self.tell(|view, out| view.crawling(directories, out));
        }
    }

    /// Starts the command that is to be started beside the runs, unless the one before it goes on: those that come
    /// meanwhile are one.
    pub(super) fn run_errand(&mut self) {
        let goes_on = self.errand.is_some_and(|pid| self.children.strangers.contains(&pid.0));
        if goes_on || self.halting.is_some() {
            return;
        }
        self.errand = self.view.errand().and_then(|errand| {
            let started = start(&errand, &self.children.environment.strings());
            let name = errand.program.display();
            started.inspect_err(|error| tracing::warn!("cannot run {name}: {error}")).ok()
        });
        // It belongs to no run.
        self.children.strangers.extend(self.errand.map(|pid| pid.0));
    }
}

/// When the crawl is told of for the first time, if somebody wants to know.
pub(super) fn first_crawl(view: &dyn View, now: MonoTime) -> Option<MonoTime> {
    view.follows_crawl().then(|| now + CRAWL)
}

fn start(errand: &Errand, env: &[Cow<'_, CStr>]) -> Result<Pid, String> {
    let nowhere = File::options().write(true).open("/dev/null").map_err(|error| error.to_string())?;
    let (program, argv, cwd) = (&*errand.program, &*errand.argv, Path::new("/"));
    let fds = SpawnFds { stdin: None, stdout: nowhere.as_fd(), stderr: nowhere.as_fd() };
    let (setup, more) = (SpawnSetup::default(), &[]);
    let options = SpawnOptions { program, argv, env, cwd, fds, more, setup, keeper: None, cgroup: None };
    spawn(&options).map_err(|error| error.to_string())
}
