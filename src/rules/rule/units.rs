//! Durations and sizes as people write them: "50ms", "1m 30s", "512", "10M".

use std::time::Duration;

/// The duration that `text` names; none if it is no duration, or a negative one.
///
/// A bare number has no unit and is refused.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let signed: jiff::SignedDuration = text.parse().ok()?;
    Duration::try_from(signed).ok()
}

/// How many bytes `text` names; none if it names no size.
///
/// The units are those of find(1), dd(1) and du(1): powers of 1024.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let units = [('K', 1_u64 << 10), ('M', 1 << 20), ('G', 1 << 30), ('T', 1 << 40)];
    let unit = units.iter().find_map(|(letter, bytes)| Some((text.strip_suffix(*letter)?, *bytes)));
    let (digits, bytes) = unit.unwrap_or((text, 1));
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok())??;
    number.checked_mul(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them_are_understood() {
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
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_has_no_unit_or_no_sense_is_refused() {
        for text in ["", "5", "fast", "-2s", "2x", "s", "99999999999999999999s", "2s\0"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_as_people_write_them_are_understood() {
        for (text, bytes) in [("0", 0), ("512", 512), ("1K", 1024), ("10M", 10 << 20), ("2T", 2 << 40)] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in
            ["", "K", "1k", "1KB", "1.5M", "-1", "+1", "1 K", "big", "99999999999T", "99999999999999999999"]
        {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
