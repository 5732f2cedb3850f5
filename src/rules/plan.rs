//! Which directories the rules can need: what the watcher asks.

use std::fmt;
use std::path::PathBuf;

use super::glob::Glob;
use super::ignore::Ignores;
use super::path;
use super::rule::RuleId;
use super::tree::Tree;
use crate::event::{EventMask, Scope, as_path};

/// All globs and ignore layers, and what follows from them for watching.
pub struct Plan {
    pub(super) tree: Tree,
    pub(super) ignores: Ignores,
    roots: Vec<PathBuf>,
    /// What each rule asks for.
    on: Vec<EventMask>,
}

impl Plan {
    /// `root` is `settings.root`; `on` is what each rule asks for.
    pub(super) fn new(
        globs: Vec<(RuleId, Glob)>,
        ignores: Ignores,
        root: &[u8],
        on: Vec<EventMask>,
    ) -> Result<Self, String> {
        let roots = roots(globs.iter().map(|(_, glob)| glob), root);
        let roots = roots.iter().map(|root| as_path(root).to_path_buf()).collect();
        Ok(Self { tree: Tree::build(globs)?, ignores, roots, on })
    }

    /// Every rule that could match something below `dir`, in rule order, each once.
    pub(super) fn rules_below(&self, dir: &[u8]) -> Vec<RuleId> {
        let mut rules = Vec::new();
        if let Some(node) = self.tree.at(dir) {
            node.rules(&mut rules);
        }
        let mut judge = self.ignores.judge(dir, true, 0);
        for step in self.tree.along(dir) {
            rules.extend(step.reaching().filter(|&rule| !judge.hides(rule, step.base)));
        }
        rules.sort_unstable();
        rules.dedup();
        rules
    }
}

impl Scope for Plan {
    fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    fn wants(&self, dir: &[u8]) -> bool {
        if self.tree.at(dir).is_some() {
            return true;
        }
        let mut judge = self.ignores.judge(dir, true, 0);
        self.tree.along(dir).any(|step| step.reaching().any(|rule| !judge.hides(rule, step.base)))
    }

    fn keeps(&self, path: &[u8]) -> bool {
        let mut scratch = Vec::new();
        let mut judge = self.ignores.judge(path, false, 0);
        let mut kept = false;
        for step in self.tree.along(path) {
            step.matches(&mut scratch, |rule| {
                let asks = self.on.get(rule.0).is_some_and(|on| on.intersects(EventMask::END));
                kept = kept || (asks && !judge.hides(rule, step.base));
            });
        }
        kept
    }

    fn mask(&self) -> EventMask {
        self.on.iter().fold(EventMask::default(), |all, on| all | *on)
    }
}

/// Without the globs: compiled they fill pages.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("roots", &self.roots).field("on", &self.on).finish_non_exhaustive()
    }
}

/// The directories to watch from: the root for what was typed relative to it, else what a glob spells
/// out, or its parent where that may be a file. None of them lies inside another.
fn roots<'a>(globs: impl Iterator<Item = &'a Glob>, root: &[u8]) -> Vec<Vec<u8>> {
    let mut roots: Vec<Vec<u8>> = globs
        .map(|glob| {
            let base = path::join(&glob.base);
            if glob.relative && path::below(root, &base).is_some() {
                return root.to_vec();
            }
            if glob.tail.is_empty() { path::parent(&base).unwrap_or(b"/").to_vec() } else { base }
        })
        .collect();
    roots.sort_unstable_by_key(Vec::len);
    let mut minimal: Vec<Vec<u8>> = Vec::new();
    for root in roots {
        if !minimal.iter().any(|outer| path::below(outer, &root).is_some()) {
            minimal.push(root);
        }
    }
    minimal.sort_unstable();
    minimal
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use super::super::gitignore::Patterns;
    use super::super::glob::Anchors;
    use super::super::ignore::{GitFiles, Lists};
    use super::*;

    /// A plan of rules, each one glob and its own ignore list; `/w` is a work tree that ignores `target/`.
    fn plan(rules: &[(&str, &[&str])]) -> Plan {
        let anchors = Anchors { root: b"/w", home: None };
        let parse = |(number, (glob, _)): (usize, &(&str, &[&str]))| {
            let globs = Glob::parse(glob, anchors).unwrap();
            globs.into_iter().map(move |glob| (RuleId(number), glob)).collect::<Vec<_>>()
        };
        let lists = Lists {
            root: b"/w".to_vec(),
            rules: rules.iter().map(|(_, own)| Patterns::of_list(own.iter().copied()).unwrap()).collect(),
            settings: Patterns::default(),
            gitignore: true,
            default_ignore: true,
        };
        let files = GitFiles { gitignore: b"target/\n".to_vec(), exclude: Some(Vec::new()) };
        let files = HashMap::from([(PathBuf::from("/w"), files)]);
        let globs = rules.iter().enumerate().flat_map(parse).collect();
        let on = vec![EventMask::CHANGE; rules.len()];
        Plan::new(globs, Ignores::new(lists, Arc::new(files)), b"/w", on).unwrap()
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
                assert!(plan.wants(dir.as_bytes()), "{glob} should want {dir}");
            }
            for dir in no {
                assert!(!plan.wants(dir.as_bytes()), "{glob} should not want {dir}");
            }
        }
    }

    #[test]
    fn a_directory_that_every_rule_ignores_is_not_wanted() {
        let alone = plan(&[("**/*.rs", &["gen/"])]);
        assert!(!alone.wants(b"/w/gen"));
        let both = plan(&[("**/*.rs", &["gen/"]), ("**/*.c", &[])]);
        assert!(both.wants(b"/w/gen"));
        let kept = plan(&[("**/*.rs", &["!target/"])]);
        assert!(kept.wants(b"/w/target"));
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
    fn only_names_whose_end_a_rule_asks_for_are_kept() {
        let plan = plan(&[("src/**/*.rs", &["gen/"])]);
        assert!(plan.keeps(b"/w/src/a.rs"));
        assert!(!plan.keeps(b"/w/src/a.c") && !plan.keeps(b"/w/src/gen/a.rs"));
    }

    #[test]
    fn the_mask_is_what_the_rules_ask_for() {
        assert_eq!(plan(&[("a", &[])]).mask(), EventMask::CHANGE);
    }
}
