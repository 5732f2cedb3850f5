//! What was typed, before anything is made of it. Every value knows its place.

pub(super) mod effective;
pub(super) mod schema;

use super::diagnostics::{Place, Spanned};
pub use super::tables::{RawBackoff, RawExitCodes, RawLimits, RawLog, RawReady, RawRetry, RawStartLimit};

pub(super) type Env = Vec<(Spanned<String>, Spanned<String>)>;

/// All files of one load, put together.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    /// `[settings]`.
    pub settings: RawSettings,
    /// `[env]`.
    pub env: Vec<(Spanned<String>, Spanned<String>)>,
    /// `[vars]`.
    pub vars: Vec<(Spanned<String>, Spanned<String>)>,
    /// `[rules.NAME]`, in the order of their files and lines.
    pub rules: Vec<RawRule>,
    /// `[templates.NAME]`: what rules may extend.
    pub templates: Vec<RawRule>,
    /// `[profile.NAME]`, each with what overrules the rest if it is chosen.
    pub profiles: Vec<(Spanned<String>, Self)>,
    /// `include`: files that are not read yet.
    pub include: Vec<Spanned<String>>,
    /// Whether a file could not be read in full: then what is missing may be there all the same.
    pub broken: bool,
}

/// `[settings]`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawSettings {
    pub root: Option<Spanned<String>>,
    pub ignore: Option<Spanned<Vec<Spanned<String>>>>,
    pub gitignore: Option<Spanned<bool>>,
    pub default_ignore: Option<Spanned<bool>>,
    pub hold_while: Option<Spanned<Vec<Spanned<String>>>>,
    pub case_insensitive: Option<Spanned<bool>>,
    pub shell: Option<Spanned<Vec<Spanned<String>>>>,
    pub debounce: Option<Spanned<String>>,
    pub max_wait: Option<Spanned<String>>,
    pub jobs: Option<Spanned<usize>>,
    /// `history`, a size.
    pub history: Option<Spanned<String>>,
    pub poll: Option<Spanned<String>>,
    pub poll_interval: Option<Spanned<String>>,
    pub one_file_system: Option<Spanned<bool>>,
    pub follow_symlinks: Option<Spanned<bool>>,
    pub tui: Option<Spanned<bool>>,
    pub clear: Option<Spanned<bool>>,
    pub title: Option<Spanned<bool>>,
    pub bell: Option<Spanned<String>>,
    pub notify: Option<Spanned<String>>,
    pub metrics: Option<Spanned<String>>,
    pub metrics_public: Option<Spanned<bool>>,
}

/// `[rules.NAME]`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each field is the key of its name, `size_min` that of `min` in `size`")]
pub struct RawRule {
    pub name: Spanned<String>,
    pub extends: Option<Spanned<String>>,
    pub paths: Option<Spanned<Vec<Spanned<String>>>>,
    pub ignore: Option<Spanned<Vec<Spanned<String>>>>,
    pub outputs: Option<Spanned<Vec<Spanned<String>>>>,
    pub case_insensitive: Option<Spanned<bool>>,
    pub on: Option<Spanned<Vec<Spanned<String>>>>,
    pub types: Option<Spanned<Vec<Spanned<String>>>>,
    pub pattern: Option<Spanned<String>>,
    pub size_min: Option<Spanned<String>>,
    pub size_max: Option<Spanned<String>>,
    pub stable_for: Option<Spanned<String>>,
    pub if_changed: Option<Spanned<bool>>,
    pub hold_while: Option<Spanned<Vec<Spanned<String>>>>,
    pub after: Option<Spanned<Vec<Spanned<String>>>>,
    pub run: Option<Spanned<RawCommand>>,
    pub steps: Option<Spanned<Vec<Spanned<RawCommand>>>>,
    pub on_success: Option<Spanned<RawCommand>>,
    pub on_failure: Option<Spanned<RawCommand>>,
    pub service: Option<Spanned<RawCommand>>,
    pub ready: Option<Spanned<RawReady>>,
    pub backoff: Option<Spanned<RawBackoff>>,
    pub start_limit: Option<Spanned<RawStartLimit>>,
    pub stop_signal: Option<Spanned<String>>,
    pub per: Option<Spanned<String>>,
    pub stdin: Option<Spanned<String>>,
    pub output: Option<Spanned<String>>,
    pub log: Option<Spanned<RawLog>>,
    pub tty: Option<Spanned<bool>>,
    pub on_busy: Option<Spanned<String>>,
    pub signal: Option<Spanned<String>>,
    pub debounce: Option<Spanned<String>>,
    pub max_wait: Option<Spanned<String>>,
    pub cwd: Option<Spanned<String>>,
    pub user: Option<Spanned<String>>,
    pub group: Option<Spanned<String>>,
    pub env_clear: Option<Spanned<bool>>,
    pub umask: Option<Spanned<String>>,
    pub nice: Option<Spanned<i32>>,
    pub limits: Option<Spanned<RawLimits>>,
    pub env: Vec<(Spanned<String>, Spanned<String>)>,
    pub max_parallel: Option<Spanned<usize>>,
    pub on_start: Option<Spanned<bool>>,
    pub throttle: Option<Spanned<String>>,
    pub exit_codes: Option<Spanned<RawExitCodes>>,
    pub retry: Option<Spanned<RawRetry>>,
    pub may_loop: Option<Spanned<bool>>,
    pub timeout: Option<Spanned<String>>,
    pub stop_timeout: Option<Spanned<String>>,
    pub contain: Option<Spanned<String>>,
    /// Whether some key of it could not be read: then what is missing may be there all the same.
    pub misread: bool,
}

/// `run`, or one of `steps`.
#[derive(Clone, Debug)]
pub enum RawCommand {
    /// An array.
    Argv(Vec<Spanned<String>>),
    /// A string, for the shell.
    Shell(String),
}

impl RawRule {
    /// A rule of which only the name is known.
    #[must_use]
    pub fn new(name: Spanned<String>) -> Self {
        Self {
            name,
            extends: None,
            paths: None,
            ignore: None,
            outputs: None,
            case_insensitive: None,
            on: None,
            types: None,
            pattern: None,
            size_min: None,
            size_max: None,
            stable_for: None,
            if_changed: None,
            hold_while: None,
            after: None,
            run: None,
            steps: None,
            on_success: None,
            on_failure: None,
            service: None,
            ready: None,
            backoff: None,
            start_limit: None,
            stop_signal: None,
            per: None,
            stdin: None,
            output: None,
            log: None,
            tty: None,
            on_busy: None,
            signal: None,
            debounce: None,
            max_wait: None,
            cwd: None,
            user: None,
            group: None,
            env_clear: None,
            umask: None,
            nice: None,
            limits: None,
            env: Vec::new(),
            max_parallel: None,
            on_start: None,
            throttle: None,
            exit_codes: None,
            retry: None,
            may_loop: None,
            timeout: None,
            stop_timeout: None,
            contain: None,
            misread: false,
        }
    }
}

impl RawRule {
    /// Its keys but `env`, in the order in which one reads them, each with where its value is.
    pub(crate) fn places(&self) -> [(&'static str, Option<&Place>); 47] {
        [
            ("paths", place(self.paths.as_ref())),
            ("ignore", place(self.ignore.as_ref())),
            ("outputs", place(self.outputs.as_ref())),
            ("case_insensitive", place(self.case_insensitive.as_ref())),
            ("on", place(self.on.as_ref())),
            ("types", place(self.types.as_ref())),
            ("match", place(self.pattern.as_ref())),
            ("size.min", place(self.size_min.as_ref())),
            ("size.max", place(self.size_max.as_ref())),
            ("stable_for", place(self.stable_for.as_ref())),
            ("if_changed", place(self.if_changed.as_ref())),
            ("hold_while", place(self.hold_while.as_ref())),
            ("after", place(self.after.as_ref())),
            ("run", place(self.run.as_ref())),
            ("steps", place(self.steps.as_ref())),
            ("on_success", place(self.on_success.as_ref())),
            ("on_failure", place(self.on_failure.as_ref())),
            ("service", place(self.service.as_ref())),
            ("ready", place(self.ready.as_ref())),
            ("backoff", place(self.backoff.as_ref())),
            ("start_limit", place(self.start_limit.as_ref())),
            ("stop_signal", place(self.stop_signal.as_ref())),
            ("per", place(self.per.as_ref())),
            ("stdin", place(self.stdin.as_ref())),
            ("output", place(self.output.as_ref())),
            ("log", place(self.log.as_ref())),
            ("tty", place(self.tty.as_ref())),
            ("on_busy", place(self.on_busy.as_ref())),
            ("signal", place(self.signal.as_ref())),
            ("debounce", place(self.debounce.as_ref())),
            ("max_wait", place(self.max_wait.as_ref())),
            ("cwd", place(self.cwd.as_ref())),
            ("user", place(self.user.as_ref())),
            ("group", place(self.group.as_ref())),
            ("env_clear", place(self.env_clear.as_ref())),
            ("umask", place(self.umask.as_ref())),
            ("nice", place(self.nice.as_ref())),
            ("limits", place(self.limits.as_ref())),
            ("max_parallel", place(self.max_parallel.as_ref())),
            ("on_start", place(self.on_start.as_ref())),
            ("throttle", place(self.throttle.as_ref())),
            ("exit_codes", place(self.exit_codes.as_ref())),
            ("retry", place(self.retry.as_ref())),
            ("may_loop", place(self.may_loop.as_ref())),
            ("timeout", place(self.timeout.as_ref())),
            ("stop_timeout", place(self.stop_timeout.as_ref())),
            ("contain", place(self.contain.as_ref())),
        ]
    }
}

impl RawRule {
    /// Its commands, in the order in which one reads them.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &Spanned<RawCommand>> {
        let steps = self.steps.iter().flat_map(|steps| &steps.value);
        self.run.iter().chain(steps).chain(&self.on_success).chain(&self.on_failure).chain(&self.service)
    }
}

fn place<T>(typed: Option<&Spanned<T>>) -> Option<&Place> {
    typed.map(|typed| &typed.place)
}

impl RawSettings {
    /// Its keys, each with where its value is.
    pub(crate) fn places(&self) -> [(&'static str, Option<&Place>); 22] {
        [
            ("root", place(self.root.as_ref())),
            ("ignore", place(self.ignore.as_ref())),
            ("gitignore", place(self.gitignore.as_ref())),
            ("default_ignore", place(self.default_ignore.as_ref())),
            ("hold_while", place(self.hold_while.as_ref())),
            ("case_insensitive", place(self.case_insensitive.as_ref())),
            ("shell", place(self.shell.as_ref())),
            ("debounce", place(self.debounce.as_ref())),
            ("max_wait", place(self.max_wait.as_ref())),
            ("jobs", place(self.jobs.as_ref())),
            ("history", place(self.history.as_ref())),
            ("poll", place(self.poll.as_ref())),
            ("poll_interval", place(self.poll_interval.as_ref())),
            ("one_file_system", place(self.one_file_system.as_ref())),
            ("follow_symlinks", place(self.follow_symlinks.as_ref())),
            ("tui", place(self.tui.as_ref())),
            ("clear", place(self.clear.as_ref())),
            ("title", place(self.title.as_ref())),
            ("bell", place(self.bell.as_ref())),
            ("notify", place(self.notify.as_ref())),
            ("metrics", place(self.metrics.as_ref())),
            ("metrics_public", place(self.metrics_public.as_ref())),
        ]
    }
}

impl Spanned<Vec<Spanned<String>>> {
    /// Words as a list that stands where its first word does; none of no words.
    #[must_use]
    pub fn list(words: Vec<Spanned<String>>) -> Option<Self> {
        let place = words.first()?.place.clone();
        Some(Self { value: words, place })
    }
}
