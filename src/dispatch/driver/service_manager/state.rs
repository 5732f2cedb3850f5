//! What a service manager is told, and when (sd_notify(3)).

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::time::MonoTime;

/// `STATUS` is told no more often.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// Before a message is sent again that the manager had no room for.
const AGAIN: Duration = Duration::from_millis(100);

/// More than this many messages do not wait: a manager that takes none for so long takes none at all.
const MOST: usize = 64;

/// What `STATUS` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How many rules there are.
    pub(crate) rules: usize,
    /// How many directories were watched when all of them were.
    pub(crate) directories: usize,
    /// How many runs go on.
    pub(crate) running: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rules, directories, running } = *self;
        let rule = if rules == 1 { "rule" } else { "rules" };
        let directory = if directories == 1 { "directory" } else { "directories" };
        write!(f, "{rules} {rule}, {directories} {directory} watched, {running} running")
    }
}

/// The messages that are to be sent, and those that will be. Each is one datagram.
#[derive(Debug)]
pub(crate) struct Notifications {
    messages: VecDeque<Vec<u8>>,
    /// When the first of them is tried again, if it was refused.
    again: Option<MonoTime>,
    /// How often the manager wants to hear that all is well, if at all, and when it is told next.
    watchdog: Option<(Duration, MonoTime)>,
    /// Whether `READY` was said: before that, there is no status.
    ready: bool,
    /// Whether `RELOADING` was said, and not `READY` since.
    reloading: bool,
    /// What was said last, and when.
    said: (Summary, MonoTime),
    /// What there is to say.
    summary: Summary,
}

impl Notifications {
    /// `watchdog` is the time after which the manager takes silence for a hang.
    pub(crate) fn new(watchdog: Option<Duration>, now: MonoTime) -> Self {
        // Half of it, as sd_watchdog_enabled(3) recommends.
        let watchdog = watchdog.map(|limit| limit / 2).map(|every| (every, now + every));
        let (messages, said, summary) = (VecDeque::new(), (Summary::default(), now), Summary::default());
        Self { messages, again: None, watchdog, ready: false, reloading: false, said, summary }
    }

    /// All is watched: at the start, or after other rules have taken the place of those there were.
    pub(crate) fn ready(&mut self, rules: usize, directories: usize, now: MonoTime) {
        let summary = Summary { rules, directories, ..self.summary };
        (self.ready, self.reloading) = (true, false);
        (self.summary, self.said) = (summary, (summary, now));
        self.push(format!("READY=1\nSTATUS={summary}"));
    }

    /// Somebody wants the rules read again, perhaps the manager. `since_boot` is the moment as its clock shows it.
    pub(crate) fn asked(&mut self, since_boot: Duration) {
        self.reloading = true;
        self.push(format!("RELOADING=1\nMONOTONIC_USEC={}", since_boot.as_micros()));
    }

    /// Other rules take the place of those there are; [`ready`](Self::ready) comes once what they need is watched.
    pub(crate) fn reloading(&mut self, since_boot: Duration) {
        if !self.reloading {
            self.asked(since_boot);
        }
    }

    /// The rules that there were stay.
    pub(crate) fn unchanged(&mut self) {
        if std::mem::take(&mut self.reloading) {
            self.push("READY=1".to_owned());
        }
    }

    /// The end has begun.
    pub(crate) fn stopping(&mut self) {
        self.push("STOPPING=1".to_owned());
    }

    /// Looks at the time, and at how many runs go on.
    pub(crate) fn look(&mut self, running: usize, now: MonoTime) {
        self.summary.running = running;
        if let Some((every, at)) = self.watchdog
            && at <= now
        {
            self.watchdog = Some((every, now + every));
            self.push("WATCHDOG=1".to_owned());
        }
        if self.status_due().is_some_and(|at| at <= now) {
            self.said = (self.summary, now);
            self.push(format!("STATUS={}", self.summary));
        }
    }

    /// When there will be something to do; none if nothing changes until then.
    pub(crate) fn deadline(&self) -> Option<MonoTime> {
        let watchdog = self.watchdog.map(|(_, at)| at);
        [watchdog, self.status_due(), self.again].into_iter().flatten().min()
    }

    /// Hands the messages over, in order, until `send` has no room for one.
    pub(crate) fn flush(&mut self, now: MonoTime, mut send: impl FnMut(&[u8]) -> bool) {
        if self.again.is_some_and(|at| now < at) {
            return;
        }
        self.again = None;
        while let Some(message) = self.messages.front() {
            if !send(message) {
                self.again = Some(now + AGAIN);
                return;
            }
            self.messages.pop_front();
        }
    }

    fn status_due(&self) -> Option<MonoTime> {
        let (said, at) = self.said;
        (self.ready && self.summary != said).then_some(at + STATUS_EVERY)
    }

    fn push(&mut self, message: String) {
        if self.messages.len() < MOST {
            self.messages.push_back(message.into_bytes());
        }
    }
}

/// After how long without a word the manager takes this process for hung (sd_watchdog_enabled(3)), from
/// `WATCHDOG_USEC` and `WATCHDOG_PID`. None if it does not wait for `pid`.
pub(crate) fn watchdog(microseconds: Option<&str>, whose: Option<&str>, pid: u32) -> Option<Duration> {
    let ours = whose.is_none_or(|whose| whose.parse() == Ok(pid));
    let limit = microseconds?.parse().ok().filter(|&limit: &u64| ours && limit > 0)?;
    Some(Duration::from_micros(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> MonoTime {
        MonoTime::from_origin(Duration::from_millis(ms))
    }

    fn sent(notify: &mut Notifications, now: MonoTime) -> Vec<String> {
        let mut sent = Vec::new();
        notify.flush(now, |message| {
            sent.push(String::from_utf8(message.to_vec()).unwrap());
            true
        });
        sent
    }

    #[test]
    fn a_status_is_said_when_it_changes_and_no_more_than_once_a_second() {
        let mut notify = Notifications::new(None, at(0));
        notify.look(0, at(10));
        assert_eq!((sent(&mut notify, at(10)), notify.deadline()), (vec![], None), "not before it is ready");
        notify.ready(1, 2, at(100));
        let ready = "READY=1\nSTATUS=1 rule, 2 directories watched, 0 running";
        assert_eq!(sent(&mut notify, at(100)), [ready]);
        notify.look(0, at(5_000));
        assert_eq!(notify.deadline(), None, "nothing has changed");
        notify.look(1, at(5_000));
        assert_eq!(sent(&mut notify, at(5_000)), ["STATUS=1 rule, 2 directories watched, 1 running"]);
        notify.look(2, at(5_100));
        assert_eq!((sent(&mut notify, at(5_100)), notify.deadline()), (vec![], Some(at(6_000))));
        notify.look(1, at(5_200));
        assert_eq!(notify.deadline(), None, "what was said holds again");
        notify.look(0, at(5_300));
        notify.look(0, at(6_000));
        assert_eq!(sent(&mut notify, at(6_000)), ["STATUS=1 rule, 2 directories watched, 0 running"]);
        assert_eq!(notify.deadline(), None);
    }

    #[test]
    fn a_watchdog_is_told_at_half_its_limit() {
        let mut notify = Notifications::new(Some(Duration::from_secs(3)), at(0));
        assert_eq!(notify.deadline(), Some(at(1_500)));
        notify.look(0, at(1_499));
        assert_eq!(sent(&mut notify, at(1_499)), [""; 0]);
        notify.look(0, at(1_600));
        assert_eq!(
            (sent(&mut notify, at(1_600)), notify.deadline()),
            (vec!["WATCHDOG=1".into()], Some(at(3_100)))
        );
    }

    #[test]
    fn a_reload_begins_with_the_time_and_ends_with_ready() {
        let mut notify = Notifications::new(None, at(0));
        let begun = "RELOADING=1\nMONOTONIC_USEC=1234567";
        let moment = Duration::from_micros(1_234_567);
        // Asked for, and refused.
        notify.asked(moment);
        notify.unchanged();
        assert_eq!(sent(&mut notify, at(0)), [begun, "READY=1"]);
        // A wrong edit that nobody asked about is no reload.
        notify.unchanged();
        assert_eq!(sent(&mut notify, at(0)), [""; 0]);
        // Asked for and taken, then taken without being asked for.
        notify.asked(moment);
        notify.reloading(Duration::ZERO);
        notify.ready(1, 2, at(0));
        notify.reloading(moment);
        notify.ready(1, 2, at(0));
        let ready = "READY=1\nSTATUS=1 rule, 2 directories watched, 0 running";
        assert_eq!(sent(&mut notify, at(0)), [begun, ready, begun, ready]);
    }

    #[test]
    fn what_finds_no_room_is_sent_later_and_in_order() {
        let mut notify = Notifications::new(None, at(0));
        notify.asked(Duration::ZERO);
        notify.stopping();
        notify.flush(at(0), |message| message != b"STOPPING=1");
        assert_eq!(notify.deadline(), Some(at(100)));
        assert_eq!(sent(&mut notify, at(99)), [""; 0]);
        assert_eq!((sent(&mut notify, at(100)), notify.deadline()), (vec!["STOPPING=1".into()], None));
        (0..1_000).for_each(|_| notify.stopping());
        assert_eq!(sent(&mut notify, at(100)).len(), MOST);
    }

    #[test]
    fn the_watchdog_of_another_process_is_not_ours() {
        let two = Some(Duration::from_secs(2));
        assert_eq!(watchdog(Some("2000000"), None, 7), two);
        assert_eq!(watchdog(Some("2000000"), Some("7"), 7), two);
        for (limit, whose) in [
            (Some("2000000"), Some("8")),
            (Some("2000000"), Some("")),
            (Some("0"), None),
            (Some("-1"), None),
            (Some("x"), None),
            (None, Some("7")),
        ] {
            assert_eq!(watchdog(limit, whose, 7), None, "{limit:?} {whose:?}");
        }
    }
}
