//! The control socket: a Unix socket that is this user's alone, served by the loop.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::client::{Client, Fate};
use crate::dispatch::control::{Asked, Happening, Reply, Request};
use crate::dispatch::driver::{CLIENTS, Driver, SOCKET};
use crate::dispatch::{Report, RunError};
use crate::sys::{Epoll, peer};

/// Clients at once. Who comes then takes the place of the one that has asked for nothing for the longest time.
pub(crate) const MOST: usize = 16;

/// Where a control socket is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its path.
    pub path: PathBuf,
    /// Whether somebody has asked for it by name: then there is no going on without.
    pub named: bool,
}

/// The socket, and its clients. It is removed with this value.
#[derive(Debug)]
pub(crate) struct Server {
    path: PathBuf,
    listener: UnixListener,
    /// Locked as long as this process lives: whoever has the lock has the socket.
    lock: (PathBuf, File),
    clients: [Option<Client>; MOST],
    requests: u64,
}

impl Server {
    /// Listens. One that nobody is behind any more is replaced.
    ///
    /// # Errors
    /// It is another process's, or cannot be made, and was asked for by name; if it was not, that is only said.
    pub(crate) fn start(endpoint: &Endpoint, epoll: &Epoll) -> Result<Option<Self>, RunError> {
        let error = match Self::at(&endpoint.path, epoll) {
            Ok(server) => return Ok(Some(server)),
            Err(error) => error,
        };
        if endpoint.named {
            return Err(RunError::Socket(error));
        }
        tracing::warn!("no control socket: {error}");
        Ok(None)
    }

    fn at(path: &Path, epoll: &Epoll) -> Result<Self, String> {
        let shown = |error: io::Error| format!("{}: {error}", path.display());
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            prepare(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        }
        let lock = lock(path)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(shown(error)),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(shown)?;
        let server =
            Self { path: path.to_owned(), listener, lock, clients: [const { None }; MOST], requests: 0 };
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(shown)?;
        server.listener.set_nonblocking(true).map_err(shown)?;
        epoll.add_readable(server.listener.as_fd(), SOCKET).map_err(shown)?;
        Ok(server)
    }

    /// Takes in who has connected, if it may.
    fn accept(&mut self, epoll: &Epoll) {
        // One a turn: the set reports those that are left once more.
        let Ok((mut stream, _)) = self.listener.accept() else { return };
        let uid = geteuid().as_raw();
        if !peer(stream.as_fd()).is_ok_and(|peer| peer.uid == uid || peer.uid == 0) {
            return;
        }
        let Some(place) = self.place() else { return turn_away(&mut stream) };
        self.requests += 1;
        self.clients[place] = Client::new(stream, CLIENTS - place as u64, self.requests, epoll).ok();
    }

    /// A place for one more client: a free one, or that of who follows nothing and has been quiet for longest.
    fn place(&self) -> Option<usize> {
        let free = self.clients.iter().position(Option::is_none);
        let quiet =
            self.clients.iter().enumerate().filter_map(|(place, client)| Some((place, client.as_ref()?)));
        let quiet = quiet.filter(|(_, client)| !client.follows).min_by_key(|(_, client)| client.last);
        free.or(quiet.map(|(place, _)| place))
    }

    /// Has each client that follows told.
    pub(crate) fn publish(&mut self, report: &Report, epoll: &Epoll) {
        if !self.clients.iter().flatten().any(|client| client.follows) {
            return;
        }
        let happening = Happening::of(report, jiff::Timestamp::now().to_string());
        let Ok(line) = serde_json::to_vec(&happening) else { return };
        for place in &mut self.clients {
            if let Some(client) = place.as_mut().filter(|client| client.follows)
                && client.publish(&line, epoll) == Fate::Goes
            {
                *place = None;
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let (lock, _) = &self.lock;
        for path in [&self.path, lock] {
            let _ = fs::remove_file(path);
        }
    }
}

impl Driver<'_> {
    /// Somebody connects.
    pub(crate) fn accept(&mut self) {
        if let Some(server) = &mut self.server {
            server.accept(&self.epoll);
        }
    }

    /// A client has sent something, or takes something again.
    pub(crate) fn serve(&mut self, place: usize) {
        let Some(client) = self.client(place) else { return };
        let fate = if client.is_behind() { Fate::Stays } else { client.read() };
        let fate = if fate == Fate::Stays { self.answer(place) } else { fate };
        if let (Fate::Goes, Some(server)) = (fate, &mut self.server) {
            server.clients[place] = None;
        }
    }

    fn client(&mut self, place: usize) -> Option<&mut Client> {
        self.server.as_mut()?.clients.get_mut(place)?.as_mut()
    }

    /// Answers what a client has sent, as long as it takes the answers.
    fn answer(&mut self, place: usize) -> Fate {
        loop {
            let Some(server) = &mut self.server else { return Fate::Goes };
            let Some(client) = &mut server.clients[place] else { return Fate::Goes };
            if client.flush(&self.epoll) == Fate::Goes {
                return Fate::Goes;
            }
            if client.is_behind() {
                return Fate::Stays;
            }
            let reply = match client.line() {
                Ok(None) => return Fate::Stays,
                Ok(Some(line)) => {
                    server.requests += 1;
                    client.last = server.requests;
                    self.reply(place, &line)
                }
                Err(()) => Reply::error("bad_request", "the line is too long".to_owned()),
            };
            let is_bad = reply.kind.as_deref() == Some("bad_request");
            let Ok(line) = serde_json::to_vec(&reply) else { return Fate::Goes };
            let (Some(server), epoll) = (&mut self.server, &self.epoll) else { return Fate::Goes };
            let Some(client) = &mut server.clients[place] else { return Fate::Goes };
            // Whoever sends one thing that is no request may send anything.
            if client.tell(&line, epoll) == Fate::Goes || is_bad {
                return Fate::Goes;
            }
        }
    }

    fn reply(&mut self, place: usize, line: &[u8]) -> Reply {
        match Request::decode(line) {
            Ok(Asked::Overview) => Reply::status(self.overview()),
            Ok(Asked::Command(command)) => self.command(command).into(),
            Ok(Asked::Events) => {
                if let Some(client) = self.client(place) {
                    client.follows = true;
                }
                Ok(()).into()
            }
            Err(error) => Reply::error("bad_request", error),
        }
    }
}

/// Tells somebody that there is no room.
fn turn_away(stream: &mut UnixStream) {
    let reply = Reply::error("too_many_clients", format!("{MOST} clients follow events already"));
    if let Ok(mut line) = serde_json::to_vec(&reply)
        && stream.set_nonblocking(true).is_ok()
    {
        line.push(b'\n');
        let _ = stream.write(&line);
    }
}

/// Makes the directory of a socket, which nobody else may enter. One that is there is left as it is, but another
/// user's is not used: whoever has the directory has what is in it.
fn prepare(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let owner = fs::metadata(dir)?.uid();
    let ours = owner == geteuid().as_raw() || owner == 0;
    if ours { Ok(()) } else { Err(io::Error::other("it belongs to another user")) }
}

/// Takes the lock beside a socket.
fn lock(path: &Path) -> Result<(PathBuf, File), String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let shown = |error: io::Error| format!("{}: {error}", name.display());
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let mut file = options.open(&name).map_err(shown)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(taken(&name)),
        Err(TryLockError::Error(error)) => return Err(shown(error)),
    }
    // Whoever had it before may have removed it meanwhile.
    let there = fs::metadata(&name).map(|there| there.ino()).ok();
    if there != file.metadata().ok().map(|ours| ours.ino()) {
        return Err(taken(&name));
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(shown)?;
    Ok((name, file))
}

/// Whose it is.
fn taken(lock: &Path) -> String {
    let pid = fs::read_to_string(lock).ok().and_then(|text| text.trim().parse::<u32>().ok());
    match pid {
        Some(pid) => format!(
            "process {pid} runs these rules already, so that both run their commands; `tripline stop` ends that one, \
             and --socket PATH gives this one a socket of its own"
        ),
        None => "another process that runs these rules is starting".to_owned(),
    }
}
