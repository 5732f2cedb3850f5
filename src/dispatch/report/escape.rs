//! File names for a terminal: names are hostile until escaped.

use std::fmt::{self, Write};

/// Bytes as text in which nothing can move the cursor, and no two names look the same.
///
/// Control characters, characters that reorder text and backslashes are escaped; bytes that are not UTF-8
/// become `\xNN`.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if needs_escape(c) { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

fn needs_escape(c: char) -> bool {
    c.is_control()
        || c == '\\'
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hostile_reaches_the_terminal() {
        let cases: [(&[u8], &str); 6] = [
            ("ä b$(x)".as_bytes(), "ä b$(x)"),
            (b"a\nb\t", r"a\nb\t"),
            (b"\x1b[2J", r"\u{1b}[2J"),
            (b"a\xffb", r"a\xffb"),
            (br"a\xff", r"a\\xff"),
            ("\u{202e}txt".as_bytes(), r"\u{202e}txt"),
        ];
        for (bytes, shown) in cases {
            assert_eq!(Escaped(bytes).to_string(), shown);
        }
    }
}
