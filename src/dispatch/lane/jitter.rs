//! Waits that differ a little, so that what failed together does not fail together again.

use std::time::Duration;

/// How much longer a wait may become: a fifth.
const PART: u32 = 5;

/// Where the differences come from: the same seed gives the same ones. Without a seed there are none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Jitter(Option<u64>);

impl Jitter {
    /// Differences that depend on this number alone.
    pub(crate) const fn seeded(seed: u64) -> Self {
        Self(Some(seed))
    }

    /// The wait, or up to a fifth longer, by whole milliseconds.
    pub(crate) fn spread(&mut self, wait: Duration) -> Duration {
        let Some(state) = &mut self.0 else { return wait };
        let random = split_mix(state) >> 32;
        let most = (wait / PART).as_millis().min(u128::from(u32::MAX));
        wait.saturating_add(Duration::from_millis(((most * u128::from(random)) >> 32) as u64))
    }
}

/// SplitMix64: small, fast, and far better than this needs (Steele, Lea and Flood 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_differ_by_up_to_a_fifth_and_by_all_of_it() {
        let mut jitter = Jitter::seeded(1);
        let waits: Vec<_> = (0..1000).map(|_| jitter.spread(SECOND)).collect();
        assert!(waits.iter().all(|wait| (SECOND..=SECOND * 6 / 5).contains(wait)));
        for part in 0..10 {
            let from = SECOND + SECOND / 50 * part;
            let found = waits.iter().filter(|&&wait| from <= wait && wait < from + SECOND / 50).count();
            assert!((60..140).contains(&found), "{found} of 1000 in part {part}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_waits_and_no_seed_none() {
        let wait = |mut jitter: Jitter| jitter.spread(SECOND);
        assert_eq!(wait(Jitter::seeded(7)), wait(Jitter::seeded(7)));
        assert_ne!(wait(Jitter::seeded(7)), wait(Jitter::seeded(8)));
        assert_eq!(wait(Jitter::default()), SECOND);
        assert_eq!(Jitter::seeded(7).spread(Duration::ZERO), Duration::ZERO);
        assert_eq!(Jitter::seeded(7).spread(Duration::MAX), Duration::MAX);
    }
}
