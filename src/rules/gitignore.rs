//! Ignore patterns in git's syntax.

use std::path::Path;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::event::as_path;

/// The patterns of one ignore file or one `ignore` list, later ones winning.
#[derive(Clone, Debug)]
pub(crate) struct Patterns(Gitignore);

impl Patterns {
    /// No pattern.
    pub(crate) fn none() -> Self {
        Self(Gitignore::empty())
    }

    /// The patterns of an ignore file. What git could not make sense of matches nothing.
    pub(crate) fn of_file(text: &[u8]) -> Self {
        let mut builder = builder();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for line in text.split(|&byte| byte == b'\n') {
            if let Ok(line) = str::from_utf8(line) {
                // A line that is no pattern adds none; an ignore file has nobody to complain to.
                let _ = builder.add_line(None, &braces_escaped(line));
            }
        }
        Self(builder.build().unwrap_or_else(|_| Gitignore::empty()))
    }

    /// The patterns of a list, or the place in it of the first that is none and why.
    pub(crate) fn of_list<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, (usize, String)> {
        let mut builder = builder();
        let mut last = 0;
        for (place, line) in lines.into_iter().enumerate() {
            last = place;
            let added = builder.add_line(None, &braces_escaped(line));
            added.map_err(|error| (place, reason(&error)))?;
        }
        builder.build().map(Self).map_err(|error| (last, reason(&error)))
    }

    /// What these patterns say of a path relative to where they are: ignored, kept, or nothing.
    pub(crate) fn verdict(&self, relative: &[u8], is_dir: bool) -> Option<bool> {
        if self.0.is_empty() {
            return None;
        }
        match self.0.matched(as_path(relative), is_dir) {
            Match::None => None,
            Match::Ignore(_) => Some(true),
            Match::Whitelist(_) => Some(false),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A root of `.` keeps the builder from cutting prefixes off the paths: they come relative already.
fn builder() -> GitignoreBuilder {
    GitignoreBuilder::new(Path::new("."))
}

fn reason(error: &ignore::Error) -> String {
    match error {
        ignore::Error::Glob { err, .. } => err.clone(),
        other => other.to_string(),
    }
}

/// git knows no braces, the matcher does: outside classes they are made plain characters.
fn braces_escaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' if !in_class => out.push('\\'),
            '[' => in_class = true,
            ']' => in_class = false,
            _ => {}
        }
        out.push(c);
        if c == '\\' {
            out.extend(chars.next());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(patterns: &str, path: &str, is_dir: bool) -> Option<bool> {
        Patterns::of_file(patterns.as_bytes()).verdict(path.as_bytes(), is_dir)
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
        let patterns = Patterns::of_file(b"a[z-a]\n\xff\xfe\n*.o\n\0\n");
        assert_eq!(patterns.verdict(b"x.o", false), Some(true));
    }

    #[test]
    fn a_bad_pattern_in_a_list_is_named() {
        assert_eq!(Patterns::of_list(["a", "b[z-a]"]).unwrap_err().0, 1);
        assert!(Patterns::of_list([]).unwrap().is_empty());
    }

    #[test]
    fn names_that_are_not_text_are_judged_too() {
        assert_eq!(Patterns::of_file(b"*.o").verdict(b"d/\xff.o", false), Some(true));
    }
}
