//! Notes on the desktop, through notify-send(1).

use std::env;
use std::path::PathBuf;

use crate::dispatch::Errand;
use crate::sys::is_executable;

/// Notes for somebody who looks elsewhere. What comes before the last one was started is replaced.
#[derive(Debug, Default)]
pub(crate) struct Desktop {
    program: Option<PathBuf>,
    waiting: Option<Errand>,
}

impl Desktop {
    /// Finds the program in `PATH`.
    pub(crate) fn find() -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        let mut candidates = env::split_paths(&path).map(|dir| dir.join("notify-send"));
        let program = candidates.find(|candidate| is_executable(candidate));
        if program.is_none() {
            tracing::warn!("`notify` does nothing: there is no notify-send in PATH");
        }
        Self { program, waiting: None }
    }

    /// Whether the program has been found.
    pub(crate) const fn is_there(&self) -> bool {
        self.program.is_some()
    }

    /// Has a note shown.
    pub(crate) fn note(&mut self, title: &str, text: &str, urgent: bool) {
        if let Some(program) = self.program.clone() {
            let urgency = if urgent { "--urgency=critical" } else { "--urgency=normal" };
            let argv = ["notify-send", "--app-name=tripline", urgency, "--", title, &plain(text)];
            let argv = argv.map(|word| word.as_bytes().to_vec()).to_vec();
            self.waiting = Some(Errand { program, argv });
        }
    }

    /// What is to be started.
    pub(crate) fn take(&mut self) -> Option<Errand> {
        self.waiting.take()
    }
}

/// The text of a note may be markup (Desktop Notifications Specification).
fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_note_is_shown_and_its_text_is_no_markup() {
        let mut desktop = Desktop { program: Some("/bin/notify-send".into()), waiting: None };
        desktop.note("r", "first", false);
        desktop.note("r failed", "a<b>&c", true);
        let argv = desktop.take().unwrap().argv;
        let words: Vec<_> = argv.iter().map(|word| std::str::from_utf8(word).unwrap()).collect();
        assert_eq!(words[2..], ["--urgency=critical", "--", "r failed", "a&lt;b&gt;&amp;c"]);
        assert_eq!(desktop.take(), None);
    }
}
