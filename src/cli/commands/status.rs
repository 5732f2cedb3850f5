//! What `tripline status` shows.

use std::fmt::Write;
use std::time::Duration;

use crate::cli::lines::Seconds;
use crate::cli::table::aligned;
use crate::dispatch::{Overview, RuleOverview, ServiceState, State};

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A table.
    Table,
    /// One JSON object on a line.
    Json,
    /// Prometheus' text format.
    Prometheus,
}

/// Everything there is to be seen; `again` is whether a table takes the place of one before on a terminal.
pub(crate) fn text(seen: &Overview, format: Format, again: bool) -> String {
    match format {
        // All of it can be written as JSON.
        Format::Json => serde_json::to_string(seen).unwrap_or_default() + "\n",
        Format::Prometheus => seen.prometheus(),
        Format::Table if again => format!("\x1b[H\x1b[2J{}", table(seen)),
        Format::Table => table(seen),
    }
}

fn table(seen: &Overview) -> String {
    let heads = ["RULE", "STATE", "WAITING", "RUNS", "FAILED", "LAST", "CAUSE"];
    let rows = std::iter::once(heads.map(str::to_owned)).chain(seen.rules.iter().map(row));
    let mut out = aligned(rows);
    let queues = &seen.queues;
    let limit = queues.watch_limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    let _ = writeln!(
        out,
        "\nprocess {}, up {}; {} of {} jobs; {} watches{limit}; {} events, {} waiting; {} overflows",
        seen.pid,
        Seconds(seen.uptime),
        seen.running,
        seen.jobs,
        queues.watches,
        seen.events,
        queues.events + queues.changes,
        queues.overflows
    );
    out
}

fn row(rule: &RuleOverview) -> [String; 7] {
    let counts = &rule.counts;
    let failed = counts.failed + counts.timed_out + counts.not_started + counts.crashes;
    let last = rule.last.as_ref().map(|last| {
        let outcome = if last.stopped { "stopped" } else { &last.outcome };
        format!("{outcome} ({}), {} ago", Seconds(last.elapsed), Seconds(last.ago))
    });
    [
        rule.name.clone(),
        state(rule),
        rule.waiting.to_string(),
        counts.runs.to_string(),
        failed.to_string(),
        last.unwrap_or_else(|| "-".to_owned()),
        rule.cause.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

fn state(rule: &RuleOverview) -> String {
    let wait = |word: &str| match rule.due_in {
        Some(due) => format!("{word} {}", Seconds(due)),
        None => word.to_owned(),
    };
    let mut text = match rule.state {
        State::Running => {
            let longest = rule.runs.iter().map(|run| run.elapsed).max().unwrap_or(Duration::ZERO);
            let pid = rule.runs.first().and_then(|run| run.pid).map(|pid| format!(" (pid {pid})"));
            format!("running {}{}", Seconds(longest), pid.unwrap_or_default())
        }
        State::Suspended => wait("suspended"),
        State::Paused => "paused".to_owned(),
        State::Retrying => wait("retrying in"),
        State::Queued => "queued".to_owned(),
        State::Settling => wait("settling"),
        State::Waiting => "waiting".to_owned(),
    };
    if rule.paused && rule.state == State::Running {
        text += ", paused";
    }
    if let Some(service) = &rule.service {
        text += match service.state {
            ServiceState::Down => ", service down",
            ServiceState::Starting => ", service starting",
            ServiceState::Up => ", service up",
            ServiceState::Ending => ", service ending",
            ServiceState::Crashed => ", service crashed",
            ServiceState::Suspended => ", service suspended",
        };
    }
    text
}
