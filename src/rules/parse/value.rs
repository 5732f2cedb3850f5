//! Single values, each with the complaint where it is of another type.

use toml::de::{DeTable, DeValue};

use super::{Key, Reader, Value, Words};
use crate::rules::diagnostics::{Spanned, quote};
use crate::rules::keys::{
    RawBackoff, RawCommand, RawExitCodes, RawLog, RawReady, RawRetry, RawRule, RawStartLimit,
};
use crate::rules::tables::keys;

const DURATION_KEYS: [&str; 13] = [
    "stable_for",
    "debounce",
    "max_wait",
    "throttle",
    "timeout",
    "stop_timeout",
    "initial",
    "max_delay",
    "reset",
    "within",
    "poll",
    "poll_interval",
    "cpu",
];

impl Reader<'_> {
    pub(super) fn string(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<String>> {
        let found = value.get_ref().as_str().map(str::to_owned);
        let help = match value.get_ref() {
            DeValue::Integer(_) | DeValue::Float(_) if DURATION_KEYS.contains(&&**key.get_ref()) => {
                Some("put it in quotes, with a unit: \"50ms\", \"2s\"")
            }
            DeValue::Boolean(_) if key.get_ref() == "history" => {
                Some("\"0\" keeps none, \"64M\" is the default")
            }
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => Some("put it in quotes"),
            _ => None,
        };
        self.typed(key, value, "be a string", help, found)
    }

    pub(super) fn boolean(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<bool>> {
        let found = value.get_ref().as_bool();
        self.typed(key, value, "be true or false, without quotes", None, found)
    }

    /// A whole number from 1 up.
    pub(super) fn count(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<usize>> {
        let integer = value.get_ref().as_integer();
        let found = integer.and_then(|int| usize::from_str_radix(int.as_str(), int.radix()).ok());
        if integer.is_some() && found.is_none_or(|number| number == 0) {
            self.push(&value.span(), format!("{} must be 1 or more", quote(key.get_ref())), None);
            return None;
        }
        self.typed(key, value, "be a whole number", None, found)
    }

    pub(super) fn strings(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<Words>> {
        let found = self.words(key, value);
        let help = value.get_ref().as_str().map(|_| "put it in brackets: [\"...\"]");
        self.typed(key, value, "be an array of strings", help, found)
    }

    pub(super) fn command(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<RawCommand>> {
        let found = match value.get_ref().as_str() {
            Some(text) => Some(RawCommand::Shell(text.to_owned())),
            None => self.words(key, value).map(RawCommand::Argv),
        };
        self.typed(key, value, "be a string (for the shell) or an array of strings", None, found)
    }

    /// An array of commands.
    pub(super) fn commands(
        &mut self,
        key: &Key<'_>,
        value: &Value<'_>,
    ) -> Option<Spanned<Vec<Spanned<RawCommand>>>> {
        let elements = value.get_ref().as_array();
        let found = elements.map(|array| array.iter().filter_map(|one| self.step(key, one)).collect());
        let help = value.get_ref().as_str().map(|_| "put it in brackets: [\"...\"]");
        self.typed(key, value, "be an array of commands", help, found)
    }

    fn step(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<RawCommand>> {
        let found = match value.get_ref().as_str() {
            Some(text) => Some(RawCommand::Shell(text.to_owned())),
            None => self.words(key, value).map(RawCommand::Argv),
        };
        self.typed(key, value, "hold strings (for the shell) or arrays of strings", None, found)
    }

    /// The strings of an array; none if it is no array.
    fn words(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Words> {
        let elements = value.get_ref().as_array()?;
        let word = |element: &Value<'_>| {
            let found = element.get_ref().as_str().map(str::to_owned);
            self.typed(key, element, "hold strings", None, found)
        };
        Some(elements.iter().filter_map(word).collect())
    }

    /// What was found, or the complaint that it was not what the key needs.
    pub(super) fn typed<T>(
        &mut self,
        key: &Key<'_>,
        value: &Value<'_>,
        needed: &str,
        help: Option<&str>,
        found: Option<T>,
    ) -> Option<Spanned<T>> {
        if found.is_none() {
            let actual = with_article(value.get_ref().type_str());
            let message = format!("{} must {needed}, not {actual}", quote(key.get_ref()));
            self.push(&value.span(), message, help.map(str::to_owned));
        }
        found.map(|found| Spanned::new(found, self.place(&value.span())))
    }

    pub(super) fn table<'t>(
        &mut self,
        key: &Key<'_>,
        value: &'t Value<'t>,
    ) -> Vec<(&'t Key<'t>, &'t Value<'t>)> {
        match value.get_ref().as_table() {
            Some(table) => in_order(table),
            None => {
                let what = with_article(value.get_ref().type_str());
                let message = format!("{} must be a table, not {what}", quote(key.get_ref()));
                self.push(&value.span(), message, Some(format!("begin it with [{}]", key.get_ref())));
                Vec::new()
            }
        }
    }

    pub(super) fn size(&mut self, key: &Key<'_>, value: &Value<'_>, rule: &mut RawRule) {
        let example = "for instance: size = { min = \"1K\", max = \"10M\" }";
        let table = value.get_ref().as_table();
        self.typed(key, value, "be a table", Some(example), table);
        for (key, value) in table.into_iter().flat_map(in_order) {
            match &**key.get_ref() {
                "min" => rule.size_min = self.string(key, value),
                "max" => rule.size_max = self.string(key, value),
                _ => self.unknown(key, "in `size`", keys("size")),
            }
        }
    }

    pub(super) fn exit_codes(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<RawExitCodes>> {
        let mut codes = RawExitCodes::default();
        for (name, value) in self.table(key, value) {
            match &**name.get_ref() {
                "ok" => codes.ok = self.codes(name, value),
                "skip" => codes.skip = self.codes(name, value),
                "retry" => codes.retry = self.codes(name, value),
                _ => self.unknown(name, "in `exit_codes`", keys("exit_codes")),
            }
        }
        Some(Spanned::new(codes, self.place(&value.span())))
    }

    /// An array of exit codes: wait(2) gives the parent 8 bits.
    fn codes(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<Vec<Spanned<u8>>>> {
        let code = |element: &Value<'_>| {
            let integer = element.get_ref().as_integer();
            let found = integer.and_then(|int| u8::from_str_radix(int.as_str(), int.radix()).ok());
            if integer.is_some() && found.is_none() {
                self.push(&element.span(), "no exit code is less than 0 or more than 255".to_owned(), None);
                return None;
            }
            self.typed(key, element, "hold whole numbers", None, found)
        };
        let found = value.get_ref().as_array().map(|array| array.iter().filter_map(code).collect());
        let help = value.get_ref().as_integer().map(|_| "put it in brackets: [0]");
        self.typed(key, value, "be an array of whole numbers", help, found)
    }

    pub(super) fn ready(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<RawReady>> {
        let mut ready = RawReady::default();
        for (name, value) in self.table(key, value) {
            match &**name.get_ref() {
                "file" => ready.file = self.string(name, value),
                "port" => ready.port = self.count(name, value),
                "line" => ready.line = self.string(name, value),
                _ => self.unknown(name, "in `ready`", keys("ready")),
            }
        }
        Some(Spanned::new(ready, self.place(&value.span())))
    }

    pub(super) fn log(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<RawLog>> {
        let mut log = RawLog::default();
        let table = value.get_ref().as_table();
        self.typed(key, value, "be a table", Some("for instance: log = { file = \"build.log\" }"), table)?;
        for (name, value) in table.into_iter().flat_map(in_order) {
            match &**name.get_ref() {
                "file" => log.file = self.string(name, value),
                "max_size" => log.max_size = self.string(name, value),
                "keep" => log.keep = self.count(name, value),
                _ => self.unknown(name, "in `log`", keys("log")),
            }
        }
        Some(Spanned::new(log, self.place(&value.span())))
    }

    pub(super) fn backoff(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<RawBackoff>> {
        let mut backoff = RawBackoff::default();
        for (name, value) in self.table(key, value) {
            match &**name.get_ref() {
                "initial" => backoff.initial = self.string(name, value),
                "max_delay" => backoff.max_delay = self.string(name, value),
                "reset" => backoff.reset = self.string(name, value),
                _ => self.unknown(name, "in `backoff`", keys("backoff")),
            }
        }
        Some(Spanned::new(backoff, self.place(&value.span())))
    }

    pub(super) fn start_limit(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<RawStartLimit>> {
        let mut limit = RawStartLimit::default();
        for (name, value) in self.table(key, value) {
            match &**name.get_ref() {
                "max" => limit.max = self.count(name, value),
                "within" => limit.within = self.string(name, value),
                _ => self.unknown(name, "in `start_limit`", keys("start_limit")),
            }
        }
        Some(Spanned::new(limit, self.place(&value.span())))
    }

    pub(super) fn retry(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<RawRetry>> {
        let mut retry = RawRetry::default();
        for (name, value) in self.table(key, value) {
            match &**name.get_ref() {
                "max" => retry.max = self.count(name, value),
                "initial" => retry.initial = self.string(name, value),
                "max_delay" => retry.max_delay = self.string(name, value),
                _ => self.unknown(name, "in `retry`", keys("retry")),
            }
        }
        Some(Spanned::new(retry, self.place(&value.span())))
    }
}

/// The entries in the order of the file; the table itself is sorted by name.
pub(super) fn in_order<'t>(table: &'t DeTable<'t>) -> Vec<(&'t Key<'t>, &'t Value<'t>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

pub(super) fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {noun}")
}
