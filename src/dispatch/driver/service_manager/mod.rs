//! The service manager that `NOTIFY_SOCKET` names, seen from the loop: a socket that never holds it up.

pub(super) mod state;

use std::env;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use self::state::{Notifications, watchdog};
use crate::event::as_path;
use crate::sys::since_boot;
use crate::time::MonoTime;

/// Whom to tell; nobody, where there is no manager.
#[derive(Debug)]
pub(super) struct Manager(Option<(UnixDatagram, SocketAddr, Notifications)>);

impl Manager {
    /// The one that has started this process, if it wants to be told.
    pub(super) fn of_environment(now: MonoTime) -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Self(None) };
        let (limit, whose) = (env::var("WATCHDOG_USEC").ok(), env::var("WATCHDOG_PID").ok());
        let watchdog = watchdog(limit.as_deref(), whose.as_deref(), std::process::id());
        match socket(name.as_bytes()) {
            Ok((socket, address)) => Self(Some((socket, address, Notifications::new(watchdog, now)))),
            Err(error) => {
                complain(&error);
                Self(None)
            }
        }
    }

    /// All is watched.
    pub(super) fn ready(&mut self, rules: usize, directories: usize, now: MonoTime) {
        self.tell(|notifications| notifications.ready(rules, directories, now));
    }

    /// Somebody wants the rules read again.
    pub(super) fn asked(&mut self) {
        self.tell(|notifications| notifications.asked(since_boot()));
    }

    /// Other rules take the place of those there are.
    pub(super) fn reloading(&mut self) {
        self.tell(|notifications| notifications.reloading(since_boot()));
    }

    /// The rules that there were stay.
    pub(super) fn unchanged(&mut self) {
        self.tell(Notifications::unchanged);
    }

    /// The end has begun.
    pub(super) fn stopping(&mut self) {
        self.tell(Notifications::stopping);
    }

    /// When there will be something to tell.
    pub(super) fn deadline(&self) -> Option<MonoTime> {
        self.0.as_ref().and_then(|(.., notifications)| notifications.deadline())
    }

    /// Sends what there is to tell; so many runs go on.
    pub(super) fn turn(&mut self, running: usize, now: MonoTime) {
        let Some((socket, address, notifications)) = &mut self.0 else { return };
        notifications.look(running, now);
        notifications.flush(now, |message| match socket.send_to_addr(message, address) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            sent => {
                sent.err().iter().for_each(complain);
                true
            }
        });
    }

    fn tell(&mut self, tell: impl FnOnce(&mut Notifications)) {
        if let Some((.., notifications)) = &mut self.0 {
            tell(notifications);
        }
    }
}

fn socket(name: &[u8]) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(as_path(name))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

fn complain(error: &io::Error) {
    tracing::warn!(%error, "cannot notify the service manager");
}
