//! What a person types where lines are shown: a letter and Enter.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use crate::dispatch::{Command, Control, Overview, Refusal};
use crate::sys::{Epoll, block_all, is_foreground, read};

/// What is said where everything is watched.
pub(crate) const HINT: &str = "r, p or q, and Enter: run again, pause, quit";
const HELP: &str = "r runs every rule again, `r RULE` one of them; p pauses, and has all go on; q quits";

/// What the terminal's driver holds of a line (termios(3)).
const LONGEST: usize = 4096;
/// Before another look whether what is typed is for us.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether standard input is a terminal whose keys are for us.
pub(crate) fn are_there() -> bool {
    io::stdin().is_terminal() && is_foreground(io::stdin().as_fd())
}

/// Does what is typed, from now to the end.
///
/// # Errors
/// No thread or no descriptor is left.
pub(crate) fn start(control: &Control) -> io::Result<()> {
    let (control, epoll) = (control.clone(), Epoll::new()?);
    epoll.add_readable(io::stdin().as_fd(), 0)?;
    thread::Builder::new().name("keys".to_owned()).spawn(move || obey(&control, &epoll)).map(drop)
}

/// With SIGTTIN blocked, who reads in the background is refused and not stopped (tcsetpgrp(3), ioctl_tty(2)).
fn obey(control: &Control, epoll: &Epoll) {
    block_all();
    let (stdin, mut ready, mut line) = (io::stdin(), Vec::new(), [0; LONGEST]);
    while epoll.wait(None, &mut ready).is_ok() {
        // A command may have the terminal, or the shell.
        if !is_foreground(stdin.as_fd()) {
            thread::sleep(PATIENCE);
            continue;
        }
        match read(stdin.as_fd(), &mut line) {
            Ok(Some(line)) => answer(String::from_utf8_lossy(line).trim(), control),
            Err(error) if error.raw_os_error() == Some(libc::EIO) => thread::sleep(PATIENCE),
            Ok(None) | Err(_) => return,
        }
    }
}

fn answer(line: &str, control: &Control) {
    let Ok(overview) = control.ask().recv() else { return };
    let Some(commands) = commands(line, &overview) else {
        let _ = writeln!(io::stderr(), "tripline: {HELP}");
        return;
    };
    let answers: Vec<Receiver<Result<(), Refusal>>> =
        commands.into_iter().map(|command| control.send(command)).collect();
    for refusal in answers.iter().filter_map(|answer| answer.recv().ok()?.err()) {
        let _ = writeln!(io::stderr(), "tripline: {refusal}");
    }
}

/// What a line asks for; none if it means nothing.
fn commands(line: &str, overview: &Overview) -> Option<Vec<Command>> {
    let (rules, rule) = (&overview.rules, None);
    let (key, name) = line.split_once(' ').map_or((line, None), |(key, name)| (key, Some(name.trim())));
    Some(match (key, name) {
        ("", None) => Vec::new(),
        ("q", None) => vec![Command::Stop],
        ("r", None) => rules.iter().map(|rule| Command::Rerun { rule: rule.name.clone() }).collect(),
        ("r", Some(name)) => vec![Command::Rerun { rule: name.to_owned() }],
        ("p", None) if rules.iter().all(|rule| rule.paused) => vec![Command::Resume { rule, forget: false }],
        ("p", None) => vec![Command::Pause { rule }],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dispatch::{Core, Limits};
    use crate::rules::tests::rules;
    use crate::time::MonoTime;

    #[test]
    fn a_letter_asks_for_what_it_says() {
        let text = "[rules.a]\npaths = [\"a\"]\nrun = \"x\"\n[rules.b]\npaths = [\"b\"]\nrun = \"x\"\n";
        let core = Core::new(Arc::new(rules(text)), Limits { exec_bytes: 4096 });
        let mut overview = core.overview(MonoTime::default());
        let rerun = |name: &str| Command::Rerun { rule: name.to_owned() };
        let asked = |line: &str, overview: &Overview| commands(line, overview);
        assert_eq!(asked("", &overview), Some(vec![]));
        assert_eq!(asked("q", &overview), Some(vec![Command::Stop]));
        assert_eq!(asked("r", &overview), Some(vec![rerun("a"), rerun("b")]));
        assert_eq!(asked("r  b", &overview), Some(vec![rerun("b")]));
        assert_eq!(asked("p", &overview), Some(vec![Command::Pause { rule: None }]));
        overview.rules.iter_mut().for_each(|rule| rule.paused = true);
        assert_eq!(asked("p", &overview), Some(vec![Command::Resume { rule: None, forget: false }]));
        assert_eq!((asked("quit", &overview), asked("q now", &overview)), (None, None));
    }
}
