//! What speaks to a tripline that runs: `status`, `pause`, `resume`, `trigger`, ...

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::unistd::geteuid;
use xxhash_rust::xxh3::xxh3_64;

use super::status;
use crate::cli::args::client::{ClientArgs, ClientCommand, EventsArgs, StatusArgs};
use crate::cli::{Exit, fail, history, location};
use crate::dispatch::{Endpoint, Overview, Reply, Request};
use crate::rules::{Location, locate};
use crate::sys::peer;

/// Between two looks of `status --watch`: as often as a person can read it.
const LOOK: Duration = Duration::from_secs(1);

/// How long a tripline may take to answer before something is wrong with it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the socket of the rules is; none if there are no rules there.
pub(crate) fn endpoint(named: Option<&PathBuf>, location: &Location) -> Option<Endpoint> {
    match named {
        Some(path) => Some(Endpoint { path: path.clone(), named: true }),
        None => locate(location).map(|rules| Endpoint { path: usual(&rules), named: false }),
    }
}

/// The socket of a rules file, whose path has no symbolic links: a directory of this user's, and a name that no other
/// rules file has.
fn usual(rules: &Path) -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let dir = own.map(|dir| dir.join("tripline"));
    let dir = dir.unwrap_or_else(|| std::env::temp_dir().join(format!("tripline-{}", geteuid())));
    dir.join(format!("{}.sock", key(rules)))
}

/// A name that no other rules file has; the path is without symbolic links.
pub(crate) fn key(rules: &Path) -> String {
    format!("{:016x}", xxh3_64(rules.as_os_str().as_bytes()))
}

/// That there are no rules.
pub(crate) fn no_rules(named: Option<&PathBuf>) -> String {
    let named = named.map(|path| path.display().to_string().escape_debug().to_string());
    named.map_or_else(
        || "there is no tripline.toml here or in a directory above".to_owned(),
        |path| format!("there is no rules file {path}"),
    )
}

/// A tripline that runs.
struct Running {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
}

impl Running {
    fn find(args: &ClientArgs) -> Result<Self, String> {
        let location = location(args.config.as_ref());
        let Some(endpoint) = endpoint(args.socket.as_ref(), &location) else {
            return Err(no_rules(args.config.as_ref()));
        };
        let nobody = || {
            let whose = locate(&location).filter(|_| !endpoint.named);
            whose.map_or_else(
                || format!("nothing listens at {}", endpoint.path.display()),
                |rules| format!("no tripline runs {}; start one with: tripline run", rules.display()),
            )
        };
        let stream = UnixStream::connect(&endpoint.path).map_err(|_| nobody())?;
        let refused = |error: std::io::Error| error.to_string();
        let uid = peer(stream.as_fd()).map_err(refused)?.uid;
        if uid != geteuid().as_raw() && uid != 0 && !geteuid().is_root() {
            return Err(format!("{} is another user's", endpoint.path.display()));
        }
        stream.set_read_timeout(Some(PATIENCE)).map_err(refused)?;
        let lines = BufReader::new(stream.try_clone().map_err(refused)?);
        Ok(Self { stream, lines })
    }

    /// Has something done, or says why it was not.
    fn ask(&mut self, request: &Request) -> Result<Reply, String> {
        let lost = |error: &dyn fmt::Display| format!("tripline does not answer: {error}");
        let mut line = serde_json::to_vec(request).map_err(|error| lost(&error))?;
        line.push(b'\n');
        self.stream.write_all(&line).map_err(|error| lost(&error))?;
        let mut answer = String::new();
        match self.lines.read_line(&mut answer) {
            Ok(0) => return Err("tripline has ended".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(lost(&error)),
        }
        let reply: Reply = serde_json::from_str(&answer).map_err(|error| lost(&error))?;
        match reply {
            Reply { ok: true, .. } => Ok(reply),
            Reply { error, .. } => Err(error.unwrap_or_default()),
        }
    }

    /// Has something done, and answers what is said after that, however long it takes, until tripline hangs up.
    fn follow(args: &ClientArgs, request: &Request) -> Result<impl Iterator<Item = String>, String> {
        let mut running = Self::find(args)?;
        running.ask(request)?;
        running.stream.set_read_timeout(None).map_err(|error| error.to_string())?;
        Ok(running.lines.lines().map_while(Result::ok))
    }

    fn overview(&mut self) -> Result<Overview, String> {
        let reply = self.ask(&Request::Status {})?;
        reply.status.ok_or_else(|| "tripline does not answer what was asked".to_owned())
    }
}

/// Does what was typed.
pub(crate) fn client(command: &ClientCommand) -> Exit {
    match command {
        ClientCommand::Status(args) => status(args),
        ClientCommand::Events(args) => events(args),
        ClientCommand::Pause { rule, client } => tell(client, &Request::Pause { rule: rule.clone() }),
        ClientCommand::Resume { rule, forget, client } => {
            tell(client, &Request::Resume { rule: rule.clone(), forget: *forget })
        }
        ClientCommand::Trigger { rule, paths, client } => trigger(client, rule, paths),
        ClientCommand::Rerun { rule, client } => tell(client, &Request::Rerun { rule: rule.clone() }),
        ClientCommand::Cancel { rule, client } => tell(client, &Request::Cancel { rule: rule.clone() }),
        ClientCommand::Reload(client) => tell(client, &Request::Reload {}),
        ClientCommand::Stop(client) => stop(client),
        ClientCommand::Runs(args) => history::runs(args),
        ClientCommand::Logs(args) => history::logs(args),
    }
}

/// Has a running tripline do something. Nothing is said where it is done.
fn tell(args: &ClientArgs, request: &Request) -> Exit {
    let done = Running::find(args).and_then(|mut running| running.ask(request));
    match done {
        Ok(_) => Exit::Ok,
        Err(failure) => fail(failure, Exit::Rules),
    }
}

/// `tripline trigger`: paths are relative to the current directory.
fn trigger(args: &ClientArgs, rule: &str, paths: &[PathBuf]) -> Exit {
    let absolute: Result<Vec<_>, _> = paths.iter().map(std::path::absolute).collect();
    match absolute {
        Ok(paths) => tell(args, &Request::trigger(rule.to_owned(), paths)),
        Err(error) => fail(error, Exit::System),
    }
}

/// `tripline stop`.
fn stop(args: &ClientArgs) -> Exit {
    match Running::follow(args, &Request::Stop {}) {
        Ok(lines) => {
            // Commands may take their time to end. It hangs up when nothing is left of them.
            lines.for_each(drop);
            Exit::Ok
        }
        Err(failure) => fail(failure, Exit::Rules),
    }
}

/// `tripline status`.
fn status(args: &StatusArgs) -> Exit {
    let mut running = match Running::find(&args.client) {
        Ok(running) => running,
        Err(failure) => return fail(failure, Exit::Rules),
    };
    loop {
        let seen = match running.overview() {
            Ok(seen) => seen,
            Err(failure) => return fail(failure, Exit::Rules),
        };
        let mut out = std::io::stdout().lock();
        let text = status::text(&seen, args.format(), args.watch);
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() || !args.watch {
            return Exit::Ok;
        }
        thread::sleep(LOOK);
    }
}

/// `tripline events`.
fn events(args: &EventsArgs) -> Exit {
    let lines = match Running::follow(&args.client, &Request::Events {}) {
        Ok(lines) => lines,
        Err(failure) => return fail(failure, Exit::Rules),
    };
    let mut out = std::io::stdout().lock();
    for line in lines {
        let line = if args.json { line } else { text_of(&line) };
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    Exit::Ok
}

/// What a person reads of an event.
fn text_of(line: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    value["text"].as_str().unwrap_or(line).to_owned()
}
