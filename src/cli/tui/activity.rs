//! What has happened lately: how much in each of the last seconds. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::MonoTime;

/// One bar of a sparkline.
const STEP: Duration = Duration::from_secs(5);
/// As many as are remembered: a minute.
pub(super) const BARS: usize = 12;
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// How much a count has grown in each of the last steps of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity {
    /// The count when it was seen last; none before.
    seen: Option<u64>,
    /// The step of the last bar.
    step: u64,
    bars: VecDeque<u64>,
}

impl Activity {
    /// The count is this now.
    pub(super) fn see(&mut self, count: u64, now: MonoTime) {
        self.pass(now);
        let more = count.saturating_sub(self.seen.unwrap_or(count));
        self.seen = Some(count);
        if let Some(last) = self.bars.back_mut() {
            *last += more;
        } else if more > 0 {
            self.bars.push_back(more);
        }
    }

    /// Moves on to this moment.
    fn pass(&mut self, now: MonoTime) {
        let step = step_of(now);
        for _ in self.step..step.min(self.step + BARS as u64) {
            if !self.bars.is_empty() {
                self.bars.push_back(0);
            }
        }
        self.step = step;
        while self.bars.len() > BARS {
            self.bars.pop_front();
        }
        if self.bars.iter().all(|&bar| bar == 0) {
            self.bars.clear();
        }
    }

    /// When it looks otherwise without anything more; none if nothing has happened lately.
    pub(super) fn deadline(&self) -> Option<MonoTime> {
        (!self.bars.is_empty())
            .then(|| MonoTime::from_origin(STEP * u32::try_from(self.step + 1).unwrap_or(u32::MAX)))
    }

    /// The last bars, the highest full; nothing if nothing has happened lately.
    pub(super) fn sparkline(&self) -> String {
        let highest = self.bars.iter().copied().max().unwrap_or(0);
        let bar = |&bar: &u64| match bar {
            0 => ' ',
            // The smallest is seen, too.
            bar => HEIGHTS[usize::try_from((bar * 8).div_ceil(highest) - 1).unwrap_or(0).min(7)],
        };
        self.bars.iter().map(bar).collect()
    }
}

fn step_of(now: MonoTime) -> u64 {
    now.since_origin().as_secs() / STEP.as_secs()
}

/// How much a count grows in a second, of the last seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Rate {
    seen: VecDeque<(MonoTime, u64)>,
}

/// What a rate is counted over: short enough to be news, long enough to be read.
const SPAN: Duration = Duration::from_secs(3);

impl Rate {
    /// The count is this now.
    pub(super) fn see(&mut self, count: u64, now: MonoTime) {
        if self.seen.back().is_none_or(|&(at, known)| known != count || now.since(at) >= SPAN) {
            self.seen.push_back((now, count));
        }
        while self.seen.get(1).is_some_and(|&(at, _)| now.since(at) >= SPAN) {
            self.seen.pop_front();
        }
        // Nothing has come for so long that the first is as good as the last.
        if self.seen.back().is_some_and(|&(at, _)| now.since(at) >= SPAN) {
            self.seen.drain(..self.seen.len() - 1);
        }
    }

    /// In a second.
    pub(super) fn per_second(&self) -> u64 {
        let (Some(&(_, first)), Some(&(_, last))) = (self.seen.front(), self.seen.back()) else { return 0 };
        last.saturating_sub(first).div_ceil(SPAN.as_secs())
    }

    /// When it is to be looked at again, if nothing more comes; none at rest.
    pub(super) fn deadline(&self) -> Option<MonoTime> {
        let &(last, _) = self.seen.back()?;
        (self.per_second() > 0).then(|| last + SPAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> MonoTime {
        MonoTime::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn bars_move_with_time_and_leave_after_a_minute() {
        let mut activity = Activity::default();
        activity.see(100, at(1));
        assert_eq!((activity.sparkline().as_str(), activity.deadline()), ("", None));
        activity.see(101, at(2));
        activity.see(108, at(6));
        activity.see(108, at(11));
        assert_eq!(activity.sparkline(), "▂█ ");
        assert_eq!(activity.deadline(), Some(at(15)));
        activity.see(108, at(66));
        assert_eq!((activity.sparkline().as_str(), activity.deadline()), ("", None));
        activity.see(109, at(3600));
        assert_eq!(activity.sparkline(), "█");
    }

    #[test]
    fn a_rate_is_of_the_last_seconds_and_comes_to_rest() {
        let mut rate = Rate::default();
        rate.see(0, at(0));
        assert_eq!((rate.per_second(), rate.deadline()), (0, None));
        rate.see(30, at(1));
        assert_eq!((rate.per_second(), rate.deadline()), (10, Some(at(4))));
        rate.see(30, at(4));
        assert_eq!((rate.per_second(), rate.deadline()), (0, None));
        rate.see(31, at(100));
        assert_eq!(rate.per_second(), 1);
    }
}
