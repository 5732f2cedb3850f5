//! What is said of a service.

use std::fmt;
use std::time::Duration;

use crate::dispatch::job::outcome::Outcome;

/// What has become of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It begins: its process is started next.
    Starting,
    /// It serves, so long after its start.
    Ready(Duration),
    /// It was told to end, for the next to be started.
    Replacing,
    /// It was told to end.
    Stopping,
    /// It was sent SIGKILL.
    Killing,
    /// It has ended by itself.
    Ended(Outcome),
    /// It has crashed, and is started again after this wait.
    Again(Duration),
    /// It has crashed so often, in this time, that it is not started again by itself.
    Suspended(usize, Duration),
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting the service"),
            Self::Ready(_) => f.write_str("the service is ready"),
            Self::Replacing => f.write_str("replacing the service"),
            Self::Stopping => f.write_str("stopping the service"),
            Self::Killing => f.write_str("killing the service"),
            Self::Ended(outcome) => write!(f, "the service has ended: {outcome}"),
            Self::Again(delay) => write!(f, "starting the service again in {delay:?}"),
            Self::Suspended(crashes, within) => {
                let times = if *crashes == 1 { "once".to_owned() } else { format!("{crashes} times") };
                write!(f, "the service has failed {times} within {within:?}; ")?;
                f.write_str("it is started again at the next change")
            }
        }
    }
}
