//! What the person who looks on is shown beside the lines.

/// `[settings]` that concern the terminal and the desktop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Whether the rules and their output have a screen of its own.
    pub tui: bool,
    /// Whether it is cleared before a run, unless another goes on.
    pub clear: bool,
    /// Whether its title tells what runs and what has failed.
    pub title: bool,
    /// After which runs its bell rings.
    pub bell: Option<When>,
    /// After which runs the desktop says so.
    pub notify: Option<When>,
}

/// After which runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Those that have failed.
    Failure,
    /// Those that have failed where the one before had not, or the other way round.
    Change,
    /// All.
    Always,
}

impl When {
    /// Whether a run that has `failed` or not is meant, of a rule whose run before had failed or not. A rule that
    /// has not run before has not failed.
    #[must_use]
    pub const fn is(self, failed: bool, failed_before: bool) -> bool {
        match self {
            Self::Failure => failed,
            Self::Change => failed != failed_before,
            Self::Always => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_means_the_runs_that_it_names() {
        // Failed or not, and before.
        let cases = [(false, false), (true, false), (true, true), (false, true)];
        let meant = |when: When| cases.map(|(failed, before)| when.is(failed, before));
        assert_eq!(meant(When::Failure), [false, true, true, false]);
        assert_eq!(meant(When::Change), [false, true, false, true]);
        assert_eq!(meant(When::Always), [true; 4]);
    }
}
