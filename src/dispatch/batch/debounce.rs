//! The debounce: a quiet period after the last event, capped from the first.

use std::time::Duration;

use crate::time::MonoTime;

/// When a collecting batch is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Debounce {
    quiet: Duration,
    latest: MonoTime,
    last: MonoTime,
}

impl Debounce {
    /// Begins with the first event, at `now`. Due after `quiet` without another event, and at the latest
    /// after `cap`.
    pub(crate) fn start(quiet: Duration, cap: Duration, now: MonoTime) -> Self {
        Self { quiet, latest: now + cap, last: now }
    }

    /// Never due by itself.
    pub(crate) fn never() -> Self {
        Self::start(Duration::MAX, Duration::MAX, MonoTime::default())
    }

    /// Counts another event.
    pub(crate) fn note(&mut self, now: MonoTime) {
        self.last = now;
    }

    /// The moment from which the batch may run.
    pub(crate) fn due(&self) -> MonoTime {
        (self.last + self.quiet).min(self.latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> MonoTime {
        MonoTime::from_origin(Duration::from_millis(ms))
    }

    #[test]
    fn each_event_moves_the_end_up_to_the_cap() {
        let mut debounce = Debounce::start(Duration::from_millis(50), Duration::from_millis(120), at(10));
        assert_eq!(debounce.due(), at(60));
        debounce.note(at(50));
        assert_eq!(debounce.due(), at(100));
        debounce.note(at(99));
        assert_eq!(debounce.due(), at(130));
    }

    #[test]
    fn what_is_never_due_stays_so() {
        let mut debounce = Debounce::never();
        debounce.note(at(10));
        assert_eq!(debounce.due().since_origin(), Duration::MAX);
    }

    #[test]
    fn no_quiet_period_is_due_at_once() {
        assert_eq!(Debounce::start(Duration::ZERO, Duration::from_secs(2), at(10)).due(), at(10));
    }
}
