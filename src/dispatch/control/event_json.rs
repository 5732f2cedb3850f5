//! What is said, for programs: one object of `events`.

use std::time::Duration;

use serde::Serialize;

use super::status::milliseconds;
use crate::dispatch::Report;

/// One thing that was said.
#[derive(Debug, Serialize)]
pub(crate) struct Happening<'a> {
    /// When: RFC 3339, in UTC.
    time: String,
    /// What.
    event: &'static str,
    /// Which rule it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    /// Which run.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<u64>,
    /// What a shell would say of a run that has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    /// How long it has run.
    #[serde(rename = "elapsed_ms", with = "milliseconds::option", skip_serializing_if = "Option::is_none")]
    elapsed: Option<Duration>,
    /// The line that a person reads.
    text: String,
}

impl<'a> Happening<'a> {
    /// What a report says, at a time.
    pub(crate) fn of(report: &'a Report, time: String) -> Self {
        let (event, run) = describe(report);
        let (mut code, mut elapsed) = (None, None);
        if let Report::Ended { outcome, elapsed: took, .. } = report {
            (code, elapsed) = (Some(outcome.code()), Some(*took));
        }
        Self { time, event, rule: report.rule(), run, code, elapsed, text: report.to_string() }
    }
}

/// A word for it, and the run.
fn describe(report: &Report) -> (&'static str, Option<u64>) {
    let (event, run) = match report {
        Report::Started { run, .. } => ("started", Some(run)),
        Report::Ended { run, .. } => ("ended", Some(run)),
        Report::Signalled { run, .. } => ("signalled", Some(run)),
        Report::Stopping { run, .. } => ("stopping", Some(run)),
        Report::TimedOut { run, .. } => ("timed_out", Some(run)),
        Report::Killing { run, .. } => ("killing", Some(run)),
        Report::HookFailed { .. } => ("hook_failed", None),
        Report::Service { .. } => ("service", None),
        Report::Skipped { .. } => ("skipped", None),
        Report::Retry { .. } => ("retry", None),
        Report::Paused { .. } => ("paused", None),
        Report::Resumed { .. } => ("resumed", None),
        Report::Suspected { .. } => ("suspected", None),
        Report::Suspended { .. } => ("suspended", None),
        Report::Held { .. } => ("held", None),
        Report::Unchanged { .. } => ("unchanged", None),
        Report::NothingThere { .. } => ("nothing_there", None),
        Report::NotOnce { .. } => ("not_once", None),
        Report::Dropped { .. } => ("dropped", None),
        Report::Reloaded { .. } => ("reloaded", None),
    };
    (event, run.map(|run| run.0))
}
