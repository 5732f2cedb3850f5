//! `READY=1` for a service manager (sd_notify(3)).

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Says that every initial watch is in place, to whom `NOTIFY_SOCKET` names.
pub(super) fn ready() {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(name.as_bytes(), b"READY=1") {
        tracing::warn!(%error, "cannot notify the service manager");
    }
}

fn send(name: &[u8], message: &[u8]) -> io::Result<()> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(crate::event::as_path(name))?,
    };
    UnixDatagram::unbound()?.send_to_addr(message, &address).map(drop)
}
