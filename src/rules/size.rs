//! Sizes of files as people write them: "512", "1K", "10M".

/// How many bytes `text` names; none if it names no size.
///
/// The units are those of find(1), dd(1) and du(1): powers of 1024.
pub(crate) fn parse(text: &str) -> Option<u64> {
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
    fn what_people_write_is_understood() {
        for (text, bytes) in [("0", 0), ("512", 512), ("1K", 1024), ("10M", 10 << 20), ("2T", 2 << 40)] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in
            ["", "K", "1k", "1KB", "1.5M", "-1", "+1", "1 K", "big", "99999999999T", "99999999999999999999"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
