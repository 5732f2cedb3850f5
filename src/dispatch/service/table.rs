//! The life of a service: what comes next, for every state and every input. It knows the order of things and
//! nothing else; [`service`](super) carries out the actions.

/// Where a service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing runs, and nothing is planned: it has not begun, has ended by itself, or tripline ends.
    Down,
    /// The spawn has been asked for.
    Starting,
    /// The same, and there is something newer to start.
    Stale,
    /// The same, and it is to end.
    Doomed,
    /// It runs and is not ready yet.
    Waking,
    /// It serves.
    Up,
    /// It was told to end, and the next is started when it has.
    Replacing,
    /// It has crashed; the rest of its process group is being ended.
    Falling,
    /// It has crashed and is started again when its wait is over.
    Waiting,
    /// It has crashed too often and is not started again by itself.
    Suspended,
    /// It was told to end, or has ended by itself, and nothing follows.
    Ending,
}

/// What can happen to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// There is something new to serve.
    Replace,
    /// The process has begun.
    Spawned,
    /// It could not begin.
    SpawnFailed,
    /// It is ready.
    Ready,
    /// Its leader has exited with success.
    Finished,
    /// Its leader has ended otherwise.
    Crashed,
    /// Its process group is empty.
    Gone,
    /// It has crashed too often.
    Limit,
    /// What it waits for is due: the next look, the next start, or SIGKILL.
    Due,
    /// tripline was asked to end.
    Halt,
    /// tripline was asked to end at once.
    Kill,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing.
    Nothing,
    /// Spawn it.
    Start,
    /// It runs from now.
    Begin,
    /// Look whether it is ready.
    Look,
    /// Say that it is ready.
    Announce,
    /// The stop signal, for the next to be started.
    Replace,
    /// Say that it has crashed; the stop signal to what is left of its group.
    Fall,
    /// Say that it has ended; the stop signal to what is left of its group.
    End,
    /// Count the crash, and wait.
    BackOff,
    /// Say that it is not started again.
    Suspend,
    /// The stop signal.
    Stop,
    /// SIGKILL.
    Kill,
}

/// The table. Cells that a correct caller never reaches leave the service as it is.
pub(crate) fn next(state: State, input: Input) -> (State, Action) {
    use Action::{Announce, BackOff, Begin, End, Fall, Look, Nothing, Start, Stop, Suspend};
    use Input::{Crashed, Due, Finished, Gone, Halt, Kill, Limit, Ready, Replace, SpawnFailed, Spawned};
    use State::{Doomed, Down, Ending, Falling, Replacing, Stale, Starting, Suspended, Up, Waiting, Waking};

    match (state, input) {
        // What is new is started at once, or as soon as nothing of the old is left.
        (Down | Waiting | Suspended, Replace) => (Starting, Start),
        (Starting | Stale | Doomed, Replace) => (Stale, Nothing),
        (Waking | Up, Replace) => (Replacing, Action::Replace),
        (Replacing | Falling | Ending, Replace) => (Replacing, Nothing),

        (Starting, Spawned) => (Waking, Begin),
        (Stale, Spawned) => (Replacing, Action::Replace),
        (Starting, SpawnFailed) => (Waiting, BackOff),
        (Doomed, Spawned) => (Ending, Stop),
        (Stale, SpawnFailed) => (Starting, Start),
        (Doomed, SpawnFailed) => (Down, Nothing),
        (Down | Waking | Up | Replacing | Falling | Waiting | Suspended | Ending, Spawned | SpawnFailed) => {
            (state, Nothing)
        }
        (Waking, Ready) => (Up, Announce),
        (
            Down | Starting | Stale | Doomed | Up | Replacing | Falling | Waiting | Suspended | Ending,
            Ready,
        ) => (state, Nothing),

        // It ends: its leader first, then whoever the leader left behind.
        (Waking | Up, Crashed) => (Falling, Fall),
        (Waking | Up, Finished) => (Ending, End),
        (
            Down | Starting | Stale | Doomed | Replacing | Falling | Waiting | Suspended | Ending,
            Crashed | Finished,
        ) => (state, Nothing),
        (Replacing, Gone) => (Starting, Start),
        (Falling, Gone) => (Waiting, BackOff),
        (Ending, Gone) => (Down, Nothing),
        (Down | Starting | Stale | Doomed | Waking | Up | Waiting | Suspended, Gone) => (state, Nothing),
        (Waiting, Limit) => (Suspended, Suspend),
        (
            Down | Starting | Stale | Doomed | Waking | Up | Replacing | Falling | Suspended | Ending,
            Limit,
        ) => (state, Nothing),

        (Waking, Due) => (Waking, Look),
        (Waiting, Due) => (Starting, Start),
        (Replacing | Falling | Ending, Due) => (state, Action::Kill),
        (Down | Starting | Stale | Doomed | Up | Suspended, Due) => (state, Nothing),

        // tripline ends. What is only starting is told as soon as it is there.
        (Down | Waiting | Suspended, Halt | Kill) => (Down, Nothing),
        (Starting | Stale | Doomed, Halt | Kill) => (Doomed, Nothing),
        (Waking | Up, Halt) => (Ending, Stop),
        (Replacing | Falling | Ending, Halt) => (Ending, Nothing),
        (Waking | Up | Replacing | Falling | Ending, Kill) => (Ending, Action::Kill),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 11] = [
        State::Down,
        State::Starting,
        State::Stale,
        State::Doomed,
        State::Waking,
        State::Up,
        State::Replacing,
        State::Falling,
        State::Waiting,
        State::Suspended,
        State::Ending,
    ];
    const INPUTS: [Input; 11] = [
        Input::Replace,
        Input::Spawned,
        Input::SpawnFailed,
        Input::Ready,
        Input::Finished,
        Input::Crashed,
        Input::Gone,
        Input::Limit,
        Input::Due,
        Input::Halt,
        Input::Kill,
    ];

    fn has_process(state: State) -> bool {
        use State::{Ending, Falling, Replacing, Up, Waking};
        matches!(state, Waking | Up | Replacing | Falling | Ending)
    }

    /// Calls `check(state, input, next state, action)` for every cell.
    fn every_cell(check: impl Fn(State, Input, State, Action)) {
        for state in STATES {
            for input in INPUTS {
                let (after, action) = next(state, input);
                check(state, input, after, action);
            }
        }
    }

    #[test]
    fn there_are_never_two() {
        every_cell(|state, input, after, action| {
            let cell = (state, input);
            if action == Action::Start {
                assert_eq!(after, State::Starting, "{cell:?}");
                assert!(!has_process(state) || input == Input::Gone, "{cell:?}");
            }
            let begins = !has_process(state) && has_process(after);
            let asked = matches!(state, State::Starting | State::Stale | State::Doomed);
            assert_eq!(begins, asked && input == Input::Spawned, "{cell:?}");
            let ends = has_process(state) && !has_process(after);
            assert!(!ends || input == Input::Gone, "{cell:?}");
        });
    }

    #[test]
    fn what_is_new_is_always_started() {
        every_cell(|state, input, after, action| {
            if input == Input::Replace {
                let starts = action == Action::Start;
                assert!(starts || matches!(after, State::Stale | State::Replacing), "{state:?}");
            }
            if matches!(state, State::Stale | State::Replacing) && !matches!(input, Input::Halt | Input::Kill)
            {
                let starts = action == Action::Start || matches!(after, State::Stale | State::Replacing);
                assert!(starts, "{state:?}, {input:?}");
            }
        });
    }

    #[test]
    fn only_a_crash_waits_and_only_a_start_that_did_not_succeed_counts() {
        every_cell(|state, input, _, action| {
            if action == Action::BackOff {
                let crash = (state, input) == (State::Falling, Input::Gone);
                assert!(crash || (state, input) == (State::Starting, Input::SpawnFailed));
            }
        });
    }

    #[test]
    fn after_the_end_was_asked_for_nothing_starts() {
        every_cell(|state, input, after, _| {
            if matches!(input, Input::Halt | Input::Kill) {
                assert!(matches!(after, State::Down | State::Doomed | State::Ending), "{state:?}");
            }
            let over =
                matches!(state, State::Down | State::Doomed | State::Ending) && input != Input::Replace;
            if over {
                assert!(matches!(after, State::Down | State::Doomed | State::Ending), "{input:?}");
            }
        });
    }

    #[test]
    fn what_is_told_to_end_is_waited_for() {
        every_cell(|state, input, after, action| {
            let signals =
                matches!(action, Action::Replace | Action::Fall | Action::End | Action::Stop | Action::Kill);
            let waits = matches!(after, State::Replacing | State::Falling | State::Ending);
            assert!(!signals || waits, "{state:?}, {input:?}");
        });
    }
}
