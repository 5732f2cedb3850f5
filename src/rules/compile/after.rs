//! `after`: which rules a rule follows, and that none follows itself.

use super::Compiler;
use crate::rules::diagnostics::quote;
use crate::rules::keys::RawRule;
use crate::rules::rule::{Rule, RuleId};
use crate::rules::suggest;

impl Compiler {
    /// The rules that the rule follows.
    pub(super) fn after(&mut self, raw: &RawRule) -> Vec<RuleId> {
        let mut after = Vec::new();
        for typed in raw.after.iter().flat_map(|list| &list.value) {
            match self.names.get(&typed.value) {
                Some(&rule) => after.push(rule),
                // It may stand where the file could not be read.
                None if self.broken => {}
                None => {
                    let known: Vec<_> = self.names.keys().map(String::as_str).collect();
                    let help = suggest::instead_of(&typed.value, &known);
                    self.error(&typed.place, format!("no rule is called {}", quote(&typed.value)), help);
                }
            }
        }
        after
    }

    /// Complains of rules that follow each other in a circle.
    pub(super) fn circles(&mut self, raw: &[RawRule], rules: &[Rule]) {
        for circle in circles(rules) {
            let names = circle.iter().chain(circle.first()).map(|rule| quote(&rules[rule.0].name));
            let message = format!("a circle: {}", names.collect::<Vec<_>>().join(" after "));
            let typed = circle.first().and_then(|rule| raw[rule.0].after.as_ref());
            if let Some(typed) = typed {
                self.error(&typed.place, message, "one of them must begin without another");
            }
        }
    }
}

/// Circles such that each rule that is on one, or follows one, follows one of these; each from the rule that
/// stands first in the file.
fn circles(rules: &[Rule]) -> Vec<Vec<RuleId>> {
    let in_trouble = in_trouble(rules);
    // From each of those one comes to a circle, whichever way one goes back.
    let before = |rule: RuleId| rules[rule.0].after.iter().copied().find(|before| in_trouble[before.0]);
    let (mut seen, mut circles) = (vec![false; rules.len()], Vec::new());
    for start in (0..rules.len()).map(RuleId).filter(|rule| in_trouble[rule.0]) {
        let (mut way, mut next) = (Vec::new(), Some(start));
        while let Some(rule) = next.filter(|rule| !seen[rule.0]) {
            seen[rule.0] = true;
            way.push(rule);
            next = before(rule);
        }
        if let Some(at) = way.iter().position(|&known| Some(known) == next) {
            let mut circle = way.split_off(at);
            let first = circle.iter().enumerate().min_by_key(|(_, rule)| **rule).map_or(0, |(at, _)| at);
            circle.rotate_left(first);
            circles.push(circle);
        }
    }
    circles
}

/// Which rules are on a circle or follow one: those that are left when, again and again, what follows nothing
/// is taken away.
fn in_trouble(rules: &[Rule]) -> Vec<bool> {
    let mut followers = vec![Vec::new(); rules.len()];
    for (number, rule) in rules.iter().enumerate() {
        rule.after.iter().for_each(|before| followers[before.0].push(number));
    }
    let mut left: Vec<_> = rules.iter().map(|rule| rule.after.len()).collect();
    let mut free: Vec<_> = (0..rules.len()).filter(|&number| left[number] == 0).collect();
    while let Some(number) = free.pop() {
        for &follower in &followers[number] {
            left[follower] -= 1;
            if left[follower] == 0 {
                free.push(follower);
            }
        }
    }
    left.into_iter().map(|left| left > 0).collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::tests::{mistakes, rules};

    #[test]
    fn a_long_row_of_rules_is_no_circle_and_each_circle_in_it_is_found() {
        let row = |first: usize| {
            let rule = |n: usize| format!("[rules.r{n}]\nafter = [\"r{}\"]\nrun = [\"true\"]\n", n - 1);
            (first..first + 20_000).map(rule).collect::<String>()
        };
        let start = "[rules.r0]\npaths = [\"a\"]\nrun = [\"true\"]\n";
        assert_eq!(rules(&format!("{start}{}", row(1))).rules.len(), 20_001);
        let looped = "[rules.r0]\nafter = [\"r2\", \"x\"]\nrun = [\"true\"]\n\
                      [rules.x]\nafter = [\"y\"]\nrun = [\"true\"]\n[rules.y]\nafter = [\"x\"]\nrun = [\"true\"]\n";
        let found = mistakes(&format!("{looped}{}", row(1)));
        assert_eq!(
            found,
            ["2:9 a circle: `r0` after `r2` after `r1` after `r0`", "5:9 a circle: `x` after `y` after `x`"]
        );
    }
}
