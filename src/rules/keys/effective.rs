//! The rules file that is in effect, put together from all layers.

use crate::rules::Rules;
use crate::rules::diagnostics::{Place, Spanned};
use crate::rules::rule::template::is_identifier;

/// Where comments begin, if the value leaves room.
const COLUMN: usize = 48;

impl Rules {
    /// Every value that is in effect as it was typed, with the file and line it comes from; for a setting that
    /// nobody typed, the default.
    #[must_use]
    pub fn effective(&self) -> String {
        let mut out = "[settings]\n".to_owned();
        for (key, place) in self.raw.settings.places() {
            match place {
                Some(place) => self.line(key, place, &mut out),
                // What there is only with a value.
                None if ["poll", "bell", "notify", "metrics"].contains(&key) => {}
                None => push(&format!("{key} = {}", self.default_of(key)), "default", &mut out),
            }
        }
        self.variables("env", &self.raw.env, &mut out);
        self.variables("vars", &self.raw.vars, &mut out);
        for rule in &self.raw.rules {
            let name = key_text(&rule.name.value);
            out += &format!("\n[rules.{name}]\n");
            for (key, place) in rule.places() {
                let nested = rule.keys_of(key);
                for (inner, place) in &nested {
                    self.line(&format!("{key}.{inner}"), place, &mut out);
                }
                if let Some(place) = place.filter(|_| nested.is_empty()) {
                    self.line(key, place, &mut out);
                }
            }
            self.variables(&format!("rules.{name}.env"), &rule.env, &mut out);
        }
        out
    }

    fn variables(&self, table: &str, variables: &[(Spanned<String>, Spanned<String>)], out: &mut String) {
        if !variables.is_empty() {
            *out += &format!("\n[{table}]\n");
        }
        for (name, value) in variables {
            self.line(&key_text(&name.value), &value.place, out);
        }
    }

    fn line(&self, key: &str, place: &Place, out: &mut String) {
        let (file, line) = self.warnings.line(place);
        let text = self.warnings.source(place.source).and_then(|source| source.text.get(place.span.clone()));
        push(&format!("{key} = {}", text.unwrap_or_default()), &format!("{file}:{line}"), out);
    }

    fn default_of(&self, key: &str) -> String {
        match key {
            "root" => format!("{:?}", self.settings.root),
            "ignore" | "hold_while" => "[]".to_owned(),
            "gitignore" | "default_ignore" => "true".to_owned(),
            "case_insensitive" | "one_file_system" | "follow_symlinks" | "tui" | "clear" | "title"
            | "metrics_public" => "false".to_owned(),
            "shell" => format!("{:?}", self.settings.shell),
            "debounce" => format!("\"{:?}\"", crate::rules::compile::DEBOUNCE),
            "poll_interval" => format!("\"{:?}\"", crate::event::Polling::default().interval),
            "max_wait" => format!("\"{:?}\"", crate::rules::compile::MAX_WAIT),
            "history" => format!("\"{}M\"", self.settings.history >> 20),
            _ => self.settings.jobs.to_string(),
        }
    }
}

fn push(line: &str, origin: &str, out: &mut String) {
    let last = line.lines().last().map_or(0, |last| last.chars().count());
    *out += &format!("{line}{:>width$}# {origin}\n", "", width = COLUMN.saturating_sub(last).max(2));
}

/// A name as a key of TOML.
fn key_text(name: &str) -> String {
    if is_identifier(name) { name.to_owned() } else { format!("{name:?}") }
}
