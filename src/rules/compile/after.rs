//! `after`: which rules a rule follows, and that none follows itself.

use super::Compiler;
use crate::rules::error::quote;
use crate::rules::raw::RawRule;
use crate::rules::rule::{Rule, RuleId};
use crate::rules::suggest;

impl Compiler {
    /// The rules that the rule follows.
    pub(super) fn after(&mut self, raw: &RawRule) -> Vec<RuleId> {
        let mut after = Vec::new();
        for typed in raw.after.iter().flat_map(|list| &list.value) {
            match self.names.iter().position(|name| *name == typed.value) {
                Some(number) => after.push(RuleId(number)),
                // It may stand where the file could not be read.
                None if self.broken => {}
                None => {
                    let known: Vec<_> = self.names.iter().map(String::as_str).collect();
                    let help = suggest::instead_of(&typed.value, &known);
                    self.error(&typed.place, format!("no rule is called {}", quote(&typed.value)), help);
                }
            }
        }
        after
    }

    /// Complains of rules that follow each other in a circle, once of each circle.
    pub(super) fn circles(&mut self, raw: &[RawRule], rules: &[Rule]) {
        let mut done = vec![false; rules.len()];
        for start in 0..rules.len() {
            if let Some(circle) = circle(rules, RuleId(start), &mut done, &mut Vec::new()) {
                let names = circle.iter().chain(circle.first()).map(|rule| quote(&rules[rule.0].name));
                let message = format!("a circle: {}", names.collect::<Vec<_>>().join(" after "));
                let typed = circle.first().and_then(|rule| raw[rule.0].after.as_ref());
                if let Some(typed) = typed {
                    self.error(&typed.place, message, "one of them must begin without another");
                }
            }
        }
    }
}

/// The circle that is met first on the ways from `rule` back to what it follows, beginning with the rule that
/// stands first in the file. `way` is how one came here.
fn circle(rules: &[Rule], rule: RuleId, done: &mut [bool], way: &mut Vec<RuleId>) -> Option<Vec<RuleId>> {
    if let Some(start) = way.iter().position(|&known| known == rule) {
        let mut circle = way[start..].to_vec();
        let first = circle.iter().enumerate().min_by_key(|(_, rule)| **rule).map_or(0, |(at, _)| at);
        circle.rotate_left(first);
        return Some(circle);
    }
    if std::mem::replace(&mut done[rule.0], true) {
        return None;
    }
    way.push(rule);
    let found = rules[rule.0].after.iter().find_map(|&before| circle(rules, before, done, way));
    way.pop();
    found
}
