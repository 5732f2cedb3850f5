//! `run` and the other commands, with their placeholders.

use regex::bytes::Regex;

use super::Compiler;
use crate::rules::diagnostics::{Place, Spanned};
use crate::rules::keys::{RawCommand, RawRule};
use crate::rules::rule::template::Template;
use crate::rules::rule::{Command, Per};

/// Programs that run the text after `-c`.
const SHELLS: [&str; 8] = ["sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "busybox"];

/// Whether the word after these is the text of a shell.
fn is_shell_text(before: &[Spanned<String>]) -> bool {
    let Some((flag, before)) = before.split_last() else { return false };
    let is_flag = |word: &str| word.starts_with('-') || word.starts_with('+');
    let takes_text =
        flag.value.starts_with('-') && !flag.value.starts_with("--") && flag.value.ends_with('c');
    let program = before.iter().rev().find(|word| !is_flag(&word.value));
    takes_text
        && program
            .is_some_and(|program| SHELLS.contains(&program.value.rsplit('/').next().unwrap_or_default()))
}

impl Compiler {
    /// What one run executes: `run`, or `steps`.
    pub(super) fn steps(&mut self, raw: &RawRule, per: Per, pattern: Option<&Regex>) -> Vec<Command> {
        let Some(steps) = &raw.steps else {
            if raw.run.is_none() && raw.service.is_some() {
                return Vec::new();
            }
            let run = self.required(raw, "run", raw.run.as_ref());
            return run.map(|run| self.command("run", run, per, pattern)).into_iter().collect();
        };
        if let Some(run) = &raw.run {
            self.error(
                &run.place,
                "a rule has `run` or `steps`",
                "put this first in `steps`, or leave it out",
            );
        }
        if steps.value.is_empty() {
            let help = "for instance: steps = [[\"cargo\", \"build\"], [\"cargo\", \"test\"]]";
            self.error(&steps.place, "`steps` has no command", help);
        }
        steps.value.iter().map(|step| self.command("steps", step, per, pattern)).collect()
    }

    /// A command that a rule may have or not.
    pub(super) fn hook(
        &mut self,
        key: &str,
        typed: Option<&Spanned<RawCommand>>,
        per: Per,
        pattern: Option<&Regex>,
    ) -> Option<Command> {
        typed.map(|typed| self.command(key, typed, per, pattern))
    }

    fn command(
        &mut self,
        key: &str,
        typed: &Spanned<RawCommand>,
        per: Per,
        pattern: Option<&Regex>,
    ) -> Command {
        match &typed.value {
            RawCommand::Shell(text) => {
                if text.trim().is_empty() {
                    self.empty_command(key, &typed.place);
                }
                Command::Shell(self.word(&Spanned::new(text.clone(), typed.place.clone())))
            }
            RawCommand::Argv(words) => {
                if words.first().is_none_or(|program| program.value.is_empty()) {
                    self.empty_command(key, &typed.place);
                }
                self.argv(words, per, pattern)
            }
        }
    }

    fn empty_command(&mut self, key: &str, place: &Place) {
        let example = match key {
            "steps" => "[[\"cargo\", \"test\"]]",
            "service" => "[\"./server\"]",
            _ => "[\"cargo\", \"test\"]",
        };
        self.error(place, format!("`{key}` names no program"), format!("for instance: {key} = {example}"));
    }

    fn argv(&mut self, words: &[Spanned<String>], per: Per, pattern: Option<&Regex>) -> Command {
        let mut argv = Vec::new();
        for (index, word) in words.iter().enumerate() {
            let Some(template) = self.template(word, pattern) else { continue };
            self.check_paths(word, &template, &argv, per);
            if is_shell_text(&words[..index]) && template.holds_a_name() {
                let help =
                    "give it as an argument: [\"sh\", \"-c\", \"... \\\"$1\\\" ...\", \"sh\", \"{path}\"]";
                self.error(&word.place, "a file name in this text would run as shell commands", help);
            }
            argv.push(template);
        }
        Command::Argv(argv)
    }

    /// A word with placeholders; none if something is wrong with them.
    pub(super) fn template(&mut self, word: &Spanned<String>, pattern: Option<&Regex>) -> Option<Template> {
        let captures: Vec<_> = pattern.iter().flat_map(|regex| regex.capture_names()).flatten().collect();
        self.word(word);
        match Template::parse(&word.value, &captures, &self.vars) {
            Ok(template) => Some(template),
            Err(mistake) => {
                let place = self.place_inside(word, &mistake.span);
                self.error(&place, mistake.message, mistake.help);
                None
            }
        }
    }

    fn check_paths(&mut self, word: &Spanned<String>, template: &Template, before: &[Template], per: Per) {
        if *template != Template::Paths {
            return;
        }
        if per != Per::Batch {
            self.error(
                &word.place,
                "`{paths}` needs per = \"batch\"",
                "the one path of this run is `{path}`",
            );
        } else if before.is_empty() {
            self.error(&word.place, "`{paths}` cannot be the program", "write [\"program\", \"{paths}\"]");
        } else if before.contains(&Template::Paths) {
            let help = "a command that needs them again finds them in $TRIPLINE_PATHS_FILE";
            self.error(&word.place, "`{paths}` is there twice", help);
        }
    }

    /// Where a piece of a typed word is in its file; all of the word if it was typed with escapes.
    fn place_inside(&self, word: &Spanned<String>, inside: &std::ops::Range<usize>) -> Place {
        let whole = word.place.clone();
        let text =
            self.diagnostics.source(whole.source).and_then(|source| source.text.get(whole.span.clone()));
        match text.and_then(|text| text.find(&word.value)) {
            Some(offset) => {
                let start = whole.span.start + offset;
                Place { source: whole.source, span: start + inside.start..start + inside.end }
            }
            None => whole,
        }
    }
}
