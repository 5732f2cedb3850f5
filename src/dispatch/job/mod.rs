//! A job: everything that is needed to start one run.

pub(super) mod env;
pub(super) mod outcome;
pub(super) mod stdin;

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::env::Variable;
use self::stdin::StdinSource;
use super::batch::Batch;
use crate::event::{Event, as_path};
use crate::rules::{Command, Fields, Per, Rule, RuleId, Rules, Stdin, Template};

/// Tells the runs of one tripline apart; the value of `TRIPLINE_RUN`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// Which of a run's commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// One of those that make it, from 0.
    Step(usize),
    /// The rule's `on_success`.
    OnSuccess,
    /// The rule's `on_failure`.
    OnFailure,
    /// The rule's service, in a run of its own.
    Service,
}

/// How a run has ended, as the command after it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) exit: i32,
    pub(crate) duration: Duration,
}

/// What the system allows a command.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many bytes a job's argv and variables may take in execve(2), counted as [`size`] does.
    pub exec_bytes: usize,
}

impl Limits {
    /// `arg_max` is `sysconf(_SC_ARG_MAX)`, `inherited` the variables that every command gets besides its
    /// own. 6 KiB are left for `TRIPLINE_PATHS_FILE`, whose path is 4 KiB at most, and for the 2 KiB that
    /// POSIX wants unused (xargs).
    pub fn new<'a>(arg_max: usize, inherited: impl IntoIterator<Item = &'a [u8]>) -> Self {
        const HEADROOM: usize = 6 * 1024;
        let taken: usize = inherited.into_iter().map(size).sum();
        Self { exec_bytes: arg_max.saturating_sub(taken + HEADROOM) }
    }
}

/// What one argument, or one variable as `NAME=value`, takes in execve(2): itself, a NUL, a pointer.
#[must_use]
pub fn size(string: &[u8]) -> usize {
    string.len() + 1 + size_of::<*const u8>()
}

/// Everything that is needed to start one command of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The run.
    pub run: RunId,
    /// The rule it belongs to, as it was then.
    pub rule: Arc<Rule>,
    /// Which of the run's commands it is.
    pub part: Part,
    /// Whether the output of the run is kept, for `TRIPLINE_OUTPUT_FILE` of the command after it.
    pub recorded: bool,
    /// The program and its arguments; never empty.
    pub argv: Vec<Vec<u8>>,
    /// Variables to set over those that are inherited (see [`is_inherited`](super::is_inherited)).
    pub env: Vec<Variable>,
    /// The directory to run in; absolute.
    pub cwd: PathBuf,
    /// What it reads.
    pub stdin: StdinSource,
    /// Every path, a NUL after each: the content of the file that `TRIPLINE_PATHS_FILE` is to name. Empty
    /// if no path caused the run; then the variable stays unset.
    pub paths: Vec<u8>,
}

/// The job for one command of a run; none if the rule has no such command. `ended` is for a command after it.
pub(crate) fn build(
    rules: &Rules,
    id: RuleId,
    run: RunId,
    part: Part,
    batch: &Batch,
    ended: Option<Ended>,
) -> Option<Job> {
    let rule = &rules.rules[id.0];
    let command = match part {
        Part::Step(step) => rule.steps.get(step),
        Part::OnSuccess => rule.on_success.as_ref(),
        Part::OnFailure => rule.on_failure.as_ref(),
        Part::Service => rule.service.as_ref().map(|service| &service.command),
    }?;
    let (argv, env, cwd) = invocation(rules, rule, run, command, batch, ended);
    let stdin = if part == Part::Service { Stdin::Null } else { rule.stdin };
    let (stdin, paths) = (stdin::source(rules, stdin, batch), stdin::terminated(batch, 0));
    let recorded = rule.on_success.is_some() || rule.on_failure.is_some();
    Some(Job { run, rule: Arc::clone(rule), part, recorded, argv, env, cwd, stdin, paths })
}

/// The jobs that this one event would start by itself, one after the other, for showing them: the steps of a
/// run, and the service that it would replace.
#[must_use]
pub fn preview(rules: &Rules, rule: RuleId, event: &Event) -> Vec<Job> {
    let batch = Batch::from(event.clone());
    let steps = (0..rules.rules[rule.0].steps.len()).map(Part::Step);
    let parts = steps.chain([Part::Service]);
    parts.filter_map(|part| build(rules, rule, RunId(1), part, &batch, None)).collect()
}

/// Takes off `batch` what `{paths}` of some command cannot hold. One path always stays, so that the rest
/// grows smaller.
pub(crate) fn split(
    rules: &Rules,
    id: RuleId,
    run: RunId,
    batch: &mut Batch,
    limits: &Limits,
) -> Option<Batch> {
    let rule = &rules.rules[id.0];
    let most = rule.commands().filter_map(|command| room(rules, rule, run, command, batch, limits)).min();
    batch.split_off(most?.max(1))
}

/// How many paths fit into a command; none if it takes no list of them.
fn room(
    rules: &Rules,
    rule: &Rule,
    run: RunId,
    command: &Command,
    batch: &Batch,
    limits: &Limits,
) -> Option<usize> {
    let Command::Argv(templates) = command else { return None };
    let times = templates.iter().filter(|template| **template == Template::Paths).count();
    if times == 0 {
        return None;
    }
    // With all paths in argv and variables as long as those of the whole batch, this counts too much
    // rather than too little for every part of it.
    let hooks = rule.on_success.is_some() || rule.on_failure.is_some();
    let ended = hooks.then_some(Ended { exit: i32::MIN, duration: Duration::MAX });
    let (argv, env, _) = invocation(rules, rule, run, command, batch, ended);
    let all: usize = batch.iter().map(|(path, _)| size(path) * times).sum();
    let env: usize = env.iter().map(|(name, value)| size(name) + "=".len() + value.len()).sum();
    let fixed = argv.iter().map(|element| size(element)).sum::<usize>() + env - all;
    let room = limits.exec_bytes.saturating_sub(fixed);
    Some(fits(batch.iter().map(|(path, _)| size(path) * times), room))
}

/// How many of `sizes` go into `room`, from the first.
fn fits(sizes: impl Iterator<Item = usize>, room: usize) -> usize {
    let sums = sizes.scan(0_usize, |sum, size| {
        *sum += size;
        Some(*sum)
    });
    sums.take_while(|&sum| sum <= room).count()
}

/// The argv, the variables and the directory for the whole of `batch`.
fn invocation(
    rules: &Rules,
    rule: &Rule,
    run: RunId,
    command: &Command,
    batch: &Batch,
    ended: Option<Ended>,
) -> (Vec<Vec<u8>>, Vec<Variable>, PathBuf) {
    let first = batch.first();
    let bytes = first.map_or(&b""[..], |(path, _)| path);
    let (path, rel) = (as_path(bytes), rules.relative(bytes));
    let captures = first.map(|_| rule.captures(rel.unwrap_or(bytes))).unwrap_or_default();
    let event = batch.mask().to_string();
    let fields = Fields {
        path: bytes,
        rel: rel.unwrap_or_default(),
        name: path.file_name().map_or(&[], OsStrExt::as_bytes),
        stem: path.file_stem().map_or(&[], OsStrExt::as_bytes),
        ext: path.extension().map_or(&[], OsStrExt::as_bytes),
        dir: path.parent().map_or(&[], |dir| dir.as_os_str().as_bytes()),
        old_path: first.and_then(|(_, change)| change.from()).unwrap_or_default(),
        rule: rule.name.as_bytes(),
        root: rules.settings.root.as_os_str().as_bytes(),
        event: event.as_bytes(),
        captures: &captures,
    };
    let env = env::variables(rule, run, batch, &fields, ended);
    (argv(rules, rule, command, batch, &fields), env, rule.cwd.of(&fields))
}

fn argv(rules: &Rules, rule: &Rule, command: &Command, batch: &Batch, fields: &Fields<'_>) -> Vec<Vec<u8>> {
    match command {
        Command::Argv(templates) => templates
            .iter()
            .flat_map(|template| match template {
                Template::Paths => batch.iter().map(|(path, _)| path.to_vec()).collect(),
                Template::Text(_) => vec![template.render(fields)],
            })
            .collect(),
        Command::Shell(text) => {
            let shell = rules.settings.shell.iter().map(String::as_str);
            let argv = shell.chain([text.as_str(), "tripline"]).map(|element| element.as_bytes().to_vec());
            let path = batch.first().filter(|_| rule.per == Per::File).map(|(path, _)| path.to_vec());
            argv.chain(path).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_costs_its_bytes_a_nul_and_a_pointer() {
        assert_eq!(size(b"abc"), 12);
        assert_eq!(Limits::new(10_000, [&b"A=1"[..]]).exec_bytes, 10_000 - 12 - 6144);
        assert_eq!(Limits::new(10, []).exec_bytes, 0);
    }

    #[test]
    fn as_many_go_in_as_there_is_room_for() {
        let sizes = || [10, 20, 5].into_iter();
        assert_eq!([0, 10, 29, 30, 35].map(|room| fits(sizes(), room)), [0, 1, 1, 2, 3]);
    }
}
