//! What stands in the brackets of a class: `[a-z]`, `[!x]`, `[[:digit:]_]`.

/// The most characters a class may stand for. Ranges beyond it span whole scripts.
const CLASS_LIMIT: usize = 512;

/// Where the class that opens at byte `open` ends: the byte after its `]`.
pub(crate) fn end(text: &str, open: usize) -> Option<usize> {
    let inside = text.get(open + 1..)?;
    let mut rest = inside.strip_prefix(['!', '^']).unwrap_or(inside);
    rest = rest.strip_prefix(']').unwrap_or(rest);
    loop {
        rest = match rest.chars().next()? {
            ']' => return Some(text.len() - rest.len() + 1),
            '/' => return None,
            '\\' => rest.get(1..)?.strip_prefix(|_: char| true)?,
            '[' if named(rest).is_some() => named(rest)?.1,
            other => &rest[other.len_utf8()..],
        }
    }
}

/// The name in the `[:name:]` at the start of `text`, and what follows it.
fn named(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.strip_prefix("[:")?.split_once(":]")?;
    name.bytes().all(|byte| byte.is_ascii_alphabetic()).then_some((name, rest))
}

/// The characters of a named class.
fn named_members(name: &str) -> Result<impl Iterator<Item = char>, String> {
    let holds: fn(&u8) -> bool = match name {
        "alnum" => u8::is_ascii_alphanumeric,
        "alpha" => u8::is_ascii_alphabetic,
        "blank" => |byte| matches!(byte, b' ' | b'\t'),
        "cntrl" => u8::is_ascii_control,
        "digit" => u8::is_ascii_digit,
        "graph" => u8::is_ascii_graphic,
        "lower" => u8::is_ascii_lowercase,
        "print" => |byte| byte.is_ascii_graphic() || *byte == b' ',
        "punct" => u8::is_ascii_punctuation,
        "space" => |byte| byte.is_ascii_whitespace() || *byte == 0x0b,
        "upper" => u8::is_ascii_uppercase,
        "xdigit" => u8::is_ascii_hexdigit,
        _ => return Err(format!("no class is called `[:{name}:]`")),
    };
    Ok((0..=0x7f).filter(holds).map(char::from))
}

/// The characters that the inside of a class names, without the slash, which no name holds.
pub(crate) fn members(inside: &str) -> Result<Vec<char>, String> {
    let mut out = Vec::new();
    let mut rest = inside;
    while let Some((low, after)) = member(rest) {
        if let Some((name, after)) = named(rest) {
            out.extend(named_members(name)?);
            rest = after;
            continue;
        }
        let range = after.strip_prefix('-').and_then(member);
        let (high, after) = range.unwrap_or((low, after));
        if high < low {
            return Err(format!("the range `{low}-{high}` runs backwards"));
        }
        out.extend((low..=high).take(CLASS_LIMIT + 1));
        if out.len() > CLASS_LIMIT {
            return Err(format!("a class of more than {CLASS_LIMIT} characters"));
        }
        rest = after;
    }
    out.retain(|&c| c != '/');
    Ok(out)
}

/// The character at the start of the inside of a class, a backslash before it taken off.
fn member(text: &str) -> Option<(char, &str)> {
    let text = text.strip_prefix('\\').filter(|rest| !rest.is_empty()).unwrap_or(text);
    let mut chars = text.chars();
    Some((chars.next()?, chars.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_ends_at_the_bracket_that_is_no_member() {
        for (text, expected) in [
            ("[a]b", Some(3)),
            ("[]]", Some(3)),
            ("[!]]", Some(4)),
            ("[\\]]", Some(4)),
            ("[[:digit:]x]", Some(12)),
            ("[[:x]", Some(5)),
            ("[é]", Some(4)),
            ("[", None),
            ("[]", None),
            ("[a/b]", None),
            ("[\\", None),
        ] {
            assert_eq!(end(text, 0), expected, "{text}");
        }
    }

    #[test]
    fn members_are_characters_ranges_and_named_classes() {
        let all = |inside: &str| members(inside).map(String::from_iter);
        assert_eq!(all("a-cx").as_deref(), Ok("abcx"));
        assert_eq!(all("a-").as_deref(), Ok("a-"));
        assert_eq!(all("\\]-^").as_deref(), Ok("]^"));
        assert_eq!(all("[:digit:]_").as_deref(), Ok("0123456789_"));
        assert_eq!(all(".-0").as_deref(), Ok(".0"));
        assert!(all("z-a").unwrap_err().contains("backwards"));
        assert!(all("[:letter:]").unwrap_err().contains("no class"));
        assert!(all("\u{100}-\u{fff}").unwrap_err().contains("512"));
    }
}
