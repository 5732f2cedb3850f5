//! One typed pattern: from text to the components of the paths that it matches.

pub(super) mod braces;
pub(super) mod children;
pub(super) mod class;
pub(super) mod component;

pub(crate) use self::component::Case;
use self::component::Name;
use super::diagnostics::quote;
use super::trie::{Component, PathTrie};
use crate::event::path;

/// The longest pattern in bytes: PATH_MAX. No longer one can match a path that the kernel accepts.
const LONGEST: usize = 4096;

/// A pattern without braces, made absolute.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    /// Its components from `/` on.
    pub(crate) parts: Vec<Component<Name>>,
    /// Whether it was typed relative to the root.
    pub(crate) relative: bool,
}

/// Rule globs, each with a value.
pub(crate) type GlobTrie<T> = PathTrie<T, children::Names>;

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
        let plain = |name: &[u8]| Component::Name(Name::Literal(name.to_vec()));
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
                self.parts.push(Component::Name(parsed));
            }
        }
        Ok(())
    }

    fn push_any_depth(&mut self) {
        if !matches!(self.parts.last(), Some(Component::AnyDepth)) {
            self.parts.push(Component::AnyDepth);
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
        self.parts.iter().all(|part| matches!(part, Component::Name(name) if name.is_plain()))
    }

    /// The components that it begins with and that are exactly these.
    pub(crate) fn base(&self) -> Vec<&[u8]> {
        let literal = |part| match part {
            &Component::Name(Name::Literal(ref name)) => Some(name.as_slice()),
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
        let part = |part: &Component<Name>| match part {
            Component::AnyDepth => "**".to_owned(),
            Component::Name(name) => name.example("*"),
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

#[cfg(test)]
mod trie_tests {
    use super::*;

    fn tree(globs: &[&str], case: Case) -> GlobTrie<usize> {
        let anchors = Anchors { root: b"/w", home: None };
        let mut tree = GlobTrie::default();
        for (number, text) in globs.iter().enumerate() {
            for glob in Glob::parse(text, anchors, case).unwrap() {
                tree.insert(&glob.parts, number);
            }
        }
        tree
    }

    fn matching(tree: &GlobTrie<usize>, path: &[u8]) -> Vec<usize> {
        let states = tree.walk(path);
        let mut found: Vec<_> = states.iter().flat_map(|&state| tree.matching(state)).copied().collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn a_table_of_globs_and_paths() {
        for (glob, yes, no) in [
            (
                "src/**/*.rs",
                vec!["/w/src/a.rs", "/w/src/a/b.rs", "/w/src/.rs"],
                vec!["/w/a.rs", "/w/src/a.c"],
            ),
            ("*.rs", vec!["/w/a.rs", "/w/.a.rs"], vec!["/w/a/b.rs", "/a.rs"]),
            ("src", vec!["/w/src", "/w/src/a", "/w/src/a/b"], vec!["/w/srcx", "/w", "/src"]),
            ("src/", vec!["/w/src/a", "/w/src/a/b"], vec!["/w/src"]),
            (".", vec!["/w/a", "/w/a/b"], vec!["/w", "/x"]),
            ("a/**/b", vec!["/w/a/b", "/w/a/x/b", "/w/a/x/y/b"], vec!["/w/a/b/c", "/w/ab"]),
            ("a/**", vec!["/w/a/b", "/w/a/b/c"], vec!["/w/a"]),
            ("**/a/**", vec!["/w/a/b", "/w/x/a/b/c"], vec!["/w/a", "/w/b/c", "/w/x/a"]),
            ("**/a/*", vec!["/w/a/x", "/w/b/a/x"], vec!["/w/a", "/w/a/x/y"]),
            ("*/b", vec!["/w/a/b"], vec!["/w/b", "/w/a/a/b"]),
            ("{a,b/c}/*", vec!["/w/a/x", "/w/b/c/x"], vec!["/w/b/x"]),
            ("/etc/hosts", vec!["/etc/hosts"], vec!["/etc/hostname", "/w/etc/hosts"]),
            ("/**", vec!["/a", "/w/x"], vec!["/"]),
            ("a\\*b", vec!["/w/a*b"], vec!["/w/axb"]),
            ("x/[!a]c", vec!["/w/x/bc"], vec!["/w/x/ac", "/w/x/b/c"]),
            ("**/*.tar.gz", vec!["/w/a.tar.gz"], vec!["/w/a.gz", "/w/a.tar.gz.x"]),
            ("**/{a,b}.x", vec!["/w/q/b.x"], vec!["/w/q/c.x"]),
            ("**/[a,b]x", vec!["/w/ax", "/w/d/,x"], vec!["/w/a,bx"]),
        ] {
            let tree = tree(&[glob], Case::Exact);
            for path in yes {
                assert!(!matching(&tree, path.as_bytes()).is_empty(), "{glob} should match {path}");
            }
            for path in no {
                assert!(matching(&tree, path.as_bytes()).is_empty(), "{glob} should not match {path}");
            }
        }
    }

    #[test]
    fn either_case_matches_where_that_is_asked_for() {
        let tree = tree(&["Src/**/*.JPG", "Makefile", "/Etc/*.Conf"], Case::Either);
        for path in ["/w/src/a/b.jpg", "/w/SRC/x.Jpg", "/w/makefile", "/Etc/a.CONF"] {
            assert_eq!(matching(&tree, path.as_bytes()).len(), 1, "{path}");
        }
        for path in ["/W/src/b.jpg", "/etc/a.conf", "/w/src/b.jpeg"] {
            assert!(matching(&tree, path.as_bytes()).is_empty(), "{path}");
        }
    }

    #[test]
    fn the_base_is_what_the_pattern_spells_out() {
        for (glob, path, base) in [
            ("src/**/a", "/w/src/a", "/w/src"),
            ("src/*/a", "/w/src/x/a", "/w/src"),
            ("src/a", "/w/src/a", "/w/src/a"),
            ("src/a", "/w/src/a/b", "/w/src/a"),
            ("**/src/*", "/w/src/a", "/w"),
            ("/**/w/*", "/w/a", ""),
        ] {
            let tree = tree(&[glob], Case::Exact);
            let states = tree.walk(path.as_bytes());
            let ends = states.iter().find(|&&state| !tree.matching(state).is_empty());
            assert_eq!(ends.unwrap().literal_len, base.len(), "{glob}");
        }
    }

    #[test]
    fn names_that_are_not_text_match_too() {
        assert_eq!(matching(&tree(&["*.csv"], Case::Either), b"/w/\xff\n.csv"), [0]);
    }

    #[test]
    fn odd_paths_do_no_harm() {
        let tree = tree(&["**", "/a/b"], Case::Exact);
        for path in ["", "w/a", "/", "//", "/a//b", "/w/"] {
            let _ = matching(&tree, path.as_bytes());
        }
        assert!(matching(&tree, b"").is_empty());
    }

    #[test]
    fn several_globs_meet_on_one_path() {
        let tree = tree(&["src/**", "src/a/*.rs", "/w/src/a/b.rs", "docs", "**/b*", "**/*.rs"], Case::Exact);
        assert_eq!(matching(&tree, b"/w/src/a/b.rs"), [0, 1, 2, 4, 5]);
    }

    #[test]
    fn many_stars_on_a_deep_path_stay_cheap() {
        let glob = format!("{}b", "**/a/".repeat(100));
        let deep = format!("/w{}", "/a".repeat(1000));
        assert!(tree(&[&glob], Case::Exact).walk(deep.as_bytes()).len() < 500);
    }
}
