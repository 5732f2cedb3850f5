//! The exit codes, as a type.

use std::process::ExitCode;

/// How tripline ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As asked: a signal ended it, or there was nothing wrong.
    Ok,
    /// The rules have mistakes, or there are none; `doctor` has found a problem; or there is no tripline to speak to,
    /// or it refuses.
    Rules,
    /// The command line has mistakes.
    Usage,
    /// The system refuses what everything rests on: inotify, descriptors, threads.
    System,
    /// With the worst code of the commands: `run --once`, `on --exit`.
    Commands(u8),
}

impl Exit {
    /// Every code of tripline's own with its meaning, in order.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Ok, "ended as asked, or nothing wrong found"),
        (
            Self::Rules,
            "mistakes in the rules file, no rules file, a problem that `tripline doctor` found, or no tripline to speak to",
        ),
        (Self::Usage, "mistakes on the command line"),
        (Self::System, "the system refuses inotify, a descriptor or a thread"),
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Rules => 1,
            Self::Usage => 2,
            Self::System => 3,
            Self::Commands(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
