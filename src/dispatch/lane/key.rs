//! What a lane collects for.

use hashbrown::Equivalent;

use crate::rules::RuleId;

/// What a lane collects for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The rule.
    pub(crate) rule: RuleId,
    /// The path, with `per = "file"`.
    pub(crate) path: Option<Vec<u8>>,
}

/// The same, to look for it.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct KeyOf<'a> {
    pub(crate) rule: RuleId,
    pub(crate) path: Option<&'a [u8]>,
}

impl Equivalent<Key> for KeyOf<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        (self.rule, self.path) == (key.rule, key.path.as_deref())
    }
}
