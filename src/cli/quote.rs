//! Words as a shell takes them, so that what is shown can be pasted.

use crate::dispatch::Escaped;

/// The word in as few quotes as it needs. What cannot be shown is escaped, in quotes that bash, zsh and
/// POSIX.1-2024 know.
pub(super) fn quoted(word: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./:=@%+,-".contains(byte);
    let text = String::from_utf8_lossy(word);
    if !word.is_empty() && word.iter().all(plain) {
        text.into_owned()
    } else if Escaped(word).to_string() == text && !text.contains('\'') {
        format!("'{text}'")
    } else {
        let byte = |&byte: &u8| match byte {
            b'\'' | b'\\' => format!("\\{}", char::from(byte)),
            b'\n' => "\\n".to_owned(),
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        };
        format!("$'{}'", word.iter().map(byte).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_as_few_quotes_as_it_needs() {
        for (word, expected) in [
            (&b"cargo"[..], "cargo"),
            (b"--a=b/c.d", "--a=b/c.d"),
            (b"", "''"),
            (b"a b$(x)", "'a b$(x)'"),
            ("\u{e4}".as_bytes(), "'\u{e4}'"),
            (b"it's", "$'it\\'s'"),
            (b"a\nb\xff", "$'a\\nb\\xff'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
