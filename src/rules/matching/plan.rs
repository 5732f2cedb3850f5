//! Which directories the rules can need: what the watcher asks.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::dir_cache::{Place, Places};
use super::glob_match::{Entry, Hit, Hits, all_hits, hits_of, not_overruled, states};
use super::interest::Asked;
use super::reach::{Reaches, below};
use super::roots::roots;
use crate::event::path;
use crate::event::{EventMask, Extent, Polling, Scope, as_path};
use crate::rules::file_system::is_ignore_file;
use crate::rules::glob::Glob;
use crate::rules::glob::GlobTrie;
use crate::rules::ignore::Ignores;
use crate::rules::ignore::gitignore::Line;
use crate::rules::ignore::query::Judge;
use crate::rules::rule::RuleId;
use crate::rules::trie::{State, States};

/// All globs and ignore layers, and what follows from them for watching.
pub struct Plan {
    tree: GlobTrie<Entry>,
    pub(crate) ignores: Ignores,
    places: Places,
    /// By node: what can match below it, and the last place in `paths` of a glob that can.
    below: Vec<Reaches>,
    roots: Vec<PathBuf>,
    /// What each rule asks for.
    on: Vec<EventMask>,
    asked: Asked,
    pub(crate) polling: Polling,
    pub(crate) extent: Extent,
    pub(crate) patience: Duration,
    /// Whether a rule asks for directories.
    pub(crate) dirs: bool,
}

impl Plan {
    /// `root` is `settings.root`; `on` is what each rule asks for.
    pub(crate) fn new(globs: &[(Entry, Glob)], ignores: Ignores, root: &[u8], on: Vec<EventMask>) -> Self {
        let roots = roots(globs.iter().filter(|(entry, _)| !entry.excludes).map(|(_, glob)| glob), root);
        let roots = roots.iter().map(|root| as_path(root).to_path_buf()).collect();
        let mut tree = GlobTrie::default();
        for (entry, glob) in globs {
            tree.insert(&glob.parts, *entry);
        }
        let below = below(&tree, globs, &ignores);
        let (polling, extent, patience) = (Polling::default(), Extent::default(), Duration::ZERO);
        let (asked, places, dirs) = (Asked::new(globs, &on), Places::default(), true);
        Self { tree, ignores, places, below, roots, on, asked, polling, extent, patience, dirs }
    }

    /// Has a changed ignore file count, if `path` is one: what was read there is forgotten. Answers the
    /// directory below which other things may be ignored now.
    pub fn refresh<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        let dir = path::parent(path)?;
        let dir = match path::name(path) {
            b"exclude" => dir.strip_suffix(b"/.git/info")?,
            name if is_ignore_file(name) => dir,
            _ => return None,
        };
        self.ignores.refresh(dir);
        self.places.forget();
        Some(dir)
    }

    /// What is known of the directory that holds an absolute path.
    pub(crate) fn place(&self, path: &[u8]) -> Option<Arc<Place>> {
        let dir = path::parent(path).filter(|dir| dir.starts_with(b"/"))?;
        Some(self.places.of(dir, &self.tree, &self.ignores))
    }

    /// Every glob that matches `path` and is not overruled by a later exclusion of its rule.
    pub(crate) fn hits_in(&self, place: &Place, path: &[u8]) -> Hits {
        let states = match path::name(path) {
            b"" => place.states.clone(),
            name => self.tree.step(&place.states, name, path.len()),
        };
        not_overruled(hits_of(&self.tree, &states))
    }

    /// Every glob that matches `path`, exclusions too.
    pub(crate) fn all_hits(&self, path: &[u8]) -> Hits {
        all_hits(&self.tree, path)
    }

    /// Whether a rule that asks for one of these events could match the path, which is no directory.
    fn asks(&self, path: &[u8], events: EventMask) -> bool {
        if !self.asked.of(path::name(path)).intersects(events) {
            return false;
        }
        let Some(place) = self.place(path) else { return false };
        let mut judge = self.ignores.judge(path, false).within(&place.around);
        self.hits_in(&place, path).into_iter().any(|Hit { entry: Entry { rule, .. }, base }| {
            let asks = self.on.get(rule.0).is_some_and(|on| on.intersects(events));
            asks && !judge.hides(self.ignores.list_of(rule), base)
        })
    }

    /// Every rule that could match something below `dir`, in rule order, each once.
    pub(crate) fn rules_below(&self, dir: &[u8]) -> Vec<RuleId> {
        let mut judge = self.ignores.judge(dir, true);
        let states = self.states(dir);
        let mut rules = Vec::new();
        for &state in &states {
            let mut open = vec![state.node];
            while let Some(node) = open.pop() {
                let own =
                    if node != state.node || self.tree.is_deep(node) { self.tree.values(node) } else { &[] };
                let visible = own.iter().filter(|entry| {
                    !entry.excludes
                        && !judge.hides(self.ignores.list_of(entry.rule), state.literal_len)
                        && !self.covered(&states, entry.rule, entry.place)
                });
                rules.extend(visible.map(|entry| entry.rule));
                open.extend(self.tree.children(node));
            }
        }
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// The line that hides the directory from a glob which would reach below it.
    pub(crate) fn ignored_by(&self, dir: &[u8]) -> Option<Arc<Line>> {
        let judge = self.ignores.judge(dir, true);
        let states = self.states(dir);
        let mut reaches = states
            .iter()
            .flat_map(|state| self.below[state.node].keys().map(|reach| (state.literal_len, reach.list)));
        reaches.find_map(|(base, list)| Some(judge.reason(list, base)?.1))
    }

    /// Whether something below the directory could match, given where it leads in the tree.
    fn reaches(&self, states: &[State], judge: &mut Judge<'_>) -> bool {
        states.iter().any(|state| {
            self.below[state.node].iter().any(|(reach, &place)| {
                !judge.hides(reach.list, state.literal_len)
                    && reach.excluding.is_none_or(|rule| !self.covered(states, rule, place))
            })
        })
    }

    /// Whether an exclusion of the rule that comes after `place` takes out all below the directory that
    /// leads to these states.
    fn covered(&self, states: &[State], rule: RuleId, place: usize) -> bool {
        let deep = states.iter().filter(|state| self.tree.is_deep(state.node));
        let mut entries = deep.flat_map(|state| self.tree.values(state.node));
        entries.any(|entry| entry.excludes && entry.rule == rule && entry.place > place)
    }

    fn states(&self, path: &[u8]) -> States {
        states(&self.tree, path)
    }
}

impl Scope for Plan {
    fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    fn wants_dir(&self, dir: &[u8]) -> bool {
        self.reaches(&self.states(dir), &mut self.ignores.judge(dir, true))
    }

    fn wants_file(&self, path: &[u8]) -> bool {
        self.asks(path, EventMask::ALL | EventMask::CHANGE | EventMask::RENAME)
    }

    fn remembers(&self, path: &[u8]) -> bool {
        self.asks(path, EventMask::REMOVAL)
    }

    fn shortest_debounce(&self) -> Duration {
        self.patience
    }

    fn polling(&self) -> Polling {
        self.polling
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn mask(&self) -> EventMask {
        self.asked.of_all
    }

    fn events_wanted(&self, name: &[u8], is_dir: bool) -> EventMask {
        match is_dir {
            true if self.dirs => self.asked.of_all,
            true => EventMask::default(),
            false => self.asked.of(name),
        }
    }

    fn affects_scope(&self, name: &[u8]) -> bool {
        is_ignore_file(name)
    }

    fn record_rename(&self, from: &[u8], to: &[u8]) -> bool {
        // What was found out about another directory at the same path does not hold of this one.
        [from, to].into_iter().for_each(|dir| self.ignores.refresh(dir));
        self.places.forget();
        let all_kept = self.on.iter().all(|on| on.intersects(EventMask::REMOVAL));
        all_kept && self.tree.lead_alike(from, to) && self.ignores.treat_alike(from, to)
    }

    fn wants_dir_events(&self) -> bool {
        self.dirs
    }

    fn record_listing(&self, dir: &[u8], names: &mut dyn Iterator<Item = &[u8]>) {
        for name in names {
            if is_ignore_file(name) {
                return;
            }
        }
        self.ignores.none_in(dir);
    }
}

/// Without the globs: they fill pages.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("roots", &self.roots).field("on", &self.on).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::rules::file_system::{IgnoreFiles, RepositoryFiles};
    use crate::rules::glob::{Anchors, Case};
    use crate::rules::ignore::Lists;
    use crate::rules::ignore::gitignore::{Origin, Patterns};

    /// A plan of rules, each with its globs and its own ignore list; `/w` is a work tree that ignores
    /// `target/`.
    fn plan(rules: &[(&str, &[&str])]) -> Plan {
        let anchors = Anchors { root: b"/w", home: None };
        let mut globs = Vec::new();
        let mut own = vec![Patterns::default()];
        for (number, (paths, ignore)) in rules.iter().enumerate() {
            for (place, text) in paths.split(' ').enumerate() {
                let entry = Entry { rule: RuleId(number), place, excludes: text.starts_with('!') };
                let parsed = Glob::parse(text.trim_start_matches('!'), anchors, Case::Exact).unwrap();
                globs.extend(parsed.into_iter().map(|glob| (entry, glob)));
            }
            own.push(Patterns::default());
            ignore.iter().for_each(|line| own[number + 1].push(line, Origin::Builtin).unwrap());
        }
        let lists = Lists {
            root: b"/w".to_vec(),
            own,
            own_of: (1..=rules.len()).collect(),
            settings: Patterns::default(),
            gitignore: true,
            default_ignore: true,
        };
        let files = IgnoreFiles {
            gitignore: b"target/\n".to_vec(),
            repository: Some(RepositoryFiles::default()),
            ..IgnoreFiles::default()
        };
        let files = HashMap::from([(PathBuf::from("/w"), files)]);
        Plan::new(&globs, Ignores::new(lists, Arc::new(files)), b"/w", vec![EventMask::CHANGE; rules.len()])
    }

    fn roots_of(globs: &[&str]) -> Vec<String> {
        let rules: Vec<(&str, &[&str])> = globs.iter().map(|&glob| (glob, &[][..])).collect();
        plan(&rules).roots().iter().map(|root| root.display().to_string()).collect()
    }

    #[test]
    fn roots_are_few_and_never_nested() {
        for (globs, expected) in [
            (vec!["src/**"], vec!["/w"]),
            (vec!["src/**", "/w/docs/*"], vec!["/w"]),
            (vec!["/w/docs/*"], vec!["/w/docs"]),
            (vec!["/etc/hosts"], vec!["/etc"]),
            (vec!["/etc/hosts", "/etc/a/*", "x"], vec!["/etc", "/w"]),
            (vec!["../y/*", "a"], vec!["/w", "/y"]),
            (vec!["/**", "a"], vec!["/"]),
            (vec!["/ab/*", "/a/*"], vec!["/a", "/ab"]),
            (vec!["/a!b/*", "/a/c/*", "/a/*"], vec!["/a", "/a!b"]),
            (vec!["/a/* !/b/*"], vec!["/a"]),
        ] {
            assert_eq!(roots_of(&globs), expected, "{globs:?}");
        }
    }

    #[test]
    fn only_directories_that_can_hold_a_match_are_wanted() {
        for (glob, yes, no) in [
            ("src/**/*.rs", vec!["/w", "/w/src", "/w/src/a", "/w/src/a/b"], vec!["/w/docs", "/w/src/.git"]),
            (
                "target/debug/server",
                vec!["/w/target", "/w/target/debug"],
                vec!["/w/target/debug/deps", "/w/target/x"],
            ),
            ("inbox/*.csv", vec!["/w/inbox"], vec!["/w/inbox/sub", "/w/inbox/a.csv"]),
            ("**/*.rs", vec!["/w/a", "/w/a/b"], vec!["/w/target", "/w/target/debug", "/w/a/target"]),
            ("*/x/*.c", vec!["/w/a", "/w/a/x"], vec!["/w/a/y", "/w/a/x/y"]),
            ("target/**", vec!["/w/target", "/w/target/a"], vec!["/w/target/.git", "/w/target/a/target"]),
            ("docs", vec!["/w/docs", "/w/docs/a"], vec!["/w/src"]),
        ] {
            let plan = plan(&[(glob, &[])]);
            for dir in yes {
                assert!(plan.wants_dir(dir.as_bytes()), "{glob} should want {dir}");
            }
            for dir in no {
                assert!(!plan.wants_dir(dir.as_bytes()), "{glob} should not want {dir}");
            }
        }
    }

    #[test]
    fn directories_are_asked_about_where_a_rule_is_for_them_and_ignore_files_always_count() {
        let mut plan = plan(&[("src/*.rs", &[])]);
        assert_eq!(plan.events_wanted(b"src", true), plan.mask());
        plan.dirs = false;
        assert_eq!(plan.events_wanted(b"a.rs", false), plan.mask());
        assert!(
            plan.events_wanted(b"a.rs", true).is_empty()
                && plan.events_wanted(b".gitignore", false).is_empty()
        );
        assert!(
            plan.affects_scope(b".gitignore") && plan.affects_scope(b".git") && !plan.affects_scope(b"a.rs")
        );
    }

    #[test]
    fn a_renamed_directory_is_known_only_where_the_same_globs_and_ignore_lines_count() {
        for (paths, ignore, from, to, expected) in [
            ("src/**/*.rs", &[][..], "/w/src/a", "/w/src/b/c", true),
            ("**/a/*.rs", &[][..], "/w/src/a", "/w/src/b", false),
            ("src/*/*.rs", &[][..], "/w/src/a", "/w/src/b/c", false),
            ("** !b/**", &[][..], "/w/a", "/w/b", false),
            ("**", &["/b/gen"][..], "/w/a", "/w/b", false),
            ("**", &["gen"][..], "/w/a", "/w/c", true),
            ("**", &[][..], "/w/a", "/w/target", false),
            ("**", &[][..], "/w/target/a", "/w/target/b", false),
        ] {
            let plan = plan(&[(paths, ignore)]);
            assert_eq!(
                plan.record_rename(from.as_bytes(), to.as_bytes()),
                expected,
                "{paths} {ignore:?} {from} {to}"
            );
        }
        let mut careless = plan(&[("**", &[]), ("**", &[])]);
        careless.on[1] = EventMask::CLOSE_WRITE;
        assert!(!careless.record_rename(b"/w/a", b"/w/b"));
    }

    #[test]
    fn a_directory_that_every_rule_ignores_is_not_wanted() {
        let alone = plan(&[("**/*.rs", &["gen/"])]);
        assert!(!alone.wants_dir(b"/w/gen"));
        let both = plan(&[("**/*.rs", &["gen/"]), ("**/*.c", &[])]);
        assert!(both.wants_dir(b"/w/gen"));
        let kept = plan(&[("**/*.rs", &["!target/"])]);
        assert!(kept.wants_dir(b"/w/target"));
    }

    #[test]
    fn a_directory_that_an_exclusion_empties_is_not_wanted() {
        let plan = plan(&[("src !src/gen !**/tmp/*.c src/gen/keep/*.rs", &[])]);
        for dir in ["/w/src", "/w/src/a", "/w/src/gen", "/w/src/gen/keep", "/w/src/tmp"] {
            assert!(plan.wants_dir(dir.as_bytes()), "{dir}");
        }
        for dir in ["/w/src/gen/x", "/w/src/gen/keep/x"] {
            assert!(!plan.wants_dir(dir.as_bytes()), "{dir}");
        }
        assert_eq!(plan.rules_below(b"/w/src/gen"), [RuleId(0)]);
        assert!(plan.rules_below(b"/w/src/gen/x").is_empty());
    }

    #[test]
    fn rules_below_a_directory_are_those_that_could_match_there() {
        let plan = plan(&[("src/a/x.rs", &[]), ("src/**/*.c", &["a/"]), ("docs", &[]), ("src/a/*", &[])]);
        let below =
            |dir: &str| plan.rules_below(dir.as_bytes()).iter().map(|rule| rule.0).collect::<Vec<_>>();
        assert_eq!(below("/w/src/a"), [0, 3]);
        assert_eq!(below("/w/src"), [0, 1, 3]);
        assert_eq!(below("/w/src/b"), [1]);
        assert_eq!(below("/w/docs/x"), [2]);
        assert!(below("/w/other").is_empty());
    }

    #[test]
    fn ignore_files_are_known_by_their_names() {
        let plan = plan(&[("a", &[])]);
        for (path, dir) in [
            ("/w/a/.gitignore", Some("/w/a")),
            ("/w/.triplineignore", Some("/w")),
            ("/w/.git/info/exclude", Some("/w")),
            ("/w/a/.git", Some("/w/a")),
            ("/.ignore", Some("/")),
            ("/w/info/exclude", None),
            ("/w/a.ignore", None),
        ] {
            assert_eq!(plan.refresh(path.as_bytes()), dir.map(str::as_bytes), "{path}");
        }
    }

    #[test]
    fn the_mask_is_what_the_rules_ask_for() {
        assert_eq!(plan(&[("a", &[])]).mask(), EventMask::CHANGE);
    }
}
