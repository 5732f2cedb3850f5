//! From what was typed to rules: every string parsed, every default filled in, every mistake kept.

mod command;
mod rule;
mod value;

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::error::{Diagnostic, Diagnostics, Place, Spanned, quote};
use super::gitignore::Patterns;
use super::glob::{Anchors, Glob};
use super::ignore::{FileSource, Ignores, Lists};
use super::path;
use super::plan::Plan;
use super::raw::{Raw, RawSettings};
use super::rule::RuleId;
use super::{Rules, Settings};
use crate::event::as_path;

/// The quiet period: editors and compilers that write in several steps take less.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// The longest wait: a busy writer is heard from while it writes.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// Commands running at once: what a desktop's cores can do, and no fork bomb.
const JOBS: usize = 8;

/// What the meaning of a rules file depends on beside its text.
#[derive(Clone)]
pub struct Surroundings {
    /// The directory of the rules file, absolute: the default root.
    pub directory: PathBuf,
    /// The home directory, for `~/`.
    pub home: Option<PathBuf>,
    /// Where ignore files are read from.
    pub files: Arc<dyn FileSource>,
}

/// Compiles everything; `diagnostics` holds the sources and what is wrong with their form.
pub(crate) fn compile(
    raw: &Raw,
    diagnostics: Diagnostics,
    around: &Surroundings,
) -> Result<Rules, Diagnostics> {
    let mut compiler = Compiler::new(diagnostics, around, raw.broken);
    compiler.settings(&raw.settings, around);
    compiler.env = compiler.variables(&raw.env);
    let rules: Vec<_> =
        raw.rules.iter().enumerate().map(|(number, rule)| compiler.rule(RuleId(number), rule)).collect();
    if rules.is_empty() && !raw.broken {
        let help = "a rule begins with [rules.NAME] and has `paths` and `run`";
        compiler.diagnostics.push(Diagnostic::general("there is no rule").help(help));
    }
    let on = rules.iter().map(|rule| rule.on).collect();
    let root = compiler.lists.root;
    let ignores = Ignores::new(Lists { root: root.clone(), ..compiler.lists }, Arc::clone(&around.files));
    let plan = Plan::new(compiler.globs, ignores, &root, on);
    let settings =
        Settings { root: as_path(&root).to_path_buf(), shell: compiler.shell, jobs: compiler.jobs };
    match plan {
        Ok(plan) if compiler.diagnostics.is_empty() => Ok(Rules { settings, rules, plan: Arc::new(plan) }),
        Ok(_) => Err(compiler.diagnostics),
        Err(reason) => {
            compiler.diagnostics.push(Diagnostic::general(format!("the globs do not compile: {reason}")));
            Err(compiler.diagnostics)
        }
    }
}

/// What is being put together.
struct Compiler {
    diagnostics: Diagnostics,
    broken: bool,
    home: Option<Vec<u8>>,
    lists: Lists,
    shell: Vec<String>,
    jobs: usize,
    debounce: Duration,
    max_wait: Duration,
    env: Vec<(String, String)>,
    globs: Vec<(RuleId, Glob)>,
}

impl Compiler {
    fn new(diagnostics: Diagnostics, around: &Surroundings, broken: bool) -> Self {
        let lists = Lists {
            root: around.directory.as_os_str().as_bytes().to_vec(),
            rules: Vec::new(),
            settings: Patterns::default(),
            gitignore: true,
            default_ignore: true,
        };
        Self {
            diagnostics,
            broken,
            home: around.home.as_ref().map(|home| home.as_os_str().as_bytes().to_vec()),
            lists,
            shell: vec!["sh".to_owned(), "-c".to_owned()],
            jobs: JOBS,
            debounce: DEBOUNCE,
            max_wait: MAX_WAIT,
            env: Vec::new(),
            globs: Vec::new(),
        }
    }

    fn settings(&mut self, raw: &RawSettings, around: &Surroundings) {
        if let Some(typed) = &raw.root {
            self.lists.root = self.root(typed, around);
        }
        self.lists.settings = self.patterns(raw.ignore.as_ref());
        self.lists.gitignore = raw.gitignore.as_ref().is_none_or(|typed| typed.value);
        self.lists.default_ignore = raw.default_ignore.as_ref().is_none_or(|typed| typed.value);
        if let Some(typed) = &raw.shell {
            self.shell = self.shell(typed);
        }
        self.jobs = raw.jobs.as_ref().map_or(JOBS, |typed| typed.value);
        self.debounce = self.duration(raw.debounce.as_ref(), DEBOUNCE);
        self.max_wait = self.duration(raw.max_wait.as_ref(), MAX_WAIT);
        let place = raw.max_wait.as_ref().or(raw.debounce.as_ref()).map(|typed| &typed.place);
        self.check_waits(place, self.debounce, self.max_wait);
    }

    /// The root. Only `..` makes a difference between the text and the file system: what a symbolic
    /// link's parent is, the file system knows.
    fn root(&mut self, typed: &Spanned<String>, around: &Surroundings) -> Vec<u8> {
        let by_text = self.directory(typed);
        if !typed.value.split('/').any(|component| component == "..") {
            return by_text;
        }
        let canonical = around.files.canonical(&around.directory.join(&typed.value));
        canonical.map_or(by_text, |path| path.as_os_str().as_bytes().to_vec())
    }

    fn shell(&mut self, typed: &Spanned<Vec<Spanned<String>>>) -> Vec<String> {
        if typed.value.first().is_none_or(|program| program.value.is_empty()) {
            self.error(&typed.place, "the shell has no program", "[\"sh\", \"-c\"] is the default");
        }
        typed.value.iter().map(|word| self.word(word)).collect()
    }

    /// The patterns of an `ignore` list.
    fn patterns(&mut self, list: Option<&Spanned<Vec<Spanned<String>>>>) -> Patterns {
        let Some(list) = list else { return Patterns::default() };
        let patterns = Patterns::of_list(list.value.iter().map(|pattern| pattern.value.as_str()));
        patterns.unwrap_or_else(|mistakes| {
            for (number, reason) in mistakes {
                let pattern = &list.value[number];
                let message = format!("{} is no pattern: {reason}", quote(&pattern.value));
                self.push(Diagnostic::at(&pattern.place, message));
            }
            Patterns::default()
        })
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors { root: &self.lists.root, home: self.home.as_deref() }
    }

    /// A directory relative to the root, or absolute, or in the home.
    fn directory(&mut self, typed: &Spanned<String>) -> Vec<u8> {
        let text = self.word(typed);
        let resolved = path::resolve(&self.lists.root, self.home.as_deref(), text.as_bytes());
        if resolved.is_none() || text.is_empty() {
            let message = format!("{} names no directory", quote(&text));
            self.error(&typed.place, message, "write \".\", or a path from `/` or `~/`");
        }
        resolved.unwrap_or_default()
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    fn error(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::at(place, message).help(help));
    }
}
