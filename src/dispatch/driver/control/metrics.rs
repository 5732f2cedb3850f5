//! The metrics over HTTP: a thread of its own, which anybody on this machine may keep busy without holding up a run.
//! It waits for clients and for nothing else, and takes no more than so many, so much and so long of each.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::http::{self, Asked, Status};
use crate::dispatch::driver::Control;
use crate::sys::{Epoll, Ready, Wake, block_all};
use crate::time::{Clock, MonoTime};

/// Clients at once. Who comes then takes the place of who came first.
const MOST: usize = 16;
/// From a client's coming to its end: as long as Prometheus waits by default.
const LIMIT: Duration = Duration::from_secs(10);
/// How long the dispatcher may take to say what there is to be seen, unless it is stopped.
const PATIENCE: Duration = Duration::from_secs(5);
/// Until somebody is let in again after the system had no room for that.
const REST: Duration = Duration::from_secs(1);
/// What a client may send beyond its request, before it is hung up on.
const BEYOND: usize = 64 * 1024;
/// Read at once.
const CHUNK: usize = 4096;

const CHANGED: u64 = u64::MAX;
const LISTENER: u64 = u64::MAX - 1;

#[derive(Debug, Default)]
struct State {
    address: Option<SocketAddr>,
    closed: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Wake,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread, seen from outside; there is none before it is needed. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Metrics {
    control: Control,
    shared: Option<Arc<Shared>>,
}

impl Metrics {
    pub(crate) const fn new(control: Control) -> Self {
        Self { control, shared: None }
    }

    /// Serves the metrics at that address, or nowhere, from now on. Where that fails, it is said, and tried again when
    /// this is called again.
    pub(crate) fn listen(&mut self, address: Option<SocketAddr>) {
        if self.shared.is_none() && address.is_some() {
            let started = start(self.control.clone());
            self.shared = started.inspect_err(|error| tracing::warn!("no metrics are served: {error}")).ok();
        }
        if let Some(shared) = &self.shared {
            shared.lock().address = address;
            shared.changed.set();
        }
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.lock().closed = true;
            shared.changed.set();
        }
    }
}

fn start(control: Control) -> io::Result<Arc<Shared>> {
    let shared = Arc::new(Shared { state: Mutex::default(), changed: Wake::new()? });
    let epoll = Epoll::new()?;
    epoll.add_readable(shared.changed.as_fd(), CHANGED)?;
    let (listener, clients, rests) = (None, [const { None }; MOST], None);
    let server = Server { shared: Arc::clone(&shared), control, epoll, listener, clients, rests };
    thread::Builder::new().name("metrics".to_owned()).spawn(move || server.run())?;
    Ok(shared)
}

/// The thread, seen from inside.
struct Server {
    shared: Arc<Shared>,
    control: Control,
    epoll: Epoll,
    listener: Option<(SocketAddr, TcpListener)>,
    clients: [Option<Client>; MOST],
    /// Until when nobody is let in, because the system had no room for that.
    rests: Option<MonoTime>,
}

impl Server {
    fn run(mut self) {
        block_all();
        let clock = Clock::start();
        let mut ready = Vec::new();
        loop {
            self.expire(clock.now());
            let timeout = self.deadline().map(|at| at.since(clock.now()));
            if let Err(error) = self.epoll.wait(timeout, &mut ready) {
                return tracing::error!("metrics are no longer served: {error}");
            }
            for Ready { token } in ready.drain(..) {
                match token {
                    CHANGED if !self.change() => return,
                    CHANGED => {}
                    LISTENER => self.accept(clock.now()),
                    client => self.serve(client as usize),
                }
            }
        }
    }

    fn deadline(&self) -> Option<MonoTime> {
        self.clients.iter().flatten().map(|client| client.until).chain(self.rests).min()
    }

    /// Hangs up on who has taken too long, and lets others in again.
    fn expire(&mut self, now: MonoTime) {
        for place in &mut self.clients {
            place.take_if(|client| client.until <= now);
        }
        if self.rests.take_if(|until| *until <= now).is_some()
            && let Some((_, listener)) = &self.listener
            && self.epoll.add_readable(listener.as_fd(), LISTENER).is_err()
        {
            self.rests = Some(now + REST);
        }
    }

    /// Listens where it is to listen now; answers whether to go on.
    fn change(&mut self) -> bool {
        self.shared.changed.clear();
        let State { address, closed } = *self.shared.lock();
        if closed {
            return false;
        }
        if self.listener.as_ref().map(|(address, _)| *address) == address {
            return true;
        }
        (self.listener, self.clients, self.rests) = (None, [const { None }; MOST], None);
        let Some(address) = address else { return true };
        match self.bind(address) {
            Ok(listener) => {
                tracing::info!("metrics: http://{address}/metrics");
                self.listener = Some((address, listener));
            }
            Err(error) => tracing::warn!(
                "no metrics at {address}: {error}; end what is in the way, or give `metrics` in [settings] another \
                 address: `tripline reload` tries again"
            ),
        }
        true
    }

    fn bind(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        self.epoll.add_readable(listener.as_fd(), LISTENER)?;
        Ok(listener)
    }

    /// Takes in who has connected. Nearly always the request is there by then.
    fn accept(&mut self, now: MonoTime) {
        let Some((_, listener)) = &self.listener else { return };
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => {
                return;
            }
            Err(_) => {
                // No descriptor or memory: the set would report it again at once.
                let _ = self.epoll.remove(listener.as_fd());
                self.rests = Some(now + REST);
                return;
            }
        };
        let free = self.clients.iter().position(Option::is_none);
        let first = || (0..MOST).min_by_key(|&place| self.clients[place].as_ref().map(|client| client.until));
        let Some(place) = free.or_else(first) else { return };
        // Whoever was there gives its place up first.
        self.clients[place] = None;
        self.clients[place] = Client::new(stream, place as u64, now + LIMIT, &self.epoll).ok();
        self.serve(place);
    }

    /// A client has sent something, or takes something again.
    fn serve(&mut self, place: usize) {
        let Some(client) = self.clients.get_mut(place).and_then(Option::as_mut) else { return };
        let fate = match client.turn(&self.epoll) {
            Turn::Asks(asked) => {
                let answer = answer(asked, &self.control);
                client.tell(answer, &self.epoll)
            }
            Turn::Waits => return,
            Turn::Ends => Turn::Ends,
        };
        if fate == Turn::Ends {
            self.clients[place] = None;
        }
    }
}

fn answer(asked: Asked, control: &Control) -> Vec<u8> {
    // Who wants the headers alone is told how long the rest would be.
    let seen = (asked.status == Status::Ok).then(|| control.ask().recv_timeout(PATIENCE));
    match seen {
        None => http::answer(asked, ""),
        Some(Ok(seen)) => http::answer(asked, &seen.prometheus()),
        Some(Err(_)) => http::answer(Asked { status: Status::Unavailable, ..asked }, ""),
    }
}

/// What is next with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It is asked for more, or takes no more now.
    Waits,
    /// It has asked for something.
    Asks(Asked),
    /// It has hung up, or is hung up on.
    Ends,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It sends its request.
    Sends,
    /// It takes the answer.
    Takes,
    /// It has been told that nothing more comes, and hangs up next: were it hung up on while something that it has sent
    /// is unread, it could lose the answer.
    Leaves,
}

/// Nothing here ever blocks.
#[derive(Debug)]
struct Client {
    stream: TcpStream,
    token: u64,
    until: MonoTime,
    stage: Stage,
    sent: Vec<u8>,
    answer: Vec<u8>,
    /// How much it has taken of the answer, or sent after it.
    passed: usize,
}

impl Client {
    fn new(stream: TcpStream, token: u64, until: MonoTime, epoll: &Epoll) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        epoll.add_readable(stream.as_fd(), token)?;
        let (sent, answer) = (Vec::new(), Vec::new());
        Ok(Self { stream, token, until, stage: Stage::Sends, sent, answer, passed: 0 })
    }

    fn turn(&mut self, epoll: &Epoll) -> Turn {
        if self.stage == Stage::Takes {
            return self.write(epoll);
        }
        let mut chunk = [0; CHUNK];
        match self.stream.read(&mut chunk) {
            Ok(0) => Turn::Ends,
            Ok(length) if self.stage == Stage::Leaves => {
                self.passed += length;
                if self.passed > BEYOND { Turn::Ends } else { Turn::Waits }
            }
            Ok(length) => {
                self.sent.extend(&chunk[..length]);
                http::read(&self.sent).map_or(Turn::Waits, Turn::Asks)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Turn::Waits,
            Err(_) => Turn::Ends,
        }
    }

    /// Tells it the answer, as far as it takes it now.
    fn tell(&mut self, answer: Vec<u8>, epoll: &Epoll) -> Turn {
        (self.sent, self.answer, self.stage) = (Vec::new(), answer, Stage::Takes);
        let fd = self.stream.as_fd();
        if epoll.remove(fd).and_then(|()| epoll.add_writable(fd, self.token)).is_err() {
            return Turn::Ends;
        }
        self.write(epoll)
    }

    fn write(&mut self, epoll: &Epoll) -> Turn {
        while self.passed < self.answer.len() {
            match self.stream.write(&self.answer[self.passed..]) {
                Ok(written) => self.passed += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Turn::Waits,
                Err(_) => return Turn::Ends,
            }
        }
        (self.answer, self.passed, self.stage) = (Vec::new(), 0, Stage::Leaves);
        let fd = self.stream.as_fd();
        let left = self.stream.shutdown(Shutdown::Write).and_then(|()| epoll.remove(fd));
        if left.and_then(|()| epoll.add_readable(fd, self.token)).is_err() { Turn::Ends } else { Turn::Waits }
    }
}
