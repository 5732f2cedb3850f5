//! `tripline watch`: events as they are, without rules.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::args::WatchArgs;
use crate::cli::lines::log;
use crate::cli::lines::words;
use crate::cli::{Exit, fail};
use crate::dispatch::Escaped;
use crate::event::{Event, EventMask, Extent, Polling, Scope, is_below};
use crate::sys::Epoll;
use crate::watch::{Message, Notice, Watcher};

pub(crate) fn watch(args: &WatchArgs) -> Exit {
    log::start(args.log, None);
    let on = match events(&args.on) {
        Ok(on) => on,
        Err(unknown) => return fail(format_args!("there is no event `{unknown}`"), Exit::Usage),
    };
    let paths: io::Result<Vec<_>> = args.paths.iter().map(std::path::absolute).collect();
    let places = match paths {
        Ok(paths) => {
            let (polling, extent) = (args.poll.asked().unwrap_or_default(), args.extent.extent());
            Arc::new(Places { polling, extent, ..Places::new(paths, on) })
        }
        Err(error) => return fail(error, Exit::Usage),
    };
    match Watcher::start(places.clone()) {
        Ok(watcher) => match print(&watcher, &places, args.json) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
            Err(error) => fail(error, Exit::System),
            Ok(()) => Exit::System,
        },
        Err(error) => fail(error, Exit::System),
    }
}

/// What inotifywait reports, less what reading causes.
fn events(names: &[String]) -> Result<EventMask, &str> {
    if names.is_empty() {
        return Ok(EventMask::ALL.without(EventMask::ACCESS | EventMask::OPEN | EventMask::CLOSE_NOWRITE));
    }
    let mask = |name: &String| EventMask::from_name(name);
    names.iter().try_fold(EventMask::default(), |all, name| Ok(all | mask(name).ok_or(name.as_str())?))
}

/// Prints until the watcher fails; answers how.
fn print(watcher: &Watcher, places: &Places, json: bool) -> io::Result<()> {
    let (epoll, mut ready) = (Epoll::new()?, Vec::new());
    epoll.add_readable(watcher.as_fd(), 0)?;
    let mut stdout = io::stdout().lock();
    let escaped = stdout.is_terminal();
    loop {
        epoll.wait(None, &mut ready)?;
        for message in watcher.take() {
            match message {
                Message::Event(event) if !places.concern(&event) => {}
                Message::Event(event) if json => print_json(&event, &mut stdout)?,
                Message::Event(event) => print_line(&event, escaped, &mut stdout)?,
                Message::Notice(notice) => {
                    writeln!(io::stderr(), "tripline: {}", words(&notice))?;
                    if matches!(notice, Notice::Failed { .. }) {
                        return Ok(());
                    }
                }
            }
        }
        stdout.flush()?;
    }
}

fn print_line(event: &Event, escaped: bool, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{} ", event.mask)?;
    let mut path = |path: &[u8]| {
        if escaped { write!(out, "{}", Escaped(path)) } else { out.write_all(path) }
    };
    path(&event.path)?;
    if let Some(from) = &event.from {
        path(b" from ")?;
        path(from)?;
    }
    writeln!(out)
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    events: Vec<&'static str>,
    path: &'a str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookie: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_bytes: Option<String>,
}

fn print_json(event: &Event, out: &mut impl Write) -> io::Result<()> {
    let exact = |bytes: &[u8]| std::str::from_utf8(bytes).is_err().then(|| STANDARD.encode(bytes));
    let path = String::from_utf8_lossy(&event.path);
    let from = event.from.as_deref().map(String::from_utf8_lossy);
    let line = Line {
        time: Timestamp::now().to_string(),
        events: event.mask.names().collect(),
        path: &path,
        subject: event.subject.name(),
        from: from.as_deref(),
        cookie: (event.cookie != 0).then_some(event.cookie),
        path_bytes: exact(&event.path),
        from_bytes: event.from.as_deref().and_then(exact),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

/// The paths that were named, and what is below them.
#[derive(Debug)]
struct Places {
    paths: Vec<PathBuf>,
    roots: Vec<PathBuf>,
    on: EventMask,
    polling: Polling,
    extent: Extent,
}

impl Places {
    /// What is no directory is watched through the one it is in.
    fn new(paths: Vec<PathBuf>, on: EventMask) -> Self {
        let mut roots: Vec<PathBuf> = Vec::new();
        for path in &paths {
            let file = path.symlink_metadata().is_ok_and(|found| !found.is_dir()) && !path.is_dir();
            let root = path.parent().filter(|_| file).unwrap_or(path);
            if !roots.iter().any(|other| root.starts_with(other)) {
                roots.retain(|other| !other.starts_with(root));
                roots.push(root.to_path_buf());
            }
        }
        Self { paths, roots, on, polling: Polling::default(), extent: Extent::default() }
    }

    fn concern(&self, event: &Event) -> bool {
        let inside = |path: &[u8]| self.contain(path);
        event.is_one_of(self.on) && (inside(&event.path) || event.from.as_deref().is_some_and(inside))
    }

    fn contain(&self, path: &[u8]) -> bool {
        self.paths.iter().any(|place| is_below(path, place.as_os_str().as_bytes()))
    }
}

impl Scope for Places {
    fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    fn wants_dir(&self, dir: &[u8]) -> bool {
        self.paths.iter().any(|place| {
            let place = place.as_os_str().as_bytes();
            is_below(dir, place) || is_below(place, dir)
        })
    }

    fn wants_file(&self, path: &[u8]) -> bool {
        self.contain(path)
    }

    fn remembers(&self, path: &[u8]) -> bool {
        self.on.intersects(EventMask::REMOVAL) && self.contain(path)
    }

    fn record_rename(&self, from: &[u8], to: &[u8]) -> bool {
        self.on.intersects(EventMask::REMOVAL) && self.contain(from) && self.contain(to)
    }

    fn polling(&self) -> Polling {
        self.polling
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn mask(&self) -> EventMask {
        self.on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_never_inside_one_another() {
        let paths = ["/nowhere/a/b", "/nowhere/a", "/nowhere/ab", "/nowhere/a/c"].map(PathBuf::from);
        let places = Places::new(paths.to_vec(), EventMask::CREATE);
        assert_eq!(places.roots, ["/nowhere/a", "/nowhere/ab"].map(PathBuf::from));
        assert!(places.wants_dir(b"/nowhere/a/x/y"));
        assert!(!places.wants_dir(b"/nowhere/abc"));
    }

    #[test]
    fn an_unknown_event_is_named() {
        assert_eq!(events(&["create".to_owned(), "cerate".to_owned()]), Err("cerate"));
        assert_eq!(events(&["create".to_owned()]), Ok(EventMask::CREATE));
    }
}
