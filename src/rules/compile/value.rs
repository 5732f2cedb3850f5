//! Single values: durations, words out of a list, words for the kernel, variables.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Compiler;
use crate::rules::diagnostics::{Place, Spanned, quote};
use crate::rules::keys::RawRule;
use crate::rules::rule::template::is_identifier;
use crate::rules::rule::units;
use crate::rules::suggest;

impl Compiler {
    pub(super) fn duration(&mut self, typed: Option<&Spanned<String>>, default: Duration) -> Duration {
        let Some(typed) = typed else { return default };
        units::parse_duration(&typed.value).unwrap_or_else(|| {
            let message = format!("{} is not a duration", quote(&typed.value));
            self.error(&typed.place, message, "write a number and a unit: \"50ms\", \"2s\", \"5m\", \"1h\"");
            default
        })
    }

    /// A duration that must not be nothing, of a key that may be left out.
    pub(super) fn limit(&mut self, key: &str, typed: Option<&Spanned<String>>) -> Option<Duration> {
        let typed = typed?;
        let limit = self.duration(Some(typed), Duration::MAX);
        if limit.is_zero() {
            let message = format!("`{key}` cannot be {}", quote(&typed.value));
            self.error(&typed.place, message, format!("leave `{key}` out for none"));
        }
        Some(limit)
    }

    /// Which sizes `size` asks for.
    pub(super) fn size(&mut self, raw: &RawRule) -> Option<RangeInclusive<u64>> {
        let place = &raw.size_min.as_ref().or(raw.size_max.as_ref())?.place;
        let min = self.bytes(raw.size_min.as_ref(), 0);
        let max = self.bytes(raw.size_max.as_ref(), u64::MAX);
        if min > max {
            self.error(place, "no file has this size: `min` is more than `max`", "exchange them");
        }
        Some(min..=max)
    }

    pub(super) fn bytes(&mut self, typed: Option<&Spanned<String>>, default: u64) -> u64 {
        let Some(typed) = typed else { return default };
        units::parse_size(&typed.value).unwrap_or_else(|| {
            let message = format!("{} is not a size", quote(&typed.value));
            self.error(
                &typed.place,
                message,
                "write bytes, or a number and a unit: \"512\", \"1K\", \"10M\", \"2G\"",
            );
            default
        })
    }

    pub(super) fn check_waits(&mut self, place: Option<&Place>, debounce: Duration, max_wait: Duration) {
        if let Some(place) = place
            && max_wait < debounce
        {
            let message = format!("max_wait ({max_wait:?}) is shorter than debounce ({debounce:?})");
            self.error(place, message, "max_wait caps the wait: make it the longer one");
        }
    }

    /// The value that a word out of a fixed list stands for.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        typed: Option<&Spanned<String>>,
        choices: &[(&'static str, T)],
        default: T,
    ) -> T {
        let Some(typed) = typed else { return default };
        match choices.iter().find(|(word, _)| *word == typed.value) {
            Some(&(_, value)) => value,
            None => {
                let known: Vec<_> = choices.iter().map(|&(word, _)| word).collect();
                let message = format!("`{key}` cannot be {}", quote(&typed.value));
                self.error(&typed.place, message, suggest::instead_of(&typed.value, &known));
                default
            }
        }
    }

    /// A word that the kernel will be given: it must not hold a NUL byte.
    pub(super) fn word(&mut self, typed: &Spanned<String>) -> String {
        if typed.value.contains('\0') {
            self.error(&typed.place, "a NUL byte", "no argument, path or variable can hold one");
        }
        typed.value.clone()
    }

    /// `[env]` or a rule's `env`.
    pub(super) fn variables(
        &mut self,
        typed: &[(Spanned<String>, Spanned<String>)],
    ) -> Vec<(String, String)> {
        typed.iter().map(|(name, value)| (self.variable_name(name), self.word(value))).collect()
    }

    /// `[vars]`.
    pub(super) fn vars(&mut self, typed: &[(Spanned<String>, Spanned<String>)]) -> Vec<(String, String)> {
        for (name, _) in typed.iter().filter(|(name, _)| !is_identifier(&name.value)) {
            let message = format!("no variable can be called {}", quote(&name.value));
            self.error(&name.place, message, "a name is letters, digits and `_`");
        }
        typed.iter().map(|(name, value)| (name.value.clone(), self.word(value))).collect()
    }

    fn variable_name(&mut self, typed: &Spanned<String>) -> String {
        let name = self.word(typed);
        if name.is_empty() || name.contains('=') {
            let message = format!("no variable can be called {}", quote(&name));
            self.error(&typed.place, message, "write NAME = \"value\"");
        } else if name.starts_with("TRIPLINE_") {
            let message = format!("{} is tripline's own to set", quote(&name));
            self.error(
                &typed.place,
                message,
                "names that begin with TRIPLINE_ describe the event; take another",
            );
        }
        name
    }
}
