//! When to rest in a storm of events, so that one look at the queue takes in many of them. Pure.
//!
//! A wake-up costs several times what an event costs. Where every rule waits for quiet anyway, a few milliseconds
//! are no loss; a lone event, or the dozen of a save, is still taken in at once.

use std::time::Duration;

use crate::time::MonoTime;

/// Events within [`WINDOW`] that are a storm: several times what an editor's save makes.
const STORM: usize = 64;
const WINDOW: Duration = Duration::from_millis(10);
/// The longest rest, in which the busiest writer fills a twelfth of a queue of the usual 16,384 events.
const REST: Duration = Duration::from_millis(5);
/// Part of the patience that a rest may take: everybody waits that much longer after the last event of a storm.
const DELAY: u32 = 64;
/// Part of the kernel's queue that may fill during a rest, at the rate seen.
const SHARE: u32 = 8;

#[derive(Debug)]
pub(crate) struct Pace {
    /// How many events the kernel's queue holds.
    queue: u32,
    begun: MonoTime,
    events: usize,
}

impl Pace {
    pub(crate) fn new(queue: u32) -> Self {
        Self { queue, begun: MonoTime::default(), events: 0 }
    }

    /// How long to rest after a turn that took in so many events, if every rule waits for at least `patience` after
    /// each.
    pub(crate) fn rest(&mut self, events: usize, patience: Duration, now: MonoTime) -> Option<Duration> {
        let elapsed = now.since(self.begun);
        if elapsed > WINDOW {
            (self.begun, self.events) = (now, events);
            return None;
        }
        self.events += events;
        if self.events < STORM || patience < WINDOW {
            return None;
        }
        let seen = u32::try_from(self.events).unwrap_or(u32::MAX);
        let share = self.queue / SHARE;
        (self.begun, self.events) = (now, 0);
        // Twice as many as a rest was to bring: others keep this thread from running, which is rest enough.
        if seen > 2 * share {
            return None;
        }
        Some(REST.min(patience / DELAY).min(elapsed * share / seen)).filter(|rest| !rest.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(400);

    fn at(micros: u64) -> MonoTime {
        MonoTime::default() + Duration::from_secs(1) + Duration::from_micros(micros)
    }

    /// The rests, in microseconds, after turns at those microseconds with so many events.
    fn rests(queue: u32, patience: Duration, turns: &[(u64, usize)]) -> Vec<u64> {
        let mut pace = Pace::new(queue);
        let rests = turns.iter().map(|&(micros, events)| pace.rest(events, patience, at(micros)));
        rests.map(|rest| rest.map_or(0, |rest| rest.as_micros() as u64)).collect()
    }

    #[test]
    fn a_save_is_taken_in_at_once_however_often() {
        let saves: Vec<_> = (0..100).flat_map(|n| [(n * 100_000, 1), (n * 100_000 + 300, 12)]).collect();
        assert!(rests(16_384, PATIENCE, &saves).iter().all(|&rest| rest == 0));
    }

    #[test]
    fn a_storm_makes_it_rest_from_its_second_turn_on() {
        let turns = [(0, 40), (1_000, 40), (6_000, 400), (11_000, 400), (16_000, 3), (500_000, 1)];
        assert_eq!(rests(16_384, PATIENCE, &turns), [0, 5_000, 5_000, 5_000, 0, 0]);
    }

    #[test]
    fn who_waits_less_is_made_to_wait_less() {
        let storm = [(0, 40), (1_000, 40)];
        assert_eq!(rests(16_384, Duration::from_millis(100), &storm), [0, 1_562]);
        assert_eq!(rests(16_384, Duration::from_millis(32), &storm), [0, 500]);
    }

    #[test]
    fn the_queue_never_fills_by_more_than_its_share() {
        // 80 events in 1 ms fill an eighth of 512 places in 0.8 ms.
        assert_eq!(rests(512, PATIENCE, &[(0, 40), (1_000, 40)]), [0, 800]);
    }

    #[test]
    fn no_rest_where_the_queue_fills_faster_than_it_is_read() {
        let turns = [(0, 40), (1_000, 400), (6_000, 4_200), (7_000, 100)];
        assert_eq!(rests(16_384, PATIENCE, &turns), [0, 4_654, 0, 5_000]);
    }

    #[test]
    fn no_rest_where_a_rule_does_not_wait() {
        assert_eq!(rests(16_384, Duration::ZERO, &[(0, 40), (1_000, 400), (2_000, 400)]), [0, 0, 0]);
    }
}
