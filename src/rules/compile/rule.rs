//! One `[rules.NAME]`.

use std::path::PathBuf;
use std::time::Duration;

use regex::Error;
use regex::bytes::{Regex, RegexBuilder};

use super::{Compiler, Words, case};
use crate::event::{EventMask, Subject};
use crate::rules::diagnostics::{Diagnostic, Spanned, quote};
use crate::rules::glob::{Case, Glob};
use crate::rules::keys::RawRule;
use crate::rules::matching::glob_match::Entry;
use crate::rules::rule::signal;
use crate::rules::rule::template::{Field, is_identifier};
use crate::rules::rule::{Contain, OnBusy, Pattern, Per, Rule, RuleId, Stdin, TypedRegex, Types};
use crate::rules::suggest;

/// The grace between SIGTERM and SIGKILL: long enough to flush, short enough to wait for.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The components of the globs of all rules together: each takes some hundred bytes.
const MOST_PARTS: usize = 500_000;

/// A compiled regular expression, in bytes: hundreds of names fit, and a hundred times `\w` for each script
/// of the world does not.
const LARGEST_PATTERN: usize = 2 << 20;

pub(crate) const PER: [(&str, Per); 3] = [("batch", Per::Batch), ("file", Per::File), ("event", Per::Event)];

pub(crate) const STDIN: [(&str, Stdin); 5] = [
    ("null", Stdin::Null),
    ("lines", Stdin::Lines),
    ("nul", Stdin::Nul),
    ("json", Stdin::Json),
    ("inherit", Stdin::Inherit),
];

pub(crate) const ON_BUSY: [(&str, OnBusy); 5] = [
    ("queue", OnBusy::Queue),
    ("restart", OnBusy::Restart),
    ("signal", OnBusy::Signal(libc::SIGHUP)),
    ("parallel", OnBusy::Parallel),
    ("skip", OnBusy::Skip),
];

pub(crate) const CONTAIN: [(&str, Contain); 2] = [("group", Contain::Group), ("cgroup", Contain::Cgroup)];

pub(crate) const TYPES: [(&str, Subject); 4] = [
    ("file", Subject::File),
    ("dir", Subject::Dir),
    ("symlink", Subject::Symlink),
    ("other", Subject::Other),
];

impl Compiler {
    /// The rule; where there were mistakes, with defaults in their place.
    pub(super) fn rule(&mut self, id: RuleId, raw: &RawRule) -> Rule {
        self.name(&raw.name);
        self.paths(id, raw);
        self.outputs(id, raw);
        self.own_patterns(raw.ignore.as_ref());
        let pattern = self.pattern(raw.pattern.as_ref());
        let cwd = self.cwd(raw, pattern.as_ref());
        let per = self.choice("per", raw.per.as_ref(), &PER, Per::Batch);
        let on_busy = self.on_busy(raw, per);
        let (debounce, max_wait) = self.waits(raw, per);
        let rule = Rule {
            name: raw.name.value.clone(),
            paths: self.typed(raw.paths.as_ref()),
            on: self.on(raw.on.as_ref()),
            types: self.types(raw.types.as_ref()),
            after: self.after(raw),
            steps: self.steps(raw, per, pattern.as_ref()),
            on_success: self.hook("on_success", raw.on_success.as_ref(), per, pattern.as_ref()),
            on_failure: self.hook("on_failure", raw.on_failure.as_ref(), per, pattern.as_ref()),
            service: self.service(raw, per, pattern.as_ref()),
            pattern: pattern.map(TypedRegex::from),
            size: self.size(raw),
            stable_for: self.limit("stable_for", raw.stable_for.as_ref()),
            if_changed: raw.if_changed.as_ref().is_some_and(|typed| typed.value),
            hold_while: self.held_by(raw.hold_while.as_ref()),
            per,
            stdin: self.choice("stdin", raw.stdin.as_ref(), &STDIN, Stdin::Null),
            output: self.output(raw),
            log: self.log(raw),
            tty: raw.tty.as_ref().is_some_and(|typed| typed.value),
            on_busy,
            debounce,
            max_wait,
            cwd,
            setup: self.setup(raw),
            env: self.rule_env(raw),
            max_parallel: self.max_parallel(raw, per, on_busy),
            on_start: raw.on_start.as_ref().is_some_and(|typed| typed.value),
            throttle: self.limit("throttle", raw.throttle.as_ref()),
            exit_codes: self.exit_codes(raw),
            retry: raw.retry.as_ref().map(|typed| self.retry(&typed.value)),
            may_loop: raw.may_loop.as_ref().is_some_and(|typed| typed.value),
            timeout: self.limit("timeout", raw.timeout.as_ref()),
            stop_signal: raw.stop_signal.as_ref().map_or(libc::SIGTERM, |typed| self.signal(typed)),
            stop_timeout: self.duration(raw.stop_timeout.as_ref(), STOP_TIMEOUT),
            contain: self.choice("contain", raw.contain.as_ref(), &CONTAIN, Contain::Group),
        };
        self.oddities(raw, &rule);
        rule
    }

    fn name(&mut self, name: &Spanned<String>) {
        if self.word(name).is_empty() {
            self.error(&name.place, "a rule without a name", "write [rules.NAME]");
        }
    }

    fn paths(&mut self, id: RuleId, raw: &RawRule) {
        let on_start = raw.on_start.as_ref().is_some_and(|typed| typed.value);
        if raw.paths.is_none() && (raw.after.is_some() || raw.service.is_some() || on_start) {
            return;
        }
        let Some(paths) = self.required(raw, "paths", raw.paths.as_ref()) else { return };
        if paths.value.is_empty() {
            self.error(
                &paths.place,
                "a rule without a path never runs",
                "\".\" is everything below the root",
            );
        }
        let globs = self.globs(id, raw, paths);
        self.globs.extend(globs);
    }

    /// The paths of `hold_while`; without the key, those of `[settings]`.
    fn held_by(&mut self, typed: Option<&Words>) -> Vec<PathBuf> {
        match typed {
            Some(words) => words.value.iter().map(|word| self.path(word)).collect(),
            None => self.hold_while.clone(),
        }
    }

    fn outputs(&mut self, id: RuleId, raw: &RawRule) {
        for outputs in raw.outputs.iter().chain(&written_to(raw)) {
            let globs = self.globs(id, raw, outputs);
            globs.iter().for_each(|(entry, glob)| self.outputs.insert(&glob.parts, *entry));
        }
    }

    /// The globs of a list in which `!` takes something out again.
    fn globs(&mut self, id: RuleId, raw: &RawRule, list: &Words) -> Vec<(Entry, Glob)> {
        let case = case(raw.case_insensitive.as_ref(), self.case);
        let (mut globs, mut takes) = (Vec::new(), false);
        for (place, typed) in list.value.iter().enumerate() {
            let excludes = typed.value.starts_with('!');
            if excludes && !takes {
                let help = "a path before it, such as \"**\", says what it takes from";
                self.error(&typed.place, format!("{} excludes nothing", quote(&typed.value)), help);
            }
            takes |= !excludes;
            let entry = Entry { rule: id, place, excludes };
            globs.extend(self.glob(typed, case).into_iter().map(|glob| (entry, glob)));
        }
        globs
    }

    fn typed(&self, paths: Option<&Words>) -> Vec<Pattern> {
        let pattern = |typed: &Spanned<String>| {
            let (file, line) = self.diagnostics.line(&typed.place);
            Pattern { text: typed.value.clone(), file: file.to_owned(), line }
        };
        paths.into_iter().flat_map(|paths| &paths.value).map(pattern).collect()
    }

    fn glob(&mut self, typed: &Spanned<String>, case: Case) -> Vec<Glob> {
        let text = typed.value.strip_prefix('!').unwrap_or(&typed.value);
        match Glob::parse(text, self.anchors(), case) {
            Ok(globs) => {
                self.parts += globs.iter().map(|glob| glob.parts.len()).sum::<usize>();
                if self.parts > MOST_PARTS {
                    let message = format!("the globs have more than {MOST_PARTS} components in all");
                    self.error(&typed.place, message, "`**` reaches many directories with one glob");
                    return Vec::new();
                }
                globs
            }
            Err(mistake) => {
                let found = Diagnostic::at(&typed.place, mistake.message);
                self.push(match mistake.help {
                    Some(help) => found.help(help),
                    None => found,
                });
                Vec::new()
            }
        }
    }

    /// The value of a key that every rule must have.
    pub(super) fn required<'a, T>(
        &mut self,
        raw: &RawRule,
        key: &str,
        typed: Option<&'a T>,
    ) -> Option<&'a T> {
        if typed.is_none() && !self.broken && !raw.misread {
            let message = format!("the rule {} has no `{key}`", quote(&raw.name.value));
            let example =
                if key == "run" { "run = [\"cargo\", \"test\"]" } else { "paths = [\"src/**/*.rs\"]" };
            self.error(&raw.name.place, message, format!("for instance: {example}"));
        }
        typed
    }

    fn on(&mut self, typed: Option<&Words>) -> EventMask {
        let Some(typed) = typed else { return EventMask::CHANGE };
        if typed.value.is_empty() {
            self.error(&typed.place, "a rule without an event never runs", "[\"change\"] is the default");
        }
        let mut mask = EventMask::default();
        for word in &typed.value {
            match EventMask::from_name(&word.value) {
                Some(events) => mask |= events,
                None => self.unknown_event(word),
            }
        }
        mask
    }

    fn unknown_event(&mut self, typed: &Spanned<String>) {
        let known: Vec<_> = EventMask::NAMES.iter().map(|&(name, _)| name).collect();
        let lower = typed.value.to_lowercase();
        let hint = suggest::instead_of(lower.strip_prefix("in_").unwrap_or(&lower), &known);
        self.error(&typed.place, format!("no event is called {}", quote(&typed.value)), hint);
    }

    fn types(&mut self, typed: Option<&Words>) -> Types {
        let Some(typed) = typed else { return Types::DEFAULT };
        if typed.value.is_empty() {
            let help = "leave it out for all but directories";
            self.error(&typed.place, "a rule without a type never runs", help);
        }
        let subject = |c: &mut Self, word| c.choice("types", Some(word), &TYPES, Subject::File);
        typed.value.iter().fold(Types::NONE, |types, word| types.with(subject(self, word)))
    }

    fn pattern(&mut self, typed: Option<&Spanned<String>>) -> Option<Regex> {
        let typed = typed?;
        let regex = self.regex("match", typed)?;
        self.check_captures(typed, &regex);
        Some(regex)
    }

    pub(super) fn regex(&mut self, key: &str, typed: &Spanned<String>) -> Option<Regex> {
        match RegexBuilder::new(&typed.value).size_limit(LARGEST_PATTERN).build() {
            Ok(regex) => Some(regex),
            Err(Error::CompiledTooBig(limit)) => {
                let message = format!("`{key}` takes more than {} MiB when compiled", limit >> 20);
                let help =
                    "count less in `{...}`; `(?-u)` in front makes `\\w`, `\\d` and others ASCII, and small";
                self.error(&typed.place, message, help);
                None
            }
            Err(error) => {
                // Its last line is the reason; those before draw the pattern, which we do ourselves.
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default();
                let reason = reason.strip_prefix("error: ").unwrap_or(reason);
                self.push(Diagnostic::at(&typed.place, format!("not a regular expression: {reason}")));
                None
            }
        }
    }

    /// A group becomes the placeholder of its name, and a variable in upper case.
    fn check_captures(&mut self, typed: &Spanned<String>, regex: &Regex) {
        let names: Vec<_> = regex.capture_names().flatten().collect();
        for (number, name) in names.iter().enumerate() {
            let same = |other: &&str| other.eq_ignore_ascii_case(name);
            let reason = if !is_identifier(name) {
                "must be letters, digits and `_` to become a variable"
            } else if Field::from_name(name).is_some() || *name == "paths" {
                "is a placeholder already; take another name"
            } else if names[..number].iter().any(same) {
                "becomes the same variable as another group; take another name"
            } else {
                continue;
            };
            self.push(Diagnostic::at(&typed.place, format!("the group {} {reason}", quote(name))));
        }
    }

    fn on_busy(&mut self, raw: &RawRule, per: Per) -> OnBusy {
        let policy = self.choice("on_busy", raw.on_busy.as_ref(), &ON_BUSY, OnBusy::Queue);
        if let (OnBusy::Parallel, Per::File, Some(typed)) = (policy, per, &raw.on_busy) {
            let help = "leave it out: different files run side by side anyway, up to max_parallel";
            self.error(&typed.place, "per = \"file\" never has two runs for one path", help);
        }
        match (policy, &raw.signal) {
            (OnBusy::Signal(_), Some(typed)) => OnBusy::Signal(self.signal(typed)),
            (_, Some(typed)) => {
                self.error(&typed.place, "`signal` has no use here", "it needs on_busy = \"signal\"");
                policy
            }
            (_, None) => policy,
        }
    }

    fn signal(&mut self, typed: &Spanned<String>) -> i32 {
        signal::number(&typed.value).unwrap_or_else(|| {
            let help = match suggest::nearest(&typed.value, signal::names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write a name such as \"SIGHUP\" or \"USR1\"".to_owned(),
            };
            self.error(&typed.place, format!("no signal is called {}", quote(&typed.value)), help);
            libc::SIGHUP
        })
    }

    /// Of single events nothing is merged, so there is nothing to wait for unless the rule says so.
    fn waits(&mut self, raw: &RawRule, per: Per) -> (Duration, Duration) {
        let default = if per == Per::Event { Duration::ZERO } else { self.debounce };
        let debounce = self.duration(raw.debounce.as_ref(), default);
        let max_wait = self.duration(raw.max_wait.as_ref(), self.max_wait);
        let place = raw.max_wait.as_ref().or(raw.debounce.as_ref()).map(|typed| &typed.place);
        self.check_waits(place, debounce, max_wait);
        (debounce, max_wait)
    }

    fn rule_env(&mut self, raw: &RawRule) -> Vec<(String, String)> {
        let own = self.variables(&raw.env);
        let overruled = |(name, _): &&(String, String)| !own.iter().any(|(known, _)| known == name);
        let mut env: Vec<_> = self.env.iter().filter(overruled).cloned().collect();
        env.extend(own);
        env
    }

    /// Several runs at once are what `per = "file"` and `on_busy = "parallel"` are for.
    fn max_parallel(&mut self, raw: &RawRule, per: Per, on_busy: OnBusy) -> usize {
        let number = raw.max_parallel.as_ref().map_or(1, |typed| typed.value);
        let several = per == Per::File || on_busy == OnBusy::Parallel;
        match (&raw.max_parallel, &raw.on_busy) {
            (Some(typed), _) if number > 1 && !several => {
                let help = "it needs per = \"file\" or on_busy = \"parallel\"";
                self.error(&typed.place, "`max_parallel` has no use here", help);
            }
            (_, Some(typed)) if number == 1 && on_busy == OnBusy::Parallel && per != Per::File => {
                let help = "add max_parallel = 4, or how many runs may go on at once";
                self.error(&typed.place, "on_busy = \"parallel\" with one run at a time", help);
            }
            _ => {}
        }
        number
    }
}

/// The file of `log`, and those that it is renamed to, as globs.
fn written_to(raw: &RawRule) -> Option<Words> {
    let file =
        raw.log.as_ref().and_then(|log| log.value.file.as_ref()).filter(|file| !file.value.is_empty())?;
    let mut literal = String::new();
    for c in file.value.chars() {
        literal.extend("*?[]{}!\\".contains(c).then_some('\\').into_iter().chain([c]));
    }
    let globs = ["", ".*"].map(|end| Spanned::new(format!("{literal}{end}"), file.place.clone()));
    Some(Spanned::new(globs.into(), file.place.clone()))
}
