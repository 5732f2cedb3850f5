//! `service` and how it is kept running.

use std::time::Duration;

use regex::bytes::Regex;

use super::Compiler;
use crate::event::as_path;
use crate::rules::diagnostics::{Place, Spanned};
use crate::rules::keys::{RawReady, RawRule};
use crate::rules::rule::{Per, Readiness, Service, TypedRegex};

/// A mistake in the program shows at once; waits that double spare the machine.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// What has served for so long did not crash because of how it was started.
const RESET: Duration = Duration::from_secs(10);
/// With those waits, half a minute of trying.
const CRASHES: usize = 5;
const WITHIN: Duration = Duration::from_secs(60);

impl Compiler {
    pub(super) fn service(&mut self, raw: &RawRule, per: Per, pattern: Option<&Regex>) -> Option<Service> {
        let Some(typed) = &raw.service else {
            self.without_service(raw);
            return None;
        };
        if let Some(per) = raw.per.as_ref().filter(|_| per != Per::Batch) {
            self.error(&per.place, "a service needs per = \"batch\"", "there is one, whatever has changed");
        }
        if raw.run.is_none() && raw.steps.is_none() {
            self.without_run(raw);
        }
        let backoff = raw.backoff.as_ref().map(|typed| typed.value.clone()).unwrap_or_default();
        let limit = raw.start_limit.as_ref().map(|typed| typed.value.clone()).unwrap_or_default();
        Some(Service {
            command: self.hook("service", Some(typed), Per::Batch, pattern)?,
            ready: raw.ready.as_ref().map(|ready| self.ready(ready, raw.misread)),
            initial: self.limit("initial", backoff.initial.as_ref()).unwrap_or(FIRST_DELAY),
            max_delay: self.limit("max_delay", backoff.max_delay.as_ref()).unwrap_or(LONGEST_DELAY),
            reset: self.duration(backoff.reset.as_ref(), RESET),
            max_crashes: limit.max.map_or(CRASHES, |typed| typed.value),
            within: self.limit("within", limit.within.as_ref()).unwrap_or(WITHIN),
        })
    }

    fn ready(&mut self, typed: &Spanned<RawReady>, misread: bool) -> Readiness {
        let RawReady { file, port, line } = &typed.value;
        if file.is_none() && port.is_none() && line.is_none() && !misread {
            let help = "for instance: ready = { port = 8080 }";
            self.error(&typed.place, "`ready` says nothing to wait for", help);
        }
        let file = file.as_ref().map(|typed| as_path(&self.directory(typed)).to_path_buf());
        let number = port.as_ref().and_then(|typed| u16::try_from(typed.value).ok());
        if let Some(port) = port.as_ref().filter(|_| number.is_none()) {
            self.error(&port.place, "no port has this number", "ports go from 1 to 65535");
        }
        let line = line.as_ref().and_then(|typed| self.regex("line", typed)).map(TypedRegex::from);
        Readiness { file, port: number, line }
    }

    fn without_service(&mut self, raw: &RawRule) {
        let keys = [
            ("ready", raw.ready.as_ref().map(|typed| &typed.place)),
            ("backoff", raw.backoff.as_ref().map(|typed| &typed.place)),
            ("start_limit", raw.start_limit.as_ref().map(|typed| &typed.place)),
        ];
        self.without_use(&keys, "it is about a `service`");
    }

    fn without_run(&mut self, raw: &RawRule) {
        let keys = [
            ("on_busy", raw.on_busy.as_ref().map(|typed| &typed.place)),
            ("stdin", raw.stdin.as_ref().map(|typed| &typed.place)),
            ("timeout", raw.timeout.as_ref().map(|typed| &typed.place)),
            ("retry", raw.retry.as_ref().map(|typed| &typed.place)),
            ("on_success", raw.on_success.as_ref().map(|typed| &typed.place)),
            ("on_failure", raw.on_failure.as_ref().map(|typed| &typed.place)),
        ];
        self.without_use(&keys, "it is about `run`, and there is only a service");
    }

    fn without_use(&mut self, keys: &[(&str, Option<&Place>)], reason: &str) {
        for (key, place) in keys {
            if let Some(place) = place {
                self.error(place, format!("`{key}` has no use here"), reason);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::rules::tests::rules;

    fn service(lines: &str) -> Service {
        let text = format!("[rules.r]\npaths = [\"a\"]\nservice = [\"true\"]\n{lines}");
        rules(&text).rules[0].service.clone().unwrap()
    }

    #[test]
    fn each_key_of_a_service_is_used() {
        let seconds = Duration::from_secs;
        let usual = service("");
        assert!(usual.ready.is_none());
        assert_eq!((usual.initial, usual.max_delay, usual.reset), (FIRST_DELAY, LONGEST_DELAY, RESET));
        assert_eq!((usual.max_crashes, usual.within), (CRASHES, WITHIN));
        let kept = service(
            "backoff = { initial = \"2s\", max_delay = \"5s\", reset = \"0s\" }\n\
             start_limit = { max = 9, within = \"7s\" }\n\
             ready = { file = \"run/pid\", port = 65535, line = \"^up$\" }",
        );
        assert_eq!((kept.initial, kept.max_delay, kept.reset), (seconds(2), seconds(5), seconds(0)));
        assert_eq!([1, 2, 3].map(|crash| kept.delay(crash)), [2, 4, 5].map(seconds));
        assert_eq!((kept.max_crashes, kept.within), (9, seconds(7)));
        let ready = kept.ready.unwrap();
        assert_eq!((ready.file.as_deref(), ready.port), (Some(Path::new("/w/run/pid")), Some(65535)));
        assert!(ready.line.unwrap().is_match(b"up"));
    }

    #[test]
    fn a_service_needs_no_path_and_no_command_and_nothing_else_does_without() {
        let alone = rules("[rules.r]\nservice = [\"true\"]\nstop_signal = \"INT\"").rules.remove(0);
        assert_eq!((alone.steps.len(), alone.stop_signal), (0, libc::SIGINT));
        assert_eq!(rules("[rules.r]\nrun = [\"true\"]\non_start = true").rules.len(), 1);
    }
}
