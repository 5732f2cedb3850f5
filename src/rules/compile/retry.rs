//! What follows from how a run ends: `exit_codes` and `retry`.

use std::time::Duration;

use super::Compiler;
use crate::rules::diagnostics::Spanned;
use crate::rules::keys::{RawExitCodes, RawRetry, RawRule};
use crate::rules::rule::{ExitCodes, Retry};

/// Enough to get over a short outage; waits that double reach half a minute.
const RETRIES: usize = 5;
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(10 * 60);

impl Compiler {
    pub(super) fn exit_codes(&mut self, raw: &RawRule) -> ExitCodes {
        let Some(typed) = &raw.exit_codes else { return ExitCodes::default() };
        let RawExitCodes { ok, skip, retry } = &typed.value;
        self.apart([ok, skip, retry]);
        if let (Some(codes), None) = (retry, &raw.retry) {
            self.error(&codes.place, "`retry` has no use here", "the rule needs `retry` itself: retry = {}");
        }
        let values = |codes: &Spanned<Vec<Spanned<u8>>>| codes.value.iter().map(|code| code.value).collect();
        ExitCodes {
            ok: ok.as_ref().map_or_else(|| ExitCodes::default().ok, values),
            skip: skip.as_ref().map(values).unwrap_or_default(),
            retry: retry.as_ref().map(values),
        }
    }

    /// A code has one meaning. Without a list of its own, success is 0.
    fn apart(&mut self, lists: [&Option<Spanned<Vec<Spanned<u8>>>>; 3]) {
        let mut known = if lists[0].is_none() { vec![0] } else { Vec::new() };
        for code in lists.into_iter().flatten().flat_map(|list| &list.value) {
            if known.contains(&code.value) {
                let message = format!("exit code {} means something already", code.value);
                self.error(
                    &code.place,
                    message,
                    "each exit code goes into one list; `ok` is [0] unless it is given",
                );
            }
            known.push(code.value);
        }
    }

    pub(super) fn retry(&mut self, raw: &RawRetry) -> Retry {
        Retry {
            max: raw.max.as_ref().map_or(RETRIES, |typed| typed.value),
            initial: self.limit("initial", raw.initial.as_ref()).unwrap_or(FIRST_DELAY),
            max_delay: self.limit("max_delay", raw.max_delay.as_ref()).unwrap_or(LONGEST_DELAY),
        }
    }
}
