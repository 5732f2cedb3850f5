//! `output` and `log`: where what commands write goes.

use super::Compiler;
use crate::event::as_path;
use crate::rules::keys::RawRule;
use crate::rules::rule::{Log, Output};

/// A day of a talkative build, and what an editor opens without thinking.
const LARGEST: u64 = 10 << 20;
const KEEP: usize = 3;

pub(crate) const OUTPUT: [(&str, Output); 5] = [
    ("inherit", Output::Inherit),
    ("prefix", Output::Prefix),
    ("group", Output::Group),
    ("on-failure", Output::OnFailure),
    ("none", Output::None),
];

impl Compiler {
    pub(super) fn output(&mut self, raw: &RawRule) -> Option<Output> {
        let typed = raw.output.as_ref()?;
        let output = self.choice("output", Some(typed), &OUTPUT, Output::Inherit);
        let service = raw.service.is_some() && raw.run.is_none() && raw.steps.is_none();
        if service && matches!(output, Output::Group | Output::OnFailure) {
            self.error(
                &typed.place,
                "what a service writes has no end",
                "\"prefix\" shows each line at once",
            );
        }
        Some(output)
    }

    pub(super) fn log(&mut self, raw: &RawRule) -> Option<Log> {
        let typed = raw.log.as_ref()?;
        let Some(file) = &typed.value.file else {
            if !raw.misread {
                let help = "for instance: log = { file = \"build.log\", max_size = \"10M\", keep = 3 }";
                self.error(&typed.place, "`log` names no `file`", help);
            }
            return None;
        };
        let max_size = self.bytes(typed.value.max_size.as_ref(), LARGEST);
        if let Some(size) = typed.value.max_size.as_ref().filter(|_| max_size == 0) {
            self.error(&size.place, "`max_size` cannot be nothing", "leave `log` out for none");
        }
        let keep = typed.value.keep.as_ref().map_or(KEEP, |typed| typed.value);
        Some(Log { file: as_path(&self.directory(file)).to_path_buf(), max_size, keep })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::rule::{Rule, RuleId};
    use crate::rules::tests::rules;

    fn rule(lines: &str) -> Rule {
        let text = format!("[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\n{lines}");
        rules(&text).rules[0].as_ref().clone()
    }

    #[test]
    fn each_key_about_output_is_used() {
        let usual = rule("");
        assert_eq!((usual.output, usual.log, usual.tty), (None, None, false));
        for (word, output) in OUTPUT {
            assert_eq!(rule(&format!("output = \"{word}\"")).output, Some(output));
        }
        let log = |file: &str, max_size, keep| Some(Log { file: file.into(), max_size, keep });
        assert_eq!(rule("log = { file = \"x.log\" }").log, log("/w/x.log", LARGEST, KEEP));
        let typed = "log = { file = \"~/x\", max_size = \"2K\", keep = 1 }\ntty = true";
        assert_eq!((rule(typed).log, rule(typed).tty), (log("/home/u/x", 2048, 1), true));
    }

    #[test]
    fn a_log_is_an_output_whatever_characters_it_has() {
        let text = "[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\nlog = { file = '!a[b]*{c}.log' }";
        let rules = rules(text);
        for (path, is_output) in [("!a[b]*{c}.log", true), ("!a[b]*{c}.log.1", true), ("!abc.log", false)] {
            assert_eq!(rules.is_output(RuleId(0), format!("/w/{path}").as_bytes()), is_output, "{path}");
        }
    }
}
