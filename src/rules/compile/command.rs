//! `run`: the command and its placeholders.

use regex::bytes::Regex;

use super::Compiler;
use crate::rules::error::{Place, Spanned};
use crate::rules::raw::{RawCommand, RawRule};
use crate::rules::rule::{Command, Per};
use crate::rules::template::Template;

impl Compiler {
    pub(super) fn command(&mut self, raw: &RawRule, per: Per, pattern: Option<&Regex>) -> Command {
        let Some(run) = self.required(raw, "run", raw.run.as_ref()) else {
            return Command::Shell(String::new());
        };
        match &run.value {
            RawCommand::Shell(text) => {
                if text.trim().is_empty() {
                    self.empty_command(&run.place);
                }
                Command::Shell(self.word(&Spanned::new(text.clone(), run.place.clone())))
            }
            RawCommand::Argv(words) => {
                if words.first().is_none_or(|program| program.value.is_empty()) {
                    self.empty_command(&run.place);
                }
                self.argv(words, per, pattern)
            }
        }
    }

    fn empty_command(&mut self, place: &Place) {
        self.error(place, "`run` names no program", "for instance: run = [\"cargo\", \"test\"]");
    }

    fn argv(&mut self, words: &[Spanned<String>], per: Per, pattern: Option<&Regex>) -> Command {
        let captures: Vec<_> = pattern.iter().flat_map(|regex| regex.capture_names()).flatten().collect();
        let mut argv = Vec::new();
        for word in words {
            self.word(word);
            match Template::parse(&word.value, &captures, &self.vars) {
                Ok(template) => {
                    self.check_paths(word, &template, &argv, per);
                    argv.push(template);
                }
                Err(mistake) => {
                    let place = self.place_inside(word, &mistake.span);
                    self.error(&place, mistake.message, mistake.help);
                }
            }
        }
        Command::Argv(argv)
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
