//! One typed pattern: from text to the directories it names and the wildcards below them.

use super::braces;
use super::error::quote;
use super::path;
use super::wildcard::Name;

/// The longest pattern in bytes: PATH_MAX. No longer one can match a path that the kernel accepts.
const LONGEST: usize = 4096;

/// A pattern without braces, made absolute.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    /// The leading components without a wildcard: what was spelled out, and so is never ignored.
    pub(crate) base: Vec<Vec<u8>>,
    /// The rest. Empty for a plain path.
    pub(crate) tail: Vec<Part>,
    /// Whether it was typed relative to the root.
    pub(crate) relative: bool,
}

/// One component of what follows the first wildcard.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// `**`: any number of components; at the end of a glob, at least one.
    AnyDepth,
    /// Exactly one component.
    One(Name),
}

/// What is wrong with a pattern.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GlobError {
    pub(crate) message: String,
    pub(crate) help: Option<&'static str>,
}

impl GlobError {
    fn new(message: impl Into<String>, help: Option<&'static str>) -> Self {
        Self { message: message.into(), help }
    }
}

/// Where relative patterns and `~/` start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchors<'a> {
    /// `settings.root`, absolute.
    pub(crate) root: &'a [u8],
    /// The home directory, if there is one.
    pub(crate) home: Option<&'a [u8]>,
}

impl Glob {
    /// Every glob that `text` stands for: a plain path `p` is `p` and `p/**`, braces are expanded.
    pub(crate) fn parse(text: &str, anchors: Anchors<'_>) -> Result<Vec<Self>, GlobError> {
        if text.len() > LONGEST {
            return Err(GlobError::new(format!("a glob of more than {LONGEST} bytes matches no path"), None));
        }
        if text.contains('\0') {
            return Err(GlobError::new("a NUL byte, which no path contains", None));
        }
        if text.starts_with('!') {
            let help = "what a rule must not see goes into its `ignore`; `\\!` is the character itself";
            return Err(GlobError::new(format!("{} cannot exclude here", quote(text)), Some(help)));
        }
        let patterns = braces::expand(text).map_err(|reason| bad(text, &reason))?;
        let mut globs = Vec::new();
        for pattern in patterns {
            Self::parse_one(&pattern, anchors, &mut globs)?;
        }
        Ok(globs)
    }

    fn parse_one(text: &str, anchors: Anchors<'_>, out: &mut Vec<Self>) -> Result<(), GlobError> {
        if text.is_empty() {
            return Err(GlobError::new("an empty glob", Some("\".\" is everything below the root")));
        }
        let (start, rest, relative) = start(text, anchors)?;
        let mut glob =
            Self { base: path::components(start).map(<[u8]>::to_vec).collect(), tail: Vec::new(), relative };
        for component in rest.split('/') {
            glob.push(component).map_err(|reason| bad(text, &reason))?;
        }
        let last = rest.rsplit('/').next().unwrap_or_default();
        glob.finish(matches!(last, "" | "." | ".."), out);
        Ok(())
    }

    fn push(&mut self, component: &str) -> Result<(), String> {
        match component {
            "" | "." => {}
            ".." if !self.tail.is_empty() => return Err("`..` after a wildcard has no fixed place".into()),
            ".." => drop(self.base.pop().ok_or("it climbs above `/`")?),
            "**" => self.push_any_depth(),
            name => match Name::parse(name)? {
                Name::Literal(literal) if self.tail.is_empty() => self.base.push(literal.into_bytes()),
                name => self.tail.push(Part::One(name)),
            },
        }
        Ok(())
    }

    fn push_any_depth(&mut self) {
        if !matches!(self.tail.last(), Some(Part::AnyDepth)) {
            self.tail.push(Part::AnyDepth);
        }
    }

    /// Adds what the end of the pattern means: a directory is all below it, a plain path is both.
    fn finish(mut self, directory: bool, out: &mut Vec<Self>) {
        let plain = self.tail.is_empty();
        if plain && !directory {
            out.push(self.clone());
        }
        if plain || directory {
            self.push_any_depth();
            out.push(self);
        } else {
            out.push(self);
        }
    }

    /// The tail in globset's syntax.
    pub(crate) fn tail_text(tail: &[Part]) -> String {
        let parts: Vec<_> = tail
            .iter()
            .map(|part| match part {
                Part::AnyDepth => "**".to_owned(),
                Part::One(name) => name.text(),
            })
            .collect();
        parts.join("/")
    }
}

/// Splits off where the pattern starts.
fn start<'a>(text: &'a str, anchors: Anchors<'a>) -> Result<(&'a [u8], &'a str, bool), GlobError> {
    if text.starts_with('/') {
        return Ok((b"/", text, false));
    }
    let in_home = if text == "~" { Some("") } else { text.strip_prefix("~/") };
    let Some(rest) = in_home else { return Ok((anchors.root, text, true)) };
    let help = "set HOME, or write the whole path";
    let home = anchors.home.ok_or_else(|| GlobError::new("`~/`, but there is no home directory", Some(help)));
    Ok((home?, rest, false))
}

fn bad(text: &str, reason: &str) -> GlobError {
    GlobError::new(format!("{}: {reason}", quote(text)), None)
}

/// Whether something inside or below `dir` (components after the base) can match `tail`.
pub(crate) fn reaches_below(tail: &[Part], dir: &mut dyn Iterator<Item = &[u8]>) -> bool {
    for part in tail {
        match (part, dir.next()) {
            (_, None) | (Part::AnyDepth, Some(_)) => return true,
            (Part::One(name), Some(component)) if name.matches(component) => {}
            (Part::One(_), Some(_)) => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANCHORS: Anchors<'_> = Anchors { root: b"/w", home: Some(b"/home/u") };

    /// Each glob as `base|tail`.
    fn parsed(text: &str) -> Vec<String> {
        let globs = Glob::parse(text, ANCHORS).unwrap();
        let shown = |glob: &Glob| {
            let base = String::from_utf8(path::join(&glob.base)).unwrap();
            format!("{base}|{}", Glob::tail_text(&glob.tail))
        };
        globs.iter().map(shown).collect()
    }

    #[test]
    fn each_form_becomes_a_base_and_a_tail() {
        for (text, expected) in [
            ("src/**/*.rs", vec!["/w/src|**/*.rs"]),
            ("./src//*.rs", vec!["/w/src|*.rs"]),
            ("Cargo.toml", vec!["/w/Cargo.toml|", "/w/Cargo.toml|**"]),
            ("src/", vec!["/w/src|**"]),
            (".", vec!["/w|**"]),
            ("*/", vec!["/w|*/**"]),
            ("**", vec!["/w|**"]),
            ("a/**/**/b", vec!["/w/a|**/b"]),
            ("a/**/", vec!["/w/a|**"]),
            ("../x/*", vec!["/x|*"]),
            ("..", vec!["/|**"]),
            ("a/../b", vec!["/w/b|", "/w/b|**"]),
            ("/etc/hosts", vec!["/etc/hosts|", "/etc/hosts|**"]),
            ("/", vec!["/|**"]),
            ("~/x*", vec!["/home/u|x*"]),
            ("~", vec!["/home/u|**"]),
            ("~x", vec!["/w/~x|", "/w/~x|**"]),
            ("{/a,b}/*", vec!["/a|*", "/w/b|*"]),
            ("\\*", vec!["/w/*|", "/w/*|**"]),
            ("*/a*", vec!["/w|*/a*"]),
            ("*/a,b", vec!["/w|*/a\\,b"]),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        for (text, part) in [
            ("", "empty"),
            ("{,a}", "empty"),
            ("../../x", "above"),
            ("*/../x", "fixed place"),
            ("!x", "exclude"),
            ("a\0", "NUL"),
            ("[a/b]", "never closed"),
            ("{a", "never closed"),
        ] {
            let error = Glob::parse(text, ANCHORS).unwrap_err();
            assert!(error.message.contains(part), "{text}: {}", error.message);
        }
        let homeless = Glob::parse("~/x", Anchors { home: None, ..ANCHORS }).unwrap_err();
        assert!(homeless.message.contains("home"));
        assert!(Glob::parse(&"a/".repeat(3000), ANCHORS).unwrap_err().message.contains("4096"));
    }

    #[test]
    fn a_tail_knows_what_it_can_reach() {
        for (text, dir, expected) in [
            ("/*", "", true),
            ("/*", "a", false),
            ("/*/b", "a", true),
            ("/a*/b", "x", false),
            ("/**/*.rs", "a/b/c", true),
            ("/*/**", "a", true),
            ("/x*/**/y", "a", false),
        ] {
            let globs = Glob::parse(text, ANCHORS).unwrap();
            let reaches = reaches_below(&globs[0].tail, &mut path::components(dir.as_bytes()));
            assert_eq!(reaches, expected, "{text} below {dir}");
        }
    }
}
