//! "Did you mean": the known word that is closest to an unknown one.

/// The longest word worth comparing, in bytes; the comparison is quadratic.
const LONGEST: usize = 64;

/// What other tools and people call things, and what it is called here.
const SYNONYMS: [(&str, &str); 32] = [
    ("command", "run"),
    ("cmd", "run"),
    ("exec", "run"),
    ("script", "run"),
    ("files", "paths"),
    ("glob", "paths"),
    ("globs", "paths"),
    ("patterns", "paths"),
    ("watch", "paths"),
    ("exclude", "ignore"),
    ("events", "on"),
    ("regex", "match"),
    ("delay", "debounce"),
    ("workdir", "cwd"),
    ("environment", "env"),
    ("kill_timeout", "stop_timeout"),
    ("time_limit", "timeout"),
    ("rate_limit", "throttle"),
    ("interval", "throttle"),
    ("retries", "retry"),
    ("success", "ok"),
    ("directory", "dir"),
    ("folder", "dir"),
    ("link", "symlink"),
    ("file", "path"),
    ("basename", "name"),
    ("dirname", "dir"),
    ("saved", "close_write"),
    ("write", "close_write"),
    ("modified", "modify"),
    ("wait", "queue"),
    ("ignore", "skip"),
];

/// The candidate that a slip of the fingers could have turned into `word`.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What to say to someone who typed `word`: the nearest candidate, or else all of them.
pub(crate) fn instead_of(word: &str, candidates: &[&str]) -> String {
    let lower = word.to_lowercase();
    let meant = SYNONYMS.iter().filter(|(other, _)| *other == lower).map(|&(_, ours)| ours);
    let meant = meant.into_iter().find(|ours| candidates.contains(ours));
    match meant.or_else(|| nearest(word, candidates.iter().copied())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are: {}", candidates.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["debounce", "max_wait", "on"];
        assert_eq!(nearest("debonce", known), Some("debounce"));
        assert_eq!(nearest("On", known), Some("on"));
        assert_eq!(nearest("max_wiat", known), Some("max_wait"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), known), None);
    }

    #[test]
    fn what_others_call_it_is_understood() {
        assert_eq!(instead_of("Command", &["run", "paths"]), "did you mean `run`?");
        assert_eq!(instead_of("command", &["paths"]), "known are: paths");
    }

    #[test]
    fn without_a_near_word_all_are_listed() {
        assert_eq!(instead_of("zzz", &["a", "bcd"]), "known are: a, bcd");
    }
}
