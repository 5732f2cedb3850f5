//! What becomes of rules when others take their place: a rule goes on in the one of its name.

use std::collections::HashMap;

use crate::rules::Rules;
use crate::rules::diagnostics::Spanned;
use crate::rules::keys::RawRule;
use crate::rules::rule::{Rule, RuleId};

/// What a rule goes on as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Successor {
    /// The same rule, at this place.
    Same(RuleId),
    /// The rule of its name, which says something else.
    Changed(RuleId),
    /// There is no rule of its name any more.
    None,
}

impl Successor {
    /// Which rule of the new ones it is.
    #[must_use]
    pub const fn id(self) -> Option<RuleId> {
        match self {
            Self::Same(id) | Self::Changed(id) => Some(id),
            Self::None => None,
        }
    }
}

impl Rules {
    /// What each of these rules goes on as in `new`, in their order.
    #[must_use]
    pub fn successors(&self, new: &Self) -> Vec<Successor> {
        let by_name = |(number, rule)| (rule, RuleId(number));
        let names = new.rules.iter().map(|rule| rule.name.as_str());
        let ids: HashMap<_, _> = names.enumerate().map(by_name).collect();
        let of = |(number, name): (usize, &str)| match ids.get(name) {
            // What has kept something running, and now does not, is another rule.
            Some(&id) if self.rules[number].service.is_some() && new.rules[id.0].service.is_none() => {
                Successor::None
            }
            Some(&id) if self.says_the_same(number, new, id.0) => Successor::Same(id),
            Some(&id) => Successor::Changed(id),
            None => Successor::None,
        };
        self.rules.iter().map(|rule| rule.name.as_str()).enumerate().map(of).collect()
    }

    fn says_the_same(&self, own: usize, new: &Self, other: usize) -> bool {
        let typed = |rules: &Self, number: usize| rules.raw.rules.get(number).map(of_globs);
        let after = |rules: &Self, number: usize| {
            let names = rules.rules[number].after.iter().map(|id| rules.rules[id.0].name.clone());
            names.collect::<Vec<_>>()
        };
        let renumbered = Rule { after: new.rules[other].after.clone(), ..Rule::clone(&self.rules[own]) };
        renumbered == *new.rules[other]
            && after(self, own) == after(new, other)
            && typed(self, own) == typed(new, other)
    }
}

/// What a rule says that is in the plan alone: its `ignore`, its `outputs`, its case.
fn of_globs(rule: &RawRule) -> (Vec<String>, Vec<String>, Option<bool>) {
    let words = |list: &Spanned<Vec<Spanned<String>>>| {
        list.value.iter().map(|word| word.value.clone()).collect::<Vec<_>>()
    };
    let case = rule.case_insensitive.as_ref().map(|typed| typed.value);
    let words = |list: &Option<_>| list.as_ref().map(words).unwrap_or_default();
    (words(&rule.ignore), words(&rule.outputs), case)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tests::rules;

    const OLD: &str = "[rules.a]\npaths = [\"a\"]\nrun = [\"x\"]\nmatch = 'a'\n\
                       [rules.b]\npaths = [\"b\"]\nrun = \"y\"\nignore = [\"*.o\"]\n";

    fn after(text: &str) -> Vec<Successor> {
        rules(OLD).successors(&rules(text))
    }

    #[test]
    fn a_rule_is_the_same_wherever_it_stands() {
        let swapped = "# A line more.\n[rules.b]\nrun = \"y\"\nignore = [\"*.o\"]\npaths = [\"b\"]\n\
                       [rules.a]\npaths = [\"a\"]\nmatch = 'a'\nrun = [\"x\"]\n";
        assert_eq!(after(swapped), [Successor::Same(RuleId(1)), Successor::Same(RuleId(0))]);
    }

    #[test]
    fn whatever_a_rule_says_makes_a_difference() {
        for (from, to) in [
            ("[\"x\"]", "[\"z\"]"),
            ("match = 'a'", "match = 'b'"),
            ("match = 'a'", "debounce = \"1s\""),
            ("[\"a\"]", "[\"a\", \"c\"]"),
            ("match = 'a'", "match = 'a'\ncase_insensitive = true"),
        ] {
            let expected = [Successor::Changed(RuleId(0)), Successor::Same(RuleId(1))];
            assert_eq!(after(&OLD.replacen(from, to, 1)), expected, "{to}");
        }
        assert_eq!(after(&OLD.replace("*.o", "*.a"))[1], Successor::Changed(RuleId(1)));
        let settings = format!("[settings]\ndebounce = \"1s\"\n{OLD}");
        assert_eq!(after(&settings), [Successor::Changed(RuleId(0)), Successor::Changed(RuleId(1))]);
    }

    #[test]
    fn a_rule_whose_name_is_gone_has_none() {
        let renamed = OLD.replace("rules.a", "rules.c");
        assert_eq!(after(&renamed), [Successor::None, Successor::Same(RuleId(1))]);
    }
}
