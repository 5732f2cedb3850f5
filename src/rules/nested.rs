//! The tables inside a rule, such as `retry`: which keys they have, and where each is.

use super::error::{Place, Spanned};
use super::raw::RawRule;

/// Each table with its keys.
pub(crate) const NESTED: [(&str, &[&str]); 7] = [
    ("size", &["min", "max"]),
    ("ready", &["file", "port", "line"]),
    ("backoff", &["initial", "max_delay", "reset"]),
    ("start_limit", &["max", "within"]),
    ("log", &["file", "max_size", "keep"]),
    ("exit_codes", &["ok", "skip", "retry"]),
    ("retry", &["max", "initial", "max_delay"]),
];

/// The keys of one of these tables.
pub(crate) fn keys(table: &str) -> &'static [&'static str] {
    NESTED.iter().find(|(name, _)| *name == table).map_or(&[], |(_, keys)| keys)
}

impl RawRule {
    /// The keys that a table in the rule has, each with where its value is.
    pub(crate) fn nested(&self, table: &str) -> Vec<(&'static str, &Place)> {
        fn at<T>(typed: Option<&Spanned<T>>) -> Option<&Place> {
            typed.map(|typed| &typed.place)
        }
        let places: [Option<&Place>; 3] = match table {
            "ready" => self.ready.as_ref().map_or([None; 3], |typed| {
                let ready = &typed.value;
                [at(ready.file.as_ref()), at(ready.port.as_ref()), at(ready.line.as_ref())]
            }),
            "backoff" => self.backoff.as_ref().map_or([None; 3], |typed| {
                let backoff = &typed.value;
                [at(backoff.initial.as_ref()), at(backoff.max_delay.as_ref()), at(backoff.reset.as_ref())]
            }),
            "start_limit" => self.start_limit.as_ref().map_or([None; 3], |typed| {
                [at(typed.value.max.as_ref()), at(typed.value.within.as_ref()), None]
            }),
            "log" => self.log.as_ref().map_or([None; 3], |typed| {
                let log = &typed.value;
                [at(log.file.as_ref()), at(log.max_size.as_ref()), at(log.keep.as_ref())]
            }),
            "exit_codes" => self.exit_codes.as_ref().map_or([None; 3], |typed| {
                let codes = &typed.value;
                [at(codes.ok.as_ref()), at(codes.skip.as_ref()), at(codes.retry.as_ref())]
            }),
            "retry" => self.retry.as_ref().map_or([None; 3], |typed| {
                let retry = &typed.value;
                [at(retry.max.as_ref()), at(retry.initial.as_ref()), at(retry.max_delay.as_ref())]
            }),
            _ => [None; 3],
        };
        keys(table).iter().copied().zip(places).filter_map(|(key, place)| Some((key, place?))).collect()
    }
}
