//! The words of a line: names, numbers and times.

use std::time::Duration;

/// A whole number.
pub(crate) fn number(word: &[u8]) -> Result<i32, String> {
    let word = String::from_utf8_lossy(word);
    word.parse().map_err(|_| format!("`{word}` is not a number"))
}

/// Splits at blanks; a word in double quotes may hold any byte.
pub(crate) fn words(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (word, after) = unquote(quoted)?;
            words.push(word);
            rest = after.trim_start();
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            words.push(rest[..end].into());
            rest = rest[end..].trim_start();
        }
    }
    Ok(words)
}

/// The word up to the closing quote, and what follows it.
fn unquote(text: &str) -> Result<(Vec<u8>, &str), String> {
    let mut word = Vec::new();
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return Err("a quote is not closed".to_owned()),
            [b'"', ..] => return Ok((word, &text[text.len() - rest.len() + 1..])),
            [b'\\', b'x', high, low, after @ ..] => {
                let digits = String::from_utf8_lossy(&[*high, *low]).into_owned();
                word.push(u8::from_str_radix(&digits, 16).map_err(|_| format!("`\\x{digits}` is no byte"))?);
                after
            }
            [b'\\', b'n', after @ ..] => {
                word.push(b'\n');
                after
            }
            [b'\\', literal @ (b'"' | b'\\'), after @ ..] => {
                word.push(*literal);
                after
            }
            [b'\\', ..] => return Err("unknown escape: only \\xNN, \\n, \\\" and \\\\ are known".to_owned()),
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
        };
    }
}

/// `120ms` or `1.5s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(ms), _) => ms.parse::<f64>().map(|ms| ms / 1000.0),
        (None, Some(s)) => s.parse(),
        (None, None) => return Err(format!("`{text}` is no time: 120ms or 1.5s is one")),
    };
    let seconds = seconds.map_err(|_| format!("`{text}` is no time"))?;
    // Whole microseconds, so that a time compares equal however it was written.
    let whole = Duration::try_from_secs_f64(seconds).map_err(|_| format!("`{text}` is no time"))?;
    Ok(Duration::from_micros(
        u64::try_from((whole + Duration::from_nanos(500)).as_micros()).unwrap_or(u64::MAX),
    ))
}
