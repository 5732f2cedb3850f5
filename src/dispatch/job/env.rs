//! The environment of a command.

use super::{Ended, RunId};
use crate::dispatch::batch::Batch;
use crate::dispatch::batch::change::Change;
use crate::rules::{Fields, Rule};

/// A variable: name and value.
pub type Variable = (Vec<u8>, Vec<u8>);

/// `MAX_ARG_STRLEN` of execve(2): one argument or variable, its NUL included, may not be longer.
const LONGEST_STRING: usize = 32 * 4096;

/// Whether a command inherits the variable `name` of tripline's own environment: everything but what a
/// service manager addresses to tripline itself and what an outer tripline said to it.
#[must_use]
pub fn is_inherited(name: &[u8]) -> bool {
    const OURS: [&[u8]; 4] = [b"NOTIFY_SOCKET", b"WATCHDOG_", b"LISTEN_", b"TRIPLINE_"];
    !OURS.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a command inherits it that runs as another user, or whose rule clears the environment.
#[must_use]
pub fn is_kept(name: &[u8]) -> bool {
    const KEPT: [&[u8]; 9] =
        [b"PATH", b"HOME", b"USER", b"LOGNAME", b"SHELL", b"TERM", b"TZ", b"LANG", b"TRIPLINE_PID"];
    KEPT.contains(&name) || name.starts_with(b"LC_")
}

/// The variables of the rule, then `TRIPLINE_*`. What does not apply is left out, and so is what is too
/// long for a variable.
pub(crate) fn variables(
    rule: &Rule,
    run: RunId,
    batch: &Batch,
    fields: &Fields<'_>,
    ended: Option<Ended>,
) -> Vec<Variable> {
    let own = rule.env.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone().into_bytes()));
    let ours = of_batch(run, batch, fields).into_iter().chain(of_first(batch, fields)).chain(of_end(ended));
    let ours = ours.filter_map(|(name, value)| Some((format!("TRIPLINE_{name}").into_bytes(), value?)));
    let captures = fields.captures.iter().map(|(name, value)| {
        (format!("TRIPLINE_CAPTURE_{}", name.to_ascii_uppercase()).into_bytes(), value.clone())
    });
    own.chain(ours.chain(captures).filter(is_short_enough)).collect()
}

fn is_short_enough((name, value): &Variable) -> bool {
    name.len() + "=".len() + value.len() + "\0".len() <= LONGEST_STRING
}

fn of_batch(run: RunId, batch: &Batch, fields: &Fields<'_>) -> [(&'static str, Option<Vec<u8>>); 8] {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let mask = batch.first().map(|_| format!("{:#010x}", batch.mask().kernel_bits()).into_bytes());
    [
        ("RULE", some(fields.rule)),
        ("ROOT", some(fields.root)),
        ("RUN", text(&run.0.to_string())),
        ("ATTEMPT", text(&batch.attempt().to_string())),
        ("TRIGGER", text(batch.trigger().name())),
        ("COUNT", text(&batch.len().to_string())),
        ("EVENTS", some(fields.event)),
        ("MASK", mask),
    ]
}

fn of_first(batch: &Batch, fields: &Fields<'_>) -> [(&'static str, Option<Vec<u8>>); 7] {
    let change = batch.first().map(|(_, change)| change);
    let cookie = change.map(Change::cookie).filter(|&cookie| cookie != 0);
    [
        ("PATH", some(fields.path)),
        ("REL", some(fields.rel)),
        ("NAME", some(fields.name)),
        ("DIR", some(fields.dir)),
        ("OLD_PATH", some(fields.old_path)),
        ("COOKIE", cookie.map(|cookie| cookie.to_string().into_bytes())),
        ("TYPE", change.and_then(|change| change.subject.name()).map(Into::into)),
    ]
}

fn of_end(ended: Option<Ended>) -> [(&'static str, Option<Vec<u8>>); 2] {
    let exit = ended.map(|ended| ended.exit.to_string().into_bytes());
    let duration = ended.map(|ended| ended.duration.as_millis().to_string().into_bytes());
    [("EXIT", exit), ("DURATION_MS", duration)]
}

/// The value of a field; none if it is empty, which is how a field says that it does not apply.
fn some(field: &[u8]) -> Option<Vec<u8>> {
    (!field.is_empty()).then(|| field.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_for_tripline_alone_is_not_inherited() {
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS", "TRIPLINE_PATH"] {
            assert!(!is_inherited(name.as_bytes()), "{name}");
        }
        for name in ["PATH", "MY_TRIPLINE_PATH", "", "LISTEN"] {
            assert!(is_inherited(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn of_a_cleared_environment_the_place_and_the_language_are_left() {
        for name in ["PATH", "HOME", "LC_ALL", "TRIPLINE_PID"] {
            assert!(is_kept(name.as_bytes()), "{name}");
        }
        for name in ["AWS_SECRET_ACCESS_KEY", "LD_PRELOAD", "PATHS", ""] {
            assert!(!is_kept(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_variable_may_be_as_long_as_the_kernel_takes_it() {
        let of_length = |value: usize| (b"A".to_vec(), vec![b'x'; value]);
        assert!(is_short_enough(&of_length(131_072 - 3)));
        assert!(!is_short_enough(&of_length(131_072 - 2)));
    }
}
