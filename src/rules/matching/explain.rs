//! Why a rule runs or does not: the one pattern, line, event or type that decided.

use std::fmt;
use std::sync::Arc;

use super::glob_match::Hit;
use super::plan::Plan;
use crate::event::{Event, Scope, Subject};
use crate::rules::Rules;
use crate::rules::ignore::gitignore::Line;
use crate::rules::rule::{Pattern, RuleId};

/// What decided about one rule and one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason<'r> {
    /// It runs: this path matches.
    Runs(&'r Pattern),
    /// It runs: a directory has left that may have held what matches.
    Below,
    /// None of its paths matches.
    NoPath,
    /// The last of its paths that matches takes it out.
    Excluded(&'r Pattern),
    /// This path matches, and the name that `prefix` ends in is ignored.
    Ignored {
        /// The path of the rule.
        path: &'r Pattern,
        /// The event's path up to and including the ignored name.
        prefix: Vec<u8>,
        /// The line that says so.
        by: IgnoreLine,
    },
    /// This path matches, and the event is none that it asks for.
    Event(&'r Pattern),
    /// This path matches, and what it names is nothing that `types` asks for.
    Type(&'r Pattern),
    /// This path matches, and `match` does not.
    Mismatch(&'r Pattern),
    /// This path matches, and what it names is no file, or not one of a size that `size` asks for.
    Size(&'r Pattern),
}

impl Reason<'_> {
    /// Whether the rule runs.
    #[must_use]
    pub const fn runs(&self) -> bool {
        matches!(self, Self::Runs(_) | Self::Below)
    }
}

/// A line of an ignore file or list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreLine(Arc<Line>);

impl fmt::Display for IgnoreLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, {}", self.0.text.escape_debug(), self.0.origin)
    }
}

/// What a directory is watched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watching {
    /// These rules, of which there is at least one.
    For(Vec<RuleId>),
    /// Nothing: it is ignored.
    Ignored(IgnoreLine),
    /// Nothing: no path of a rule reaches it.
    Unreached,
}

impl Rules {
    /// What decides about each rule, in rule order. It agrees with [`matches`](Self::matches), but for a
    /// rename, of which it looks at the new path only.
    #[must_use]
    pub fn explain(&self, event: &Event) -> Vec<Reason<'_>> {
        let hits = self.plan.all_hits(&event.path);
        let departed = super::departed(event).map(|dir| self.plan.rules_below(dir));
        let explain = |rule: usize| {
            let of_rule: Vec<_> = hits.iter().copied().filter(|hit| hit.entry.rule.0 == rule).collect();
            let reason = self.reason(RuleId(rule), &of_rule, event);
            let left = departed.as_ref().is_some_and(|rules| rules.contains(&RuleId(rule)));
            let asks = self.asks_for_departures(RuleId(rule)) && self.size_fits(&self.rules[rule], event);
            if left && !reason.runs() && asks { Reason::Below } else { reason }
        };
        (0..self.rules.len()).map(explain).collect()
    }

    /// `hits` are the globs of the rule that match.
    fn reason(&self, id: RuleId, hits: &[Hit], event: &Event) -> Reason<'_> {
        let rule = &self.rules[id.0];
        let pattern = |hit: &Hit| &rule.paths[hit.entry.place];
        let Some(last) = hits.iter().max_by_key(|hit| hit.entry.place) else { return Reason::NoPath };
        if last.entry.excludes {
            return Reason::Excluded(pattern(last));
        }
        let excluded = hits.iter().filter(|hit| hit.entry.excludes).map(|hit| hit.entry.place).max();
        let taken = hits.iter().filter(|hit| excluded.is_none_or(|place| hit.entry.place > place));
        let judge = self.plan.ignores.judge(&event.path, event.subject == Subject::Dir);
        let list = self.plan.ignores.list_of(id);
        let hidden = |hit: &&Hit| judge.reason(list, hit.base).is_none();
        let Some(hit) = taken.filter(hidden).max_by_key(|hit| hit.entry.place) else {
            return match judge.reason(list, last.base) {
                Some((end, line)) => {
                    let prefix = event.path[..end].to_vec();
                    Reason::Ignored { path: pattern(last), prefix, by: IgnoreLine(line) }
                }
                None => Reason::NoPath,
            };
        };
        let found = pattern(hit);
        if !event.is_one_of(rule.on) {
            Reason::Event(found)
        } else if !rule.types.contains(event.subject) {
            Reason::Type(found)
        } else if !self.pattern_matches(rule, &event.path) {
            Reason::Mismatch(found)
        } else if !self.size_fits(rule, event) {
            Reason::Size(found)
        } else {
            Reason::Runs(found)
        }
    }
}

impl Plan {
    /// What the directory is watched for.
    #[must_use]
    pub fn watching(&self, dir: &[u8]) -> Watching {
        if self.wants_dir(dir) {
            return Watching::For(self.rules_below(dir));
        }
        self.ignored_by(dir).map_or(Watching::Unreached, |line| Watching::Ignored(IgnoreLine(line)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{EventMask, Trigger};
    use crate::rules::tests::rules;

    fn event(path: &str, mask: EventMask, subject: Subject) -> Event {
        Event { mask, path: path.into(), subject, from: None, cookie: 0, trigger: Trigger::Event }
    }

    fn saved(path: &str) -> Event {
        event(path, EventMask::CLOSE_WRITE | EventMask::CHANGE, Subject::File)
    }

    #[test]
    fn the_one_that_decided_is_named() {
        let rules = rules(
            "[rules.r]\nrun = [\"x\"]\nmatch = 'a'\n\
             paths = [\"**/*.a\", \"src\", \"!src/gen\", \"src/gen/keep.a\"]",
        );
        let reason = |event: &Event| rules.explain(event).remove(0);
        let pattern = |place: usize| &rules.rules[0].paths[place];
        assert_eq!((pattern(2).file.as_str(), pattern(2).line), ("t", 4));
        assert_eq!(reason(&saved("/w/x.a")), Reason::Runs(pattern(0)));
        assert_eq!(reason(&saved("/w/src/x.a")), Reason::Runs(pattern(1)));
        assert_eq!(reason(&saved("/w/src/gen/x.a")), Reason::Excluded(pattern(2)));
        assert_eq!(reason(&saved("/w/src/gen/keep.a")), Reason::Runs(pattern(3)));
        assert_eq!(reason(&saved("/w/x.b")), Reason::NoPath);
        assert_eq!(reason(&saved("/w/src/x")), Reason::Mismatch(pattern(1)));
        let read = event("/w/x.a", EventMask::ACCESS, Subject::File);
        assert_eq!(reason(&read), Reason::Event(pattern(0)));
        let made = event("/w/x.a", EventMask::CREATE | EventMask::CHANGE, Subject::Dir);
        assert_eq!(reason(&made), Reason::Type(pattern(0)));
        let left = event("/w/src", EventMask::MOVED_FROM | EventMask::CHANGE, Subject::Dir);
        assert_eq!(reason(&left), Reason::Below);
    }

    #[test]
    fn an_ignored_name_comes_with_its_line() {
        let rules = rules("[rules.r]\nrun = [\"x\"]\npaths = [\"**\"]");
        let Reason::Ignored { prefix, by, .. } = rules.explain(&saved("/w/a/target/x")).remove(0) else {
            panic!("it is ignored")
        };
        assert_eq!(prefix, b"/w/a/target");
        assert_eq!(by.to_string(), "`target/`, /w/.gitignore:1");
    }

    #[test]
    fn a_directory_is_watched_for_rules_or_not_for_a_reason() {
        let rules = rules(
            "[rules.r]\nrun = [\"x\"]\npaths = [\"src/**/*.c\", \"**/a.d/x\", \"!src/gen\"]\n\
             [rules.s]\nrun = [\"y\"]\npaths = [\"src/**\"]\nignore = [\"own/\"]",
        );
        let plan = rules.plan();
        assert_eq!(plan.watching(b"/w/src"), Watching::For(vec![RuleId(0), RuleId(1)]));
        assert_eq!(plan.watching(b"/w/src/gen"), Watching::For(vec![RuleId(1)]));
        assert_eq!(plan.watching(b"/w/src/own"), Watching::For(vec![RuleId(0)]));
        let Watching::Ignored(line) = plan.watching(b"/w/target") else { panic!("it is ignored") };
        assert_eq!(line.to_string(), "`target/`, /w/.gitignore:1");
        assert_eq!(plan.watching(b"/x"), Watching::Unreached);
    }

    fn element() -> impl Strategy<Value = String> {
        let words = ["a", "b", "*", "**", "/", "target", "!"];
        prop::collection::vec(prop::sample::select(words.to_vec()), 1..6).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn the_explanation_agrees_with_the_matcher(
            paths in prop::collection::vec(element(), 1..5),
            path in "(/(a|b|target)){1,4}",
            mask in prop::sample::select(vec![0x1_0008_u32, 0x1, 0x1_0040, 0x1_0100]),
            subject in prop::sample::select(vec![Subject::File, Subject::Dir]),
        ) {
            let quoted: Vec<_> = paths.iter().map(|glob| format!("{glob:?}")).collect();
            let text = format!("[rules.r]\nrun = \"x\"\npaths = [\"*/a\", {}]", quoted.join(","));
            let file = crate::rules::SourceFile { name: "t".into(), text };
            let Ok(rules) = Rules::parse(file, &crate::rules::tests::around()) else { return Ok(()) };
            let kernel = EventMask::from_kernel(mask);
            let event = event(&format!("/w{path}"), kernel | EventMask::CHANGE, subject);
            let mut found = Vec::new();
            rules.matches(&event, &mut found);
            prop_assert_eq!(rules.explain(&event)[0].runs(), !found.is_empty(), "{:?}", rules.explain(&event));
        }
    }
}
