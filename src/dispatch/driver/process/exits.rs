//! Runs end.

use crate::dispatch::driver::Driver;
use crate::dispatch::{Input, RunId, Status};
use crate::sys::{Exit, peek_exit};

impl Driver<'_> {
    /// Sees to every child that has ended: a leader's group is signalled before the leader is waited
    /// for, while its number cannot be another's. Orphans that reach us are only waited for.
    pub(crate) fn exits(&mut self) {
        while let Some((pid, exit)) = peek_exit() {
            let Some(run) = self.children.run_of(pid) else {
                self.children.reap_orphan(pid);
                self.run_errand();
                continue;
            };
            let status = match exit {
                Exit::Code(code) => Status::Exited(code),
                Exit::Signal(signal) => Status::Signaled(signal),
            };
            self.memory.end(run, Ok(status), self.clock.now());
            self.step(Input::Exited { run, status });
            self.children.reap(run);
        }
        for run in self.children.gone(self.clock.now()) {
            self.children.remove(run, &mut self.sinks, &self.epoll);
            if self.memory.is_service(run) {
                self.over(run);
            }
            self.step(Input::Gone { run });
        }
    }

    /// Nothing more comes of a run: it is remembered.
    pub(crate) fn over(&mut self, run: RunId) {
        let output = self.children.forget(run, &mut self.sinks, &self.epoll);
        self.memory.finish(run, output);
    }
}
