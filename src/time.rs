//! Time as a value: [`MonoTime`] for waits and deadlines, [`FileTime`] for the timestamps of files.
//!
//! Only the event loops read a clock. Everything below them takes `now` as an argument, so that its tests run on
//! times of their own.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment of monotonic time, as the time passed since an origin that the reader of the clock has chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoTime(Duration);

impl MonoTime {
    /// The latest moment: a deadline that never comes.
    pub const MAX: Self = Self(Duration::MAX);

    /// Returns the moment `since_origin` after the origin.
    #[must_use]
    pub const fn from_origin(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// Returns the time passed since the origin.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// Returns the time from `earlier` to this moment, or zero if `earlier` lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for MonoTime {
    type Output = Self;
    /// Saturates: a wait that is too long to count never ends.
    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }
}

/// A reader of `CLOCK_MONOTONIC` (clock_gettime(2)), counted from the moment when it was created.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Creates a clock whose origin is the present moment.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Returns the present moment.
    #[must_use]
    pub fn now(&self) -> MonoTime {
        MonoTime(self.origin.elapsed())
    }
}

/// A timestamp of a file: the time since 1970 (UTC) in seconds and nanoseconds, as in stat(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime {
    seconds: i64,
    nanoseconds: u32,
}

const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

impl FileTime {
    /// Returns the timestamp with these fields of a stat(2) result. Nanoseconds beyond a second are cut off.
    #[must_use]
    pub fn new(seconds: i64, nanoseconds: i64) -> Self {
        let most = NANOSECONDS_PER_SECOND - 1;
        Self { seconds, nanoseconds: u32::try_from(nanoseconds).map_or(most, |some| some.min(most)) }
    }

    /// Returns the present time of the system clock, which is what the kernel takes timestamps from.
    #[must_use]
    pub fn now() -> Self {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Self::default().saturating_add(since),
            Err(_) => Self::default(),
        }
    }

    /// Returns the timestamp that is `wait` later, or the latest there is.
    #[must_use]
    pub fn saturating_add(self, wait: Duration) -> Self {
        let nanoseconds = self.nanoseconds + wait.subsec_nanos();
        let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
        Self {
            seconds: self
                .seconds
                .saturating_add(seconds)
                .saturating_add(i64::from(nanoseconds / NANOSECONDS_PER_SECOND)),
            nanoseconds: nanoseconds % NANOSECONDS_PER_SECOND,
        }
    }

    /// Returns the timestamp that is `wait` earlier, or the earliest there is.
    #[must_use]
    pub fn saturating_sub(self, wait: Duration) -> Self {
        let nanoseconds = NANOSECONDS_PER_SECOND + self.nanoseconds - wait.subsec_nanos();
        let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
        let borrowed = i64::from(nanoseconds < NANOSECONDS_PER_SECOND);
        Self {
            seconds: self.seconds.saturating_sub(seconds).saturating_sub(borrowed),
            nanoseconds: nanoseconds % NANOSECONDS_PER_SECOND,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_times_carry_and_borrow_across_seconds() {
        let time = FileTime::new(5, 400_000_000);
        let wait = Duration::from_millis(1_700);
        assert_eq!(time.saturating_add(wait), FileTime::new(7, 100_000_000));
        assert_eq!(time.saturating_sub(wait), FileTime::new(3, 700_000_000));
        assert_eq!(time.saturating_add(wait).saturating_sub(wait), time);
        assert!(FileTime::new(-1, 999_999_999) < FileTime::new(0, 0));
        assert_eq!(FileTime::new(i64::MAX, 0).saturating_add(Duration::MAX).seconds, i64::MAX);
    }

    #[test]
    fn time_never_runs_below_zero_nor_past_the_end() {
        let early = MonoTime::from_origin(Duration::from_secs(1));
        let late = early + Duration::from_secs(2);
        assert_eq!(late.since(early), Duration::from_secs(2));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!((late + Duration::MAX).since_origin(), Duration::MAX);
    }
}
