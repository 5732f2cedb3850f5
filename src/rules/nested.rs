//! The tables inside a rule, such as `retry`: which keys they have, and where each is.

use super::error::{Place, Spanned};
use super::raw::RawRule;

/// Each table with its keys.
pub(crate) const NESTED: [(&str, &[&str]); 8] = [
    ("size", &["min", "max"]),
    ("ready", &["file", "port", "line"]),
    ("backoff", &["initial", "max_delay", "reset"]),
    ("start_limit", &["max", "within"]),
    ("log", &["file", "max_size", "keep"]),
    ("exit_codes", &["ok", "skip", "retry"]),
    ("retry", &["max", "initial", "max_delay"]),
    ("limits", &["nofile", "nproc", "as", "core", "cpu", "data", "fsize", "memlock", "stack"]),
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
        let places = match table {
            "ready" => self.ready.as_ref().map(|typed| {
                let ready = &typed.value;
                vec![at(ready.file.as_ref()), at(ready.port.as_ref()), at(ready.line.as_ref())]
            }),
            "backoff" => self.backoff.as_ref().map(|typed| {
                let backoff = &typed.value;
                vec![at(backoff.initial.as_ref()), at(backoff.max_delay.as_ref()), at(backoff.reset.as_ref())]
            }),
            "start_limit" => self.start_limit.as_ref().map(|typed| {
                let limit = &typed.value;
                vec![at(limit.max.as_ref()), at(limit.within.as_ref())]
            }),
            "log" => self.log.as_ref().map(|typed| {
                let log = &typed.value;
                vec![at(log.file.as_ref()), at(log.max_size.as_ref()), at(log.keep.as_ref())]
            }),
            "exit_codes" => self.exit_codes.as_ref().map(|typed| {
                let codes = &typed.value;
                vec![at(codes.ok.as_ref()), at(codes.skip.as_ref()), at(codes.retry.as_ref())]
            }),
            "retry" => self.retry.as_ref().map(|typed| {
                let retry = &typed.value;
                vec![at(retry.max.as_ref()), at(retry.initial.as_ref()), at(retry.max_delay.as_ref())]
            }),
            "limits" => self.limits.as_ref().map(|typed| {
                let limits = &typed.value;
                let numbers = [&limits.nofile, &limits.nproc].map(|typed| at(typed.as_ref()));
                let texts = [
                    &limits.address_space,
                    &limits.core,
                    &limits.cpu,
                    &limits.data,
                    &limits.fsize,
                    &limits.memlock,
                    &limits.stack,
                ];
                numbers.into_iter().chain(texts.map(|typed| at(typed.as_ref()))).collect()
            }),
            _ => None,
        };
        let places = places.unwrap_or_default();
        keys(table).iter().copied().zip(places).filter_map(|(key, place)| Some((key, place?))).collect()
    }
}
