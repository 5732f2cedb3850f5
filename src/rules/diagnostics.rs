//! What is wrong or odd in a rules file: where, what, and the way out.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

/// How many mistakes are shown: a few screens. More come from a file that is not a rules file.
const SHOWN: usize = 50;

/// The longest piece of the user's text that a message repeats, in characters.
const QUOTED: usize = 60;

/// A text that rules come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// What messages call it: the path as given, or `<command line>`.
    pub name: String,
    /// Its whole text.
    pub text: String,
}

/// A byte range of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The place of the source in [`Diagnostics`].
    pub(crate) source: usize,
    /// Bytes of its text.
    pub(crate) span: Range<usize>,
}

/// A value and where it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was typed.
    pub value: T,
    /// Where.
    pub place: Place,
}

impl<T> Spanned<T> {
    /// A value that stands somewhere.
    #[must_use]
    pub const fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}

/// Whether a file with it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// A mistake: the file means nothing, and is refused.
    Error,
    /// The file means something, but hardly what was wanted.
    Warning,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }

    const fn level(self) -> Level<'static> {
        match self {
            Self::Error => Level::ERROR,
            Self::Warning => Level::WARNING,
        }
    }
}

/// A line and a column, both from 1. Columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// One mistake, or one oddity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    severity: Severity,
    place: Option<Place>,
    message: String,
    help: Option<String>,
}

impl Diagnostic {
    /// A mistake that is somewhere in a source.
    pub(crate) fn at(place: &Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place: Some(place.clone()), message: message.into(), help: None }
    }

    /// An oddity somewhere in a source.
    pub(crate) fn warning(place: &Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::at(place, message) }
    }

    /// A mistake that no source shows, such as a file that cannot be read.
    pub(crate) fn general(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place: None, message: message.into(), help: None }
    }

    /// The same with a way out.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether a file with it is refused.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The way out, if one is known.
    #[must_use]
    pub fn way_out(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

/// Every mistake and oddity of one load, and the texts they point into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    sources: Vec<Source>,
    list: Vec<Diagnostic>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    file: SourceFile,
    /// Where each of its lines begins.
    lines: Vec<usize>,
}

impl Source {
    fn position(&self, at: usize) -> Position {
        let line = self.lines.partition_point(|&start| start <= at);
        let start = line.checked_sub(1).map_or(0, |line| self.lines[line]);
        Position { line, column: self.file.text[start..at].chars().count() + 1 }
    }
}

impl Diagnostics {
    /// Takes a text into the sources and returns its number.
    pub(crate) fn add_source(&mut self, source: SourceFile) -> usize {
        let feeds = source.text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        let lines = std::iter::once(0).chain(feeds.map(|(at, _)| at + 1)).collect();
        self.sources.push(Source { file: source, lines });
        self.sources.len() - 1
    }

    /// A word that is a source of its own: an argument of the command line.
    pub fn add_word(&mut self, name: &str, word: &str) -> Spanned<String> {
        let source = self.add_source(SourceFile { name: name.to_owned(), text: word.to_owned() });
        Spanned { value: word.to_owned(), place: Place { source, span: 0..word.len() } }
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    pub(crate) fn extend(&mut self, more: impl IntoIterator<Item = Diagnostic>) {
        self.list.extend(more);
    }

    pub(crate) fn source(&self, number: usize) -> Option<&SourceFile> {
        self.sources.get(number).map(|source| &source.file)
    }

    /// What messages call the sources, in order.
    pub(crate) fn source_names(&self) -> Vec<&str> {
        self.sources.iter().map(|source| source.file.name.as_str()).collect()
    }

    /// How many there are of that severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|found| found.severity == severity).count()
    }

    /// Whether there is a mistake, so that the rules are refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|found| found.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The name of the source that it is in, where it begins there and where it has ended.
    #[must_use]
    pub fn position(&self, found: &Diagnostic) -> Option<(&str, Position, Position)> {
        let place = found.place.as_ref()?;
        let source = self.sources.get(place.source)?;
        let span = on_boundaries(&source.file.text, &place.span);
        Some((&source.file.name, source.position(span.start), source.position(span.end)))
    }

    /// The name of a place's source and the line that it begins in.
    pub(crate) fn line(&self, place: &Place) -> (&str, usize) {
        let Some(source) = self.sources.get(place.source) else { return ("", 0) };
        let start = on_boundaries(&source.file.text, &place.span).start;
        (&source.file.name, source.position(start).line)
    }

    /// What was found in the order of its places, that without one first.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        let mut sorted: Vec<_> = self.list.iter().collect();
        sorted.sort_by_key(|found| found.place.as_ref().map(|place| (place.source, place.span.start)));
        // What several rules take over from one template is found in each of them.
        sorted.dedup();
        sorted.into_iter()
    }

    /// All of it for a terminal (`styled`) or a plain stream, a line feed at the end.
    #[must_use]
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for found in self.iter().take(SHOWN) {
            out.push_str(&self.render_one(found, &renderer));
            out.push_str("\n\n");
        }
        let rest = self.list.len().saturating_sub(SHOWN);
        if rest > 0 {
            out.push_str(&format!("... and {rest} more\n\n"));
        }
        out.pop();
        out
    }

    fn render_one(&self, found: &Diagnostic, renderer: &Renderer) -> String {
        let mut group =
            found.severity.level().primary_title(found.message.as_str()).elements(None::<Origin<'_>>);
        let source = found.place.as_ref().and_then(|place| Some((place, self.source(place.source)?)));
        if let Some((place, source)) = source {
            let span = on_boundaries(&source.text, &place.span);
            let snippet = Snippet::source(source.text.as_str()).path(source.name.as_str());
            group = group.element(snippet.annotation(AnnotationKind::Primary.span(span)));
        }
        if let Some(help) = &found.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// The span cut to the text and widened to whole characters, as the renderer needs it.
fn on_boundaries(text: &str, span: &Range<usize>) -> Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// The user's text for a message: in backquotes, control characters escaped, cut if it is long.
pub(crate) fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTED).flat_map(char::escape_debug).collect();
    if text.chars().nth(QUOTED).is_some() {
        shown.push_str("...");
    }
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, span: Range<usize>, help: &str) -> Diagnostics {
        let mut all = Diagnostics::default();
        let source = all.add_source(SourceFile { name: "t.toml".into(), text: text.into() });
        all.push(Diagnostic::at(&Place { source, span }, "wrong").help(help));
        all
    }

    #[test]
    fn a_mistake_shows_file_line_column_source_and_help() {
        let shown = one("a = 1\nbc = 2\n", 6..8, "do better").render(false);
        let expected = "error: wrong\n --> t.toml:2:1\n  |\n2 | bc = 2\n  | ^^\n  |\n  = help: do better\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_mistake_without_a_place_comes_first_and_has_no_snippet() {
        let mut all = one("a", 0..1, "h");
        all.push(Diagnostic::general("no file"));
        assert!(all.render(false).starts_with("error: no file\n\nerror: wrong\n"));
    }

    #[test]
    fn the_order_is_that_of_the_text() {
        let mut all = one("abc", 2..3, "h");
        all.push(Diagnostic::at(&Place { source: 0, span: 0..1 }, "early"));
        let messages: Vec<_> = all.iter().map(Diagnostic::message).collect();
        assert_eq!(messages, ["early", "wrong"]);
    }

    #[test]
    fn a_warning_is_called_one_and_refuses_nothing() {
        let mut all = Diagnostics::default();
        let source = all.add_source(SourceFile { name: "t".into(), text: "a\nbé\n".into() });
        all.push(Diagnostic::warning(&Place { source, span: 3..5 }, "odd"));
        assert!(all.render(false).starts_with("warning: odd\n --> t:2:2\n"));
        assert!(!all.has_errors() && !all.is_empty());
        let (name, start, end) = all.position(all.iter().next().unwrap()).unwrap();
        assert_eq!((name, start.line, start.column, end.line, end.column), ("t", 2, 2, 2, 3));
    }

    #[test]
    fn a_span_outside_the_text_or_inside_a_character_does_no_harm() {
        for span in [9..12, 1..2, 2..2, 0..99] {
            assert!(one("é\u{1b}é", span, "h").render(true).contains("wrong"));
        }
    }

    #[test]
    fn thousands_of_mistakes_are_cut_short() {
        let mut all = one("a", 0..1, "h");
        for _ in 0..1000 {
            all.push(Diagnostic::general("again"));
        }
        assert!(all.render(false).ends_with("... and 951 more\n"));
    }

    #[test]
    fn quoted_text_cannot_reach_the_terminal_raw() {
        assert_eq!(quote("a\u{1b}[2J"), "`a\\u{1b}[2J`");
        assert!(quote(&"x".repeat(1000)).len() < 70);
    }
}
