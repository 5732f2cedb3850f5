//! One file over another: whose values win where both have some.

use indexmap::IndexMap;

use super::diagnostics::Spanned;
use super::keys::{Env, Raw, RawRule, RawSettings};

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

impl RawSettings {
    fn over(self, base: Self) -> Self {
        Self {
            root: self.root.or(base.root),
            ignore: self.ignore.or(base.ignore),
            gitignore: self.gitignore.or(base.gitignore),
            default_ignore: self.default_ignore.or(base.default_ignore),
            hold_while: self.hold_while.or(base.hold_while),
            case_insensitive: self.case_insensitive.or(base.case_insensitive),
            shell: self.shell.or(base.shell),
            debounce: self.debounce.or(base.debounce),
            max_wait: self.max_wait.or(base.max_wait),
            jobs: self.jobs.or(base.jobs),
            history: self.history.or(base.history),
            poll: self.poll.or(base.poll),
            poll_interval: self.poll_interval.or(base.poll_interval),
            one_file_system: self.one_file_system.or(base.one_file_system),
            follow_symlinks: self.follow_symlinks.or(base.follow_symlinks),
            tui: self.tui.or(base.tui),
            clear: self.clear.or(base.clear),
            title: self.title.or(base.title),
            bell: self.bell.or(base.bell),
            notify: self.notify.or(base.notify),
            metrics: self.metrics.or(base.metrics),
            metrics_public: self.metrics_public.or(base.metrics_public),
        }
    }
}

impl RawRule {
    /// This rule, with the values of `base` for the keys that it does not have. Variables come from both.
    #[must_use]
    pub fn over(self, base: &Self) -> Self {
        let base = base.clone();
        // Whichever of the two it has overrules both.
        let has_either = self.run.is_some() || self.steps.is_some();
        let (run, steps) = if has_either { (self.run, self.steps) } else { (base.run, base.steps) };
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
            stable_for: self.stable_for.or(base.stable_for),
            if_changed: self.if_changed.or(base.if_changed),
            hold_while: self.hold_while.or(base.hold_while),
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
            user: self.user.or(base.user),
            group: self.group.or(base.group),
            env_clear: self.env_clear.or(base.env_clear),
            umask: self.umask.or(base.umask),
            nice: self.nice.or(base.nice),
            limits: self.limits.or(base.limits),
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
