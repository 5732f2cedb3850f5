//! Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write};

use super::{BOUNDS, Counts, Durations, Overview, RuleOverview};

/// Metrics, as they are collected.
struct Text(String);

impl Text {
    /// What a metric means; its samples follow.
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP tripline_{name} {help}\n# TYPE tripline_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let pairs = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value)));
        let pairs: Vec<_> = pairs.collect();
        let labels = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
        // Writing to memory does not fail.
        let _ = writeln!(self.0, "tripline_{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.sample(name, &[], value);
    }

    fn of_rules<T: Display>(
        &mut self,
        seen: &Overview,
        (name, kind, help): (&str, &str, &str),
        value: impl Fn(&RuleOverview) -> T,
    ) {
        self.head(name, kind, help);
        for rule in &seen.rules {
            self.sample(name, &[("rule", &rule.name)], value(rule));
        }
    }

    fn histograms(
        &mut self,
        seen: &Overview,
        (name, help): (&str, &str),
        of: impl Fn(&RuleOverview) -> &Durations,
    ) {
        self.head(name, "histogram", help);
        let [buckets, sum, all] = ["bucket", "sum", "count"].map(|part| format!("{name}_{part}"));
        for rule in &seen.rules {
            let (times, rule) = (of(rule), rule.name.as_str());
            let mut count = 0;
            for (number, counted) in times.counts.iter().enumerate() {
                count += counted;
                let bound = BOUNDS.get(number).map(|&bound| (bound as f64 / 1e3).to_string());
                let bound = bound.unwrap_or_else(|| "+Inf".to_owned());
                self.sample(&buckets, &[("rule", rule), ("le", &bound)], count);
            }
            self.sample(&sum, &[("rule", rule)], times.sum.as_secs_f64());
            self.sample(&all, &[("rule", rule)], count);
        }
    }
}

/// A label's value, as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

impl Overview {
    /// Everything that can be counted, in Prometheus' text format.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let seen = self;
        let mut text = Text(String::new());
        let queues = &seen.queues;
        text.one("uptime_seconds", "gauge", "Since tripline has started.", seen.uptime.as_secs_f64());
        text.one("events_total", "counter", "Events that the watcher has reported.", seen.events);
        text.one("overflows_total", "counter", "Overflows of the kernel's queue.", queues.overflows);
        text.one("watches", "gauge", "Directories that are watched.", queues.watches);
        if let Some(limit) = queues.watch_limit {
            text.one("watches_limit", "gauge", "Directories that this user may watch.", limit);
        }
        text.one("queued_events", "gauge", "Events that no rule was asked about yet.", queues.events);
        text.one("running", "gauge", "Runs that go on.", seen.running);
        text.one("jobs", "gauge", "Runs that may go on at once.", seen.jobs);
        let matches = ("matches_total", "counter", "Events that have matched the rule.");
        text.of_rules(seen, matches, |rule| rule.counts.matches);
        let changes = ("queued_changes", "gauge", "Changes that wait for a run of the rule.");
        text.of_rules(seen, changes, |rule| rule.waiting);
        let paused = ("paused", "gauge", "Whether somebody has paused the rule.");
        text.of_rules(seen, paused, |rule| u8::from(rule.paused));
        let starts = ("service_starts_total", "counter", "Starts of the rule's service.");
        text.of_rules(seen, starts, |rule| rule.counts.starts);
        let crashes = ("service_crashes_total", "counter", "Failures of the rule's service.");
        text.of_rules(seen, crashes, |rule| rule.counts.crashes);
        text.head("runs_total", "counter", "Runs of the rule that have ended.");
        for rule in &seen.rules {
            for (outcome, value) in outcomes(&rule.counts) {
                text.sample("runs_total", &[("rule", &rule.name), ("outcome", outcome)], value);
            }
        }
        let taken = ("run_duration_seconds", "How long runs have taken that were not told to end.");
        text.histograms(seen, taken, |rule| &rule.durations);
        let latency =
            ("event_to_spawn_seconds", "How long after the first event of a batch its run has begun.");
        text.histograms(seen, latency, |rule| &rule.latencies);
        text.0
    }
}

fn outcomes(counts: &Counts) -> [(&'static str, u64); 6] {
    [
        ("ok", counts.ok),
        ("skipped", counts.skipped),
        ("failed", counts.failed),
        ("timed_out", counts.timed_out),
        ("not_started", counts.not_started),
        ("stopped", counts.stopped),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let mut text = Text(String::new());
        text.sample("x", &[("rule", "a\"b\\c\nd")], 1);
        assert_eq!(text.0, "tripline_x{rule=\"a\\\"b\\\\c\\nd\"} 1\n");
    }
}
