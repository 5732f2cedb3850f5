//! How a run ends.

use std::fmt;

use crate::dispatch::report::escape::Escaped;
use crate::rules::SignalName;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code.
    Exited(i32),
    /// This signal killed it.
    Signaled(i32),
}

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its leader exited with this code, which is success, and the whole process group is gone.
    Ok(i32),
    /// The same, with a code that says that there was nothing to do.
    Skipped(i32),
    /// It failed: its leader ended like this.
    Failed(Status),
    /// It was stopped because it took longer than its rule's `timeout`, and then ended like this.
    TimedOut(Status),
    /// It could not be started.
    NotStarted {
        /// What was to be executed.
        program: Vec<u8>,
        /// Why it could not be.
        error: String,
    },
}

impl Outcome {
    /// The exit code of the command itself, where it has one; else [`code`](Self::code).
    #[must_use]
    pub(crate) fn exit_code(&self) -> i32 {
        match *self {
            Self::Ok(code) | Self::Skipped(code) | Self::Failed(Status::Exited(code)) => code,
            _ => i32::from(self.code()),
        }
    }

    /// What a shell would say of it: the exit code; 128 and the signal's number; 124 like timeout(1) after a
    /// timeout; 127 for what could not be started. 0 is success, and that there was nothing to do.
    #[must_use]
    pub fn code(&self) -> u8 {
        match *self {
            Self::Ok(_) | Self::Skipped(_) => 0,
            Self::Failed(Status::Exited(code)) => u8::try_from(code).unwrap_or(u8::MAX).max(1),
            Self::Failed(Status::Signaled(signal)) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
            Self::TimedOut(_) => 124,
            Self::NotStarted { .. } => 127,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok(0) => f.write_str("ok"),
            Self::Ok(code) => write!(f, "ok, exit code {code}"),
            Self::Skipped(code) => write!(f, "nothing to do, exit code {code}"),
            Self::Failed(status) => status.fmt(f),
            Self::TimedOut(status) => write!(f, "timed out, {status}"),
            Self::NotStarted { program, error } => write!(f, "cannot run {}: {error}", Escaped(program)),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signaled(signal) => write!(f, "killed by {}", SignalName(*signal)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_never_code_0() {
        let codes = [
            (Outcome::Ok(3), 0),
            (Outcome::Skipped(3), 0),
            (Outcome::Failed(Status::Exited(0)), 1),
            (Outcome::Failed(Status::Exited(101)), 101),
            (Outcome::Failed(Status::Signaled(9)), 137),
            (Outcome::TimedOut(Status::Exited(0)), 124),
        ];
        for (outcome, code) in codes {
            assert_eq!(outcome.code(), code, "{outcome}");
        }
    }
}
