//! `extends`: a rule takes over what a template has and it has not.

use std::collections::HashMap;

use super::Compiler;
use crate::rules::diagnostics::quote;
use crate::rules::keys::{Raw, RawRule};
use crate::rules::suggest;

impl Compiler {
    /// The rules with their templates worked in.
    pub(super) fn extended(&mut self, raw: &Raw) -> Vec<RawRule> {
        let templates = raw.templates.iter().map(|template| (template.name.value.as_str(), template));
        let templates: HashMap<_, _> = templates.collect();
        raw.rules.iter().map(|rule| self.extend(rule, &templates)).collect()
    }

    fn extend(&mut self, rule: &RawRule, templates: &HashMap<&str, &RawRule>) -> RawRule {
        let mut whole = rule.clone();
        let mut seen = Vec::new();
        while let Some(extends) = whole.extends.take() {
            let Some(template) = templates.get(extends.value.as_str()) else {
                let known: Vec<_> = templates.keys().copied().collect();
                let help = match known.is_empty() {
                    true => format!("a template begins with [templates.{}]", extends.value),
                    false => suggest::instead_of(&extends.value, &known),
                };
                let message = format!("no template is called {}", quote(&extends.value));
                self.error(&extends.place, message, help);
                whole.misread = true;
                break;
            };
            if seen.contains(&extends.value) {
                let message = format!("the template {} extends itself", quote(&extends.value));
                self.error(&extends.place, message, "a template may extend others, not in a circle");
                break;
            }
            seen.push(extends.value);
            whole = whole.over(template);
        }
        whole
    }
}
