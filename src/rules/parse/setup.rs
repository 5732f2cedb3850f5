//! What a rule says of its command's process.

use super::value::in_order;
use super::{Key, Reader, Value};
use crate::rules::diagnostics::{Spanned, quote};
use crate::rules::keys::{RawLimits, RawRule};
use crate::rules::tables::keys;

impl Reader<'_> {
    /// One of these keys; answers whether it was that.
    pub(super) fn setup(&mut self, key: &Key<'_>, value: &Value<'_>, rule: &mut RawRule) -> bool {
        match &**key.get_ref() {
            "user" => rule.user = self.string(key, value),
            "group" => rule.group = self.string(key, value),
            "env_clear" => rule.env_clear = self.boolean(key, value),
            "umask" => rule.umask = self.string(key, value),
            "nice" => rule.nice = self.nice(key, value),
            "limits" => rule.limits = self.limits(key, value),
            _ => return false,
        }
        true
    }

    /// What the kernel takes for a niceness (setpriority(2)).
    fn nice(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<i32>> {
        let integer = value.get_ref().as_integer();
        let found = integer.and_then(|int| i32::from_str_radix(int.as_str(), int.radix()).ok());
        if integer.is_some() && found.is_none_or(|nice| !(-20..=19).contains(&nice)) {
            self.push(&value.span(), format!("{} must be from -20 to 19", quote(key.get_ref())), None);
            return None;
        }
        self.typed(key, value, "be a whole number", None, found)
    }

    fn limits(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Spanned<RawLimits>> {
        let mut limits = RawLimits::default();
        let table = value.get_ref().as_table();
        let example = "for instance: limits = { nofile = 1024, as = \"2G\", cpu = \"60s\" }";
        self.typed(key, value, "be a table", Some(example), table)?;
        for (name, value) in table.into_iter().flat_map(in_order) {
            match &**name.get_ref() {
                "nofile" => limits.nofile = self.count(name, value),
                "nproc" => limits.nproc = self.count(name, value),
                "as" => limits.address_space = self.string(name, value),
                "core" => limits.core = self.string(name, value),
                "cpu" => limits.cpu = self.string(name, value),
                "data" => limits.data = self.string(name, value),
                "fsize" => limits.fsize = self.string(name, value),
                "memlock" => limits.memlock = self.string(name, value),
                "stack" => limits.stack = self.string(name, value),
                _ => self.unknown(name, "in `limits`", keys("limits")),
            }
        }
        Some(Spanned::new(limits, self.place(&value.span())))
    }
}
