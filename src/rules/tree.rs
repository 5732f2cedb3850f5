//! All globs in one tree: a walk along a path meets exactly the globs whose spelled-out part lies on it.

use std::collections::HashMap;

use globset::{Candidate, GlobSet, GlobSetBuilder};

use super::glob::{Glob, Part, reaches_below};
use super::path;
use super::rule::RuleId;
use super::wildcard;

/// The globs of all rules, by the components of their bases, from `/`.
#[derive(Default)]
pub(crate) struct Tree {
    top: Node,
}

/// A directory or file that some glob spells out, or one on the way there.
#[derive(Default)]
pub(crate) struct Node {
    children: HashMap<Vec<u8>, Node>,
    exact: Vec<RuleId>,
    tails: Vec<(RuleId, Vec<Part>)>,
    /// The tails compiled, by the same indices.
    set: GlobSet,
}

/// A node met on the way along a path.
pub(crate) struct Step<'t, 'p> {
    pub(crate) node: &'t Node,
    /// How many bytes of the path the node spells out; 0 for `/`.
    pub(crate) base: usize,
    /// What of the path follows.
    pub(crate) rest: &'p [u8],
}

impl Tree {
    /// The tree of these globs; the error says why they cannot be compiled together.
    pub(crate) fn build(globs: impl IntoIterator<Item = (RuleId, Glob)>) -> Result<Self, String> {
        let mut tree = Self::default();
        for (rule, glob) in globs {
            let node =
                glob.base.into_iter().fold(&mut tree.top, |n, name| n.children.entry(name).or_default());
            if glob.tail.is_empty() {
                node.exact.push(rule);
            } else {
                node.tails.push((rule, glob.tail));
            }
        }
        tree.top.compile()?;
        Ok(tree)
    }

    /// The nodes on `path`, from `/` as deep as there are any.
    pub(crate) fn along<'t, 'p>(&'t self, path: &'p [u8]) -> impl Iterator<Item = Step<'t, 'p>> {
        let mut next = path.first().filter(|&&byte| byte == b'/').map(|_| (&self.top, 0));
        std::iter::from_fn(move || {
            let (node, base) = next?;
            let rest = path[base..].strip_prefix(b"/").unwrap_or(&path[base..]);
            let name = rest.split(|&byte| byte == b'/').next().unwrap_or_default();
            next = node.children.get(name).map(|child| (child, path.len() - rest.len() + name.len()));
            Some(Step { node, base, rest })
        })
    }

    /// The node that spells out all of `path`.
    pub(crate) fn at(&self, path: &[u8]) -> Option<&Node> {
        self.along(path).last().filter(|step| step.rest.is_empty()).map(|step| step.node)
    }
}

impl Node {
    /// Depth is bounded by the length that a glob may have.
    fn compile(&mut self) -> Result<(), String> {
        let mut set = GlobSetBuilder::new();
        for (_, tail) in &self.tails {
            set.add(wildcard::compile(&Glob::tail_text(tail))?);
        }
        self.set = set.build().map_err(|error| error.kind().to_string())?;
        self.children.values_mut().try_for_each(Self::compile)
    }

    /// Every rule with a glob in or below this node.
    pub(crate) fn rules(&self, out: &mut Vec<RuleId>) {
        out.extend(self.exact.iter().copied().chain(self.tails.iter().map(|(rule, _)| *rule)));
        self.children.values().for_each(|child| child.rules(out));
    }
}

impl Step<'_, '_> {
    /// Calls `hit` for every glob of this node that matches the path. `scratch` saves allocations.
    pub(crate) fn matches(&self, scratch: &mut Vec<usize>, mut hit: impl FnMut(RuleId)) {
        if self.rest.is_empty() {
            return self.node.exact.iter().copied().for_each(hit);
        }
        self.node.set.matches_candidate_into(&Candidate::from_bytes(self.rest), scratch);
        for &index in scratch.iter() {
            hit(self.node.tails[index].0);
        }
    }

    /// The rules with a glob of this node that can match something inside or below the path.
    pub(crate) fn reaching(&self) -> impl Iterator<Item = RuleId> {
        let reaches = |tail: &[Part]| reaches_below(tail, &mut path::components(self.rest));
        self.node.tails.iter().filter(move |(_, tail)| reaches(tail)).map(|(rule, _)| *rule)
    }
}

#[cfg(test)]
mod tests {
    use super::super::glob::Anchors;
    use super::*;

    fn tree(globs: &[&str]) -> Tree {
        let anchors = Anchors { root: b"/w", home: None };
        let parsed = globs.iter().enumerate().flat_map(|(number, text)| {
            Glob::parse(text, anchors).unwrap().into_iter().map(move |glob| (RuleId(number), glob))
        });
        Tree::build(parsed).unwrap()
    }

    fn matching(tree: &Tree, path: &str) -> Vec<usize> {
        let mut found = Vec::new();
        for step in tree.along(path.as_bytes()) {
            step.matches(&mut Vec::new(), |rule| found.push(rule.0));
        }
        found.sort_unstable();
        found
    }

    #[test]
    fn a_table_of_globs_and_paths() {
        for (glob, yes, no) in [
            (
                "src/**/*.rs",
                vec!["/w/src/a.rs", "/w/src/a/b.rs", "/w/src/.rs"],
                vec!["/w/a.rs", "/w/src/a.c"],
            ),
            ("*.rs", vec!["/w/a.rs", "/w/.a.rs"], vec!["/w/a/b.rs", "/a.rs"]),
            ("src", vec!["/w/src", "/w/src/a", "/w/src/a/b"], vec!["/w/srcx", "/w", "/src"]),
            ("src/", vec!["/w/src/a", "/w/src/a/b"], vec!["/w/src"]),
            (".", vec!["/w/a", "/w/a/b"], vec!["/w", "/x"]),
            ("a/**/b", vec!["/w/a/b", "/w/a/x/b", "/w/a/x/y/b"], vec!["/w/a/b/c", "/w/ab"]),
            ("a/**", vec!["/w/a/b", "/w/a/b/c"], vec!["/w/a"]),
            ("**/a/*", vec!["/w/a/x", "/w/b/a/x"], vec!["/w/a", "/w/a/x/y"]),
            ("*/b", vec!["/w/a/b"], vec!["/w/b", "/w/a/a/b"]),
            ("{a,b/c}/*", vec!["/w/a/x", "/w/b/c/x"], vec!["/w/b/x"]),
            ("/etc/hosts", vec!["/etc/hosts"], vec!["/etc/hostname", "/w/etc/hosts"]),
            ("/**", vec!["/a", "/w/x"], vec!["/"]),
            ("a\\*b", vec!["/w/a*b"], vec!["/w/axb"]),
            ("x/[!a]c", vec!["/w/x/bc"], vec!["/w/x/ac", "/w/x/b/c"]),
            ("**/*.tar.gz", vec!["/w/a.tar.gz"], vec!["/w/a.gz"]),
            ("**/{a,b}.x", vec!["/w/q/b.x"], vec!["/w/q/c.x"]),
            ("**/[a,b]x", vec!["/w/ax", "/w/d/,x"], vec!["/w/a,bx"]),
        ] {
            let tree = tree(&[glob]);
            for path in yes {
                assert!(!matching(&tree, path).is_empty(), "{glob} should match {path}");
            }
            for path in no {
                assert!(matching(&tree, path).is_empty(), "{glob} should not match {path}");
            }
        }
    }

    #[test]
    fn names_that_are_not_text_match_too() {
        let tree = tree(&["*.csv"]);
        let mut found = 0;
        for step in tree.along(b"/w/\xff\n.csv") {
            step.matches(&mut Vec::new(), |_| found += 1);
        }
        assert_eq!(found, 1);
    }

    #[test]
    fn odd_paths_match_nothing_and_do_no_harm() {
        let tree = tree(&["**", "/a/b"]);
        for path in ["", "w/a", "/", "//", "/a//b", "/w/"] {
            let _ = matching(&tree, path);
        }
        assert!(matching(&tree, "w/a").is_empty());
    }

    #[test]
    fn several_globs_meet_on_one_path() {
        let tree = tree(&["src/**", "src/a/*.rs", "/w/src/a/b.rs", "docs"]);
        assert_eq!(matching(&tree, "/w/src/a/b.rs"), [0, 1, 2]);
    }
}
