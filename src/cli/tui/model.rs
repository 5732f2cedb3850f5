//! What the terminal view knows and what is looked at: keys and news in, commands out. Pure.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;

use super::activity::{Activity, Rate};
use super::layout::{Areas, areas};
use super::overlay::Leaf;
use super::scrollback::Pane;
use super::wrap::{Scroll, Window};
use crate::dispatch::{Cause, Command, Overview, RuleOverview, ServiceOrder, ServiceState, State};
use crate::rules::Rules;
use crate::time::MonoTime;

/// What tripline itself says stands behind the rules, under this name.
pub(super) const OWN: &str = "tripline";

/// A rule, or tripline itself.
#[derive(Default)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) pane: Pane,
    pub(super) scroll: Scroll,
    pub(super) activity: Activity,
    /// Why it has run last.
    pub(super) cause: Option<Cause>,
    /// Whether something was said that somebody should look at, and nobody has.
    pub(super) alarm: bool,
    /// The line that a search has found last.
    pub(super) found: Option<usize>,
}

/// What is in front of the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Front {
    #[default]
    Nothing,
    Help,
    /// Why a rule has run.
    Explanation(String),
    /// What is being typed, to be searched for.
    Prompt(String),
}

/// What a key asks of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Command(Command),
    /// Why has the selected rule run? To be answered by [`Model::explain`].
    Explain,
    /// Give the terminal back and stop, as Ctrl-Z does.
    Suspend,
    /// Draw everything anew.
    Redraw,
}

/// Everything that is shown, and what is looked at.
#[derive(Default)]
pub(super) struct Model {
    /// The rules in the order of the rules file, then tripline itself.
    pub(super) rows: Vec<Row>,
    pub(super) overview: Overview,
    pub(super) selected: usize,
    /// Whether the output of the selected rule has the whole screen.
    pub(super) full: bool,
    pub(super) front: Front,
    /// The first of its lines that is seen.
    pub(super) top: usize,
    /// What was searched for last.
    pub(super) needle: String,
    /// What became of the last key, until the next.
    pub(super) answer: Option<String>,
    /// Whether all directories are watched.
    pub(super) ready: bool,
    pub(super) area: Rect,
    /// Whether panes begin anew with each run.
    clears: bool,
    pub(super) events: Rate,
}

impl Model {
    /// These are the rules now. What those of the same name have written stays.
    pub(super) fn rules(&mut self, rules: &Rules) {
        let selected = self.rows.get(self.selected).map(|row| row.name.clone());
        let mut before = std::mem::take(&mut self.rows);
        let names = rules.rules.iter().map(|rule| rule.name.as_str()).chain([OWN]);
        self.rows = names
            .map(|name| match before.iter().position(|row| row.name == name) {
                Some(known) => before.swap_remove(known),
                None => Row { name: name.to_owned(), ..Row::default() },
            })
            .collect();
        let at = self.rows.iter().position(|row| Some(&row.name) == selected.as_ref());
        self.selected = at.unwrap_or(0);
        self.clears = rules.settings.terminal.clear;
    }

    /// Everything is like this now.
    pub(super) fn see(&mut self, overview: Overview, now: MonoTime) {
        self.events.see(overview.events, now);
        for rule in &overview.rules {
            if let Some(row) = self.rows.iter_mut().find(|row| row.name == rule.name) {
                row.activity.see(rule.counts.matches, now);
            }
        }
        self.overview = overview;
    }

    pub(super) fn overview_of(&self, row: &Row) -> Option<&RuleOverview> {
        self.overview.rules.iter().find(|rule| rule.name == row.name)
    }

    fn row(&mut self, name: &str) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.name == name)
    }

    /// A rule's command has written this.
    pub(super) fn write(&mut self, rule: &str, bytes: &[u8]) {
        if let Some(row) = self.row(rule) {
            row.pane.write(bytes);
        }
    }

    /// A line about a rule, or about tripline itself, beside what its commands write.
    pub(super) fn say(&mut self, rule: &str, text: &[u8], bad: bool) {
        let looked_at = self.rows.get(self.selected).is_some_and(|row| row.name == rule);
        if let Some(row) = self.row(rule) {
            row.pane.break_line();
            row.pane.write(text);
            row.pane.break_line();
            row.alarm |= bad && !looked_at;
        }
    }

    /// A run of a rule begins.
    pub(super) fn begin(&mut self, rule: &str, cause: Cause) {
        let clears = self.clears;
        if let Some(row) = self.row(rule) {
            if clears {
                row.pane.clear();
            }
            row.scroll = if clears { Scroll::End } else { row.scroll };
            row.cause = Some(cause);
        }
    }

    /// Why the selected rule has run.
    pub(super) fn explain(&mut self, text: String) {
        (self.front, self.top) = (Front::Explanation(text), 0);
    }

    /// When something is to be drawn by itself; none while nothing moves.
    pub(super) fn deadline(&self, now: MonoTime) -> Option<MonoTime> {
        const SECOND: Duration = Duration::from_secs(1);
        let moves = |rule: &RuleOverview| {
            rule.state == State::Running
                || rule.due_in.is_some()
                || rule.service.is_some_and(|service| service.due_in.is_some())
        };
        // Clocks show whole seconds: one look a second is enough.
        let clock = self.overview.rules.iter().any(moves).then(|| now + SECOND);
        let bars = self.rows.iter().filter_map(|row| row.activity.deadline());
        bars.chain(self.events.deadline()).chain(clock).min()
    }

    pub(super) fn areas(&self) -> Areas {
        areas(self.area, self.rows.len(), self.full)
    }

    fn scroll(&mut self, scroll: impl FnOnce(Window<'_>, Scroll) -> Scroll) {
        let output = self.areas().output;
        let (columns, rows) = (usize::from(output.width), usize::from(output.height));
        if let Some(row) = self.rows.get_mut(self.selected) {
            row.scroll = scroll(Window { pane: &row.pane, columns, rows }, row.scroll);
        }
    }

    fn page(&self) -> usize {
        usize::from(self.areas().output.height).saturating_sub(1).max(1)
    }

    fn select(&mut self, step: isize) {
        let count = self.rows.len().cast_signed();
        if count > 0 {
            self.selected = (self.selected.cast_signed() + step).rem_euclid(count).cast_unsigned();
            self.rows[self.selected].alarm = false;
        }
    }

    /// A key is pressed; answers what that asks of others.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Act> {
        self.answer = None;
        let leaf = Leaf::of(&self.front, self.area);
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Some(Act::Command(Command::Stop)),
                KeyCode::Char('z') => Some(Act::Suspend),
                KeyCode::Char('l') => Some(Act::Redraw),
                _ => None,
            };
        }
        match &mut self.front {
            Front::Prompt(_) => {
                self.type_in(key.code);
                None
            }
            Front::Nothing => self.command(key.code),
            _ if let Some(top) = leaf.and_then(|leaf| leaf.scrolled(self.top, key.code)) => {
                self.top = top;
                None
            }
            front @ (Front::Help | Front::Explanation(_)) => {
                let own = if *front == Front::Help { '?' } else { 'e' };
                self.front = Front::Nothing;
                // What leaves it does nothing else.
                let leaves = matches!(key.code, KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q'));
                if leaves || key.code == KeyCode::Char(own) { None } else { self.command(key.code) }
            }
        }
    }

    fn type_in(&mut self, key: KeyCode) {
        let Front::Prompt(text) = &mut self.front else { return };
        match key {
            KeyCode::Char(c) => text.push(c),
            KeyCode::Backspace if text.is_empty() => self.front = Front::Nothing,
            KeyCode::Backspace => drop(text.pop()),
            KeyCode::Esc => self.front = Front::Nothing,
            KeyCode::Enter => {
                // Nothing typed is what was searched for before.
                let text = std::mem::take(text);
                if !text.is_empty() {
                    self.needle = text;
                }
                self.front = Front::Nothing;
                self.find(None);
            }
            _ => {}
        }
    }

    fn command(&mut self, key: KeyCode) -> Option<Act> {
        let page = self.page();
        match key {
            KeyCode::Char('q') => return Some(Act::Command(Command::Stop)),
            KeyCode::Char('p') => return Some(self.pause(None)),
            KeyCode::Char('P') => return self.selected_rule().map(|rule| self.pause(Some(rule))),
            KeyCode::Char('r') | KeyCode::F(5) => return self.of_rule(|rule| Command::Rerun { rule }),
            KeyCode::Char('x') => return self.of_rule(|rule| Command::Cancel { rule }),
            KeyCode::Char('s') => {
                return self.of_rule(|rule| Command::Service { rule, order: ServiceOrder::Toggle });
            }
            KeyCode::Char('e') => return self.selected_rule().map(|_| Act::Explain),
            KeyCode::Char('c') => self.clear(),
            KeyCode::Char('/') => self.front = Front::Prompt(String::new()),
            KeyCode::Char('n') => self.find(Some(Direction::Forth)),
            KeyCode::Char('N') => self.find(Some(Direction::Back)),
            KeyCode::Char('?') => (self.front, self.top) = (Front::Help, 0),
            KeyCode::Tab => self.select(1),
            KeyCode::BackTab => self.select(-1),
            KeyCode::Enter => self.full = !self.full,
            KeyCode::Esc => (self.full, self.needle) = (false, String::new()),
            KeyCode::Up | KeyCode::Char('k') => self.scroll(|window, at| window.up(at, 1)),
            KeyCode::Down | KeyCode::Char('j') => self.scroll(|window, at| window.down(at, 1)),
            KeyCode::PageUp => self.scroll(|window, at| window.up(at, page)),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scroll(|window, at| window.down(at, page)),
            KeyCode::Home | KeyCode::Char('g') => self.scroll(|window, _| window.home()),
            KeyCode::End | KeyCode::Char('G') => self.scroll(|_, _| Scroll::End),
            _ => {}
        }
        None
    }

    fn clear(&mut self) {
        if let Some(row) = self.rows.get_mut(self.selected) {
            row.pane.clear();
            row.scroll = Scroll::End;
        }
    }

    /// The selected rule's name; none where tripline itself is selected.
    pub(super) fn selected_rule(&self) -> Option<String> {
        self.rows
            .get(self.selected)
            .map(|row| row.name.clone())
            .filter(|_| self.selected + 1 < self.rows.len())
    }

    fn of_rule(&mut self, command: impl FnOnce(String) -> Command) -> Option<Act> {
        let rule = self.selected_rule();
        if rule.is_none() {
            self.answer = Some("no rule is selected: Tab selects the next".to_owned());
        }
        rule.map(|rule| Act::Command(command(rule)))
    }

    /// Pauses the rule or all rules, or has them go on.
    fn pause(&self, rule: Option<String>) -> Act {
        let named = |known: &&RuleOverview| rule.as_ref().is_none_or(|rule| *rule == known.name);
        let paused = self.overview.rules.iter().filter(named).all(|rule| rule.paused);
        Act::Command(if paused { Command::Resume { rule, forget: false } } else { Command::Pause { rule } })
    }

    /// Shows the next line that holds what is searched for: in this direction from the one that was found before,
    /// or from what is seen on. Beyond the end, from the other one.
    fn find(&mut self, direction: Option<Direction>) {
        let (needle, output) = (self.needle.clone(), self.areas().output);
        let Some(row) = self.rows.get_mut(self.selected).filter(|_| !needle.is_empty()) else { return };
        let (columns, rows) = (usize::from(output.width), usize::from(output.height));
        let window = Window { pane: &row.pane, columns, rows };
        let (start, end) = (row.pane.start(), row.pane.end());
        let top = window.top(row.scroll).line;
        let before = row.found.filter(|at| direction.is_some() && (start..end).contains(at));
        let holds =
            |line: &usize| row.pane.line(*line).is_some_and(|line| !matches(&line.text, &needle).is_empty());
        let found = if direction == Some(Direction::Back) {
            let from = before.unwrap_or(top);
            (start..from).rev().chain((from..end).rev()).find(holds)
        } else {
            let from = before.map_or(top, |line| line + 1);
            (from..end).chain(start..from.min(end)).find(holds)
        };
        match found {
            Some(line) => (row.scroll, row.found) = (window.show(line), Some(line)),
            None => self.answer = Some(format!("not found: {needle}")),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Back,
    Forth,
}

/// Where a text holds what is searched for, in bytes. Small letters stand for capitals, too.
pub(super) fn matches(text: &str, needle: &str) -> Vec<std::ops::Range<usize>> {
    if needle.is_empty() {
        return Vec::new();
    }
    let exact = needle.chars().any(char::is_uppercase);
    // ASCII letters only, so that no byte changes its place.
    let folded = if exact { text.to_owned() } else { text.to_ascii_lowercase() };
    folded.match_indices(needle).map(|(at, found)| at..at + found.len()).collect()
}

/// What a service does, in a word.
pub(super) const fn of_service(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Down => "down",
        ServiceState::Starting => "starting",
        ServiceState::Up => "up",
        ServiceState::Ending => "ending",
        ServiceState::Crashed => "crashed",
        ServiceState::Suspended => "given up",
    }
}
