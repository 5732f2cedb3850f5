//! Placeholders in argv elements: `{path}`, `{rel}`, captures.

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
