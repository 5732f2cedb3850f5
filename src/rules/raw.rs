//! What was typed, before anything is made of it. Every value knows its place.

use indexmap::IndexMap;

use super::error::{Place, Spanned};

type Env = Vec<(Spanned<String>, Spanned<String>)>;

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
    pub case_insensitive: Option<Spanned<bool>>,
    pub shell: Option<Spanned<Vec<Spanned<String>>>>,
    pub debounce: Option<Spanned<String>>,
    pub max_wait: Option<Spanned<String>>,
    pub jobs: Option<Spanned<usize>>,
    pub poll: Option<Spanned<String>>,
    pub poll_interval: Option<Spanned<String>>,
    pub one_file_system: Option<Spanned<bool>>,
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

/// `exit_codes`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawExitCodes {
    pub ok: Option<Spanned<Vec<Spanned<u8>>>>,
    pub skip: Option<Spanned<Vec<Spanned<u8>>>>,
    pub retry: Option<Spanned<Vec<Spanned<u8>>>>,
}

/// `retry`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawRetry {
    pub max: Option<Spanned<usize>>,
    pub initial: Option<Spanned<String>>,
    pub max_delay: Option<Spanned<String>>,
}

/// `ready`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawReady {
    pub file: Option<Spanned<String>>,
    pub port: Option<Spanned<usize>>,
    pub line: Option<Spanned<String>>,
}

/// `log`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawLog {
    pub file: Option<Spanned<String>>,
    pub max_size: Option<Spanned<String>>,
    pub keep: Option<Spanned<usize>>,
}

/// `backoff`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawBackoff {
    pub initial: Option<Spanned<String>>,
    pub max_delay: Option<Spanned<String>>,
    pub reset: Option<Spanned<String>>,
}

/// `start_limit`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawStartLimit {
    pub max: Option<Spanned<usize>>,
    pub within: Option<Spanned<String>>,
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

    /// This rule, with the values of `base` for the keys that it does not have. Variables come from both.
    #[must_use]
    pub fn over(self, base: &Self) -> Self {
        let base = base.clone();
        // Whichever of the two it has overrules both.
        let (run, steps) = match (self.run, self.steps) {
            (None, None) => (base.run, base.steps),
            own => own,
        };
        Self {
            name: self.name,
            extends: self.extends.or(base.extends),
            paths: self.paths.or(base.paths),
            ignore: self.ignore.or(base.ignore),
            outputs: self.outputs.or(base.outputs),
            case_insensitive: self.case_insensitive.or(base.case_insensitive),
            on: self.on.or(base.on),
            types: self.types.or(base.types),
            pattern: self.pattern.or(base.pattern),
            size_min: self.size_min.or(base.size_min),
            size_max: self.size_max.or(base.size_max),
            after: self.after.or(base.after),
            run,
            steps,
            on_success: self.on_success.or(base.on_success),
            on_failure: self.on_failure.or(base.on_failure),
            service: self.service.or(base.service),
            ready: self.ready.or(base.ready),
            backoff: self.backoff.or(base.backoff),
            start_limit: self.start_limit.or(base.start_limit),
            stop_signal: self.stop_signal.or(base.stop_signal),
            per: self.per.or(base.per),
            stdin: self.stdin.or(base.stdin),
            output: self.output.or(base.output),
            log: self.log.or(base.log),
            tty: self.tty.or(base.tty),
            on_busy: self.on_busy.or(base.on_busy),
            signal: self.signal.or(base.signal),
            debounce: self.debounce.or(base.debounce),
            max_wait: self.max_wait.or(base.max_wait),
            cwd: self.cwd.or(base.cwd),
            env: env_over(self.env, base.env),
            max_parallel: self.max_parallel.or(base.max_parallel),
            on_start: self.on_start.or(base.on_start),
            throttle: self.throttle.or(base.throttle),
            exit_codes: self.exit_codes.or(base.exit_codes),
            retry: self.retry.or(base.retry),
            may_loop: self.may_loop.or(base.may_loop),
            timeout: self.timeout.or(base.timeout),
            stop_timeout: self.stop_timeout.or(base.stop_timeout),
            contain: self.contain.or(base.contain),
            misread: self.misread || base.misread,
        }
    }
}

impl RawRule {
    /// Its keys but `env`, in the order in which one reads them, each with where its value is.
    pub(crate) fn places(&self) -> [(&'static str, Option<&Place>); 38] {
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
    pub(crate) fn places(&self) -> [(&'static str, Option<&Place>); 12] {
        [
            ("root", place(self.root.as_ref())),
            ("ignore", place(self.ignore.as_ref())),
            ("gitignore", place(self.gitignore.as_ref())),
            ("default_ignore", place(self.default_ignore.as_ref())),
            ("case_insensitive", place(self.case_insensitive.as_ref())),
            ("shell", place(self.shell.as_ref())),
            ("debounce", place(self.debounce.as_ref())),
            ("max_wait", place(self.max_wait.as_ref())),
            ("jobs", place(self.jobs.as_ref())),
            ("poll", place(self.poll.as_ref())),
            ("poll_interval", place(self.poll_interval.as_ref())),
            ("one_file_system", place(self.one_file_system.as_ref())),
        ]
    }

    fn over(self, base: Self) -> Self {
        Self {
            root: self.root.or(base.root),
            ignore: self.ignore.or(base.ignore),
            gitignore: self.gitignore.or(base.gitignore),
            default_ignore: self.default_ignore.or(base.default_ignore),
            case_insensitive: self.case_insensitive.or(base.case_insensitive),
            shell: self.shell.or(base.shell),
            debounce: self.debounce.or(base.debounce),
            max_wait: self.max_wait.or(base.max_wait),
            jobs: self.jobs.or(base.jobs),
            poll: self.poll.or(base.poll),
            poll_interval: self.poll_interval.or(base.poll_interval),
            one_file_system: self.one_file_system.or(base.one_file_system),
        }
    }
}

impl Raw {
    /// The same with what the profile of that name overrules, if there is one.
    #[must_use]
    pub fn with_profile(mut self, name: &str) -> Self {
        let Some(chosen) = self.profiles.iter().position(|(known, _)| known.value == name) else {
            return self;
        };
        let (_, profile) = self.profiles.swap_remove(chosen);
        profile.over(self)
    }

    /// All of it, with the values of `base` for what it does not have. The rules and templates of `base` keep
    /// their order, and new ones come after them.
    #[must_use]
    pub fn over(self, base: Self) -> Self {
        Self {
            settings: self.settings.over(base.settings),
            env: env_over(self.env, base.env),
            vars: env_over(self.vars, base.vars),
            rules: rules_over(self.rules, base.rules),
            templates: rules_over(self.templates, base.templates),
            profiles: base.profiles.into_iter().chain(self.profiles).collect(),
            include: base.include.into_iter().chain(self.include).collect(),
            broken: self.broken || base.broken,
        }
    }
}

fn rules_over(own: Vec<RawRule>, base: Vec<RawRule>) -> Vec<RawRule> {
    let mut own: IndexMap<_, _> = own.into_iter().map(|rule| (rule.name.value.clone(), rule)).collect();
    let mut all = Vec::new();
    for rule in base {
        match own.shift_remove(&rule.name.value) {
            Some(above) => all.push(above.over(&rule)),
            None => all.push(rule),
        }
    }
    all.extend(own.into_values());
    all
}

fn env_over(own: Env, base: Env) -> Env {
    let overruled = |(name, _): &(Spanned<String>, _)| own.iter().any(|(known, _)| known.value == name.value);
    let mut all: Env = base.into_iter().filter(|variable| !overruled(variable)).collect();
    all.extend(own);
    all
}

impl Spanned<Vec<Spanned<String>>> {
    /// Words as a list that stands where its first word does; none of no words.
    #[must_use]
    pub fn list(words: Vec<Spanned<String>>) -> Option<Self> {
        let place = words.first()?.place.clone();
        Some(Self { value: words, place })
    }
}
