//! The scheduling table: what a lane does next, for every state and every input.
//!
//! A lane is what runs one at a time: a rule with `per = "batch"`, a path of a rule with `per = "file"`, the
//! events of a rule with `per = "event"`. It collects changes, and at the same time it may have a run.
//! This file knows the order of things and nothing else; [`lane`](super) carries out the actions.

use crate::rules::OnBusy;

/// Where a lane stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing runs; what there is collects. A lane with nothing in it ends here.
    Settling,
    /// A batch is due and stands in line for a job slot.
    Ready,
    /// The spawn has been asked for. Debounces rest until it is answered.
    Starting,
    /// The run goes on.
    Running,
    /// The process group was sent SIGTERM; the grace period runs. The leader may have exited or not.
    Stopping,
    /// The process group was sent SIGKILL; its end is awaited.
    Killing,
}

/// What can happen to a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A change came.
    Match,
    /// A batch is due: its debounce is over, or what was kept may be tried again.
    Quiet,
    /// A job slot is given to the lane.
    Slot,
    /// The run has begun.
    Spawned,
    /// The run could not begin.
    SpawnFailed,
    /// The run has nothing to execute, and is over.
    Done,
    /// The leader of the process group has exited; others of the group may live.
    Exited,
    /// The process group is empty.
    Gone,
    /// The same, or the process could not begin, and another command of the run follows.
    Next,
    /// The run has taken as long as it may.
    Timeout,
    /// The grace period is over.
    Grace,
    /// The run is to end.
    Cancel,
    /// Nothing more is to begin; what runs goes on.
    Drain,
    /// tripline was asked to end.
    Halt,
    /// tripline was asked to end at once.
    Kill,
}

/// What the lane is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing.
    Nothing,
    /// The change joins the collecting batch, whose debounce counts from it.
    Collect,
    /// What came joins the batch that runs next.
    Keep,
    /// The same, and the lane stands in line for a slot.
    LineUp,
    /// Report the start of a run, with the next batch and what still collects, and spawn it.
    Start,
    /// The run's process has begun.
    Begin,
    /// Spawn the run's next command.
    Proceed,
    /// The run leaves this lane and goes on beside it; the due batch stands in line for a slot.
    Detach,
    /// SIGTERM; the run's batch is put back in front of what is due.
    Restart,
    /// Send the rule's signal; what is due counts as delivered.
    Deliver(i32),
    /// Drop what is due, and say so.
    Skip,
    /// SIGTERM to what is left of the group, and the grace period begins.
    Term,
    /// The same, and the run counts as timed out.
    TimeOut,
    /// The run's stop signal; how it ends says nothing.
    Cancel,
    /// How the run ends says nothing, and no other command of it follows.
    Abandon,
    /// Drop everything that waits, and say so.
    Drop,
    /// The same, and how the run ends says nothing.
    Refuse,
    /// The same, then SIGTERM.
    Stop,
    /// SIGKILL.
    Kill,
    /// Report the outcome and free the slot; what was kept is due.
    Finish,
}

/// The table. Cells that a correct caller never reaches leave the lane as it is and lose nothing.
pub(crate) fn next(state: State, input: Input, busy: OnBusy) -> (State, Action) {
    use Action::{
        Abandon, Begin, Collect, Deliver, Detach, Finish, Keep, LineUp, Nothing, Proceed, Refuse, Restart,
        Skip, Start, Stop, Term, TimeOut,
    };
    use Input::{
        Done, Drain, Exited, Gone, Grace, Halt, Match, Next, Quiet, Slot, SpawnFailed, Spawned, Timeout,
    };
    use State::{Killing, Ready, Running, Settling, Starting, Stopping};

    match (state, input) {
        // A change collects, unless a batch that can take it is about to run.
        (Settling | Starting | Running | Stopping | Killing, Match) => (state, Collect),
        (Ready, Match) => (Ready, Keep),

        // A batch is due. While the run goes on the rule's policy decides; once it is ending, nothing is
        // signalled or skipped any more: whatever is due runs next.
        (Settling, Quiet) => (Ready, LineUp),
        (Ready | Starting | Stopping | Killing, Quiet) => (state, Keep),
        (Running, Quiet) => match busy {
            OnBusy::Queue => (Running, Keep),
            OnBusy::Restart => (Stopping, Restart),
            OnBusy::Signal(signal) => (Running, Deliver(signal)),
            OnBusy::Parallel => (Ready, Detach),
            OnBusy::Skip => (Running, Skip),
        },

        // The run begins.
        (Ready, Slot) => (Starting, Start),
        (Settling | Starting | Running | Stopping | Killing, Slot) => (state, Nothing),
        (Starting, Spawned) => (Running, Begin),
        (Settling | Ready | Running | Stopping | Killing, Spawned) => (state, Nothing),
        (Starting, SpawnFailed | Done) => (Settling, Finish),
        (Settling | Ready | Running | Stopping | Killing, SpawnFailed | Done) => (state, Nothing),

        // The run ends: its leader first, then whoever the leader left behind.
        (Running, Exited) => (Stopping, Term),
        (Settling | Ready | Starting | Stopping | Killing, Exited) => (state, Nothing),
        (Running, Timeout) => (Stopping, TimeOut),
        (Settling | Ready | Starting | Stopping | Killing, Timeout) => (state, Nothing),
        (Stopping | Killing, Gone) => (Settling, Finish),
        (Settling | Ready | Starting | Running, Gone) => (state, Nothing),
        (Starting | Stopping | Killing, Next) => (Starting, Proceed),
        (Settling | Ready | Running, Next) | (Settling | Ready, Input::Cancel) => (state, Nothing),
        (Stopping, Grace) => (Killing, Action::Kill),
        (Settling | Ready | Starting | Running | Killing, Grace) => (state, Nothing),

        (Running, Input::Cancel) => (Stopping, Action::Cancel),
        (Starting | Stopping | Killing, Input::Cancel) => (state, Abandon),
        (Settling | Ready, Drain) => (Settling, Action::Drop),
        (Starting | Running | Stopping | Killing, Drain) => (state, Action::Drop),

        // tripline ends. A run that is only starting is told as soon as it is there.
        (Settling | Ready, Halt | Input::Kill) => (Settling, Refuse),
        (Starting | Stopping | Killing, Halt) => (state, Refuse),
        (Running, Halt) => (Stopping, Stop),
        (Running | Stopping, Input::Kill) => (Killing, Action::Kill),
        (Starting | Killing, Input::Kill) => (state, Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 6] =
        [State::Settling, State::Ready, State::Starting, State::Running, State::Stopping, State::Killing];
    const INPUTS: [Input; 15] = [
        Input::Match,
        Input::Quiet,
        Input::Slot,
        Input::Spawned,
        Input::SpawnFailed,
        Input::Done,
        Input::Exited,
        Input::Gone,
        Input::Next,
        Input::Timeout,
        Input::Grace,
        Input::Cancel,
        Input::Drain,
        Input::Halt,
        Input::Kill,
    ];
    const POLICIES: [OnBusy; 5] =
        [OnBusy::Queue, OnBusy::Restart, OnBusy::Signal(1), OnBusy::Parallel, OnBusy::Skip];

    fn has_run(state: State) -> bool {
        matches!(state, State::Starting | State::Running | State::Stopping | State::Killing)
    }

    /// Calls `check(state, input, policy, next state, action)` for every cell.
    fn every_cell(check: impl Fn(State, Input, OnBusy, State, Action)) {
        for state in STATES {
            for input in INPUTS {
                for busy in POLICIES {
                    let (after, action) = next(state, input, busy);
                    check(state, input, busy, after, action);
                }
            }
        }
    }

    #[test]
    fn a_run_begins_only_by_start_and_leaves_only_by_finish_or_detach() {
        every_cell(|state, input, _, after, action| {
            let cell = (state, input);
            assert_eq!(action == Action::Start, !has_run(state) && has_run(after), "{cell:?}");
            let leaves = matches!(action, Action::Finish | Action::Detach);
            assert_eq!(leaves, has_run(state) && !has_run(after), "{cell:?}");
        });
    }

    #[test]
    fn a_change_is_always_collected_or_kept() {
        every_cell(|state, input, _, after, action| {
            if input == Input::Match {
                assert!(matches!(action, Action::Collect | Action::Keep));
                assert_eq!(state, after);
            }
        });
    }

    #[test]
    fn what_is_due_is_dropped_only_where_the_rule_says_so() {
        every_cell(|state, input, busy, _, action| {
            if input == Input::Quiet && matches!(action, Action::Skip | Action::Deliver(_)) {
                assert_eq!(state, State::Running);
                assert!(matches!(busy, OnBusy::Skip | OnBusy::Signal(_)));
            }
            if input == Input::Quiet {
                assert_ne!(action, Action::Nothing, "{state:?}");
            }
        });
    }

    #[test]
    fn the_policy_matters_only_while_the_run_goes_on() {
        every_cell(|state, input, busy, after, action| {
            if (state, input) != (State::Running, Input::Quiet) {
                assert_eq!((after, action), next(state, input, OnBusy::Queue), "{busy:?}");
            }
        });
    }

    #[test]
    fn a_state_that_signals_the_group_is_one_that_waits_for_its_end() {
        every_cell(|_, _, _, after, action| match action {
            Action::Term | Action::TimeOut | Action::Restart | Action::Cancel | Action::Stop => {
                assert_eq!(after, State::Stopping);
            }
            Action::Kill => assert_eq!(after, State::Killing),
            _ => {}
        });
    }

    #[test]
    fn a_cancelled_run_ends_and_what_waits_stays() {
        every_cell(|state, input, _, after, action| {
            if input == Input::Cancel {
                let cancels = matches!(action, Action::Cancel | Action::Abandon);
                assert_eq!(cancels, has_run(state), "{state:?}");
                assert_eq!(has_run(state), has_run(after), "{state:?}");
                assert_ne!(after, State::Running);
            }
        });
    }

    #[test]
    fn stopping_goes_only_forward_or_on_to_the_next_command() {
        every_cell(|state, _, _, after, action| {
            let begins = action == Action::Proceed && after == State::Starting;
            if state == State::Stopping {
                assert!(begins || matches!(after, State::Stopping | State::Killing | State::Settling));
            }
            if state == State::Killing {
                assert!(begins || matches!(after, State::Killing | State::Settling));
            }
        });
    }
}
