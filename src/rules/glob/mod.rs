//! One typed pattern: from text to the components of the paths that it matches.

pub(super) mod braces;
pub(super) mod children;
pub(super) mod class;
pub(super) mod component;
pub(super) mod trie;

pub(crate) use self::component::Case;
use self::component::Name;
use super::diagnostics::quote;
use crate::event::path;

/// The longest pattern in bytes: PATH_MAX. No longer one can match a path that the kernel accepts.
const LONGEST: usize = 4096;

/// A pattern without braces, made absolute.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    /// Its components from `/` on.
    pub(crate) parts: Vec<Part>,
    /// Whether it was typed relative to the root.
    pub(crate) relative: bool,
}

/// One component of a pattern.
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
    ///
    /// With [`Case::Either`] the part before a relative pattern and the plain names that an absolute one
    /// begins with are still exact: they say where to watch.
    pub(crate) fn parse(text: &str, anchors: Anchors<'_>, case: Case) -> Result<Vec<Self>, GlobError> {
        if text.len() > LONGEST {
            return Err(GlobError::new(format!("a glob of more than {LONGEST} bytes matches no path"), None));
        }
        if text.contains('\0') {
            return Err(GlobError::new("a NUL byte, which no path contains", None));
        }
        let patterns = braces::expand(text).map_err(|reason| bad(text, &reason))?;
        let mut globs = Vec::new();
        for pattern in patterns {
            Self::parse_one(&pattern, anchors, case, &mut globs)?;
        }
        Ok(globs)
    }

    fn parse_one(text: &str, anchors: Anchors<'_>, case: Case, out: &mut Vec<Self>) -> Result<(), GlobError> {
        if text.is_empty() {
            return Err(GlobError::new("an empty glob", Some("\".\" is everything below the root")));
        }
        let (start, rest, relative) = start(text, anchors)?;
        let plain = |name: &[u8]| Part::One(Name::Literal(name.to_vec()));
        let mut glob = Self { parts: path::components(start).map(plain).collect(), relative };
        for component in rest.split('/') {
            glob.push(component, case).map_err(|reason| bad(text, &reason))?;
        }
        let last = rest.rsplit('/').next().unwrap_or_default();
        glob.finish(matches!(last, "" | "." | ".."), out);
        Ok(())
    }

    fn push(&mut self, component: &str, case: Case) -> Result<(), String> {
        match component {
            "" | "." => {}
            ".." if !self.is_plain() => return Err("`..` after a wildcard has no fixed place".into()),
            ".." => drop(self.parts.pop().ok_or("it climbs above `/`")?),
            "**" => self.push_any_depth(),
            name => {
                let exact = !self.relative && self.is_plain();
                let parsed = Name::parse(name, if exact { Case::Exact } else { case })?;
                let parsed = if parsed.is_plain() { parsed } else { Name::parse(name, case)? };
                self.parts.push(Part::One(parsed));
            }
        }
        Ok(())
    }

    fn push_any_depth(&mut self) {
        if !matches!(self.parts.last(), Some(Part::AnyDepth)) {
            self.parts.push(Part::AnyDepth);
        }
    }

    /// Adds what the end of the pattern means: a directory is all below it, a plain path is both.
    fn finish(mut self, directory: bool, out: &mut Vec<Self>) {
        let plain = self.is_plain();
        if plain && !directory {
            out.push(self.clone());
        }
        if plain || directory {
            self.push_any_depth();
        }
        out.push(self);
    }

    /// Whether it is spelled out in full, without a wildcard.
    pub(crate) fn is_plain(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::One(name) if name.is_plain()))
    }

    /// The components that it begins with and that are exactly these.
    pub(crate) fn base(&self) -> Vec<&[u8]> {
        let literal = |part| match part {
            &Part::One(Name::Literal(ref name)) => Some(name.as_slice()),
            _ => None,
        };
        self.parts.iter().map_while(literal).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    const ANCHORS: Anchors<'_> = Anchors { root: b"/w", home: Some(b"/home/u") };

    /// Each glob as `base|tail`.
    fn parsed(text: &str) -> Vec<String> {
        let globs = Glob::parse(text, ANCHORS, Case::Exact).unwrap();
        let part = |part: &Part| match part {
            Part::AnyDepth => "**".to_owned(),
            Part::One(name) => name.example("*"),
        };
        let shown = |glob: &Glob| {
            let base = String::from_utf8(path::join(&glob.base())).unwrap();
            let tail: Vec<_> = glob.parts[glob.base().len()..].iter().map(part).collect();
            format!("{base}|{}", tail.join("/"))
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
            ("*/a,b", vec!["/w|*/a,b"]),
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
            ("a\0", "NUL"),
            ("[a/b]", "never closed"),
            ("{a", "never closed"),
        ] {
            let error = Glob::parse(text, ANCHORS, Case::Exact).unwrap_err();
            assert!(error.message.contains(part), "{text}: {}", error.message);
        }
        let homeless = Glob::parse("~/x", Anchors { home: None, ..ANCHORS }, Case::Exact).unwrap_err();
        assert!(homeless.message.contains("home"));
        assert!(Glob::parse(&"a/".repeat(3000), ANCHORS, Case::Exact).unwrap_err().message.contains("4096"));
    }
}
