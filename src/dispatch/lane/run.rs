//! One run of a rule's commands, from the moment the first spawn is asked for.

use super::Over;
use crate::dispatch::batch::Batch;
use crate::dispatch::job::outcome::{Outcome, Status};
use crate::dispatch::job::{Ended, Part, RunId};
use crate::dispatch::report::Report;
use crate::rules::{ExitCodes, OnBusy, Retry, Rule};
use crate::time::MonoTime;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Run {
    /// Its id.
    pub(crate) id: RunId,
    /// Which of its commands is being executed.
    pub(crate) part: Part,
    /// What was to be executed.
    pub(crate) program: Vec<u8>,
    /// What it was told.
    pub(crate) batch: Batch,
    /// When it began; when the command after it began, once there is one.
    pub(crate) started: MonoTime,
    /// When it times out.
    pub(crate) ends: Option<MonoTime>,
    /// When it has taken as long as it may: to end by itself, or by SIGTERM once that was sent.
    pub(crate) limit: Option<MonoTime>,
    /// Whether it was told to end because it had taken too long.
    pub(crate) timed_out: bool,
    /// Whether it was told to end for another reason, so that how it ends says nothing.
    pub(crate) stopped: bool,
    /// Whether a change that came during it is due.
    pub(crate) overtaken: bool,
    /// Whether another follows with the paths that its arguments had no room for.
    pub(crate) unfinished: bool,
    /// What became of it, and when.
    pub(crate) outcome: Option<(Outcome, MonoTime)>,
}

impl Run {
    /// A run that is about to begin.
    pub(crate) fn new(id: RunId, batch: Batch, now: MonoTime) -> Self {
        Self {
            id,
            part: Part::Step(0),
            program: Vec::new(),
            batch,
            started: now,
            ends: None,
            limit: None,
            timed_out: false,
            stopped: false,
            overtaken: false,
            unfinished: false,
            outcome: None,
        }
    }

    /// Notes how it ended: by itself, or before it began. The first note counts.
    pub(crate) fn note_end(&mut self, how: Result<Status, String>, rule: &Rule, now: MonoTime) {
        let codes = if self.is_main() { &rule.exit_codes } else { &ExitCodes::default() };
        let outcome = match how {
            Ok(status) if self.timed_out => Outcome::TimedOut(status),
            how => outcome(how, &self.program, codes),
        };
        self.outcome.get_or_insert((outcome, now));
    }

    /// How it is to be done again, if it is.
    pub(crate) fn retry(&self, rule: &Rule) -> Option<Retry> {
        let attempt = self.batch.attempt();
        rule.retry
            .filter(|retry| self.is_main() && attempt <= retry.max && self.is_mendable(&rule.exit_codes))
    }

    /// Whether it is still one of the commands that make it, and not one after it.
    fn is_main(&self) -> bool {
        matches!(self.part, Part::Step(_))
    }

    /// What becomes of a batch that is due meanwhile: a command after the run is left to end.
    pub(crate) fn busy(&self, rule: &Rule) -> OnBusy {
        match rule.on_busy {
            OnBusy::Restart | OnBusy::Signal(_) if !self.is_main() => OnBusy::Queue,
            policy => policy,
        }
    }

    /// Which command is next, now that one has ended.
    pub(crate) fn next(&self, rule: &Rule) -> Option<Part> {
        let (outcome, _) = self.outcome.as_ref().filter(|_| !self.stopped)?;
        let Part::Step(step) = self.part else { return None };
        match outcome {
            Outcome::Ok(_) if step + 1 < rule.steps.len() => Some(Part::Step(step + 1)),
            Outcome::Ok(_) => rule.on_success.as_ref().map(|_| Part::OnSuccess),
            Outcome::Skipped(_) => None,
            _ if self.retry(rule).is_some() => None,
            _ => rule.on_failure.as_ref().map(|_| Part::OnFailure),
        }
    }

    /// Goes on to that command. Answers what the command is to know of the run, if it comes after it.
    pub(crate) fn go_on(&mut self, part: Part) -> Option<Ended> {
        let end = self.outcome.take();
        (self.part, self.limit, self.timed_out) = (part, None, false);
        let (outcome, at) = end.filter(|_| !self.is_main())?;
        self.ends = None;
        Some(Ended { exit: outcome.exit_code(), duration: at.since(self.started) })
    }

    /// The process has begun. The time for a run is that for all its steps, and a command after it has as much. Answers
    /// since when its first event is known, if it is the first process for that.
    pub(crate) fn begin(&mut self, rule: &Rule, now: MonoTime) -> Option<MonoTime> {
        if !matches!(self.part, Part::Step(1..)) {
            self.started = now;
            self.ends = rule.timeout.map(|timeout| now + timeout);
        }
        self.limit = self.ends;
        self.batch.begin()
    }

    /// What there is to say, now that it has ended, or the command after it has.
    pub(crate) fn end_report(&self, rule: &Rule) -> Option<Report> {
        let (outcome, at) = self.outcome.clone()?;
        let (name, run, elapsed) = (rule.name.clone(), self.id, at.since(self.started));
        let failed = outcome.code() != 0;
        let key = match self.part {
            // There was only the service to be replaced.
            Part::Step(_) if rule.steps.is_empty() => return None,
            Part::Step(step) => {
                let early = failed || self.stopped;
                let step = (early && rule.steps.len() > 1).then_some(step + 1);
                let stopped = self.stopped;
                return Some(Report::Ended { rule: name, run, outcome, stopped, step, elapsed });
            }
            Part::OnSuccess => "on_success",
            Part::OnFailure | Part::Service => "on_failure",
        };
        failed.then_some(Report::HookFailed { rule: name, key, outcome })
    }

    /// What is to be known of it, now that it is over, or the command after it is.
    pub(crate) fn over(&self) -> Option<Over> {
        self.over_with(|| self.batch.clone())
    }

    /// The same, where nothing more comes of it.
    pub(crate) fn into_over(mut self) -> Option<Over> {
        let batch = std::mem::replace(&mut self.batch, Batch::at_start());
        self.over_with(|| batch)
    }

    fn over_with(&self, batch: impl FnOnce() -> Batch) -> Option<Over> {
        let (stopped, unfinished) = (self.stopped, self.unfinished || !self.is_main());
        let batch = self.is_main().then(batch);
        self.outcome.clone().map(|(outcome, _)| Over { outcome, batch, stopped, unfinished })
    }

    /// Whether it failed by itself, and so that another attempt may do better.
    fn is_mendable(&self, codes: &ExitCodes) -> bool {
        match &self.outcome {
            Some((Outcome::Failed(status), _)) if !self.stopped => match (&codes.retry, *status) {
                (None, _) => true,
                (Some(codes), Status::Exited(code)) => lists(codes, code),
                (Some(_), Status::Signaled(_)) => false,
            },
            _ => false,
        }
    }
}

/// What it means that a process ended like this, or could not begin.
pub(crate) fn outcome(how: Result<Status, String>, program: &[u8], codes: &ExitCodes) -> Outcome {
    match how {
        Ok(Status::Exited(code)) if lists(&codes.ok, code) => Outcome::Ok(code),
        Ok(Status::Exited(code)) if lists(&codes.skip, code) => Outcome::Skipped(code),
        Ok(status) => Outcome::Failed(status),
        Err(error) => Outcome::NotStarted { program: program.to_vec(), error },
    }
}

fn lists(codes: &[u8], code: i32) -> bool {
    codes.iter().any(|&listed| i32::from(listed) == code)
}
