//! Standard error as a terminal: what it is told beside lines, in the sequences of ECMA-48 and xterm. Each is put
//! out only where it does something.

use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use jiff::ZonedDateTime;
use ratatui::text::Span;
use supports_hyperlinks::Stream;

use crate::dispatch::{Cause, Escaped};
use crate::event::as_path;
use crate::sys::{stderr, window_size};

/// Whether standard error is a terminal that may be coloured.
pub(crate) fn stderr_is_styled() -> bool {
    !is_plain() && stderr_is_capable()
}

/// Whether somebody wants no colours (no-color.org).
pub(crate) fn is_plain() -> bool {
    env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Whether standard error is a terminal that knows more than lines.
fn stderr_is_capable() -> bool {
    let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stderr().is_terminal() && !dumb
}

/// A terminal that knows more than lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Whether it makes links of OSC 8.
    pub(crate) links: bool,
}

/// Clears what is shown, and keeps what was scrolled away.
pub(crate) const CLEAR: &str = "\x1b[H\x1b[2J";
pub(crate) const BELL: &str = "\x07";
/// To the beginning of a line that is empty then.
pub(crate) const ERASE_LINE: &str = "\r\x1b[2K";
/// Has xterm and its kin remember the title, and take it back.
pub(crate) const SAVE_TITLE: &str = "\x1b[22;0t";
pub(crate) const RESTORE_TITLE: &str = "\x1b[23;0t";

impl Terminal {
    /// Standard error, if it is one.
    pub(crate) fn stderr() -> Option<Self> {
        stderr_is_capable().then(|| Self { links: supports_hyperlinks::on(Stream::Stderr) })
    }

    /// A line across the terminal that begins with this and ends with the time of day. `shown` is as much of it as
    /// takes room.
    pub(crate) fn header(self, text: &str, shown: &str) -> String {
        let columns = window_size(stderr()).unwrap_or_default().columns;
        across(
            text,
            Span::raw(shown).width(),
            usize::from(columns),
            &ZonedDateTime::now().strftime("%T").to_string(),
        )
    }

    /// A run's rule and cause, its path a link if the terminal makes links.
    pub(crate) fn cause(self, rule: &str, cause: &Cause, root: &Path) -> String {
        let text = format!("{rule}: {cause}");
        let Some((path, _)) = cause.first.as_ref().filter(|_| self.links) else { return text };
        let shown = Escaped(path).to_string();
        let address = address(root.join(as_path(path)).as_os_str().as_bytes());
        // The name of the rule may hold the path, and never stands behind it.
        match text
            .split_at_checked(rule.len() + 2)
            .and_then(|(rule, rest)| Some((rule, rest.strip_prefix(&shown)?)))
        {
            Some((rule, rest)) => format!("{rule}{}{rest}", link(&address, &shown)),
            None => text,
        }
    }
}

/// What sets the title.
pub(crate) fn title(text: impl Display) -> String {
    format!("\x1b]0;tripline: {}\x07", Escaped(text.to_string().as_bytes()))
}

/// A text that leads to an address where a person clicks it.
fn link(address: &str, text: &str) -> String {
    format!("\x1b]8;;{address}\x1b\\{text}\x1b]8;;\x1b\\")
}

/// A file's URI (RFC 8089), without a host: that of this machine. A terminal elsewhere leads nowhere.
fn address(path: &[u8]) -> String {
    let mut address = "file://".to_owned();
    for &byte in path {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            address.push(char::from(byte));
        } else {
            address += &format!("%{byte:02X}");
        }
    }
    address
}

/// `text`, which takes `width` columns, in a line of `columns` that ends with `time`; by itself where both do not fit.
fn across(text: &str, width: usize, columns: usize, time: &str) -> String {
    const AROUND: usize = "── ".len() / "─".len() + " ".len();
    let rest = columns.checked_sub(AROUND + width + 1 + time.len() + 1);
    match rest {
        Some(rest) if rest > 0 => format!("── {text} {} {time}", "─".repeat(rest)),
        _ => format!("── {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventMask, Trigger};

    #[test]
    fn a_header_is_as_wide_as_the_terminal_and_never_wider_than_its_text() {
        let line = across("test: a", 7, 40, "12:34:56");
        assert_eq!(line, "── test: a ──────────────────── 12:34:56");
        assert_eq!(Span::raw(line).width(), 40);
        for columns in [0, 5, 10, 20, 21] {
            let line = across("test: a", 7, columns, "12:34:56");
            assert!(Span::raw(&line).width() <= columns.max(10), "{columns}: {line}");
        }
    }

    #[test]
    fn a_path_is_a_link_where_there_are_links_whatever_its_name() {
        let first = Some((b"a b\x1b%.c".to_vec(), EventMask::CREATE));
        let cause = Cause { trigger: Trigger::Event, first, more: 1, after: None };
        let shown = |links| Terminal { links }.cause("a b", &cause, Path::new("/w"));
        assert_eq!(shown(false), r"a b: a b\u{1b}%.c (create) and 1 more");
        let link = "\x1b]8;;file:///w/a%20b%1B%25.c\x1b\\a b\\u{1b}%.c\x1b]8;;\x1b\\";
        assert_eq!(shown(true), format!("a b: {link} (create) and 1 more"));
    }

    #[test]
    fn a_title_cannot_end_before_its_time() {
        assert_eq!(title("a\x07b"), "\x1b]0;tripline: a\\u{7}b\x07");
    }
}
