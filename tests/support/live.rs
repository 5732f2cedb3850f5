//! Carries out a script with the real binary, real inotify and real processes.
//!
//! The root is a directory `w` in a fresh one that the script calls `/`; output shows it as `/w`, too. All
//! steps of one time are done together. Before those of a later time, every line that is expected by then
//! must have come. Otherwise times mean nothing here, and nothing waits for time to pass.
//!
//! `reload NAME` writes the rules of that name over the rules file; they are in `/NAME.toml`, too.
//!
//! `...` in an expected line stands for anything: for what depends on who was faster.

use std::fs;

use rustix::process::Signal;

use super::diff::diff;
use super::place::Place;
use super::proc::{eventually, is_stopped};
use super::running::{READY, Running, tripline};
use super::trip::{Script, Step};
use super::verb::Verb;

/// Plays a script. The error says what is wrong with it, or what came otherwise than expected.
pub(crate) fn play(script: &Script) -> Result<(), String> {
    if !script.show.is_empty() {
        return Err(format!("{}: `-- show` means nothing here: commands can print", script.file.display()));
    }
    if !script.runs.is_empty() {
        return Err(format!("{}: `-- runs` means nothing here: commands do it", script.file.display()));
    }
    let expected: Vec<_> = script.expect.iter().map(|line| line.text.clone()).collect();
    let mut seen = Vec::new();
    let outcome = perform(script, &mut seen);
    if outcome.is_ok() && fit(&expected, &seen) {
        return Ok(());
    }
    // Lines that fit are to look alike.
    for line in &mut seen {
        if let Some(pattern) = expected.iter().find(|pattern| fits(pattern, line)) {
            line.clone_from(pattern);
        }
    }
    let error = outcome.err().unwrap_or_default();
    Err(format!("{}: {error}\n{}", script.file.display(), diff(&expected, &seen)))
}

fn perform(script: &Script, seen: &mut Vec<String>) -> Result<(), String> {
    let mut place = Place::new();
    fs::write(place.path(b"tripline.toml"), &script.rules).map_err(|error| error.to_string())?;
    for (name, rules) in &script.later {
        let file = place.path(format!("/{name}.toml").as_bytes());
        fs::write(file, rules).map_err(|error| error.to_string())?;
    }
    for step in &script.before {
        place.act(&step.verb).map_err(|error| format!("line {}: {error}", step.line))?;
    }
    let running = Running::start(tripline().arg("run").current_dir(place.path(b".")));
    let mut show = Show { script, place, running, seen, halted: false };
    let outcome = show.ready().and_then(|()| show.steps());
    let ended = show.end();
    outcome.and(ended)
}

struct Show<'a> {
    script: &'a Script,
    place: Place,
    running: Running,
    seen: &'a mut Vec<String>,
    halted: bool,
}

impl Show<'_> {
    fn ready(&mut self) -> Result<(), String> {
        loop {
            let line = self.running.next()?.ok_or("it was never ready")?;
            if line.starts_with(READY) {
                return Ok(());
            }
            self.seen.push(self.place.shown(&line));
        }
    }

    fn steps(&mut self) -> Result<(), String> {
        for step in &self.script.steps {
            self.wait(self.script.expect.iter().filter(|line| line.at < step.at).count())?;
            self.step(step).map_err(|error| format!("line {}: {error}", step.line))?;
        }
        self.wait(self.script.expect.len())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match &step.verb {
            Verb::Reload(name) => {
                let rules = self.script.later(name)?;
                fs::write(self.place.path(b"tripline.toml"), rules).map_err(|error| error.to_string())
            }
            Verb::Hup => {
                self.running.signal(Signal::HUP);
                Ok(())
            }
            Verb::Halt | Verb::Kill => {
                self.halted = true;
                self.running.signal(Signal::TERM);
                Ok(())
            }
            Verb::Stop => {
                self.running.signal(Signal::STOP);
                eventually(|| is_stopped(self.running.pid()).then_some(()));
                Ok(())
            }
            Verb::Cont => {
                self.running.signal(Signal::CONT);
                Ok(())
            }
            verb => self.place.act(verb),
        }
    }

    /// Waits until the first `count` lines have come, and no longer than they are as expected.
    fn wait(&mut self, count: usize) -> Result<(), String> {
        while self.seen.len() < count {
            let line = self.running.next()?.ok_or("it ended too early")?;
            let line = self.place.shown(&line);
            let good = fits(&self.script.expect[self.seen.len()].text, &line);
            self.seen.push(line);
            if !good {
                return Err("something else came".to_owned());
            }
        }
        Ok(())
    }

    fn end(self) -> Result<(), String> {
        if !self.halted {
            self.running.signal(Signal::TERM);
        }
        let (lines, status) = self.running.end()?;
        self.seen.extend(lines.iter().map(|line| self.place.shown(line)));
        if status.code() == Some(0) { Ok(()) } else { Err(format!("it ended with {status}")) }
    }
}

fn fit(expected: &[String], seen: &[String]) -> bool {
    expected.len() == seen.len() && expected.iter().zip(seen).all(|(pattern, line)| fits(pattern, line))
}

/// Whether a line is as expected, where `...` is anything.
fn fits(pattern: &str, line: &str) -> bool {
    let Some((head, tail)) = pattern.split_once("...") else { return pattern == line };
    let Some(rest) = line.strip_prefix(head) else { return false };
    (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| fits(tail, rest)))
}

#[test]
fn three_dots_stand_for_anything() {
    for (pattern, line) in [("a", "a"), ("a (...)", "a (b,c)"), ("...", ""), ("a ... b ... c", "a x b b c")] {
        assert!(fits(pattern, line), "{pattern}: {line}");
    }
    for (pattern, line) in [("a", "ab"), ("a (...)", "a (b,c) and 1 more"), ("... b", "a c")] {
        assert!(!fits(pattern, line), "{pattern}: {line}");
    }
}
