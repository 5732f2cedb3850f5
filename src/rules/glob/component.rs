//! One component of a pattern: a plain name, or a pattern that stays within one name.

use super::class;

/// Whether `A` is `a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Case {
    /// It is not.
    Exact,
    /// It is, in every script.
    Either,
}

/// What one component of a pattern asks of a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    /// To be this.
    Literal(Vec<u8>),
    /// To be this in lower case.
    Either(Vec<u8>),
    /// To match this.
    Wild {
        /// The pattern.
        tokens: Vec<Token>,
        /// What it makes of upper and lower case.
        case: Case,
    },
}

/// An element of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    pub(crate) fn parse(component: &str, case: Case) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut rest = component;
        while let Some((token, len)) = Token::first_of(rest)? {
            rest = &rest[len..];
            if !(token == Token::AnyBytes && tokens.last() == Some(&token)) {
                tokens.push(token);
            }
        }
        let plain: Option<String> = tokens.iter().map(Token::char).collect();
        Ok(match (plain, case) {
            (Some(plain), Case::Exact) => Self::Literal(plain.into_bytes()),
            (Some(plain), Case::Either) => Self::Either(lower(&plain).into_bytes()),
            (None, _) => Self::Wild { tokens, case },
        })
    }

    /// Whether it is spelled out, without a wildcard.
    pub(crate) fn is_plain(&self) -> bool {
        !matches!(self, Self::Wild { .. })
    }

    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Literal(plain) => plain == name,
            Self::Either(plain) => folded(name) == *plain,
            Self::Wild { tokens, case } => wild_matches(tokens, *case, name),
        }
    }

    /// What a name that matches must begin with, as far as the pattern says so.
    pub(crate) fn prefix(&self) -> Vec<u8> {
        let Self::Wild { tokens, case: Case::Exact } = self else { return Vec::new() };
        tokens.iter().map_while(Token::char).collect::<String>().into_bytes()
    }

    /// What must follow the last dot of a name that matches, where the pattern says so.
    pub(crate) fn extension(&self) -> Option<Vec<u8>> {
        let Self::Wild { tokens, case: Case::Exact } = self else { return None };
        let mut extension = Vec::new();
        for token in tokens.iter().rev() {
            match token.char()? {
                '.' => return Some(extension.into_iter().rev().collect::<String>().into_bytes()),
                c => extension.push(c),
            }
        }
        None
    }

    /// Whether every name with its [`extension`](Self::extension) matches.
    pub(crate) fn asks_for_extension_only(&self) -> bool {
        let Self::Wild { tokens, case: Case::Exact } = self else { return false };
        let [Token::AnyBytes, Token::Char('.'), rest @ ..] = tokens.as_slice() else { return false };
        rest.iter().all(|token| token.char().is_some_and(|c| c != '.'))
    }

    /// What a name that matches must end with, where the pattern says so.
    pub(crate) fn last_byte(&self) -> Option<u8> {
        let Self::Wild { tokens, case: Case::Exact } = self else { return None };
        let last = tokens.last()?.char()?;
        last.encode_utf8(&mut [0; 4]).bytes().last()
    }

    /// A name that matches, with `filler` where anything may stand; for showing what a pattern means.
    pub(crate) fn example(&self, filler: &str) -> String {
        match self {
            Self::Literal(plain) | Self::Either(plain) => String::from_utf8_lossy(plain).into_owned(),
            Self::Wild { tokens, .. } => tokens.iter().map(|token| token.example(filler)).collect(),
        }
    }
}

/// Matches by going back to the last `*` only: it can take up whatever an earlier one gave up.
fn wild_matches(tokens: &[Token], case: Case, name: &[u8]) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut star = None;
    loop {
        if tokens.get(token) == Some(&Token::AnyBytes) {
            star = Some((token, at));
            token += 1;
        } else if let Some(taken) = tokens.get(token).and_then(|token| token.taken(&name[at..], case)) {
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

    const fn char(&self) -> Option<char> {
        if let Self::Char(c) = self { Some(*c) } else { None }
    }

    /// How many bytes of `name` the token takes; none if it does not match.
    fn taken(&self, name: &[u8], case: Case) -> Option<usize> {
        match self {
            Self::Char(c) => starts_with(name, *c, case),
            Self::AnyByte => name.first().map(|_| 1),
            Self::AnyBytes => None,
            Self::OneOf(members) => members.iter().find_map(|&c| starts_with(name, c, case)),
            Self::NoneOf(members) => {
                let byte = char::from(*name.first()?);
                let same = |c: &char| *c == byte || (case == Case::Either && c.eq_ignore_ascii_case(&byte));
                (!members.iter().any(same)).then_some(1)
            }
        }
    }

    fn example(&self, filler: &str) -> String {
        match self {
            Self::Char(c) => c.to_string(),
            Self::AnyByte => "q".to_owned(),
            Self::AnyBytes => filler.to_owned(),
            Self::OneOf(members) => members.first().map(char::to_string).unwrap_or_default(),
            Self::NoneOf(_) => {
                let fits = |c: &char| self.taken(&[*c as u8], Case::Either).is_some();
                ('!'..='~').find(fits).map(String::from).unwrap_or_default()
            }
        }
    }
}

/// How many bytes `c` takes at the start of `name`; none if something else is there.
fn starts_with(name: &[u8], c: char, case: Case) -> Option<usize> {
    match case {
        Case::Exact if c.is_ascii() => (name.first() == Some(&(c as u8))).then_some(1),
        Case::Exact => name.starts_with(c.encode_utf8(&mut [0; 4]).as_bytes()).then(|| c.len_utf8()),
        Case::Either => {
            let first = first_char(name)?;
            first.to_lowercase().eq(c.to_lowercase()).then(|| first.len_utf8())
        }
    }
}

/// The character at the start; none if those bytes are not text.
fn first_char(name: &[u8]) -> Option<char> {
    let longest = &name[..name.len().min(4)];
    let text = longest.utf8_chunks().next()?.valid();
    text.chars().next()
}

/// A name in lower case. Bytes that are not text stay.
pub(crate) fn folded(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        out.extend_from_slice(lower(chunk.valid()).as_bytes());
        out.extend_from_slice(chunk.invalid());
    }
    out
}

/// Letter by letter, so that no letter's form depends on those around it.
fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(pattern: &str) -> Result<Name, String> {
        Name::parse(pattern, Case::Exact)
    }

    fn matches(pattern: &str, name: &str) -> bool {
        exact(pattern).unwrap().matches(name.as_bytes())
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
        assert!(exact("a*").unwrap().matches(b"a\xff"));
        assert!(exact("a?").unwrap().matches(b"a\xff"));
    }

    #[test]
    fn escapes_and_classes_of_one_make_a_plain_name() {
        for (pattern, name) in [("a", "a"), ("\\*", "*"), ("[*]", "*"), ("\\[id\\]", "[id]"), ("a]", "a]")] {
            let Name::Literal(literal) = exact(pattern).unwrap() else { panic!("{pattern}") };
            assert_eq!(literal, name.as_bytes());
        }
    }

    #[test]
    fn either_case_is_the_same_in_every_script() {
        for (pattern, yes, no) in
            [("*.JPG", "a.jpg", "a.jpeg"), ("STRA[Ä]E*", "stra\u{e4}e", "strase"), ("[!a]x", "bX", "Ax")]
        {
            let pattern = Name::parse(pattern, Case::Either).unwrap();
            assert!(pattern.matches(yes.as_bytes()), "{pattern:?}");
            assert!(!pattern.matches(no.as_bytes()), "{pattern:?}");
        }
        assert!(Name::parse("ÄB", Case::Either).unwrap().matches("äb".as_bytes()));
        assert!(Name::parse("?*b", Case::Either).unwrap().matches(b"\xffB"));
    }

    #[test]
    fn the_extension_is_what_a_match_must_end_with() {
        for (pattern, extension) in [
            ("*.rs", Some("rs")),
            ("*.tar.gz", Some("gz")),
            ("a*.", Some("")),
            ("*", None),
            ("*.r*", None),
            ("*rs", None),
        ] {
            let found = exact(pattern).unwrap().extension();
            assert_eq!(found, extension.map(|text| text.as_bytes().to_vec()), "{pattern}");
        }
        assert_eq!(Name::parse("*.rs", Case::Either).unwrap().extension(), None);
    }

    proptest! {
        #[test]
        fn an_example_matches_its_pattern(pattern in "([ab*?.]|\\[[!^]?[\\]ab-]{1,3}\\]){1,6}") {
            for case in [Case::Exact, Case::Either] {
                if let Ok(name) = Name::parse(&pattern, case) {
                    prop_assert!(name.matches(name.example("zz").as_bytes()), "{name:?}");
                }
            }
        }

        #[test]
        fn what_matches_begins_and_ends_as_the_pattern(pattern in "[ab*.?]{1,6}", name in "[ab.]{0,6}") {
            let pattern = exact(&pattern).unwrap();
            prop_assert!(!pattern.matches(name.as_bytes()) || name.as_bytes().starts_with(&pattern.prefix()));
            let end = pattern.last_byte().filter(|_| pattern.matches(name.as_bytes()));
            prop_assert!(end.is_none() || name.bytes().last() == end);
            if let Some(extension) = pattern.extension().filter(|_| pattern.matches(name.as_bytes())) {
                let after = name.rsplit_once('.').map(|(_, after)| after.as_bytes().to_vec());
                prop_assert_eq!(after, Some(extension));
            }
        }

        #[test]
        fn an_extension_is_all_that_some_patterns_ask_for(pattern in "\\*?[ab*.?]{1,3}", name in "[ab.]{0,6}") {
            let pattern = exact(&pattern).unwrap();
            let after = name.rsplit_once('.').map(|(_, after)| after.as_bytes().to_vec());
            if pattern.asks_for_extension_only() {
                prop_assert_eq!(pattern.matches(name.as_bytes()), after == pattern.extension());
            }
        }
    }

    #[test]
    fn the_usual_pattern_asks_for_an_extension_only() {
        for (pattern, expected) in
            [("*.rs", true), ("*.", true), ("*.tar.gz", false), ("a*.rs", false), ("*.r?", false)]
        {
            assert_eq!(exact(pattern).unwrap().asks_for_extension_only(), expected, "{pattern}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for pattern in ["[a", "a\\", "[z-a]", "[[:letter:]]", "[!ä]", "[\u{100}-\u{fff}]", "["] {
            assert!(exact(pattern).is_err(), "{pattern}");
        }
    }
}
