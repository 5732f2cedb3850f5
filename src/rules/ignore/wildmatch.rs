//! One component of a gitignore(5) pattern, matched byte by byte, as git's `wildmatch` does.
//!
//! git knows no characters: `?` is one byte, and `[é]` is one of the two bytes of `é`.

use std::ops::RangeInclusive;

use crate::rules::trie::{Affix, NameIndex, NamePattern, NodeId, WildcardSet};

/// Patterns for one name, in git's syntax, each with a number.
pub(super) type GitNames = NameIndex<GitWildcards>;

/// A pattern for one name, in git's syntax.
pub(super) type GitName = NamePattern<GitWildcard>;

/// A pattern with more than a single `*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct GitWildcard(Vec<Token>);

/// An element of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Token {
    Byte(u8),
    /// `?`
    AnyByte,
    /// `*`
    AnyBytes,
    /// `[...]`: one of these bytes, or none of them.
    Class {
        members: Vec<u8>,
        negated: bool,
    },
}

/// Parses a component that holds no slash.
///
/// # Errors
///
/// Says why git would match nothing with it.
pub(super) fn parse(component: &str) -> Result<GitName, String> {
    let mut tokens = Vec::new();
    let mut rest = component.as_bytes();
    while let Some((token, after)) = first_token(rest)? {
        rest = after;
        if token != Token::AnyBytes || tokens.last() != Some(&token) {
            tokens.push(token);
        }
    }
    let literal = |tokens: &[Token]| tokens.iter().map(Token::byte).collect::<Option<Vec<u8>>>();
    let mut parts = tokens.split(|token| *token == Token::AnyBytes).map(literal);
    Ok(match (parts.next().flatten(), parts.next(), parts.next()) {
        (Some(name), None, _) => NamePattern::Literal(name),
        (Some(prefix), Some(Some(suffix)), None) => NamePattern::Affixes(vec![Affix { prefix, suffix }]),
        _ => NamePattern::Wildcard(GitWildcard(tokens)),
    })
}

impl GitWildcard {
    fn first_byte(&self) -> Option<u8> {
        self.0.first()?.byte()
    }

    fn last_byte(&self) -> Option<u8> {
        self.0.last()?.byte()
    }

    /// Goes back to the last `*` only: it can take up whatever an earlier one gave up.
    fn matches(&self, name: &[u8]) -> bool {
        let mut token = 0;
        let mut byte = 0;
        let mut star = None;
        loop {
            if self.0.get(token) == Some(&Token::AnyBytes) {
                star = Some((token, byte));
                token += 1;
            } else if self.0.get(token).is_some_and(|token| token.matches(name.get(byte))) {
                token += 1;
                byte += 1;
            } else if token == self.0.len() && byte == name.len() {
                return true;
            } else if let Some((after, from)) = star.filter(|&(_, from)| from < name.len()) {
                star = Some((after, from + 1));
                token = after + 1;
                byte = from + 1;
            } else {
                return false;
            }
        }
    }
}

impl Token {
    const fn byte(&self) -> Option<u8> {
        if let Self::Byte(byte) = self { Some(*byte) } else { None }
    }

    fn matches(&self, byte: Option<&u8>) -> bool {
        let Some(byte) = byte else { return false };
        match self {
            Self::Byte(own) => own == byte,
            Self::AnyByte => true,
            Self::AnyBytes => false,
            Self::Class { members, negated } => members.contains(byte) != *negated,
        }
    }
}

/// Returns the token at the start of `text` and what follows it, or `None` at the end.
fn first_token(text: &[u8]) -> Result<Option<(Token, &[u8])>, String> {
    let Some((&first, rest)) = text.split_first() else { return Ok(None) };
    Ok(Some(match first {
        b'*' => (Token::AnyBytes, rest),
        b'?' => (Token::AnyByte, rest),
        b'[' => class(rest)?,
        b'\\' => {
            let (&escaped, rest) = rest.split_first().ok_or("nothing follows the last backslash")?;
            (Token::Byte(escaped), rest)
        }
        byte => (Token::Byte(byte), rest),
    }))
}

/// Parses the class whose `[` is before `text`.
fn class(text: &[u8]) -> Result<(Token, &[u8]), String> {
    let negated = matches!(text.first(), Some(b'!' | b'^'));
    let mut rest = &text[usize::from(negated)..];
    let mut members = Vec::new();
    loop {
        let is_first = rest.len() + usize::from(negated) == text.len();
        if let Some(after) = rest.strip_prefix(b"]").filter(|_| !is_first) {
            members.retain(|&byte| byte != b'/');
            return Ok((class_token(members, negated), after));
        }
        if let Some((name, after)) = named_class(rest) {
            members.extend(named_members(name)?);
            rest = after;
            continue;
        }
        let Some((low, after)) = member(rest) else {
            return Err("`[` is never closed; `\\[` is the character itself".to_owned());
        };
        let range = after.strip_prefix(b"-").filter(|rest| !rest.starts_with(b"]")).and_then(member);
        let (high, after) = range.unwrap_or((low, after));
        if high < low {
            return Err(format!("the range `{}-{}` runs backwards", char::from(low), char::from(high)));
        }
        members.extend(low..=high);
        rest = after;
    }
}

fn class_token(members: Vec<u8>, negated: bool) -> Token {
    match members[..] {
        [byte] if !negated => Token::Byte(byte),
        _ => Token::Class { members, negated },
    }
}

/// Returns the byte at the start of the inside of a class, without the backslash before it, and what follows it.
fn member(text: &[u8]) -> Option<(u8, &[u8])> {
    let text = text.strip_prefix(b"\\").unwrap_or(text);
    let (&byte, rest) = text.split_first()?;
    Some((byte, rest))
}

/// Returns the name in the `[:name:]` at the start of `text`, and what follows it.
fn named_class(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"[:")?;
    let len = text.iter().position(|byte| !byte.is_ascii_alphabetic())?;
    Some((&text[..len], text[len..].strip_prefix(b":]")?))
}

/// Returns the bytes of a named class.
fn named_members(name: &[u8]) -> Result<impl Iterator<Item = u8>, String> {
    let holds: fn(&u8) -> bool = match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| byte.is_ascii_graphic() || *byte == b' ',
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| byte.is_ascii_whitespace() || *byte == 0x0b,
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return Err(format!("no class is called `[:{}:]`", String::from_utf8_lossy(name))),
    };
    const ASCII: RangeInclusive<u8> = 0..=0x7f;
    Ok(ASCII.filter(holds))
}

/// The wildcards of one index, tried one by one: ignore files have few of them.
#[derive(Default)]
pub(super) struct GitWildcards(Vec<Listed>);

/// A pattern with the bytes that its names begin and end with, as far as it spells them out.
struct Listed {
    first: Option<u8>,
    last: Option<u8>,
    wildcard: GitWildcard,
    id: NodeId,
}

impl WildcardSet for GitWildcards {
    type Wildcard = GitWildcard;

    fn insert(&mut self, wildcard: &GitWildcard, id: NodeId) {
        let wildcard = wildcard.clone();
        self.0.push(Listed { first: wildcard.first_byte(), last: wildcard.last_byte(), wildcard, id });
    }

    fn find(&self, name: &[u8], found: &mut impl FnMut(NodeId)) {
        let fits = |own: Option<u8>, byte: Option<&u8>| own.is_none_or(|own| byte == Some(&own));
        for listed in &self.0 {
            if fits(listed.first, name.first())
                && fits(listed.last, name.last())
                && listed.wildcard.matches(name)
            {
                found(listed.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &[u8]) -> bool {
        match parse(pattern).unwrap() {
            NamePattern::Literal(literal) => literal == name,
            NamePattern::Affixes(affixes) => affixes.iter().any(|affix| affix.matches(name)),
            NamePattern::Wildcard(wildcard) => wildcard.matches(name),
        }
    }

    #[test]
    fn patterns_match_what_they_say() {
        for (pattern, yes, no) in [
            ("*.rs", ".rs", "a.rs.bak"),
            ("*d*n", ".hidden", "hiddens"),
            ("*a*ab", "aaab", "aaba"),
            ("a**b", "axxb", "abx"),
            ("a?c", "abc", "ac"),
            ("[ab]c", "bc", "cc"),
            ("[!a]c", "bc", "ac"),
            ("[^a-c]", "d", "b"),
            ("[]a]x", "]x", "bx"),
            ("[!]a]x", "bx", "]x"),
            ("[a-]x", "-x", "bx"),
            ("[!a-]x", "bx", "-x"),
            ("[\\]a]x", "]x", "\\x"),
            ("[\\]-^]x", "^x", "\\x"),
            ("[.-0]x", ".x", "/x"),
            ("[[:upper:]_]x", "Ax", "ax"),
            ("[![:digit:]-]x", "ax", "3x"),
            ("[[:x]y", "[y", "ay"),
            ("[,{]*", "{x", "ax"),
            ("*,*", "a,b", "ab"),
            ("\\**", "*a", "a"),
            ("x*\\*", "xa*", "xa"),
            ("*.", "foo.", "foo"),
            ("*\n*", "a\nb", "ab"),
        ] {
            assert!(matches(pattern, yes.as_bytes()), "{pattern} should match {yes:?}");
            assert!(!matches(pattern, no.as_bytes()), "{pattern} should not match {no:?}");
        }
    }

    #[test]
    fn a_class_holds_bytes() {
        assert!(matches("a*", b"a\xff") && matches("a?", b"a\xff"));
        assert!(!matches("[é]", "é".as_bytes()) && matches("[é][é]", "é".as_bytes()));
        assert!(matches("[!é]", b"e") && !matches("[!é]", b"\xc3"));
        assert!(matches("[ab]", b"a"));
    }

    #[test]
    fn escapes_and_classes_of_one_make_a_literal_name() {
        for (pattern, name) in [("a", "a"), ("\\*", "*"), ("[*]", "*"), ("\\[id\\]", "[id]"), ("a]", "a]")] {
            assert_eq!(parse(pattern), Ok(NamePattern::Literal(name.as_bytes().to_vec())), "{pattern}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for (pattern, reason) in [
            ("[a", "never closed"),
            ("[", "never closed"),
            ("[]", "never closed"),
            ("[\\", "never closed"),
            ("a\\", "backslash"),
            ("[z-a]", "`z-a` runs backwards"),
            ("[[:letter:]]", "`[:letter:]`"),
        ] {
            assert!(parse(pattern).unwrap_err().contains(reason), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn the_index_finds_what_a_pattern_matches(
            pattern in "([ab*?.]|\\[[!^]?[\\]ab-]{1,3}\\]){1,6}",
            name in "[ab.\\]-]{1,6}",
        ) {
            use crate::rules::trie::NameMap;
            if let Ok(parsed) = parse(&pattern) {
                let mut names = GitNames::default();
                names.get_or_insert(&parsed, 0);
                let mut found = false;
                names.find(name.as_bytes(), |_| found = true);
                prop_assert_eq!(found, matches(&pattern, name.as_bytes()));
            }
        }
    }
}
