//! `tui`, `clear`, `title`, `bell` and `notify`: what the person who looks on is shown.

use super::Compiler;
use crate::rules::error::Spanned;
use crate::rules::raw::RawSettings;
use crate::rules::terminal::{Terminal, When};

pub(crate) const WHEN: [(&str, When); 3] =
    [("failure", When::Failure), ("change", When::Change), ("always", When::Always)];

impl Compiler {
    pub(super) fn terminal(&mut self, raw: &RawSettings) -> Terminal {
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
    use crate::rules::tests::rules;

    fn terminal(lines: &str) -> Terminal {
        rules(&format!("[settings]\n{lines}\n[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\n"))
            .settings
            .terminal
    }

    #[test]
    fn each_key_about_the_terminal_is_used() {
        assert_eq!(terminal(""), Terminal::default());
        let typed =
            terminal("tui = true\nclear = true\ntitle = true\nbell = \"change\"\nnotify = \"always\"");
        let (bell, notify) = (Some(When::Change), Some(When::Always));
        assert_eq!(typed, Terminal { tui: true, clear: true, title: true, bell, notify });
    }
}
