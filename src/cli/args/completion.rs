//! What a shell is told that completes a command line: by its script, this program itself is asked.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};

use super::Cli;
use crate::cli::{Exit, location};
use crate::rules::load;

const NAME: &str = "tripline";
/// Set by the scripts, and by nobody else.
const ASKED: &str = "TRIPLINE_COMPLETE";

/// In zsh, a script that was loaded as the function of this name is to complete, too, and not only to say what does.
const AUTOLOADED: &str = "[ \"$funcstack[1]\" = _tripline ] && _clap_dynamic_completer_tripline \"$@\"\n";

/// `tripline completions`.
pub(crate) fn script(shell: Shell) -> Exit {
    let (mut out, shells) = (Vec::new(), Shells::builtins());
    let Some(completer) = shells.completer(&shell.to_string()) else { return Exit::Usage };
    // Writing to memory does not fail.
    let _ = completer.write_registration(ASKED, NAME, NAME, NAME, &mut out);
    if shell == Shell::Zsh {
        out.extend(AUTOLOADED.bytes());
    }
    let _ = io::stdout().write_all(&out);
    Exit::Ok
}

/// Answers a shell's script, if it is one that asks. What goes wrong is not said: somebody is typing.
pub(crate) fn answer(args: &[OsString]) -> Option<Exit> {
    std::env::var_os(ASKED)?;
    let here = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(Cli::command).var(ASKED);
    match asked.try_complete(args.iter().cloned(), here.as_deref()) {
        Ok(true) => Some(Exit::Ok),
        Ok(false) => None,
        Err(_) => Some(Exit::Usage),
    }
}

/// For an argument that is a rule: the names of those in the rules file. There are none while something is
/// wrong with it.
pub(crate) fn rule_names() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        // What a script gives stands behind the first `--`.
        let typed = std::env::args_os().skip_while(|word| word != "--").skip(1);
        let file = named_file(typed).map(|file| in_home(file, std::env::home_dir()));
        let rules = load(&location(file.as_ref())).map(|loaded| loaded.rules.rules).unwrap_or_default();
        let names = rules.iter().map(|rule| rule.name.as_str()).filter(|name| is_plain(name));
        names.map(CompletionCandidate::new).collect()
    })
}

/// The value of `--config` among the words of a command line.
fn named_file(words: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    let mut words = words.take_while(|word| word != "--");
    let found = words.find_map(|word| {
        let text = word.to_str()?;
        match text.strip_prefix("--config=").or_else(|| text.strip_prefix("-c").filter(|_| text.len() > 2)) {
            Some(value) => Some(Some(value.to_owned().into())),
            None => ["-c", "--config"].contains(&text).then_some(None),
        }
    })?;
    let value = found.or_else(|| words.next());
    value.map(PathBuf::from)
}

/// A word that a shell has not expanded yet.
fn in_home(file: PathBuf, home: Option<PathBuf>) -> PathBuf {
    match (file.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => file,
    }
}

/// Whether a shell takes it for one word, however it is put into its line.
fn is_plain(name: &str) -> bool {
    !name.starts_with('-') && name.chars().all(|c| c.is_alphanumeric() || "-_./+,@%".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_file_is_found_however_it_is_typed() {
        let file = |line: &str| named_file(line.split(' ').map(OsString::from));
        for line in ["-c a.toml", "-ca.toml", "--config a.toml", "--config=a.toml"] {
            let whole = format!("tripline trigger {line} te");
            assert_eq!(file(&whole), Some("a.toml".into()), "{whole}");
        }
        assert_eq!(file("tripline trigger te"), None);
        assert_eq!(file("tripline trigger -c"), None);
        assert_eq!(file("tripline on x -- cc -c a.c"), None);
        assert_eq!(in_home("~/a.toml".into(), Some("/home/me".into())), PathBuf::from("/home/me/a.toml"));
        assert_eq!(in_home("a/~/b".into(), Some("/home/me".into())), PathBuf::from("a/~/b"));
    }

    #[test]
    fn only_what_needs_no_quotes_is_offered() {
        assert!(["test", "a-b_c.d/e", "Änderung"].into_iter().all(is_plain));
        assert!(!["a b", "$(x)", "it's", "a;b", "-x"].into_iter().any(is_plain));
    }
}
