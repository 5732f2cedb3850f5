//! The tables that keys of a rule hold, as they were typed.

use super::error::Spanned;

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
