//! `[settings]`: what holds for all rules.

use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;

use super::{Compiler, DEBOUNCE, HISTORY, JOBS, MAX_WAIT, Surroundings, case};
use crate::event::{Extent, Polling};
use crate::rules::diagnostics::{Spanned, quote};
use crate::rules::glob::Case;
use crate::rules::keys::RawSettings;
use crate::rules::rule::terminal::{Terminal, When};

pub(crate) const WHEN: [(&str, When); 3] =
    [("failure", When::Failure), ("change", When::Change), ("always", When::Always)];

impl Compiler {
    pub(super) fn settings(&mut self, raw: &RawSettings, around: &Surroundings) {
        if let Some(typed) = &raw.root {
            self.lists.root = self.root(typed, around);
        }
        self.lists.settings = self.patterns(raw.ignore.as_ref());
        self.lists.gitignore = raw.gitignore.as_ref().is_none_or(|typed| typed.value);
        self.lists.default_ignore = raw.default_ignore.as_ref().is_none_or(|typed| typed.value);
        let holds = raw.hold_while.iter().flat_map(|words| &words.value);
        self.hold_while = holds.map(|word| self.path(word)).collect();
        self.case = case(raw.case_insensitive.as_ref(), Case::Exact);
        if let Some(typed) = &raw.shell {
            self.shell = self.shell(typed);
        }
        self.polling = self.polling(raw);
        self.extent = Extent {
            one_file_system: raw.one_file_system.as_ref().is_some_and(|typed| typed.value),
            follow_symlinks: raw.follow_symlinks.as_ref().is_some_and(|typed| typed.value),
        };
        self.terminal = self.terminal(raw);
        self.history = self.bytes(raw.history.as_ref(), HISTORY);
        self.metrics = self.metrics(raw);
        self.jobs = raw.jobs.as_ref().map_or(JOBS, |typed| typed.value);
        self.debounce = self.duration(raw.debounce.as_ref(), DEBOUNCE);
        self.max_wait = self.duration(raw.max_wait.as_ref(), MAX_WAIT);
        let place = raw.max_wait.as_ref().or(raw.debounce.as_ref()).map(|typed| &typed.place);
        self.check_waits(place, self.debounce, self.max_wait);
    }

    fn polling(&mut self, raw: &RawSettings) -> Polling {
        let fallback = self.limit("poll_interval", raw.poll_interval.as_ref());
        let always = self.limit("poll", raw.poll.as_ref());
        let interval = always.or(fallback).unwrap_or(Polling::default().interval);
        Polling { always: always.is_some(), interval }
    }

    /// The root. Only `..` makes a difference between the text and the file system: what a symbolic
    /// link's parent is, the file system knows.
    fn root(&mut self, typed: &Spanned<String>, around: &Surroundings) -> Vec<u8> {
        let by_text = self.directory(typed);
        if !typed.value.split('/').any(|component| component == "..") {
            return by_text;
        }
        let canonical = around.files.canonical(&around.directory.join(&typed.value));
        canonical.map_or(by_text, |path| path.as_os_str().as_bytes().to_vec())
    }

    fn shell(&mut self, typed: &Spanned<Vec<Spanned<String>>>) -> Vec<String> {
        if typed.value.first().is_none_or(|program| program.value.is_empty()) {
            self.error(&typed.place, "the shell has no program", "[\"sh\", \"-c\"] is the default");
        }
        typed.value.iter().map(|word| self.word(word)).collect()
    }

    /// The address. Whoever reaches it learns the rules' names and what they do, so that one beyond this machine has
    /// to be asked for twice.
    fn metrics(&mut self, raw: &RawSettings) -> Option<SocketAddr> {
        let typed = raw.metrics.as_ref()?;
        let found = typed.value.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
        let Some(address) = found else {
            let message = format!("{} is no address and port", quote(&typed.value));
            self.error(&typed.place, message, "for instance: metrics = \"127.0.0.1:9469\"");
            return None;
        };
        let public = raw.metrics_public.as_ref().is_some_and(|typed| typed.value);
        if !address.ip().to_canonical().is_loopback() && !public {
            let message = format!("{} may be reached by other machines", quote(&typed.value));
            let help = format!(
                "for this machine alone: metrics = \"127.0.0.1:{}\"; for others, too: metrics_public = true",
                address.port()
            );
            self.error(&typed.place, message, help);
        }
        Some(address)
    }

    fn terminal(&mut self, raw: &RawSettings) -> Terminal {
        Terminal {
            tui: raw.tui.as_ref().is_some_and(|typed| typed.value),
            clear: raw.clear.as_ref().is_some_and(|typed| typed.value),
            title: raw.title.as_ref().is_some_and(|typed| typed.value),
            bell: self.when("bell", raw.bell.as_ref()),
            notify: self.when("notify", raw.notify.as_ref()),
        }
    }

    fn when(&mut self, key: &str, typed: Option<&Spanned<String>>) -> Option<When> {
        typed.map(|_| self.choice(key, typed, &WHEN, When::Failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Settings;
    use crate::rules::tests::rules;

    fn settings(lines: &str) -> Settings {
        rules(&format!("[settings]\n{lines}\n[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\n")).settings
    }

    #[test]
    fn a_loopback_address_is_taken_and_any_other_with_leave() {
        assert_eq!(settings("").metrics, None);
        for address in ["127.0.0.1:9469", "127.1.2.3:1", "[::1]:9469", "[::ffff:127.0.0.1]:9469"] {
            assert_eq!(settings(&format!("metrics = \"{address}\"")).metrics, address.parse().ok());
        }
        let any = "metrics = \"0.0.0.0:9469\"\nmetrics_public = true";
        assert_eq!(settings(any).metrics, "0.0.0.0:9469".parse().ok());
    }

    #[test]
    fn each_key_about_the_terminal_is_used() {
        assert_eq!(settings("").terminal, Terminal::default());
        let typed =
            settings("tui = true\nclear = true\ntitle = true\nbell = \"change\"\nnotify = \"always\"")
                .terminal;
        let (bell, notify) = (Some(When::Change), Some(When::Always));
        assert_eq!(typed, Terminal { tui: true, clear: true, title: true, bell, notify });
    }
}
