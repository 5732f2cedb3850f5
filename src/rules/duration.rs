//! Durations as people write them: "50ms", "2s", "1m 30s".

use std::time::Duration;

/// The duration that `text` names; none if it is no duration, or a negative one.
///
/// A bare number has no unit and is refused.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let signed: jiff::SignedDuration = text.parse().ok()?;
    Duration::try_from(signed).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_understood() {
        for (text, millis) in [
            ("50ms", 50),
            ("0s", 0),
            ("2s", 2_000),
            ("1.5s", 1_500),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("1m 30s", 90_000),
            ("2 seconds", 2_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_has_no_unit_or_no_sense_is_refused() {
        for text in ["", "5", "fast", "-2s", "2x", "s", "99999999999999999999s", "2s\0"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
