//! The way from other threads to the dispatcher, and what it answers them.

pub(super) mod client;
pub(super) mod http;
pub(super) mod metrics;
pub(super) mod socket;

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use self::socket::Endpoint;
use super::Driver;
use crate::dispatch::{Command, Input, Overview, Refusal, RunId};
use crate::sys::{Wake, inotify_limits};
use crate::watch::Watcher;

/// Requests that may wait: more than people can make, and memory that nobody misses.
const CAPACITY: usize = 1024;

/// What another thread asks of the dispatcher.
#[derive(Debug)]
enum Request {
    Command(Command, Sender<Result<(), Refusal>>),
    Overview(Sender<Overview>),
}

#[derive(Debug)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    filled: Wake,
    endpoint: Option<Endpoint>,
}

/// The way to a dispatcher, for other threads. Nobody waits: neither who asks, unless for the answer, nor the
/// dispatcher for who asked.
#[derive(Clone, Debug)]
pub struct Control {
    shared: Arc<Shared>,
}

impl Control {
    /// A way that is to be given to [`run`](super::run).
    ///
    /// # Errors
    /// `EMFILE` at the limit of descriptors.
    pub fn new() -> std::io::Result<Self> {
        Self::listening(None)
    }

    /// The same, with a socket for other processes.
    ///
    /// # Errors
    /// `EMFILE` at the limit of descriptors.
    pub fn listening(endpoint: Option<Endpoint>) -> std::io::Result<Self> {
        let (requests, filled) = (Mutex::default(), Wake::new()?);
        Ok(Self { shared: Arc::new(Shared { requests, filled, endpoint }) })
    }

    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        self.shared.endpoint.as_ref()
    }

    /// Has something done. What becomes of it can be received; nothing can once tripline has ended.
    pub fn send(&self, command: Command) -> Receiver<Result<(), Refusal>> {
        let (answer, receiver) = mpsc::channel();
        self.put(Request::Command(command, answer));
        receiver
    }

    /// Asks what there is to be seen. That can be received; nothing can once tripline has ended.
    pub fn ask(&self) -> Receiver<Overview> {
        let (answer, receiver) = mpsc::channel();
        self.put(Request::Overview(answer));
        receiver
    }

    /// Adds a request. One that there is no room for is dropped, so that who waits for its answer learns it.
    fn put(&self, request: Request) {
        let mut requests = self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() < CAPACITY {
            requests.push(request);
        }
        drop(requests);
        self.shared.filled.set();
    }

    fn take(&self) -> Vec<Request> {
        self.shared.filled.clear();
        std::mem::take(&mut *self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsFd for Control {
    /// Readable while there are requests.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.filled.as_fd()
    }
}

impl Driver<'_> {
    /// Does what other threads ask for. Who no longer waits for the answer gets none.
    pub(super) fn requests(&mut self) {
        for request in self.control.take() {
            match request {
                Request::Command(command, answer) => drop(answer.send(self.command(command))),
                Request::Overview(answer) => drop(answer.send(self.overview())),
            }
        }
    }

    /// Does what somebody asks for.
    pub(super) fn command(&mut self, command: Command) -> Result<(), Refusal> {
        match (command, &self.reloader) {
            (Command::Reload, Some(reloader)) => {
                self.manager.asked();
                reloader.ask();
                Ok(())
            }
            (Command::Stop, _) => {
                self.stop(libc::SIGTERM);
                Ok(())
            }
            (command, _) => {
                self.step(Input::Command(command));
                self.answer.take().unwrap_or(Err(Refusal::Ending))
            }
        }
    }

    /// What there is to be seen at this moment.
    pub(super) fn overview(&self) -> Overview {
        let mut seen = self.core.overview(self.clock.now());
        seen.pid = std::process::id();
        for rule in &mut seen.rules {
            for run in &mut rule.runs {
                run.pid = self.children.pid_of(RunId(run.id)).map(|pid| pid.0);
            }
            if let Some(service) = &mut rule.service {
                let run = self.core.service_run(&rule.name);
                service.pid = run.and_then(|run| self.children.pid_of(run)).map(|pid| pid.0);
            }
        }
        let load = self.watcher.as_ref().map(Watcher::load).unwrap_or_default();
        seen.queues.watches = load.watches;
        seen.queues.events = load.waiting;
        seen.queues.watch_limit = inotify_limits().ok().map(|limits| limits.watches);
        seen.queues.overflows = self.overflows;
        seen
    }
}
