//! Whether a service is ready.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::rules::Readiness;

/// File times are those of the last tick of the kernel's clock, at least 100 a second (time(7)).
const TICK: Duration = Duration::from_millis(10);
/// A longer line is looked at in pieces.
const LONGEST: usize = 64 * 1024;
/// `TCP_LISTEN` as `/proc/net/tcp` writes it (proc_net_tcp in the kernel's documentation).
const LISTEN: &str = "0A";

/// A service that is not known to be ready.
#[derive(Debug)]
pub(crate) struct Waking {
    wanted: Readiness,
    /// When it began, less a tick.
    since: Duration,
    line_seen: bool,
    /// The line that each stream is at.
    partial: [Vec<u8>; 2],
}

impl Waking {
    /// One that begins now.
    pub(crate) fn new(wanted: Readiness) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (line_seen, partial) = (wanted.line.is_none(), [Vec::new(), Vec::new()]);
        Self { wanted, since: now.saturating_sub(TICK), line_seen, partial }
    }

    /// Takes in what it has written to one of its streams; answers whether the line that is waited for was in it.
    pub(crate) fn see(&mut self, stream: usize, bytes: &[u8]) -> bool {
        let Some(wanted) = self.wanted.line.as_ref().filter(|_| !self.line_seen) else { return false };
        let partial = &mut self.partial[stream];
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || partial.len() >= LONGEST {
                self.line_seen |= wanted.is_match(partial.trim_ascii_end());
                partial.clear();
            }
        }
        self.line_seen
    }

    /// Whether all that is waited for holds now.
    pub(crate) fn is_ready(&self) -> bool {
        self.line_seen
            && self.wanted.file.as_deref().is_none_or(|file| self.is_fresh(file))
            && self.wanted.port.is_none_or(is_listened_on)
    }

    /// Whether the file has been made or changed since the service began.
    fn is_fresh(&self, file: &Path) -> bool {
        fs::metadata(file).is_ok_and(|status| {
            let changed = (status.ctime(), status.ctime_nsec());
            changed >= (self.since.as_secs().cast_signed(), i64::from(self.since.subsec_nanos()))
        })
    }
}

/// Asking the kernel for its sockets disturbs nobody; a connection would show in the server's log.
fn is_listened_on(port: u16) -> bool {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    tables.iter().any(|table| fs::read_to_string(table).is_ok_and(|table| listens(&table, port)))
}

/// Whether a socket of the table listens on the port.
fn listens(table: &str, port: u16) -> bool {
    let port = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let local = fields.next().is_some_and(|local| local.ends_with(&port));
        local && fields.nth(1) == Some(LISTEN)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_socket_that_listens_counts() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n\
                     \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000\n\
                     \x20  1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000\n";
        assert!(listens(table, 8080));
        assert!(!listens(table, 50_000));
        assert!(!listens(table, 0x1F9));
        assert!(!listens("", 8080));
    }

    #[test]
    fn a_line_counts_once_it_is_whole_on_the_stream_it_is_on() {
        let line = Some(regex::bytes::Regex::new("^listening on [0-9]+$").unwrap().into());
        let mut waking = Waking::new(Readiness { line, ..Readiness::default() });
        assert!(!waking.see(0, b"hello\nlistening on 80"));
        assert!(!waking.see(1, b"80\n"));
        assert!(!waking.is_ready());
        assert!(waking.see(0, b"80\r\n"));
        assert!(waking.is_ready());
        assert!(!waking.see(0, b"listening on 1\n"));
    }
}
