//! The tables that keys of a rule hold, as they were typed.

use super::diagnostics::{Place, Spanned};
use super::keys::RawRule;

/// `exit_codes`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawExitCodes {
    pub ok: Option<Spanned<Vec<Spanned<u8>>>>,
    pub skip: Option<Spanned<Vec<Spanned<u8>>>>,
    pub retry: Option<Spanned<Vec<Spanned<u8>>>>,
}

/// `limits`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name, `address_space` that of `as`")]
pub struct RawLimits {
    pub nofile: Option<Spanned<usize>>,
    pub nproc: Option<Spanned<usize>>,
    pub address_space: Option<Spanned<String>>,
    pub core: Option<Spanned<String>>,
    pub data: Option<Spanned<String>>,
    pub fsize: Option<Spanned<String>>,
    pub memlock: Option<Spanned<String>>,
    pub stack: Option<Spanned<String>>,
    pub cpu: Option<Spanned<String>>,
}

/// `retry`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawRetry {
    pub max: Option<Spanned<usize>>,
    pub initial: Option<Spanned<String>>,
    pub max_delay: Option<Spanned<String>>,
}

/// `ready`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawReady {
    pub file: Option<Spanned<String>>,
    pub port: Option<Spanned<usize>>,
    pub line: Option<Spanned<String>>,
}

/// `log`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawLog {
    pub file: Option<Spanned<String>>,
    pub max_size: Option<Spanned<String>>,
    pub keep: Option<Spanned<usize>>,
}

/// `backoff`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawBackoff {
    pub initial: Option<Spanned<String>>,
    pub max_delay: Option<Spanned<String>>,
    pub reset: Option<Spanned<String>>,
}

/// `start_limit`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawStartLimit {
    pub max: Option<Spanned<usize>>,
    pub within: Option<Spanned<String>>,
}

/// Each table with its keys.
pub(crate) const TABLES: [(&str, &[&str]); 8] = [
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
    TABLES.iter().find(|(name, _)| *name == table).map_or(&[], |(_, keys)| keys)
}

impl RawRule {
    /// The keys that a table in the rule has, each with where its value is; not those of `size`, which are the
    /// rule's own.
    pub(crate) fn keys_of(&self, table: &str) -> Vec<(&'static str, &Place)> {
        let places = match table {
            "ready" => self.ready.as_ref().map(|typed| {
                let RawReady { file, port, line } = &typed.value;
                vec![at(file), at(port), at(line)]
            }),
            "backoff" => self.backoff.as_ref().map(|typed| {
                let RawBackoff { initial, max_delay, reset } = &typed.value;
                vec![at(initial), at(max_delay), at(reset)]
            }),
            "start_limit" => self.start_limit.as_ref().map(|typed| {
                let RawStartLimit { max, within } = &typed.value;
                vec![at(max), at(within)]
            }),
            "log" => self.log.as_ref().map(|typed| {
                let RawLog { file, max_size, keep } = &typed.value;
                vec![at(file), at(max_size), at(keep)]
            }),
            "exit_codes" => self.exit_codes.as_ref().map(|typed| {
                let RawExitCodes { ok, skip, retry } = &typed.value;
                vec![at(ok), at(skip), at(retry)]
            }),
            "retry" => self.retry.as_ref().map(|typed| {
                let RawRetry { max, initial, max_delay } = &typed.value;
                vec![at(max), at(initial), at(max_delay)]
            }),
            "limits" => self.limits.as_ref().map(|typed| {
                let RawLimits { nofile, nproc, address_space, core, cpu, data, fsize, memlock, stack } =
                    &typed.value;
                let bytes = [at(data), at(fsize), at(memlock), at(stack)];
                [at(nofile), at(nproc), at(address_space), at(core), at(cpu)]
                    .into_iter()
                    .chain(bytes)
                    .collect()
            }),
            _ => None,
        };
        let places = places.unwrap_or_default();
        keys(table).iter().copied().zip(places).filter_map(|(key, place)| Some((key, place?))).collect()
    }
}

fn at<T>(typed: &Option<Spanned<T>>) -> Option<&Place> {
    typed.as_ref().map(|typed| &typed.place)
}
