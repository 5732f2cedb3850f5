//! Placeholders in argv elements: `{path}`, `{rel}`, captures.

use std::ops::Range;

use crate::rules::diagnostics::quote;
use crate::rules::suggest;

/// One element of an argv with its placeholders parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Template {
    /// `{paths}` alone: becomes every path of the batch, each an element of its own.
    Paths,
    /// Text and placeholders, in order.
    Text(Vec<Segment>),
}

/// A piece of an argv element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Itself.
    Literal(String),
    /// The value of a placeholder; empty where it has none.
    Field(Field),
    /// The value of a named group of the rule's `match`; empty where it took no part.
    Capture(String),
}

/// The placeholders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The absolute path of the batch's first event.
    Path,
    /// The same relative to the root.
    Rel,
    /// Its last component.
    Name,
    /// Its last component without the extension.
    Stem,
    /// Its extension, without the dot.
    Ext,
    /// The directory it is in.
    Dir,
    /// The old path of a rename.
    OldPath,
    /// The rule's name.
    Rule,
    /// `settings.root`.
    Root,
    /// The events' names, comma-separated.
    Event,
}

/// The value of every placeholder; empty where there is none.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs, reason = "each is the placeholder of its name, see `Field`")]
pub struct Fields<'a> {
    pub path: &'a [u8],
    pub rel: &'a [u8],
    pub name: &'a [u8],
    pub stem: &'a [u8],
    pub ext: &'a [u8],
    pub dir: &'a [u8],
    pub old_path: &'a [u8],
    pub rule: &'a [u8],
    pub root: &'a [u8],
    pub event: &'a [u8],
    /// The named groups that took part in the match.
    pub captures: &'a [(String, Vec<u8>)],
}

/// What is wrong with an element, and which bytes of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TemplateError {
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Field {
    /// Every placeholder by its name.
    const NAMES: [(&'static str, Self); 10] = [
        ("path", Self::Path),
        ("rel", Self::Rel),
        ("name", Self::Name),
        ("stem", Self::Stem),
        ("ext", Self::Ext),
        ("dir", Self::Dir),
        ("old_path", Self::OldPath),
        ("rule", Self::Rule),
        ("root", Self::Root),
        ("event", Self::Event),
    ];

    /// The field of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|&(_, field)| field)
    }

    const fn value<'a>(self, fields: &Fields<'a>) -> &'a [u8] {
        match self {
            Self::Path => fields.path,
            Self::Rel => fields.rel,
            Self::Name => fields.name,
            Self::Stem => fields.stem,
            Self::Ext => fields.ext,
            Self::Dir => fields.dir,
            Self::OldPath => fields.old_path,
            Self::Rule => fields.rule,
            Self::Root => fields.root,
            Self::Event => fields.event,
        }
    }
}

impl Template {
    /// Parses an element. A `{` that opens no `{identifier}` is itself; `{{name}}` is `{name}`.
    ///
    /// `captures` are the named groups of the rule's `match`, `vars` what `{vars.NAME}` stands for.
    pub(crate) fn parse(
        text: &str,
        captures: &[&str],
        vars: &[(String, String)],
    ) -> Result<Self, TemplateError> {
        if text == "{paths}" {
            return Ok(Self::Paths);
        }
        let mut segments = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(open) = text[at..].find('{').map(|found| at + found) {
            literal.push_str(&text[at..open]);
            at = open + 1;
            if let Some(name) = text[at..].strip_prefix('{').and_then(placeholder)
                && text[at + 2 + name.len()..].starts_with('}')
            {
                literal.push_str(&text[at..at + 2 + name.len()]);
                at += name.len() + 3;
            } else if let Some(name) = text[at..].strip_prefix(VARS).and_then(identifier) {
                let end = at + VARS.len() + name.len() + 1;
                literal.push_str(variable(name, open..end, vars)?);
                at = end;
            } else if let Some(name) = identifier(&text[at..]) {
                flush(&mut literal, &mut segments);
                let end = at + name.len() + 1;
                segments.push(Segment::parse(name, open..end, captures)?);
                at = end;
            } else {
                literal.push('{');
            }
        }
        literal.push_str(&text[at..]);
        flush(&mut literal, &mut segments);
        Ok(Self::Text(segments))
    }

    /// What it is, whatever the change; none if that makes a difference.
    pub(crate) fn literal(&self) -> Option<String> {
        let Self::Text(segments) = self else { return None };
        let text = |segment: &Segment| match segment {
            Segment::Literal(text) => Some(text.clone()),
            Segment::Field(_) | Segment::Capture(_) => None,
        };
        segments.iter().map(text).collect()
    }

    /// Whether it holds something that whoever names a file decides.
    pub(crate) fn holds_a_name(&self) -> bool {
        match self {
            Self::Paths => true,
            Self::Text(segments) => segments.iter().any(|segment| match segment {
                Segment::Literal(_) | Segment::Field(Field::Rule | Field::Root | Field::Event) => false,
                Segment::Field(_) | Segment::Capture(_) => true,
            }),
        }
    }

    /// The element with these values. [`Paths`](Self::Paths) stands for a list, which the caller
    /// fills in; by itself it renders as the single path.
    #[must_use]
    pub fn render(&self, fields: &Fields<'_>) -> Vec<u8> {
        match self {
            Self::Paths => fields.path.to_vec(),
            Self::Text(segments) => {
                segments.iter().flat_map(|segment| segment.value(fields)).copied().collect()
            }
        }
    }
}

impl Segment {
    fn parse(name: &str, span: Range<usize>, captures: &[&str]) -> Result<Self, TemplateError> {
        if let Some(field) = Field::from_name(name) {
            return Ok(Self::Field(field));
        }
        if captures.contains(&name) {
            return Ok(Self::Capture(name.to_owned()));
        }
        if name == "paths" {
            let message = "`{paths}` must be an element of its own".to_owned();
            return Err(TemplateError { span, message, help: "write [..., \"{paths}\"]".to_owned() });
        }
        let known: Vec<_> = Field::NAMES
            .iter()
            .map(|&(known, _)| known)
            .chain(["paths"])
            .chain(captures.iter().copied())
            .collect();
        let hint = suggest::instead_of(name, &known);
        let message = format!("no placeholder is called {}", quote(name));
        Err(TemplateError { span, message, help: format!("{hint} (`{{{{{name}}}}}` is the text itself)") })
    }

    fn value<'a>(&'a self, fields: &Fields<'a>) -> &'a [u8] {
        match self {
            Self::Literal(text) => text.as_bytes(),
            Self::Field(field) => field.value(fields),
            Self::Capture(name) => {
                fields.captures.iter().find(|(known, _)| known == name).map_or(&[], |(_, value)| value)
            }
        }
    }
}

/// What begins the name of a variable of the rules file.
const VARS: &str = "vars.";

/// The value of `{vars.NAME}`, which stands at `span`.
fn variable<'v>(
    name: &str,
    span: Range<usize>,
    vars: &'v [(String, String)],
) -> Result<&'v str, TemplateError> {
    if let Some((_, value)) = vars.iter().find(|(known, _)| known == name) {
        return Ok(value);
    }
    let known: Vec<_> = vars.iter().map(|(known, _)| known.as_str()).collect();
    let help = match known.is_empty() {
        true => format!("write {name} = \"value\" below [vars]"),
        false => suggest::instead_of(name, &known),
    };
    Err(TemplateError { span, message: format!("no variable is called {}", quote(name)), help })
}

/// The name of a placeholder or variable at the start of `text`, if a closing brace follows it.
fn placeholder(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(VARS).unwrap_or(text);
    let name = identifier(rest)?;
    text.get(..text.len() - rest.len() + name.len())
}

/// The identifier at the start of `text`, if a closing brace follows it.
fn identifier(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    let name = &text[..end];
    (is_identifier(name) && text[end..].starts_with('}')).then_some(name)
}

/// Whether a placeholder or a variable may be called that.
pub(crate) fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn flush(literal: &mut String, segments: &mut Vec<Segment>) {
    if !literal.is_empty() {
        segments.push(Segment::Literal(std::mem::take(literal)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> String {
        let captures = [("who".to_owned(), b"ann".to_vec())];
        let fields = Fields { path: b"/w/a.rs", rel: b"a.rs", captures: &captures, ..Fields::default() };
        let template =
            Template::parse(text, &["who", "absent"], &[("os".to_owned(), "linux".to_owned())]).unwrap();
        String::from_utf8(template.render(&fields)).unwrap()
    }

    #[test]
    fn placeholders_are_filled_in_and_other_braces_stay() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("--file={path}", "--file=/w/a.rs"),
            ("{rel}{rel}", "a.rsa.rs"),
            ("{who}-{absent}", "ann-"),
            ("{old_path}", ""),
            ("{{path}}", "{path}"),
            ("{{unknown}}", "{unknown}"),
            ("<{vars.os}>", "<linux>"),
            ("{{vars.os}}", "{vars.os}"),
            ("{{{path}}}", "{{path}}"),
            ("{{path}", "{/w/a.rs"),
            ("{print $1}", "{print $1}"),
            ("{\"a\":{}}", "{\"a\":{}}"),
            ("{1}", "{1}"),
            ("{path", "{path"),
            ("ä{path}ö", "ä/w/a.rsö"),
            ("}{", "}{"),
        ] {
            assert_eq!(rendered(text), expected, "{text}");
        }
    }

    #[test]
    fn bytes_go_through_unchanged() {
        let fields = Fields { path: b"/\xff\n$(x)", ..Fields::default() };
        let template = Template::parse("<{path}>", &[], &[]).unwrap();
        assert_eq!(template.render(&fields), b"</\xff\n$(x)>");
    }

    #[test]
    fn an_unknown_placeholder_is_named_with_its_place() {
        let error = Template::parse("a {pth} b", &[], &[]).unwrap_err();
        assert_eq!(error.span, 2..7);
        assert_eq!(error.help, "did you mean `path`? (`{{pth}}` is the text itself)");
        let error = Template::parse("{custmer}", &["customer"], &[]).unwrap_err();
        assert!(error.help.contains("`customer`"));
    }

    #[test]
    fn all_paths_are_an_element_of_their_own() {
        assert_eq!(Template::parse("{paths}", &[], &[]).unwrap(), Template::Paths);
        assert!(Template::parse("-f{paths}", &[], &[]).unwrap_err().message.contains("of its own"));
    }
}
