//! Why what somebody asks for is not done.

use std::fmt;

use crate::rules::instead_of;

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no rule of that name.
    NoRule {
        /// The name.
        name: String,
        /// The names that there are, or the one that was meant.
        instead: String,
    },
    /// Nothing of the rule runs, or waits to be done again.
    NotRunning(String),
    /// The rule has no service.
    NoService(String),
    /// The rules come from no file that could be read again.
    NoRulesFile,
    /// tripline ends.
    Ending,
}

impl Refusal {
    pub(super) fn no_rule<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Self {
        Self::NoRule { name: name.to_owned(), instead: instead_of(name, &Vec::from_iter(names)) }
    }

    /// A word for it, for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NoRule { .. } => "no_rule",
            Self::NotRunning(_) => "not_running",
            Self::NoService(_) => "no_service",
            Self::NoRulesFile => "no_rules_file",
            Self::Ending => "ending",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRule { name, instead } => write!(f, "there is no rule `{name}`; {instead}"),
            Self::NotRunning(rule) => write!(f, "{rule} is not running"),
            Self::NoService(rule) => write!(f, "{rule} has no service"),
            Self::NoRulesFile => f.write_str("the rules come from the command line, not from a file"),
            Self::Ending => f.write_str("tripline is ending"),
        }
    }
}

impl std::error::Error for Refusal {}
