//! One component of a glob: a plain name, or a pattern that stays within one name.

use globset::{Glob, GlobBuilder, GlobMatcher};

/// The most characters a class may stand for. Ranges beyond it span whole scripts.
const CLASS_LIMIT: usize = 512;

/// What one component of a glob asks of a name.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    /// To be this.
    Literal(Vec<u8>),
    /// To match this.
    Wild(Wildcard),
}

/// A pattern for one name. `?` and a negated class stand for one byte, as in git.
#[derive(Clone, Debug)]
pub(crate) struct Wildcard {
    /// The pattern in globset's syntax, with nothing in it that could match a slash.
    pub(crate) text: String,
    matcher: GlobMatcher,
}

impl Name {
    /// Parses a component that holds no slash; the error says what is wrong.
    pub(crate) fn parse(component: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: component, ..Reader::default() };
        while reader.step()? {}
        if !reader.wild {
            return Ok(Self::Literal(reader.literal.into_bytes()));
        }
        let matcher = compile(&reader.text)?.compile_matcher();
        Ok(Self::Wild(Wildcard { text: reader.text, matcher }))
    }

    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Literal(literal) => literal == name,
            Self::Wild(wildcard) => {
                wildcard.matcher.is_match_candidate(&globset::Candidate::from_bytes(name))
            }
        }
    }

    /// The component in globset's syntax.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Wild(wildcard) => wildcard.text.clone(),
            Self::Literal(literal) => String::from_utf8_lossy(literal).chars().map(escaped).collect(),
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

/// Where the class that opens at byte `open` ends: the byte after its `]`.
pub(crate) fn class_end(text: &str, open: usize) -> Option<usize> {
    let mut chars = text.get(open + 1..)?.char_indices().peekable();
    chars.next_if(|&(_, c)| c == '!' || c == '^');
    chars.next_if(|&(_, c)| c == ']');
    while let Some((at, c)) = chars.next() {
        match c {
            ']' => return Some(open + 1 + at + 1),
            '/' => return None,
            '\\' => drop(chars.next()),
            _ => {}
        }
    }
    None
}

/// A component being read.
#[derive(Default)]
struct Reader<'a> {
    rest: &'a str,
    literal: String,
    text: String,
    wild: bool,
}

impl Reader<'_> {
    /// Takes one element; false at the end.
    fn step(&mut self) -> Result<bool, String> {
        let mut chars = self.rest.chars();
        let Some(first) = chars.next() else { return Ok(false) };
        match first {
            '[' => return self.class().map(|()| true),
            '\\' => self.plain(chars.next().ok_or("nothing follows the last backslash")?),
            '*' if self.text.ends_with('*') && !self.text.ends_with("\\*") => {}
            '*' | '?' => {
                self.wild = true;
                self.text.push(first);
            }
            other => self.plain(other),
        }
        self.rest = chars.as_str();
        Ok(true)
    }

    fn plain(&mut self, c: char) {
        self.literal.push(c);
        self.text.push_str(&escaped(c));
    }

    fn class(&mut self) -> Result<(), String> {
        let end = class_end(self.rest, 0).ok_or("`[` is never closed; `\\[` is the character itself")?;
        let (class, rest) = self.rest.split_at(end);
        self.rest = rest;
        let inside = &class[1..class.len() - 1];
        if inside.contains("[:") {
            return Err("named classes are not known; write the ranges, as in `[a-z0-9]`".into());
        }
        let negated = inside.starts_with(['!', '^']);
        let members = members(if negated { &inside[1..] } else { inside })?;
        match (negated, members.as_slice()) {
            (false, &[one]) => self.plain(one),
            (false, many) => self.wild(&alternatives(many)),
            (true, many) => self.wild(&negation(many)?),
        }
        Ok(())
    }

    fn wild(&mut self, text: &str) {
        self.wild = true;
        self.text.push_str(text);
    }
}

/// The characters that the inside of a class names, without the slash, which no name holds.
fn members(inside: &str) -> Result<Vec<char>, String> {
    let mut out = Vec::new();
    let mut chars = inside.chars().peekable();
    while let Some(first) = chars.next() {
        let low = if first == '\\' { chars.next().unwrap_or('\\') } else { first };
        let mut ahead = chars.clone();
        let high = match (ahead.next(), ahead.next()) {
            (Some('-'), Some('\\')) => ahead.next(),
            (Some('-'), high) => high,
            _ => None,
        };
        if high.is_some() {
            chars = ahead;
        }
        let high = high.unwrap_or(low);
        if high < low {
            return Err(format!("the range `{low}-{high}` runs backwards"));
        }
        out.extend((low..=high).take(CLASS_LIMIT + 1).filter(|&c| c != '/'));
        if out.len() > CLASS_LIMIT {
            return Err(format!("a class of more than {CLASS_LIMIT} characters"));
        }
    }
    Ok(out)
}

/// A class as alternatives: globset's own classes know single bytes only.
fn alternatives(members: &[char]) -> String {
    let escaped: Vec<_> = members.iter().copied().map(escaped).collect();
    format!("{{{}}}", escaped.join(","))
}

/// A negated class in globset's syntax: `]` may only stand first and `-` last, and the slash is
/// added so that it never matches one.
fn negation(members: &[char]) -> Result<String, String> {
    if let Some(c) = members.iter().find(|c| !c.is_ascii()) {
        return Err(format!("`{c}` in a negated class: it can only exclude ASCII characters"));
    }
    let first = if members.contains(&']') { "]" } else { "" };
    let last = if members.contains(&'-') { "-" } else { "" };
    let middle: String = members.iter().filter(|&&c| c != ']' && c != '-').collect();
    Ok(format!("[^{first}{middle}/{last}]"))
}

fn escaped(c: char) -> String {
    if "*?[]{},\\".contains(c) { format!("\\{c}") } else { c.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Name::parse(pattern).unwrap().matches(name.as_bytes())
    }

    #[test]
    fn patterns_match_what_they_say() {
        for (pattern, yes, no) in [
            ("*.rs", ".rs", "a.rs.bak"),
            ("*", ".hidden", "a/b"),
            ("a**b", "axxb", "ab/b"),
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
            assert_eq!(literal, name.as_bytes());
        }
    }

    #[test]
    fn no_class_matches_a_slash() {
        assert!(!matches("a[!b]c", "a/c"));
        assert!(!matches("a[+-9]c", "a/c"));
        assert!(matches("a[+-9]c", "a0c"));
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for pattern in ["[a", "a\\", "[z-a]", "[[:alpha:]]", "[!ä]", "[\u{100}-\u{fff}]", "["] {
            assert!(Name::parse(pattern).is_err(), "{pattern}");
        }
    }
}
