//! From what was typed to rules: every string parsed, every default filled in, every mistake kept.

mod after;
mod command;
mod extends;
mod lint;
mod output;
mod process;
mod retry;
mod rule;
mod service;
mod settings;
mod value;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::output::OUTPUT;
pub(crate) use self::rule::{CONTAIN, ON_BUSY, PER, STDIN, TYPES};
pub(crate) use self::settings::WHEN;

use indexmap::IndexMap;

use super::diagnostics::{Diagnostic, Diagnostics, Place, Spanned, quote};
use super::file_system::FileSource;
use super::glob::{Anchors, Case, Glob, GlobTrie};
use super::ignore::gitignore::{Origin, Patterns};
use super::ignore::{Ignores, Lists};
use super::keys::Raw;
use super::matching::glob_match::Entry;
use super::matching::plan::Plan;
use super::rule::terminal::Terminal;
use super::rule::{Rule, RuleId};
use super::{Rules, Settings};
use crate::event::path;
use crate::event::{Extent, Polling, Subject, as_path};

/// The quiet period: editors and compilers that write in several steps take less.
pub(crate) const DEBOUNCE: Duration = Duration::from_millis(50);

/// The longest wait: a busy writer is heard from while it writes.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(2);

/// Commands running at once: what a desktop's cores can do, and no fork bomb.
const JOBS: usize = 8;
/// A thousand long logs of builds, and little of a disk.
const HISTORY: u64 = 64 << 20;

type Words = Spanned<Vec<Spanned<String>>>;

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
    compiler.vars = compiler.vars(&raw.vars);
    let as_variable = |(name, value): &(String, String)| {
        (format!("TRIPLINE_VAR_{}", name.to_ascii_uppercase()), value.clone())
    };
    compiler.env = compiler.vars.iter().map(as_variable).collect();
    let env = compiler.variables(&raw.env);
    compiler.env.extend(env);
    if let Some(include) = raw.include.first() {
        let help = "name the file itself on the command line, or put its rules here";
        compiler.error(&include.place, "there is no file here that could include another", help);
    }
    let raw = Raw { rules: compiler.extended(raw), ..raw.clone() };
    compiler.names = raw.rules.iter().map(|rule| rule.name.value.clone()).zip((0..).map(RuleId)).collect();
    let rules: Vec<_> =
        raw.rules.iter().enumerate().map(|(number, rule)| compiler.rule(RuleId(number), rule)).collect();
    compiler.circles(&raw.rules, &rules);
    if rules.is_empty() && !raw.broken && !compiler.diagnostics.has_errors() {
        let help = "a rule begins with [rules.NAME] and has `paths` and `run`";
        let message = format!("there is no rule in {}", compiler.diagnostics.source_names().join(", "));
        compiler.diagnostics.push(Diagnostic::general(message).help(help));
    }
    if compiler.diagnostics.has_errors() {
        return Err(compiler.diagnostics);
    }
    Ok(compiler.finish(raw, rules))
}

/// What is being put together.
struct Compiler {
    diagnostics: Diagnostics,
    broken: bool,
    home: Option<Vec<u8>>,
    files: Arc<dyn FileSource>,
    lists: Lists,
    /// Where each list that some rule has is in `lists.own`.
    own_lists: HashMap<Vec<String>, usize>,
    case: Case,
    shell: Vec<String>,
    jobs: usize,
    history: u64,
    terminal: Terminal,
    metrics: Option<SocketAddr>,
    polling: Polling,
    extent: Extent,
    hold_while: Vec<PathBuf>,
    debounce: Duration,
    max_wait: Duration,
    env: Vec<(String, String)>,
    vars: Vec<(String, String)>,
    /// The rules by their names.
    names: IndexMap<String, RuleId>,
    globs: Vec<(Entry, Glob)>,
    outputs: GlobTrie<Entry>,
    /// How many components they have in all.
    parts: usize,
}

impl Compiler {
    fn new(diagnostics: Diagnostics, around: &Surroundings, broken: bool) -> Self {
        let lists = Lists {
            root: around.directory.as_os_str().as_bytes().to_vec(),
            own: vec![Patterns::default()],
            own_of: Vec::new(),
            settings: Patterns::default(),
            gitignore: true,
            default_ignore: true,
        };
        Self {
            diagnostics,
            broken,
            home: around.home.as_ref().map(|home| home.as_os_str().as_bytes().to_vec()),
            files: Arc::clone(&around.files),
            lists,
            own_lists: HashMap::new(),
            case: Case::Exact,
            shell: vec!["sh".to_owned(), "-c".to_owned()],
            jobs: JOBS,
            history: HISTORY,
            terminal: Terminal::default(),
            metrics: None,
            polling: Polling::default(),
            extent: Extent::default(),
            hold_while: Vec::new(),
            debounce: DEBOUNCE,
            max_wait: MAX_WAIT,
            env: Vec::new(),
            vars: Vec::new(),
            names: IndexMap::new(),
            globs: Vec::new(),
            outputs: GlobTrie::default(),
            parts: 0,
        }
    }

    /// The patterns of an `ignore` list.
    fn patterns(&mut self, list: Option<&Words>) -> Patterns {
        let mut patterns = Patterns::default();
        for typed in list.into_iter().flat_map(|list| &list.value) {
            let (name, line) = self.diagnostics.line(&typed.place);
            let origin = Origin::List(name.into(), line);
            if let Err(reason) = patterns.push(&typed.value, origin) {
                let message = format!("{} is no pattern: {reason}", quote(&typed.value));
                self.push(Diagnostic::at(&typed.place, message));
            }
        }
        patterns
    }

    /// Rules with the same `ignore` share one list.
    fn own_patterns(&mut self, list: Option<&Words>) {
        let words = list.map(|list| list.value.iter().map(|word| word.value.clone()).collect());
        let words: Vec<String> = words.unwrap_or_default();
        let number = match self.own_lists.get(&words) {
            Some(&number) => number,
            None if words.is_empty() => 0,
            None => {
                let patterns = self.patterns(list);
                self.lists.own.push(patterns);
                self.own_lists.insert(words, self.lists.own.len() - 1);
                self.lists.own.len() - 1
            }
        };
        self.lists.own_of.push(number);
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

    /// A path relative to the root, or absolute, or in the home; no glob.
    fn path(&mut self, typed: &Spanned<String>) -> PathBuf {
        let text = self.word(typed);
        let resolved = path::resolve(&self.lists.root, self.home.as_deref(), text.as_bytes());
        if text.is_empty() || text.contains('*') || resolved.is_none() {
            let message = format!("{} is no single path", quote(&text));
            self.error(&typed.place, message, "for instance: hold_while = [\".git/index.lock\"]");
        }
        as_path(&resolved.unwrap_or_default()).to_path_buf()
    }

    /// Puts everything together, once nothing is wrong.
    fn finish(mut self, raw: Raw, rules: Vec<Rule>) -> Rules {
        let on = rules.iter().map(|rule| rule.on).collect();
        let root = self.lists.root.clone();
        let ignores = Ignores::new(self.lists, Arc::clone(&self.files));
        let mut plan = Plan::new(&self.globs, ignores, &root, on);
        (plan.polling, plan.extent) = (self.polling, self.extent);
        plan.dirs = rules.iter().any(|rule| rule.types.contains(Subject::Dir));
        plan.patience = rules.iter().map(|rule| rule.debounce).min().unwrap_or_default();
        lint::hidden_paths(&raw, &self.globs, &plan.ignores, &mut self.diagnostics);
        lint::twins(&raw, &mut self.diagnostics);
        let Self { shell, jobs, history, terminal, metrics, .. } = self;
        let settings =
            Settings { root: as_path(&root).to_path_buf(), shell, jobs, history, terminal, metrics };
        let (plan, warnings) = (Arc::new(plan), self.diagnostics);
        let rules = rules.into_iter().map(Arc::new).collect();
        Rules { settings, rules, warnings, plan, outputs: Arc::new(self.outputs), files: self.files, raw }
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    fn warn(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::warning(place, message).help(help));
    }

    fn error(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::at(place, message).help(help));
    }
}

fn case(typed: Option<&Spanned<bool>>, default: Case) -> Case {
    typed.map_or(default, |typed| if typed.value { Case::Either } else { Case::Exact })
}
