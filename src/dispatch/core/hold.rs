//! Rules that start nothing while some path exists: for how long they have.

use std::collections::HashMap;
use std::time::Duration;

use crate::dispatch::report::Report;
use crate::rules::{FileSource, Rule, RuleId};
use crate::time::MonoTime;

/// How often the path is looked for while it is there: nothing tells of its end if it is ignored, and nobody
/// sees a tenth of a second.
pub(crate) const LOOK: Duration = Duration::from_millis(100);
/// When a path has been there for so long, whoever made it may have crashed.
const LONG: Duration = Duration::from_secs(60);

/// The rules that are held.
#[derive(Debug, Default)]
pub(crate) struct Holds(HashMap<RuleId, Hold>);

#[derive(Debug)]
struct Hold {
    since: MonoTime,
    warned: bool,
}

impl Holds {
    /// Whether a rule may start nothing now, and what is to be said of that.
    pub(crate) fn holds(
        &mut self,
        id: RuleId,
        rule: &Rule,
        files: &dyn FileSource,
        now: MonoTime,
    ) -> (bool, Option<Report>) {
        let Some(path) = rule.hold_while.iter().find(|path| files.exists(path)) else {
            self.0.remove(&id);
            return (false, None);
        };
        let (rule, path) = (rule.name.clone(), path.clone());
        let Some(hold) = self.0.get_mut(&id) else {
            self.0.insert(id, Hold { since: now, warned: false });
            return (true, Some(Report::Held { rule, path, long: None }));
        };
        let long = now.since(hold.since);
        if long < LONG || std::mem::replace(&mut hold.warned, true) {
            return (true, None);
        }
        (true, Some(Report::Held { rule, path, long: Some(long) }))
    }

    /// Whether a path holds the rule.
    pub(crate) fn are_on(&self, id: RuleId) -> bool {
        self.0.contains_key(&id)
    }

    /// Forgets all: rules have other numbers now.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
