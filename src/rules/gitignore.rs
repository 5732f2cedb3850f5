//! Ignore patterns in git's syntax, gitignore(5).

use globset::{Candidate, GlobSet, GlobSetBuilder};

use super::wildcard::{self, Name};

/// The patterns of one ignore file or one `ignore` list, later ones winning.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns {
    set: GlobSet,
    /// What each pattern of the set means, by the same indices.
    lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    /// Begins with `!`: what it matches is not ignored.
    keeps: bool,
    /// Ends with `/`: it matches directories only.
    only_dirs: bool,
}

impl Patterns {
    /// The patterns of an ignore file. What makes no sense to git matches nothing.
    pub(crate) fn of_file(text: &[u8]) -> Self {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let lines = text.split(|&byte| byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
        let patterns = lines.filter_map(|line| parse(line).ok().flatten());
        Self::build(patterns).unwrap_or_default()
    }

    /// The patterns of a list; of those that are none, the place in it and why.
    pub(crate) fn of_list<'a>(list: impl IntoIterator<Item = &'a str>) -> Result<Self, Vec<(usize, String)>> {
        let mut patterns = Vec::new();
        let mut mistakes = Vec::new();
        for (place, line) in list.into_iter().enumerate() {
            match parse(line) {
                Ok(Some(pattern)) => patterns.push(pattern),
                Ok(None) => mistakes.push((place, "it is empty, or a comment in git's syntax".to_owned())),
                Err(reason) => mistakes.push((place, reason)),
            }
        }
        if mistakes.is_empty() {
            Self::build(patterns).map_err(|reason| vec![(0, reason)])
        } else {
            Err(mistakes)
        }
    }

    fn build(patterns: impl IntoIterator<Item = (String, Line)>) -> Result<Self, String> {
        let mut set = GlobSetBuilder::new();
        let mut lines = Vec::new();
        for (text, line) in patterns {
            set.add(wildcard::compile(&text)?);
            lines.push(line);
        }
        let set = set.build().map_err(|error| error.kind().to_string())?;
        Ok(Self { set, lines })
    }

    /// What these patterns say of a path relative to where they are: ignored, kept, or nothing.
    pub(crate) fn verdict(&self, relative: &[u8], is_dir: bool) -> Option<bool> {
        let mut matching = Vec::new();
        self.set.matches_candidate_into(&Candidate::from_bytes(relative), &mut matching);
        let lines = matching.iter().rev().map(|&index| self.lines[index]);
        lines.into_iter().find(|line| is_dir || !line.only_dirs).map(|line| !line.keeps)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// The pattern of a line in globset's syntax; none for a blank line or a comment.
fn parse(line: &str) -> Result<Option<(String, Line)>, String> {
    let line = trimmed(line);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (keeps, pattern) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
    let (only_dirs, pattern) = pattern.strip_suffix('/').map_or((false, pattern), |rest| (true, rest));
    // A slash that is not the last character ties the pattern to the directory of its file.
    let mut parts = if pattern.contains('/') { Vec::new() } else { vec!["**".to_owned()] };
    for component in pattern.strip_prefix('/').unwrap_or(pattern).split('/') {
        parts.push(match component {
            "" => return Err("an empty name in it matches nothing".to_owned()),
            stars if stars.len() > 1 && stars.bytes().all(|byte| byte == b'*') => "**".to_owned(),
            name => Name::parse(name)?.text(),
        });
    }
    Ok(Some((parts.join("/"), Line { keeps, only_dirs })))
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
            ("x\\  ", "x ", false, Some(true)),
            ("x\t", "x", false, None),
            ("\\!x", "!x", false, Some(true)),
            ("a[!b]c", "a/c", false, None),
            ("[[:digit:]]x", "3x", false, Some(true)),
            ("**", "a/b", false, Some(true)),
            ("a/**", "a", true, None),
            ("a/***/b", "a/x/y/b", false, Some(true)),
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
        let patterns = Patterns::of_file(b"a[z-a]\n\xff\xfe\n*.o\n\0\n");
        assert_eq!(patterns.verdict(b"x.o", false), Some(true));
    }

    #[test]
    fn each_bad_pattern_of_a_list_is_named() {
        let mistakes = Patterns::of_list(["a", "b[z-a]", "#c", "d\\"]).unwrap_err();
        assert_eq!(mistakes.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(Patterns::of_list([]).unwrap().is_empty());
    }

    #[test]
    fn names_that_are_not_text_are_judged_too() {
        assert_eq!(Patterns::of_file(b"*.o").verdict(b"d/\xff.o", false), Some(true));
    }
}
