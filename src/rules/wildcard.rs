//! One component of a glob: a plain name, or a pattern that stays within one name.

use globset::{Glob, GlobBuilder};

use super::class;

/// What one component of a glob asks of a name.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    /// To be this.
    Literal(String),
    /// To match this.
    Wild(Vec<Token>),
}

/// An element of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// This character.
    Char(char),
    /// `?`: any one byte, as in git.
    AnyByte,
    /// `*`: any bytes, or none.
    AnyBytes,
    /// A class: one of these characters.
    OneOf(Vec<char>),
    /// A negated class: one byte that is none of these ASCII characters.
    NoneOf(Vec<char>),
}

impl Name {
    /// Parses a component that holds no slash; the error says what is wrong.
    pub(crate) fn parse(component: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut rest = component;
        while let Some((token, len)) = Token::first_of(rest)? {
            rest = &rest[len..];
            if !(token == Token::AnyBytes && tokens.last() == Some(&token)) {
                tokens.push(token);
            }
        }
        let plain = |token: &Token| if let Token::Char(c) = token { Some(*c) } else { None };
        let literal: Option<String> = tokens.iter().map(plain).collect();
        Ok(literal.map_or(Self::Wild(tokens), Self::Literal))
    }

    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Literal(literal) => literal.as_bytes() == name,
            Self::Wild(tokens) => wild_matches(tokens, name),
        }
    }

    /// The component in globset's syntax.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Literal(literal) => literal.chars().map(escaped).collect(),
            Self::Wild(tokens) => tokens.iter().map(Token::text).collect(),
        }
    }
}

/// Matches by going back to the last `*` only: it can take up whatever an earlier one gave up.
fn wild_matches(tokens: &[Token], name: &[u8]) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut star = None;
    loop {
        if tokens.get(token) == Some(&Token::AnyBytes) {
            star = Some((token, at));
            token += 1;
        } else if let Some(taken) = tokens.get(token).and_then(|token| token.taken(&name[at..])) {
            token += 1;
            at += taken;
        } else if token == tokens.len() && at == name.len() {
            return true;
        } else if let Some((after, from)) = star.filter(|&(_, from)| from < name.len()) {
            star = Some((after, from + 1));
            (token, at) = (after + 1, from + 1);
        } else {
            return false;
        }
    }
}

impl Token {
    /// The token at the start of `text` and the bytes it is written with; none at the end.
    fn first_of(text: &str) -> Result<Option<(Self, usize)>, String> {
        let mut chars = text.chars();
        let Some(first) = chars.next() else { return Ok(None) };
        let token = match first {
            '*' => Self::AnyBytes,
            '?' => Self::AnyByte,
            '[' => return Self::class(text).map(Some),
            '\\' => Self::Char(chars.next().ok_or("nothing follows the last backslash")?),
            other => Self::Char(other),
        };
        Ok(Some((token, text.len() - chars.as_str().len())))
    }

    fn class(text: &str) -> Result<(Self, usize), String> {
        let end = class::end(text, 0).ok_or("`[` is never closed; `\\[` is the character itself")?;
        let inside = &text[1..end - 1];
        let negated = inside.strip_prefix(['!', '^']);
        let members = class::members(negated.unwrap_or(inside))?;
        let token = match (negated, members.as_slice()) {
            (None, &[one]) => Self::Char(one),
            (None, _) => Self::OneOf(members),
            (Some(_), _) => match members.iter().find(|c| !c.is_ascii()) {
                Some(c) => {
                    return Err(format!("`{c}` in a negated class: it can only exclude ASCII characters"));
                }
                None => Self::NoneOf(members),
            },
        };
        Ok((token, end))
    }

    /// How many bytes of `name` the token takes; none if it does not match.
    fn taken(&self, name: &[u8]) -> Option<usize> {
        let is = |c: char| name.starts_with(c.encode_utf8(&mut [0; 4]).as_bytes()).then(|| c.len_utf8());
        let first = name.first();
        match self {
            Self::Char(c) => is(*c),
            Self::AnyByte => first.map(|_| 1),
            Self::AnyBytes => None,
            Self::OneOf(members) => members.iter().find_map(|&c| is(c)),
            Self::NoneOf(members) => first.filter(|&&byte| !members.contains(&char::from(byte))).map(|_| 1),
        }
    }

    /// The token in globset's syntax. Classes are alternatives there: its own know bytes only.
    fn text(&self) -> String {
        match self {
            Self::Char(c) => escaped(*c),
            Self::AnyByte => "?".into(),
            Self::AnyBytes => "*".into(),
            Self::OneOf(members) => {
                let members: Vec<_> = members.iter().copied().map(escaped).collect();
                format!("{{{}}}", members.join(","))
            }
            Self::NoneOf(members) => negation(members),
        }
    }
}

/// Compiles a pattern in globset's syntax with the meaning that globs have here.
pub(crate) fn compile(text: &str) -> Result<Glob, String> {
    GlobBuilder::new(text)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(|error| error.kind().to_string())
}

/// A negated class in globset's syntax: `]` may only stand first and `-` last, and the slash is
/// added so that it never matches one.
fn negation(members: &[char]) -> String {
    let first = if members.contains(&']') { "]" } else { "" };
    let last = if members.contains(&'-') { "-" } else { "" };
    let middle: String = members.iter().filter(|&&c| c != ']' && c != '-').collect();
    format!("[^{first}{middle}/{last}]")
}

fn escaped(c: char) -> String {
    if "*?[]{},\\".contains(c) { format!("\\{c}") } else { c.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the pattern says, in which its two forms must agree.
    fn matches(pattern: &str, name: &str) -> bool {
        let pattern = Name::parse(pattern).unwrap();
        let matches = pattern.matches(name.as_bytes());
        let compiled = compile(&pattern.text()).unwrap().compile_matcher().is_match(name);
        assert_eq!(matches, compiled, "{pattern:?} on {name:?}");
        matches
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
            ("[äö]x", "äx", "ax"),
            ("[а-я]*", "да", "da"),
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
            assert!(matches(pattern, yes), "{pattern} should match {yes:?}");
            assert!(!matches(pattern, no), "{pattern} should not match {no:?}");
        }
    }

    #[test]
    fn a_name_that_is_not_utf8_matches() {
        assert!(Name::parse("a*").unwrap().matches(b"a\xff"));
        assert!(Name::parse("a?").unwrap().matches(b"a\xff"));
    }

    #[test]
    fn escapes_and_classes_of_one_make_a_plain_name() {
        for (pattern, name) in [("a", "a"), ("\\*", "*"), ("[*]", "*"), ("\\[id\\]", "[id]"), ("a]", "a]")] {
            let Name::Literal(literal) = Name::parse(pattern).unwrap() else { panic!("{pattern}") };
            assert_eq!(literal, name);
        }
    }

    #[test]
    fn no_compiled_class_matches_a_slash() {
        let compiled = |text: &str, path: &str| {
            compile(&Name::parse(text).unwrap().text()).unwrap().compile_matcher().is_match(path)
        };
        assert!(!compiled("a[!b]c", "a/c"));
        assert!(!compiled("a[+-9]c", "a/c"));
        assert!(compiled("a[+-9]c", "a0c"));
    }

    proptest! {
        #[test]
        fn both_forms_of_a_pattern_agree(pattern in "([ab*?]|\\[[!^]?[\\]ab-]{1,3}\\]){0,6}", name in "[ab\\]é-]{0,6}") {
            if Name::parse(&pattern).is_ok() {
                matches(&pattern, &name);
            }
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for pattern in ["[a", "a\\", "[z-a]", "[[:letter:]]", "[!ä]", "[\u{100}-\u{fff}]", "["] {
            assert!(Name::parse(pattern).is_err(), "{pattern}");
        }
    }
}
