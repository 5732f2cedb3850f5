//! How long something has taken each time, counted in a histogram.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dispatch::control::status::milliseconds;

/// The bounds of the histogram, in milliseconds: from what a spawn takes to what a long build does.
pub const BOUNDS: [u64; 14] =
    [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000];

/// How long something has taken each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    /// All of them together.
    #[serde(rename = "sum_ms", with = "milliseconds")]
    pub sum: Duration,
    /// How many took no longer than each of [`BOUNDS`] and longer than the one before; the last has all others.
    pub counts: [u64; BOUNDS.len() + 1],
}

impl Durations {
    /// Counts one more.
    pub(crate) fn add(&mut self, elapsed: Duration) {
        let within = |bound: &u64| elapsed <= Duration::from_millis(*bound);
        self.counts[BOUNDS.iter().position(within).unwrap_or(BOUNDS.len())] += 1;
        self.sum = self.sum.saturating_add(elapsed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_where_it_belongs() {
        let mut durations = Durations::default();
        for ms in [0, 10, 11, 3_000_000, 3_000_001] {
            durations.add(Duration::from_millis(ms));
        }
        assert_eq!(durations.counts, [1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(durations.sum, Duration::from_millis(6_000_022));
    }
}
