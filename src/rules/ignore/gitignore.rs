//! Ignore patterns in git's syntax, gitignore(5).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::wildmatch::{self, GitName, GitNames};
use crate::event::path;
use crate::rules::trie::{Component, NameMap, PathTrie};

/// The patterns of one ignore file or one `ignore` list, later ones winning.
#[derive(Default)]
pub(crate) struct Patterns {
    /// Those of a single name, which only the last name of a path must match: by far the most.
    names: GitNames,
    /// For each of their nodes, their places in `lines`.
    named: Vec<Vec<usize>>,
    /// The others, each with its place in `lines`.
    tree: PathTrie<usize, GitNames>,
    /// The last components of those.
    ends: GitNames,
    /// Whether one of those ends in `**`.
    ends_anyhow: bool,
    lines: Vec<Arc<Line>>,
}

/// One pattern of a list or file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Begins with `!`: what it matches is not ignored.
    pub(crate) keeps: bool,
    /// Ends with `/`: it matches directories only.
    only_dirs: bool,
    /// Has a slash before its end, which ties it to the directory of its file.
    anchored: bool,
    /// As it was typed.
    pub(crate) text: String,
    /// Where it was typed.
    pub(crate) origin: Origin,
}

/// Where an ignore pattern comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An ignore file, and which of its lines.
    File(Arc<PathBuf>, usize),
    /// A list of the rules file: the file's name and the line in it.
    List(Arc<str>, usize),
    /// tripline itself.
    Builtin,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::List(name, line) => write!(f, "{name}:{line}"),
            Self::Builtin => f.write_str("built in, default_ignore"),
        }
    }
}

impl Patterns {
    /// The patterns of an ignore file. What makes no sense to git matches nothing.
    pub(crate) fn of_file(path: PathBuf, text: &[u8]) -> Self {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let (path, mut patterns) = (Arc::new(path), Self::default());
        for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
            if let Ok(line) = str::from_utf8(line) {
                let _ = patterns.push(line, Origin::File(Arc::clone(&path), number));
            }
        }
        patterns
    }

    /// Adds a pattern after the others.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn push(&mut self, text: &str, origin: Origin) -> Result<(), String> {
        let text = trimmed(text);
        if text.is_empty() || text.starts_with('#') {
            return Err("it is empty, or a comment in git's syntax".to_owned());
        }
        let (keeps, pattern) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let (only_dirs, pattern) = pattern.strip_suffix('/').map_or((false, pattern), |rest| (true, rest));
        let anchored = pattern.contains('/');
        for pattern in readings(pattern.strip_prefix('/').unwrap_or(pattern), anchored) {
            self.insert(&parts(&pattern, anchored)?);
        }
        self.lines.push(Arc::new(Line { keeps, only_dirs, anchored, text: text.to_owned(), origin }));
        Ok(())
    }

    fn insert(&mut self, parts: &[Component<GitName>]) {
        let line = self.lines.len();
        let [Component::AnyDepth, Component::Name(name)] = parts else {
            match parts.last() {
                Some(Component::Name(name)) => _ = self.ends.get_or_insert(name, line),
                Some(Component::AnyDepth) | None => self.ends_anyhow = true,
            }
            return self.tree.insert(parts, line);
        };
        let node = self.names.get_or_insert(name, self.named.len());
        if node == self.named.len() {
            self.named.push(Vec::new());
        }
        self.named[node].push(line);
    }

    /// The pattern that decides on a path relative to where they are, if one does. An absolute path is one
    /// that lies elsewhere.
    pub(crate) fn verdict(&self, path: &[u8], is_dir: bool) -> Option<&Arc<Line>> {
        if self.is_empty() {
            return None;
        }
        let mut last: Option<usize> = None;
        let fits = |line: &Line| (is_dir || !line.only_dirs) && !(line.anchored && path.starts_with(b"/"));
        let mut consider = |lines: &[usize]| {
            last = last.max(lines.iter().copied().filter(|&line| fits(&self.lines[line])).max());
        };
        let name = path::name(path);
        if !name.is_empty() {
            self.names.find(name, |node| consider(&self.named[node]));
        }
        if self.may_end_in(name) {
            let states = self.tree.walk(path);
            states.iter().for_each(|&state| consider(self.tree.matching(state)));
        }
        last.map(|line| &self.lines[line])
    }

    /// Whether they decide alike on what has the same path below two directories, relative to where the patterns are.
    pub(crate) fn lead_alike(&self, one: &[u8], other: &[u8]) -> bool {
        self.tree.is_empty() || self.tree.lead_alike(one, other)
    }

    /// Whether a pattern of more than one component may match a path that ends in this name.
    fn may_end_in(&self, name: &[u8]) -> bool {
        let mut may = self.ends_anyhow;
        self.ends.find(name, |_| may = true);
        may
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// The patterns that an anchored one stands for. git takes off the plain text that it begins with and matches
/// the rest by itself, where `**` stands at the start: `a**/b` is `a*/**/b` and `ab`, `a**` is `a*` at any depth.
fn readings(pattern: &str, anchored: bool) -> Vec<String> {
    let plain = pattern.find(['*', '?', '[', '\\']).unwrap_or(pattern.len());
    let (start, wild) = pattern.split_at(plain);
    let rest = wild.trim_start_matches('*');
    let deep = wild.len() - rest.len() > 1 && (rest.is_empty() || rest.starts_with('/'));
    if !anchored || !deep || start.is_empty() || start.ends_with('/') {
        return vec![pattern.to_owned()];
    }
    let Some(rest) = rest.strip_prefix('/') else {
        return vec![format!("{start}*"), format!("{start}*/**")];
    };
    if rest.is_empty() {
        return vec![start.to_owned()];
    }
    let mut readings = vec![format!("{start}*/**/{rest}")];
    let joined = format!("{start}{rest}");
    if rest.starts_with('*') {
        readings.extend(self::readings(&joined, anchored));
    } else {
        readings.push(joined);
    }
    readings
}

/// The components of a pattern.
fn parts(pattern: &str, anchored: bool) -> Result<Vec<Component<GitName>>, String> {
    let mut parts = if anchored { Vec::new() } else { vec![Component::AnyDepth] };
    for component in pattern.split('/') {
        parts.push(match component {
            "" => return Err("an empty name in it matches nothing".to_owned()),
            stars if stars.len() > 1 && stars.bytes().all(|byte| byte == b'*') => Component::AnyDepth,
            name => Component::Name(wildmatch::parse(name)?),
        });
    }
    Ok(parts)
}

/// The line without the carriage return and the spaces at its end; an escaped space stays.
fn trimmed(line: &str) -> &str {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let bare = line.trim_end_matches(' ');
    let escapes = bare.bytes().rev().take_while(|&byte| byte == b'\\').count();
    let escaped_space = escapes % 2 == 1 && bare.len() < line.len();
    &line[..bare.len() + usize::from(escaped_space)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file(text: &[u8]) -> Patterns {
        Patterns::of_file(PathBuf::from("/w/.gitignore"), text)
    }

    fn verdict(patterns: &str, path: &str, is_dir: bool) -> Option<bool> {
        of_file(patterns.as_bytes()).verdict(path.as_bytes(), is_dir).map(|line| !line.keeps)
    }

    #[test]
    fn a_table_of_patterns_as_git_reads_them() {
        for (patterns, path, is_dir, expected) in [
            ("*.log", "a/b.log", false, Some(true)),
            ("*.log\n!keep.log", "a/keep.log", false, Some(false)),
            ("/build", "build", true, Some(true)),
            ("/build", "a/build", true, None),
            ("build/", "a/build", true, Some(true)),
            ("build/", "build", false, None),
            ("a/b", "a/b", false, Some(true)),
            ("a/b", "x/a/b", false, None),
            ("a/**/b", "a/x/y/b", false, Some(true)),
            ("# comment", "# comment", false, None),
            ("\\#x", "#x", false, Some(true)),
            ("x  ", "x", false, Some(true)),
            ("x\\  ", "x ", false, Some(true)),
            ("x\t", "x", false, None),
            ("\\!x", "!x", false, Some(true)),
            ("a[!b]c", "a/c", false, None),
            ("[[:digit:]]x", "3x", false, Some(true)),
            ("**", "a/b", false, Some(true)),
            ("a/**", "a", true, None),
            ("a/***/b", "a/x/y/b", false, Some(true)),
            ("a/b**/c", "a/bc", false, Some(true)),
            ("a/b**/c", "a/b/x/c", false, Some(true)),
            ("a/b**/**", "a/b", false, Some(true)),
            ("b**//", "b", true, Some(true)),
            ("a/*b**/c", "a/bc", false, None),
            ("*.o\n!a/b**", "a/bx/y.o", false, Some(false)),
            ("/", "a", true, None),
            ("a//b", "a/b", false, None),
            ("[a", "[a", false, None),
            ("a\\", "a", false, None),
            ("\u{feff}x", "x", false, Some(true)),
            ("x\r\ny", "x", false, Some(true)),
            ("{a,b}", "a", false, None),
            ("{a,b}", "{a,b}", false, Some(true)),
            ("[{]x", "{x", false, Some(true)),
            ("*", ".hidden", false, Some(true)),
        ] {
            assert_eq!(verdict(patterns, path, is_dir), expected, "{patterns:?} on {path}");
        }
    }

    #[test]
    fn a_bad_line_in_a_file_costs_only_itself() {
        let patterns = of_file(b"a[z-a]\n\xff\xfe\n*.o\n\0\n");
        let line = patterns.verdict(b"x.o", false).unwrap();
        assert_eq!((line.text.as_str(), line.origin.to_string().as_str()), ("*.o", "/w/.gitignore:3"));
    }

    #[test]
    fn a_bad_pattern_is_refused_with_a_reason() {
        let mut patterns = Patterns::default();
        for text in ["b[z-a]", "#c", "", "d\\", "a//b"] {
            assert!(patterns.push(text, Origin::Builtin).is_err(), "{text}");
        }
        assert!(patterns.is_empty());
    }

    #[test]
    fn names_that_are_not_text_are_judged_too() {
        assert!(of_file(b"*.o").verdict(b"d/\xff.o", false).is_some());
    }
}
