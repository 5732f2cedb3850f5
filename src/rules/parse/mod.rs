//! From the text of a rules file to what was typed, with every mistake of form.

mod setup;
mod value;

use std::collections::HashMap;
use std::ops::Range;

use toml::Spanned as Typed;
use toml::de::{DeString, DeTable, DeValue};

use self::value::{in_order, with_article};
use super::diagnostics::{Diagnostic, Diagnostics, Place, Severity, SourceFile, Spanned, quote};
use super::keys::{Raw, RawRule};
use super::suggest;

const TOP_KEYS: [&str; 7] = ["include", "settings", "env", "vars", "templates", "rules", "profile"];

const PROFILE_KEYS: [&str; 5] = ["settings", "env", "vars", "templates", "rules"];

const SETTINGS_KEYS: [&str; 22] = [
    "root",
    "ignore",
    "gitignore",
    "default_ignore",
    "hold_while",
    "case_insensitive",
    "shell",
    "debounce",
    "max_wait",
    "jobs",
    "history",
    "poll",
    "poll_interval",
    "one_file_system",
    "follow_symlinks",
    "tui",
    "clear",
    "title",
    "bell",
    "notify",
    "metrics",
    "metrics_public",
];

const RULE_KEYS: [&str; 48] = [
    "extends",
    "paths",
    "ignore",
    "outputs",
    "case_insensitive",
    "on",
    "types",
    "match",
    "size",
    "stable_for",
    "if_changed",
    "hold_while",
    "after",
    "run",
    "steps",
    "on_success",
    "on_failure",
    "service",
    "ready",
    "backoff",
    "start_limit",
    "stop_signal",
    "per",
    "stdin",
    "output",
    "log",
    "tty",
    "on_busy",
    "signal",
    "debounce",
    "max_wait",
    "cwd",
    "user",
    "group",
    "env_clear",
    "umask",
    "nice",
    "limits",
    "env",
    "max_parallel",
    "on_start",
    "throttle",
    "exit_codes",
    "retry",
    "may_loop",
    "timeout",
    "stop_timeout",
    "contain",
];

type Key<'t> = Typed<DeString<'t>>;
type Value<'t> = Typed<DeValue<'t>>;
type Words = Vec<Spanned<String>>;
type Variables = Vec<(Spanned<String>, Spanned<String>)>;

/// Adds a file to what was typed in the files before it.
pub(crate) fn parse(file: SourceFile, raw: &mut Raw, diagnostics: &mut Diagnostics) {
    let text = file.text.clone();
    let source = diagnostics.add_source(file);
    let (table, errors) = DeTable::parse_recoverable(&text);
    raw.broken |= !errors.is_empty();
    let mut reader = Reader { source, text: &text, broken: Vec::new(), diagnostics };
    reader.syntax(&errors);
    reader.file(table.get_ref(), raw);
}

const DUPLICATE: &str = "duplicate key";

/// The mistakes that come in rows.
const REPEATED: [&str; 2] = ["missing comma between array elements", DUPLICATE];

fn syntax_help(message: &str) -> Option<String> {
    let help = match message {
        _ if message.starts_with(REPEATED[0]) => "or the array that begins above lacks its `]`",
        _ if message.starts_with(DUPLICATE) => "the other is above: one of them must go",
        _ if message.starts_with("missing escaped value") => "text with backslashes is simplest in '...'",
        _ if message.starts_with("string values must be quoted") => "put it in quotes: \"...\"",
        _ => return None,
    };
    Some(help.to_owned())
}

struct Reader<'a> {
    source: usize,
    text: &'a str,
    /// The lines with mistakes in the TOML: what was made of them is not worth another complaint.
    broken: Vec<Range<usize>>,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// The mistakes in the TOML. An array that is never closed makes one of every line after it, and a table
    /// that is there twice one of every key in it: the first is enough.
    fn syntax(&mut self, errors: &[toml::de::Error]) {
        let mut before = "";
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            let line = line_of(self.text, &span);
            let kind =
                REPEATED.iter().find(|kind| error.message().starts_with(**kind)).copied().unwrap_or("");
            if kind.is_empty() || kind != before {
                self.push(&span, error.message().to_owned(), syntax_help(error.message()));
            }
            let table = self.text.get(line.start..).is_some_and(|line| line.trim_start().starts_with('['));
            before = if kind == DUPLICATE && !table && before.is_empty() { "" } else { kind };
            self.broken.push(line);
        }
    }

    fn file(&mut self, table: &DeTable<'_>, raw: &mut Raw) {
        for (key, value) in in_order(table) {
            if self.part(key, value, raw) {
                continue;
            }
            match &**key.get_ref() {
                "profile" => self.profiles(key, value, raw),
                "include" => {
                    raw.include.extend(self.strings(key, value).into_iter().flat_map(|list| list.value));
                }
                // Behind a broken header a rule's keys end up here.
                _ if !self.broken.is_empty() => {}
                name if looks_like_a_rule(value) => {
                    let message = format!("no key at the top is called {}", quote(name));
                    self.push(&key.span(), message, Some(format!("a rule begins with [rules.{name}]")));
                }
                _ => self.unknown(key, "at the top", &TOP_KEYS),
            }
        }
    }

    /// What a file and a profile both may have; answers whether it was that.
    fn part(&mut self, key: &Key<'_>, value: &Value<'_>, raw: &mut Raw) -> bool {
        match &**key.get_ref() {
            "settings" => self.settings(key, value, raw),
            "env" => {
                let env = self.env(key, value);
                self.merge(env, &mut raw.env);
            }
            "vars" => {
                let vars = self.env(key, value);
                self.merge(vars, &mut raw.vars);
            }
            "templates" => self.rules("template", key, value, &mut raw.templates),
            "rules" => self.rules("rule", key, value, &mut raw.rules),
            _ => return false,
        }
        true
    }

    fn profiles(&mut self, key: &Key<'_>, value: &Value<'_>, raw: &mut Raw) {
        for (name, value) in self.table(key, value) {
            let known = raw.profiles.iter().position(|(known, _)| known.value == **name.get_ref());
            let at = known.unwrap_or_else(|| {
                let name = Spanned::new(name.get_ref().to_string(), self.place(&name.span()));
                raw.profiles.push((name, Raw::default()));
                raw.profiles.len() - 1
            });
            for (key, value) in self.table(name, value) {
                if !self.part(key, value, &mut raw.profiles[at].1) {
                    self.unknown(key, "in a profile", &PROFILE_KEYS);
                }
            }
        }
    }

    fn settings(&mut self, key: &Key<'_>, value: &Value<'_>, raw: &mut Raw) {
        let settings = &mut raw.settings;
        for (key, value) in self.table(key, value) {
            match &**key.get_ref() {
                "root" => self.once(&mut settings.root, key, |r| r.string(key, value)),
                "ignore" => self.once(&mut settings.ignore, key, |r| r.strings(key, value)),
                "gitignore" => self.once(&mut settings.gitignore, key, |r| r.boolean(key, value)),
                "default_ignore" => self.once(&mut settings.default_ignore, key, |r| r.boolean(key, value)),
                "hold_while" => self.once(&mut settings.hold_while, key, |r| r.strings(key, value)),
                "case_insensitive" => {
                    self.once(&mut settings.case_insensitive, key, |r| r.boolean(key, value));
                }
                "shell" => self.once(&mut settings.shell, key, |r| r.strings(key, value)),
                "debounce" => self.once(&mut settings.debounce, key, |r| r.string(key, value)),
                "max_wait" => self.once(&mut settings.max_wait, key, |r| r.string(key, value)),
                "jobs" => self.once(&mut settings.jobs, key, |r| r.count(key, value)),
                "history" => self.once(&mut settings.history, key, |r| r.string(key, value)),
                "poll" => self.once(&mut settings.poll, key, |r| r.string(key, value)),
                "poll_interval" => self.once(&mut settings.poll_interval, key, |r| r.string(key, value)),
                "one_file_system" => {
                    self.once(&mut settings.one_file_system, key, |r| r.boolean(key, value));
                }
                "follow_symlinks" => {
                    self.once(&mut settings.follow_symlinks, key, |r| r.boolean(key, value));
                }
                "tui" => self.once(&mut settings.tui, key, |r| r.boolean(key, value)),
                "clear" => self.once(&mut settings.clear, key, |r| r.boolean(key, value)),
                "title" => self.once(&mut settings.title, key, |r| r.boolean(key, value)),
                "bell" => self.once(&mut settings.bell, key, |r| r.string(key, value)),
                "notify" => self.once(&mut settings.notify, key, |r| r.string(key, value)),
                "metrics" => self.once(&mut settings.metrics, key, |r| r.string(key, value)),
                "metrics_public" => {
                    self.once(&mut settings.metrics_public, key, |r| r.boolean(key, value));
                }
                _ => self.unknown(key, "in [settings]", &SETTINGS_KEYS),
            }
        }
    }

    fn rules(&mut self, what: &str, key: &Key<'_>, value: &Value<'_>, rules: &mut Vec<RawRule>) {
        let known = rules.iter().map(|rule| (rule.name.value.clone(), rule.name.place.clone()));
        let known: HashMap<_, _> = known.collect();
        for (name, value) in self.table(key, value) {
            let name = Spanned::new(name.get_ref().to_string(), self.place(&name.span()));
            if let Some(twin) = known.get(&name.value) {
                self.twice(&name.place, &format!("the {what} {}", quote(&name.value)), twin);
            }
            if let Some(rule) = self.rule(name, value) {
                rules.push(rule);
            }
        }
    }

    fn rule_table<'v>(&mut self, name: &Spanned<String>, value: &'v Value<'_>) -> Option<&'v DeTable<'v>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            let what = value.get_ref().type_str();
            let message = format!("a rule must be a table, not {}", with_article(what));
            let unnamed = RULE_KEYS.contains(&name.value.as_str());
            let begin = if unnamed { "NAME" } else { name.value.as_str() };
            self.push(&value.span(), message, Some(format!("begin it with [rules.{begin}]")));
        }
        table
    }

    fn rule(&mut self, name: Spanned<String>, value: &Value<'_>) -> Option<RawRule> {
        let table = self.rule_table(&name, value)?;
        let mut rule = RawRule::new(name);
        let before = self.diagnostics.count(Severity::Error);
        for (key, value) in in_order(table) {
            match &**key.get_ref() {
                "extends" => rule.extends = self.string(key, value),
                "paths" => rule.paths = self.strings(key, value),
                "ignore" => rule.ignore = self.strings(key, value),
                "outputs" => rule.outputs = self.strings(key, value),
                "case_insensitive" => rule.case_insensitive = self.boolean(key, value),
                "on" => rule.on = self.strings(key, value),
                "types" => rule.types = self.strings(key, value),
                "match" => rule.pattern = self.string(key, value),
                "size" => self.size(key, value, &mut rule),
                "stable_for" => rule.stable_for = self.string(key, value),
                "if_changed" => rule.if_changed = self.boolean(key, value),
                "hold_while" => rule.hold_while = self.strings(key, value),
                "after" => rule.after = self.strings(key, value),
                "run" => rule.run = self.command(key, value),
                "steps" => rule.steps = self.commands(key, value),
                "on_success" => rule.on_success = self.command(key, value),
                "on_failure" => rule.on_failure = self.command(key, value),
                "service" => rule.service = self.command(key, value),
                "ready" => rule.ready = self.ready(key, value),
                "backoff" => rule.backoff = self.backoff(key, value),
                "start_limit" => rule.start_limit = self.start_limit(key, value),
                "stop_signal" => rule.stop_signal = self.string(key, value),
                "per" => rule.per = self.string(key, value),
                "stdin" => rule.stdin = self.string(key, value),
                "output" => rule.output = self.string(key, value),
                "log" => rule.log = self.log(key, value),
                "tty" => rule.tty = self.boolean(key, value),
                "on_busy" => rule.on_busy = self.string(key, value),
                "signal" => rule.signal = self.string(key, value),
                "debounce" => rule.debounce = self.string(key, value),
                "max_wait" => rule.max_wait = self.string(key, value),
                "cwd" => rule.cwd = self.string(key, value),
                "env" => rule.env = self.env(key, value),
                "max_parallel" => rule.max_parallel = self.count(key, value),
                "on_start" => rule.on_start = self.boolean(key, value),
                "throttle" => rule.throttle = self.string(key, value),
                "exit_codes" => rule.exit_codes = self.exit_codes(key, value),
                "retry" => rule.retry = self.retry(key, value),
                "may_loop" => rule.may_loop = self.boolean(key, value),
                "timeout" => rule.timeout = self.string(key, value),
                "stop_timeout" => rule.stop_timeout = self.string(key, value),
                "contain" => rule.contain = self.string(key, value),
                _ if self.setup(key, value, &mut rule) => {}
                _ => self.unknown(key, "in a rule", &RULE_KEYS),
            }
        }
        rule.misread = self.diagnostics.count(Severity::Error) > before;
        Some(rule)
    }

    fn env(&mut self, key: &Key<'_>, value: &Value<'_>) -> Variables {
        let mut env = Vec::new();
        for (name, value) in self.table(key, value) {
            if let Some(value) = self.string(name, value) {
                env.push((Spanned::new(name.get_ref().to_string(), self.place(&name.span())), value));
            }
        }
        env
    }

    /// Adds variables to those of the files before.
    fn merge(&mut self, more: Variables, all: &mut Variables) {
        for (name, value) in more {
            let twin = all.iter().find(|(known, _)| known.value == name.value);
            if let Some(twin) = twin.map(|(known, _)| known.place.clone()) {
                self.twice(&name.place, &quote(&name.value), &twin);
            }
            all.push((name, value));
        }
    }

    /// Fills a slot that another file may have filled already.
    fn once<T>(
        &mut self,
        slot: &mut Option<Spanned<T>>,
        key: &Key<'_>,
        read: impl FnOnce(&mut Self) -> Option<Spanned<T>>,
    ) {
        if let Some(earlier) = slot {
            let place = self.place(&key.span());
            self.twice(&place, &quote(key.get_ref()), &earlier.place.clone());
        }
        if let Some(value) = read(self) {
            *slot = Some(value);
        }
    }

    fn unknown(&mut self, key: &Key<'_>, place: &str, known: &[&str]) {
        let name = &**key.get_ref();
        let message = format!("no key {place} is called {}", quote(name));
        let help = if known == RULE_KEYS && SETTINGS_KEYS.contains(&name) {
            "it belongs in [settings]".to_owned()
        } else if known == SETTINGS_KEYS && RULE_KEYS.contains(&name) {
            "it belongs in a rule".to_owned()
        } else {
            suggest::instead_of(name, known)
        };
        self.push(&key.span(), message, Some(help));
    }

    fn twice(&mut self, place: &Place, what: &str, earlier: &Place) {
        let file = self.diagnostics.source(earlier.source).map_or("", |source| source.name.as_str());
        let help = format!("the other is in {file}: one of them must go");
        self.diagnostics.push(Diagnostic::at(place, format!("{what} is there twice")).help(help));
    }

    fn push(&mut self, span: &Range<usize>, message: String, help: Option<String>) {
        if self.broken.iter().any(|line| line.contains(&span.start)) {
            return;
        }
        let diagnostic = Diagnostic::at(&self.place(span), message);
        self.diagnostics.push(match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }

    fn place(&self, span: &Range<usize>) -> Place {
        let end = self.text.len();
        Place { source: self.source, span: span.start.min(end)..span.end.min(end) }
    }
}

fn looks_like_a_rule(value: &Value<'_>) -> bool {
    value
        .get_ref()
        .as_table()
        .is_some_and(|table| ["paths", "run"].iter().any(|key| table.contains_key(*key)))
}

/// The bytes of the line on which `span` starts, its line feed included.
fn line_of(text: &str, span: &Range<usize>) -> Range<usize> {
    let bytes = text.as_bytes();
    let at = span.start.min(bytes.len());
    let start = bytes[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |feed| feed + 1);
    let end = bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |feed| at + feed);
    start..end + 1
}
