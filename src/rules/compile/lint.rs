//! What is allowed and yet hardly meant.

use std::collections::HashMap;

use super::{Compiler, Words};
use crate::event::path;
use crate::event::{EventMask, Subject};
use crate::rules::diagnostics::{Diagnostic, Diagnostics, Place, Spanned, quote};
use crate::rules::glob::Glob;
use crate::rules::ignore::Ignores;
use crate::rules::keys::{Raw, RawCommand, RawRule};
use crate::rules::matching::glob_match::Entry;
use crate::rules::rule::template::{Field, Segment, Template};
use crate::rules::rule::{Command, Per, Rule, Types};
use crate::rules::trie::Component;

/// The events that only some kinds of things have (inotify(7)): a directory is not written to, only a
/// watched directory reports on itself, and a symbolic link is never opened.
const KINDS: [(EventMask, Types); 6] = [
    (EventMask::MODIFY, Types::NONE.with(Subject::File).with(Subject::Other)),
    (EventMask::CLOSE_WRITE, Types::NONE.with(Subject::File).with(Subject::Other)),
    (EventMask::DELETE_SELF.union(EventMask::MOVE_SELF), Types::NONE.with(Subject::Dir)),
    (EventMask::ACCESS, NO_LINK),
    (EventMask::OPEN, NO_LINK),
    (EventMask::CLOSE_NOWRITE, NO_LINK),
];

const NO_LINK: Types = Types::NONE.with(Subject::File).with(Subject::Dir).with(Subject::Other);

/// The placeholders that are empty without a path.
const OF_PATH: [Field; 7] =
    [Field::Path, Field::Rel, Field::Name, Field::Stem, Field::Ext, Field::Dir, Field::OldPath];

impl Compiler {
    /// What is odd about one rule by itself.
    pub(super) fn oddities(&mut self, raw: &RawRule, rule: &Rule) {
        self.impossible_events(raw, rule);
        self.impossible_sizes(raw, rule);
        self.outside_paths(raw);
        self.program(raw, rule);
        self.unused_captures(raw, rule);
        self.empty_placeholders(raw, rule);
    }

    fn impossible_events(&mut self, raw: &RawRule, rule: &Rule) {
        let Some(words) = &raw.on else { return };
        let possible = |mask: EventMask| {
            let special = KINDS.iter().fold(EventMask::default(), |all, (events, _)| all | *events);
            let mut kinds = KINDS.iter().filter(|(events, _)| mask.intersects(*events));
            !mask.without(special).is_empty() || kinds.any(|(_, kinds)| rule.types.intersects(*kinds))
        };
        let never = !rule.on.is_empty() && !possible(rule.on);
        for word in &words.value {
            let Some(mask) = EventMask::from_name(&word.value).filter(|&mask| !possible(mask)) else {
                continue;
            };
            let what = if raw.types.is_some() { "what `types` asks for" } else { "anything but a directory" };
            let mut message = format!("{} does not happen to {what}", quote(&word.value));
            if never {
                message.push_str(": the rule never runs");
            }
            let kinds = KINDS.iter().find(|(events, _)| mask.intersects(*events)).map(|&(_, kinds)| kinds);
            self.warn(&word.place, message, types_help(kinds.unwrap_or(Types::DEFAULT)));
        }
    }

    fn impossible_sizes(&mut self, raw: &RawRule, rule: &Rule) {
        let Some(typed) = raw.size_min.as_ref().or(raw.size_max.as_ref()) else { return };
        let end = EventMask::DELETE | EventMask::MOVED_FROM | EventMask::DELETE_SELF;
        if !rule.types.intersects(Types::NONE.with(Subject::File)) || rule.on.without(end).is_empty() {
            let help = "ask for another event or type, or leave `size` out";
            self.warn(&typed.place, "only a file that is there has a size: the rule never runs", help);
        }
    }

    fn outside_paths(&mut self, raw: &RawRule) {
        for typed in raw.paths.iter().flat_map(|paths| &paths.value) {
            let globs = Glob::parse(&typed.value, self.anchors(), self.case).unwrap_or_default();
            let outside = |glob: &Glob| {
                glob.relative && path::below(&self.lists.root, &path::join(&glob.base())).is_none()
            };
            if globs.iter().any(outside) {
                let root = String::from_utf8_lossy(&self.lists.root).into_owned();
                let message = format!("{} lies outside the root, {root}", quote(&typed.value));
                let help = "write the whole path if that is meant, or set `root` in [settings] higher up";
                self.warn(&typed.place, message, help);
            }
        }
    }

    /// A program that is named without a slash must be in a `PATH`; one with a slash may be built later.
    fn program(&mut self, raw: &RawRule, rule: &Rule) {
        let path = rule.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_str());
        for (typed, command) in raw.commands().zip(rule.commands()) {
            let (RawCommand::Argv(words), Command::Argv(argv)) = (&typed.value, command) else { continue };
            let (Some(word), Some(Template::Text(segments))) = (words.first(), argv.first()) else {
                continue;
            };
            let [Segment::Literal(name)] = segments.as_slice() else { continue };
            if !name.contains(['/', '\0']) && !self.files.has_program(name, path) {
                let help = "install it, or write its whole path";
                self.warn(&word.place, format!("no program {} is in PATH", quote(name)), help);
            }
        }
    }

    fn unused_captures(&mut self, raw: &RawRule, rule: &Rule) {
        let (Some(typed), Some(pattern)) = (&raw.pattern, &rule.pattern) else { return };
        let text = command_text(raw);
        let missed = |name: &&str| !name.starts_with('_') && Field::from_name(name).is_none();
        for name in pattern.capture_names().flatten().filter(missed) {
            let variable = format!("TRIPLINE_CAPTURE_{}", name.to_ascii_uppercase());
            if !uses_capture(rule, name) && !text.contains(&variable) {
                let message = format!("no command uses the group {}", quote(name));
                let way = match rule.steps.first() {
                    Some(Command::Argv(_)) => format!("`{{{name}}}` in `run` is its value"),
                    _ => format!("\"${variable}\" in `run` is its value"),
                };
                let help = format!("{way}; if a script reads it, or nobody should, call it `_{name}`");
                self.warn(&typed.place, message, help);
            }
        }
    }

    fn empty_placeholders(&mut self, raw: &RawRule, rule: &Rule) {
        for typed in raw.commands() {
            match &typed.value {
                RawCommand::Shell(text) => self.empty_argument(text, &typed.place, rule),
                RawCommand::Argv(words) => words.iter().for_each(|word| self.empty_fields(word, raw, rule)),
            }
        }
    }

    fn empty_argument(&mut self, text: &str, place: &Place, rule: &Rule) {
        let argument = ["$1", "${1", "$@", "$*"].iter().find(|argument| text.contains(**argument));
        if let Some(argument) = argument.filter(|_| rule.per != Per::File) {
            let help = "with per = \"file\" it is the path; $TRIPLINE_PATHS_FILE names a file with all paths";
            self.warn(place, format!("`{argument}` is empty here"), help);
        }
    }

    fn empty_fields(&mut self, word: &Spanned<String>, raw: &RawRule, rule: &Rule) {
        let captures: Vec<_> =
            rule.pattern.iter().flat_map(|regex| regex.capture_names()).flatten().collect();
        let Ok(Template::Text(segments)) = Template::parse(&word.value, &captures, &self.vars) else {
            return;
        };
        let has = |fields: &[Field]| {
            segments.iter().any(|segment| matches!(segment, Segment::Field(field) if fields.contains(field)))
        };
        let renames = EventMask::MOVED_TO | EventMask::CHANGE | EventMask::RENAME;
        if has(&[Field::OldPath]) && !rule.on.intersects(renames) && rule.after.is_empty() {
            let help = "only a rename has an old path: ask for `moved_to` or `rename`";
            self.warn(&word.place, "`{old_path}` is always empty here", help);
        } else if has(&OF_PATH) && rule.on_start && rule.per == Per::Batch && raw.on_start.is_some() {
            let help = "the run at the start has no path; see that the command can do without";
            self.warn(&word.place, format!("{} is empty at the start", quote(&word.value)), help);
        }
    }
}

fn types_help(kinds: Types) -> String {
    let names = [(Subject::File, "file"), (Subject::Dir, "dir"), (Subject::Other, "other")];
    let fitting: Vec<_> = names
        .iter()
        .filter(|(subject, _)| kinds.contains(*subject))
        .map(|(_, name)| format!("\"{name}\""))
        .collect();
    format!("add types = [{}], or ask for another event", fitting.join(", "))
}

fn uses_capture(rule: &Rule, name: &str) -> bool {
    let is_it = |segment: &Segment| matches!(segment, Segment::Capture(used) if used == name);
    let uses =
        |template: &Template| matches!(template, Template::Text(segments) if segments.iter().any(is_it));
    rule.commands().any(|command| matches!(command, Command::Argv(argv) if argv.iter().any(uses)))
}

/// All that the commands say.
fn command_text(raw: &RawRule) -> String {
    let text = |typed: &Spanned<RawCommand>| match &typed.value {
        RawCommand::Shell(text) => text.clone(),
        RawCommand::Argv(words) => words.iter().map(|word| word.value.as_str()).collect(),
    };
    raw.commands().map(text).collect()
}

/// Warns of paths whose matches some ignore layer hides, all of them as far as examples tell.
pub(super) fn hidden_paths(raw: &Raw, globs: &[(Entry, Glob)], ignores: &Ignores, out: &mut Diagnostics) {
    for same in globs.chunk_by(|(a, _), (b, _)| a == b) {
        let Some((entry, _)) = same.first().filter(|(entry, _)| !entry.excludes) else { continue };
        let reasons: Option<Vec<_>> =
            same.iter().map(|(entry, glob)| hidden(*entry, glob, ignores)).collect();
        let paths = raw.rules.get(entry.rule.0).and_then(|rule| rule.paths.as_ref());
        let typed = paths.and_then(|paths| paths.value.get(entry.place));
        if let (Some(typed), Some((pattern, origin))) = (typed, reasons.and_then(|mut all| all.pop())) {
            let message = format!("what {} matches is ignored by {}", quote(&typed.value), quote(&pattern));
            let help = format!(
                "that is in {origin}; `ignore = [{:?}]` in the rule brings it back, as does spelling it out",
                format!("!{pattern}")
            );
            out.push(Diagnostic::warning(&typed.place, message).help(help));
        }
    }
}

/// The pattern that hides examples of what the glob matches, and where it is.
fn hidden(entry: Entry, glob: &Glob, ignores: &Ignores) -> Option<(String, String)> {
    let mut reason = None;
    for (filler, depth) in [("x7q", 0), ("Zv_0", 1), ("k.j", 2)] {
        let (path, base) = example(glob, filler, depth);
        let (_, line) = ignores.judge(&path, false).reason(ignores.list_of(entry.rule), base)?;
        reason = Some((line.text.clone(), line.origin.to_string()));
    }
    reason
}

/// A path that the glob matches, with `depth` names for each `**`, and how much of it is spelled out.
fn example(glob: &Glob, filler: &str, depth: usize) -> (Vec<u8>, usize) {
    let (mut names, mut base) = (Vec::new(), None);
    for (at, part) in glob.parts.iter().enumerate() {
        let spelled_out = matches!(part, Component::Name(name) if name.is_plain());
        if !spelled_out && base.is_none() {
            base = Some(path::join(&names).len());
        }
        match part {
            Component::Name(name) => names.push(name.example(filler)),
            Component::AnyDepth => {
                let last = at + 1 == glob.parts.len();
                names.extend((0..depth + usize::from(last)).map(|_| filler.to_owned()));
            }
        }
    }
    let path = path::join(&names);
    let base = base.unwrap_or(path.len());
    (path, base)
}

/// Warns of rules that run the same command for the same events of the same paths.
pub(super) fn twins(raw: &Raw, out: &mut Diagnostics) {
    let mut seen = HashMap::new();
    for rule in &raw.rules {
        let mut paths = values(rule.paths.as_ref());
        paths.sort_unstable();
        let command = match rule.run.as_ref().map(|run| &run.value) {
            Some(RawCommand::Argv(words)) => words.iter().map(|word| word.value.as_str()).collect(),
            Some(RawCommand::Shell(text)) => vec!["", text],
            None => continue,
        };
        let lists = [&rule.on, &rule.types, &rule.ignore, &rule.after].map(|list| values(list.as_ref()));
        let single = [&rule.pattern, &rule.size_min, &rule.size_max];
        let key = (paths, command, lists, single.map(|typed| typed.as_ref().map(|typed| &typed.value)));
        if let Some(twin) = seen.insert(key, &rule.name.value) {
            let message = format!(
                "the rule {} runs the same command for the same paths as {}",
                quote(&rule.name.value),
                quote(twin)
            );
            out.push(Diagnostic::warning(&rule.name.place, message).help("one of them is enough"));
        }
    }
}

fn values(list: Option<&Words>) -> Vec<&str> {
    list.into_iter().flat_map(|list| &list.value).map(|word| word.value.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::tests::rules;

    /// The warnings about a rule with these lines: messages and help, a line each.
    fn odd(lines: &str) -> Vec<String> {
        let found = rules(&format!("[rules.r]\n{lines}")).warnings;
        found
            .iter()
            .map(|found| format!("{}; {}", found.message(), found.way_out().unwrap_or_default()))
            .collect()
    }

    #[test]
    fn events_and_paths_that_can_hardly_be_meant_are_warned_of() {
        for (lines, expected) in [
            (
                "paths = [\"a\"]\nrun = [\"x\"]\non = [\"close_write\", \"modify\"]\ntypes = [\"dir\"]",
                vec![
                    "`close_write` does not happen to what `types` asks for: the rule never runs; \
                     add types = [\"file\", \"other\"], or ask for another event",
                    "`modify` does not happen to what `types` asks for: the rule never runs; \
                     add types = [\"file\", \"other\"], or ask for another event",
                ],
            ),
            (
                "paths = [\"a\"]\nrun = [\"x\"]\non = [\"delete_self\", \"create\"]",
                vec![
                    "`delete_self` does not happen to anything but a directory; \
                     add types = [\"dir\"], or ask for another event",
                ],
            ),
            (
                "paths = [\"a\"]\nrun = [\"x\"]\non = [\"delete\"]\nsize = { min = \"1K\" }",
                vec![
                    "only a file that is there has a size: the rule never runs; \
                     ask for another event or type, or leave `size` out",
                ],
            ),
            (
                "paths = [\"../x/*\"]\nrun = [\"x\"]",
                vec![
                    "`../x/*` lies outside the root, /w; \
                     write the whole path if that is meant, or set `root` in [settings] higher up",
                ],
            ),
            (
                "paths = [\"**/target/*.o\"]\nrun = [\"x\"]",
                vec![
                    "what `**/target/*.o` matches is ignored by `target/`; that is in /w/.gitignore:1; \
                     `ignore = [\"!target/\"]` in the rule brings it back, as does spelling it out",
                ],
            ),
        ] {
            assert_eq!(odd(lines), expected, "{lines}");
        }
    }

    #[test]
    fn commands_that_can_hardly_be_meant_are_warned_of() {
        for (lines, expected) in [
            (
                "paths = [\"a\"]\nrun = [\"x\"]\nmatch = '(?<who>a)(?<_b>c)'",
                vec![
                    "no command uses the group `who`; `{who}` in `run` is its value; \
                     if a script reads it, or nobody should, call it `_who`",
                ],
            ),
            (
                "paths = [\"a\"]\nrun = \"cp \\\"$1\\\" x\"",
                vec![
                    "`$1` is empty here; with per = \"file\" it is the path; \
                     $TRIPLINE_PATHS_FILE names a file with all paths",
                ],
            ),
            (
                "paths = [\"a\"]\nrun = [\"x\", \"{old_path}\"]\non = [\"delete\"]",
                vec![
                    "`{old_path}` is always empty here; \
                     only a rename has an old path: ask for `moved_to` or `rename`",
                ],
            ),
            (
                "paths = [\"a\"]\nrun = [\"x\", \"{rel}\"]\non_start = true",
                vec![
                    "`{rel}` is empty at the start; \
                     the run at the start has no path; see that the command can do without",
                ],
            ),
            (
                "paths = [\"b\", \"a\"]\nrun = [\"x\"]\n[rules.s]\npaths = [\"a\", \"b\"]\nrun = [\"x\"]",
                vec!["the rule `s` runs the same command for the same paths as `r`; one of them is enough"],
            ),
        ] {
            assert_eq!(odd(lines), expected, "{lines}");
        }
    }

    #[test]
    fn what_makes_sense_is_not_warned_of() {
        for lines in [
            "paths = [\"a\"]\nrun = [\"x\"]\non = [\"all\"]",
            "paths = [\"a\"]\nrun = [\"x\"]\non = [\"delete_self\", \"open\"]\ntypes = [\"dir\"]",
            "paths = [\"/etc/*\", \"~/x\", \"target/debug/*\", \"**/x\"]\nrun = [\"x\"]",
            "paths = [\"**/target/*\"]\nrun = [\"x\"]\nignore = [\"!target/\"]",
            "paths = [\"a\"]\nrun = \"x $TRIPLINE_CAPTURE_WHO\"\nmatch = '(?<who>a)'",
            "paths = [\"a\"]\nrun = [\"x\", \"{who}\"]\nmatch = '(?<who>a)'",
            "paths = [\"a\"]\nrun = \"cp $1 x\"\nper = \"file\"",
            "paths = [\"a\"]\nrun = [\"x\", \"{old_path}\"]",
            "paths = [\"a\"]\nrun = [\"x\"]\nsize.max = \"1K\"\n\
             [rules.s]\npaths = [\"a\"]\nrun = [\"x\"]\nsize.min = \"1K\"",
            "paths = [\"a\"]\nrun = [\"x\"]\n[rules.s]\npaths = [\"a\"]\nrun = [\"x\"]\non = [\"create\"]",
            "paths = [\"a\"]\nrun = [\"x\"]\n[rules.s]\nafter = [\"r\"]\nrun = [\"y\"]\n\
             [rules.t]\nafter = [\"s\"]\nrun = [\"y\"]",
        ] {
            assert_eq!(odd(lines), Vec::<String>::new(), "{lines}");
        }
    }
}
