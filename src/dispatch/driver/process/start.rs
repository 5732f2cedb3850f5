//! Jobs start: at once, or when the system has room for them.

use std::time::Duration;

use super::NotStarted;
use crate::dispatch::driver::Driver;
use crate::dispatch::{Input, Job, RunId};

/// Before a job is tried again for which the system had no descriptor, process or memory.
const RETRY: Duration = Duration::from_millis(500);

impl Driver<'_> {
    /// Starts a job; none if it has to wait for room.
    pub(crate) fn spawn(&mut self, job: Job) -> Option<Input> {
        let run = job.run;
        self.memory.start(&job, self.clock.now());
        let started = self.children.start(&job, &mut self.sinks, &self.epoll);
        self.sinks[1].flush_added(&self.epoll);
        Some(match started {
            Ok(()) => Input::Spawned { run },
            Err(NotStarted::NotNow(error)) if self.halting.is_none() => {
                let (rule, wait) = (&job.rule.name, RETRY.as_millis());
                tracing::warn!("{rule}: cannot start now: {error}; trying again in {wait} ms");
                self.waiting.push((self.clock.now() + RETRY, job));
                return None;
            }
            Err(NotStarted::Never(error) | NotStarted::NotNow(error)) => self.not_started(run, error),
        })
    }

    /// A job has no process, and will have none.
    fn not_started(&mut self, run: RunId, error: String) -> Input {
        self.memory.end(run, Err(error.clone()), self.clock.now());
        if self.memory.is_service(run) {
            self.over(run);
        }
        Input::SpawnFailed { run, error }
    }

    /// Tries the jobs again that have waited long enough. Once tripline ends, none of them starts any more.
    pub(crate) fn spawn_waiting(&mut self) {
        let (now, halting) = (self.clock.now(), self.halting.is_some());
        let due: Vec<_> = self.waiting.extract_if(.., |(at, _)| halting || *at <= now).collect();
        for (_, job) in due {
            let answer = if halting {
                Some(self.not_started(job.run, "tripline ends".to_owned()))
            } else {
                self.spawn(job)
            };
            if let Some(answer) = answer {
                self.step(answer);
            }
        }
    }
}
