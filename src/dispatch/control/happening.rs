//! What is said, for programs: one object of `events`.

use serde::Serialize;

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
    /// How long it has run, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    elapsed_ms: Option<u64>,
    /// The line that a person reads.
    text: String,
}

impl<'a> Happening<'a> {
    /// What a report says, at a time.
    pub(crate) fn of(report: &'a Report, time: String) -> Self {
        let (event, rule, run) = describe(report);
        let (mut code, mut elapsed_ms) = (None, None);
        if let Report::Ended { outcome, elapsed, .. } = report {
            code = Some(outcome.code());
            elapsed_ms = Some(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        }
        Self { time, event, rule, run, code, elapsed_ms, text: report.to_string() }
    }
}

/// A word for it, the rule, and the run.
fn describe(report: &Report) -> (&'static str, Option<&str>, Option<u64>) {
    let (event, rule, run) = match report {
        Report::Started { rule, run, .. } => ("started", rule, Some(run)),
        Report::Ended { rule, run, .. } => ("ended", rule, Some(run)),
        Report::Signalled { rule, run, .. } => ("signalled", rule, Some(run)),
        Report::Stopping { rule, run, .. } => ("stopping", rule, Some(run)),
        Report::TimedOut { rule, run } => ("timed_out", rule, Some(run)),
        Report::Killing { rule, run } => ("killing", rule, Some(run)),
        Report::HookFailed { rule, .. } => ("hook_failed", rule, None),
        Report::Service { rule, .. } => ("service", rule, None),
        Report::Skipped { rule, .. } => ("skipped", rule, None),
        Report::Retry { rule, .. } => ("retry", rule, None),
        Report::Paused { rule: Some(rule) } => ("paused", rule, None),
        Report::Resumed { rule: Some(rule) } => ("resumed", rule, None),
        Report::Suspected { rule, .. } => ("suspected", rule, None),
        Report::Suspended { rule, .. } => ("suspended", rule, None),
        Report::Held { rule, .. } => ("held", rule, None),
        Report::Unchanged { rule, .. } => ("unchanged", rule, None),
        Report::NothingThere { rule } => ("nothing_there", rule, None),
        Report::NotOnce { rule } => ("not_once", rule, None),
        Report::Dropped { rule, .. } => ("dropped", rule, None),
        Report::Paused { rule: None } => return ("paused", None, None),
        Report::Resumed { rule: None } => return ("resumed", None, None),
        Report::Reloaded { .. } => return ("reloaded", None, None),
    };
    (event, Some(rule), run.map(|run| run.0))
}
