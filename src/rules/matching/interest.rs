//! Which events are asked of a name, wherever it is: the first test of an event, before there is a path.

use super::glob_match::Entry;
use crate::event::EventMask;
use crate::rules::glob::Glob;
use crate::rules::glob::children::Names;
use crate::rules::trie::{Component, NameMap};

/// By the last components of all globs, what their rules ask for.
pub(crate) struct Asked {
    /// What any rule asks for.
    pub(crate) of_all: EventMask,
    /// Of any name, by globs that end in `**`.
    of_any: EventMask,
    names: Names,
    /// By the numbers in `names`.
    of_names: Vec<EventMask>,
}

impl Asked {
    /// `on` is what each rule asks for.
    pub(crate) fn new(globs: &[(Entry, Glob)], on: &[EventMask]) -> Self {
        let of_all = on.iter().fold(EventMask::default(), |all, on| all | *on);
        let (of_any, names) = (EventMask::default(), Names::default());
        let mut asked = Self { of_all, of_any, names, of_names: Vec::new() };
        for (entry, glob) in globs.iter().filter(|(entry, _)| !entry.excludes) {
            let on = on.get(entry.rule.0).copied().unwrap_or_default();
            match glob.parts.last() {
                Some(Component::Name(name)) => {
                    let new = asked.of_names.len();
                    let number = asked.names.get_or_insert(name, new);
                    if number == new {
                        asked.of_names.push(EventMask::default());
                    }
                    asked.of_names[number] |= on;
                }
                Some(Component::AnyDepth) | None => asked.of_any |= on,
            }
        }
        asked
    }

    /// What is asked of files of this name, or more.
    pub(crate) fn of(&self, name: &[u8]) -> EventMask {
        let mut asked = self.of_any;
        if asked == self.of_all {
            return self.of_all;
        }
        self.names.find(name, |number| asked |= self.of_names[number]);
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::glob::{Anchors, Case};
    use crate::rules::rule::RuleId;

    #[test]
    fn the_last_component_of_a_glob_says_which_names_it_is_about() {
        let anchors = Anchors { root: b"/w", home: None };
        let mut globs = Vec::new();
        let on = [EventMask::CREATE, EventMask::CLOSE_WRITE, EventMask::DELETE, EventMask::ATTRIB];
        for (rule, text) in ["src/**/*.rs", "**/{a,b}.rs", "docs", "!*.md"].iter().enumerate() {
            let entry = Entry { rule: RuleId(rule), place: 0, excludes: text.starts_with('!') };
            let parsed = Glob::parse(text.trim_start_matches('!'), anchors, Case::Exact).unwrap();
            globs.extend(parsed.into_iter().map(|glob| (entry, glob)));
        }
        let asked = Asked::new(&globs, &on);
        assert_eq!(asked.of(b"c.rs"), on[0] | on[2]);
        assert_eq!(asked.of(b"a.rs"), on[0] | on[1] | on[2]);
        assert_eq!(asked.of(b"x.md"), on[2], "what lies below docs may have any name");
    }
}
