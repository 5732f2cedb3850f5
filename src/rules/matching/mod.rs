//! Which rules an event concerns.

pub(super) mod dir_cache;
pub(super) mod explain;
pub(super) mod glob_match;
pub(super) mod interest;
pub(super) mod plan;
pub(super) mod reach;
pub(super) mod roots;
pub(super) mod watched_dirs;

use std::ops::RangeInclusive;
use std::sync::Arc;

use smallvec::SmallVec;

use self::glob_match::{Entry, Hit};
use super::rule::{Rule, RuleId};
use super::{Match, Rules};
use crate::event::path;
use crate::event::{Event, EventMask, Subject, as_path};

/// The rules that an event concerns, seldom more than a few.
type Found = SmallVec<[RuleId; 4]>;

impl Rules {
    /// Appends a [`Match`] for every rule that `event` concerns, in rule order.
    pub fn matches(&self, event: &Event, out: &mut Vec<Match>) {
        let mut found = Found::new();
        self.matching(event, &event.path, |rule| event.is_one_of(rule.on), &mut found);
        if let Some(from) = event.from.as_ref().filter(|_| event.mask.intersects(EventMask::RENAME)) {
            self.matching(event, from, |rule| rule.on.intersects(EventMask::RENAME), &mut found);
        }
        if let Some(dir) = departed(event) {
            let below = self.plan.rules_below(dir).into_iter();
            found.extend(below.filter(|&rule| self.asks_for_departures(rule)));
        }
        if found.len() > 1 {
            found.sort_unstable();
            found.dedup();
        }
        found.retain(|&mut rule| self.rule(rule).is_some_and(|rule| self.size_fits(rule, event)));
        out.extend(found.into_iter().map(|rule| Match { rule }));
    }

    /// Takes in what the event means for the rules themselves: an ignore file that has changed counts from
    /// now on. That it was only read is nothing new, and reading it is what we do. Answers the directories
    /// below which other things may be ignored now.
    pub fn note<'e>(&self, event: &'e Event) -> impl Iterator<Item = &'e [u8]> {
        let changes =
            EventMask::CHANGE | EventMask::MODIFY | EventMask::CREATE | EventMask::DELETE | EventMask::MOVE;
        let paths = [Some(&event.path), event.from.as_ref()].into_iter().flatten();
        let changed = event.mask.intersects(changes);
        paths.filter(move |_| changed).filter_map(|path| self.plan.refresh(path))
    }

    /// The rules that match this path of the event, as far as `asks` for it.
    fn matching(&self, event: &Event, path: &[u8], asks: impl Fn(&Rule) -> bool, found: &mut Found) {
        let Some(place) = self.plan.place(path) else { return };
        let judge = self.plan.ignores.judge(path, event.subject == Subject::Dir);
        let mut judge = judge.within(&place.around);
        for Hit { entry: Entry { rule: id, .. }, base } in self.plan.hits_in(&place, path) {
            if let Some(rule) = self.rule(id)
                && asks(rule)
                && rule.types.contains(event.subject)
                && self.pattern_matches(rule, path)
                && !judge.hides(self.plan.ignores.list_of(id), base)
            {
                found.push(id);
            }
        }
    }

    /// Whether the rule is concerned if what it matches leaves together with its directory.
    pub(super) fn asks_for_departures(&self, rule: RuleId) -> bool {
        self.rule(rule).is_some_and(|rule| rule.on.intersects(EventMask::CHANGE | EventMask::MOVED_FROM))
    }

    pub(super) fn pattern_matches(&self, rule: &Rule, path: &[u8]) -> bool {
        rule.pattern.as_ref().is_none_or(|pattern| pattern.is_match(self.relative(path).unwrap_or(path)))
    }

    /// Only the file system knows how large a file is: it is asked last, and only for rules with `size`.
    pub(super) fn size_fits(&self, rule: &Rule, event: &Event) -> bool {
        let fits = |range: &RangeInclusive<u64>| {
            self.files.size(as_path(&event.path)).is_some_and(|bytes| range.contains(&bytes))
        };
        rule.size.as_ref().is_none_or(fits)
    }

    /// Whether the rule is declared to write this path itself.
    #[must_use]
    pub fn is_output(&self, rule: RuleId, path: &[u8]) -> bool {
        glob_match::hits(&self.outputs, path).iter().any(|hit| hit.entry.rule == rule && !hit.entry.excludes)
    }

    /// `path` relative to the root: empty for the root itself, none outside it.
    #[must_use]
    pub fn relative<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        use std::os::unix::ffi::OsStrExt;
        path::below(self.settings.root.as_os_str().as_bytes(), path)
    }

    fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(id.0).map(Arc::as_ref)
    }
}

/// The directory from which everything below it has gone: the kernel names only the directory.
pub(super) fn departed(event: &Event) -> Option<&[u8]> {
    if event.subject != Subject::Dir {
        return None;
    }
    match &event.from {
        Some(from) => Some(from),
        None => event.mask.intersects(EventMask::MOVED_FROM).then_some(&event.path),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::file_system::{FileSource, IgnoreFiles};
    use super::super::tests::rules;
    use super::*;
    use crate::event::Trigger;

    /// One rule called `r` with these lines.
    fn rule(lines: &str) -> Rules {
        rules(&format!("[rules.r]\nrun = [\"true\"]\n{lines}"))
    }

    fn event(path: &str) -> Event {
        Event {
            mask: EventMask::CLOSE_WRITE | EventMask::CHANGE,
            path: path.into(),
            subject: Subject::File,
            from: None,
            cookie: 0,
            trigger: Trigger::Event,
        }
    }

    fn matched(rules: &Rules, event: &Event) -> Vec<usize> {
        let mut out = Vec::new();
        rules.matches(event, &mut out);
        out.iter().map(|found| found.rule.0).collect()
    }

    fn concerns(rules: &Rules, event: &Event) -> bool {
        !matched(rules, event).is_empty()
    }

    #[test]
    fn each_rule_comes_once_and_in_order() {
        let rules = rules(concat!(
            "[rules.z]\nrun = \"x\"\npaths = [\"src\", \"src/*.rs\", \"**\"]\n",
            "[rules.b]\nrun = \"x\"\npaths = [\"docs\"]\n",
            "[rules.a]\nrun = \"x\"\npaths = [\"**/*.rs\"]\n",
        ));
        assert_eq!(rules.rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), ["z", "b", "a"]);
        assert_eq!(matched(&rules, &event("/w/src/a.rs")), [0, 2]);
        let mut out = vec![Match { rule: RuleId(2) }];
        rules.matches(&event("/w/src/a.rs"), &mut out);
        assert_eq!(out.len(), 3);
    }

    #[test]
    fn the_event_must_be_one_that_the_rule_asks_for() {
        let rules = rule("paths = [\"*\"]\non = [\"create\", \"delete\"]");
        assert!(!concerns(&rules, &event("/w/a")));
        assert!(concerns(&rules, &Event { mask: EventMask::CREATE, ..event("/w/a") }));
    }

    #[test]
    fn what_a_scan_finds_is_as_good_as_any_way_of_making_a_file() {
        let rules = rule("paths = [\"in/*\"]\non = [\"close_write\", \"moved_to\"]");
        let create = EventMask::CREATE | EventMask::CHANGE;
        let found = |trigger| concerns(&rules, &Event { mask: create, trigger, ..event("/w/in/a") });
        assert!(found(Trigger::Scan) && found(Trigger::Overflow));
        assert!(!found(Trigger::Event));
    }

    #[test]
    fn directories_count_only_if_asked_for() {
        let made =
            Event { mask: EventMask::CREATE | EventMask::CHANGE, subject: Subject::Dir, ..event("/w/d") };
        assert!(!concerns(&rule("paths = [\"*\"]"), &made));
        assert!(concerns(&rule("paths = [\"*\"]\ntypes = [\"dir\"]"), &made));
        assert!(!concerns(&rule("paths = [\"*\"]\ntypes = [\"dir\"]"), &event("/w/d")));
    }

    #[test]
    fn a_deleted_path_still_counts() {
        let gone =
            Event { mask: EventMask::DELETE | EventMask::CHANGE, subject: Subject::Gone, ..event("/w/a") };
        assert!(concerns(&rule("paths = [\"*\"]"), &gone));
    }

    #[test]
    fn the_regex_sees_the_relative_path_and_outside_the_root_the_whole_one() {
        let inside = rule("paths = [\"in/*\"]\nmatch = '^in/(?<who>[a-z]+)-'");
        assert!(concerns(&inside, &event("/w/in/ann-1.csv")));
        assert!(!concerns(&inside, &event("/w/in/1-ann.csv")));
        assert_eq!(inside.rules[0].captures(b"in/ann-1.csv"), [("who".to_owned(), b"ann".to_vec())]);
        assert!(concerns(&rule("paths = [\"/etc/*\"]\nmatch = '^/etc/'"), &event("/etc/hosts")));
    }

    /// Every file has as many bytes as its name says.
    #[derive(Debug)]
    struct Sized;

    impl FileSource for Sized {
        fn ignore_files(&self, _dir: &Path) -> IgnoreFiles {
            IgnoreFiles::default()
        }

        fn size(&self, path: &Path) -> Option<u64> {
            path.file_name()?.to_str()?.parse().ok()
        }
    }

    #[test]
    fn a_file_must_be_as_large_as_the_rule_asks() {
        for (size, expected) in [
            ("min = \"1K\"", [false, true, true]),
            ("max = \"1K\"", [true, true, false]),
            ("min = \"1000\", max = \"1K\"", [false, true, false]),
        ] {
            let mut rules = rule(&format!("paths = [\"*\"]\nsize = {{ {size} }}"));
            rules.files = Arc::new(Sized);
            for (path, expected) in ["/w/999", "/w/1024", "/w/1025"].iter().zip(expected) {
                assert_eq!(concerns(&rules, &event(path)), expected, "{size} {path}");
                assert_eq!(rules.explain(&event(path))[0].runs(), expected, "{size} {path}");
            }
            assert!(!concerns(&rules, &event("/w/gone")), "{size}");
            let left = EventMask::MOVED_FROM | EventMask::CHANGE;
            assert!(!concerns(&rules, &Event { mask: left, subject: Subject::Dir, ..event("/w") }), "{size}");
            let renamed = Event { mask: EventMask::RENAME, from: Some(b"/w/a".to_vec()), ..event("/x/1024") };
            let mut rules = rules;
            Arc::make_mut(&mut rules.rules[0]).on = EventMask::RENAME;
            assert!(concerns(&rules, &renamed), "{size}");
        }
    }

    #[test]
    fn what_is_ignored_is_silent_unless_spelled_out() {
        let path = event("/w/target/debug/server");
        assert!(!concerns(&rule("paths = [\"**\"]"), &path));
        assert!(concerns(&rule("paths = [\"target/debug/server\"]"), &path));
        assert!(concerns(&rule("paths = [\"target/debug/*\"]"), &path));
        assert!(concerns(&rule("paths = [\"**\"]\nignore = [\"!target/\"]"), &path));
        assert!(!concerns(&rule("paths = [\"**\"]\nignore = [\"*.log\"]"), &event("/w/a.log")));
    }

    #[test]
    fn a_later_exclusion_overrules_and_is_overruled() {
        let rules = rule("paths = [\"src/**/*.rs\", \"!src/gen\", \"src/gen/keep.rs\"]");
        for (path, expected) in [
            ("/w/src/a.rs", true),
            ("/w/src/gen/a.rs", false),
            ("/w/src/gen/keep.rs", true),
            ("/w/src/gen", false),
        ] {
            assert_eq!(concerns(&rules, &event(path)), expected, "{path}");
        }
        assert!(concerns(&rule("paths = [\"**\", \"!**/*.log\"]"), &event("/w/a")));
        assert!(concerns(&rule("paths = [\"\\\\!a\"]"), &event("/w/!a")));
    }

    #[test]
    fn either_case_counts_where_the_rule_says_so() {
        let lines = "paths = [\"IMG/*.jpg\", \"!**/thumb*\"]\ncase_insensitive = true";
        assert!(concerns(&rule(lines), &event("/w/img/A.JPG")));
        assert!(!concerns(&rule(lines), &event("/w/img/Thumb1.jpg")));
        assert!(!concerns(&rule("paths = [\"IMG/*.jpg\"]"), &event("/w/img/A.JPG")));
    }

    #[test]
    fn settings_reach_the_ignore_layers() {
        let rules = rules(
            "[settings]\nignore = [\"/dist\"]\ngitignore = false\ndefault_ignore = false\n\
                           [rules.r]\nrun = \"x\"\npaths = [\"**\"]",
        );
        assert!(!concerns(&rules, &event("/w/dist/x")));
        assert!(concerns(&rules, &event("/w/target/x")));
        assert!(concerns(&rules, &event("/w/a~")));
    }

    #[test]
    fn a_rename_counts_under_its_old_name_for_who_asks_for_renames() {
        let renamed = Event {
            mask: EventMask::MOVED_TO | EventMask::CHANGE | EventMask::RENAME,
            from: Some(b"/w/a.rs".to_vec()),
            ..event("/w/a.bak")
        };
        assert!(concerns(&rule("paths = [\"*.rs\"]\non = [\"rename\"]"), &renamed));
        assert!(!concerns(&rule("paths = [\"*.rs\"]"), &renamed));
        assert!(concerns(&rule("paths = [\"*.bak\"]"), &renamed));
        assert!(!concerns(&rule("paths = [\"*.c\"]\non = [\"rename\"]"), &renamed));
    }

    #[test]
    fn a_moved_away_directory_counts_for_all_that_could_be_in_it() {
        let left = Event {
            mask: EventMask::MOVED_FROM | EventMask::CHANGE,
            subject: Subject::Dir,
            ..event("/w/src/a")
        };
        assert!(concerns(&rule("paths = [\"src/**/*.rs\"]"), &left));
        assert!(concerns(&rule("paths = [\"src/a/b/c.rs\"]"), &left));
        assert!(!concerns(&rule("paths = [\"docs\"]"), &left));
        assert!(!concerns(&rule("paths = [\"src/*.rs\"]"), &left));
        assert!(!concerns(&rule("paths = [\"src/**\"]\non = [\"create\"]"), &left));
        assert!(!concerns(&rule("paths = [\"src/**\"]\nignore = [\"a/\"]"), &left));
        let renamed = Event { from: Some(b"/w/src/a".to_vec()), path: b"/w/b".to_vec(), ..left };
        assert!(concerns(&rule("paths = [\"src/**/*.rs\"]"), &renamed));
    }

    #[test]
    fn relative_is_empty_for_the_root_and_none_outside() {
        let rules = rule("paths = [\"*\"]");
        assert_eq!(rules.relative(b"/w"), Some(&b""[..]));
        assert_eq!(rules.relative(b"/w/a"), Some(&b"a"[..]));
        assert_eq!(rules.relative(b"/wx"), None);
    }
}
