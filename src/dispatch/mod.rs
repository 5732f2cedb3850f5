//! From matches to runs: what is due when, what runs, and what becomes of it.
//!
//! ```text
//!  Event -> Match -> Batch -> Job -> (driver: process) -> Outcome
//! ```
//!
//! All of it is pure. [`Core::step`] takes an [`Input`] and the time and says what is to be done as
//! [`Effect`]s; [`Core::deadline`] says when it wants to be called again. Inside, each key (a rule, or a path
//! of a rule with `per = "file"`) has a lane that collects changes in a batch, waits for the debounce and for
//! a job slot, and follows its run to the end; what it does next stands in one table, `schedule`. A service is
//! kept running beside them, by another, `lifecycle`. What somebody asks of a running tripline, and what there is to
//! be seen of it, is in `control`.

mod batch;
mod control;
mod core;
mod driver;
mod job;
mod lane;
mod loop_guard;
mod report;
mod service;

pub use self::control::{
    Asked, BOUNDS, Command, Counts, Durations, LONGEST_REQUEST, Last, Overview, Queues, Refusal, Reply,
    Request, RuleOverview, RunOverview, ServiceOrder, ServiceOverview, ServiceState, State,
};
pub use self::core::{Core, Effect, Input, Until};
pub use self::driver::{
    Control, Endpoint, Errand, Mode, Origin, Remember, RunError, Screen, Span, View, control_groups_work, run,
};
pub use self::job::env::{Variable, is_inherited, is_kept};
pub use self::job::outcome::{Outcome, Status};
pub use self::job::stdin::StdinSource;
pub use self::job::{Job, Limits, Part, RunId, preview, size};
pub use self::report::escape::Escaped;
pub use self::report::run_record::{Excerpt, Record};
pub use self::report::{Cause, Report};
pub use self::service::event::News;
