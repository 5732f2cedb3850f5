//! From the model to what a terminal shows: the same model and size, the same screen. Pure.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

use super::layout::Areas;
use super::model::{Front, Model, Row, matches, of_service};
use super::overlay::Leaf;
use super::wrap::{At, Scroll, Window, rows};
use crate::cli::lines::{Seconds, count, grouped};
use crate::dispatch::{Escaped, RuleOverview, ServiceOverview, ServiceState, State};

/// How something is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Quiet,
    Busy,
    Good,
    Bad,
    Halted,
}

impl Mood {
    const fn style(self) -> Style {
        match self {
            Self::Quiet => DIM,
            Self::Busy => Style::new().fg(Color::Yellow),
            Self::Good => Style::new().fg(Color::Green),
            Self::Bad => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
            Self::Halted => Style::new().fg(Color::Magenta),
        }
    }

    /// What tells it without a colour.
    const fn sign(self) -> &'static str {
        match self {
            Self::Quiet => "·",
            Self::Busy => "●",
            Self::Good => "✓",
            Self::Bad => "✗",
            Self::Halted => "‖",
        }
    }
}

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const BAR: Style = Style::new().add_modifier(Modifier::REVERSED);
const FOUND: Style = Style::new().fg(Color::Black).bg(Color::Yellow).add_modifier(Modifier::BOLD);

/// Draws everything. Without `coloured`, what colours tell is told by signs alone.
pub(super) fn draw(model: &Model, coloured: bool, buffer: &mut Buffer) {
    buffer.reset();
    let areas = model.areas();
    let Areas { list, line, output, .. } = areas;
    head(model, areas.head, list.is_empty(), buffer);
    rules(model, list, buffer);
    for y in line.rows() {
        buffer.set_string(y.x, y.y, "│", DIM);
    }
    if let Some(row) = model.rows.get(model.selected) {
        pane(model, row, output, buffer);
    }
    status(model, areas.status, buffer);
    front(model, model.area, buffer);
    if !coloured {
        for cell in &mut buffer.content {
            (cell.fg, cell.bg) = (Color::Reset, Color::Reset);
        }
    }
}

/// Writes as much of a text as there is room for; answers how wide that is.
fn put(buffer: &mut Buffer, area: Rect, text: &str, style: Style) -> u16 {
    if area.is_empty() {
        return 0;
    }
    let (end, _) = buffer.set_stringn(area.x, area.y, text, usize::from(area.width), style);
    end - area.x
}

fn width(text: &str) -> u16 {
    u16::try_from(Span::raw(text).width()).unwrap_or(u16::MAX)
}

/// Writes one text at the left and one at the right; the right one gives way.
fn put_both(
    buffer: &mut Buffer,
    area: Rect,
    (left, left_style): (&str, Style),
    (right, right_style): (&str, Style),
) {
    let taken = put(buffer, area, left, left_style);
    let (room, wanted) = (area.width - taken, width(right));
    if wanted < room {
        put(buffer, Rect { x: area.right() - wanted, width: wanted, ..area }, right, right_style);
    }
}

/// What a rule does or how it has ended, in few words.
fn state(rule: &RuleOverview) -> (Mood, String) {
    let seconds = |time: Duration| Clock(time).to_string();
    match rule.state {
        State::Running if rule.runs.len() > 1 => (Mood::Busy, format!("{} running", rule.runs.len())),
        State::Running => {
            let run = rule.runs.first();
            let what = if run.is_some_and(|run| run.ending) { "stopping" } else { "running" };
            (Mood::Busy, format!("{what} {}", seconds(run.map(|run| run.elapsed).unwrap_or_default())))
        }
        State::Suspended => (Mood::Halted, "suspended".to_owned()),
        State::Paused => (Mood::Halted, "paused".to_owned()),
        State::Retrying => (Mood::Bad, format!("again in {}", seconds(rule.due_in.unwrap_or_default()))),
        State::Queued => (Mood::Busy, "queued".to_owned()),
        State::Settling => (Mood::Busy, "settling".to_owned()),
        State::Waiting => match (&rule.last, &rule.service) {
            (Some(last), _) if last.stopped => (Mood::Quiet, "stopped".to_owned()),
            (Some(last), Some(service)) if last.code == 0 => of(service),
            (Some(last), _) => {
                let mood = if last.code == 0 { Mood::Good } else { Mood::Bad };
                (mood, format!("{}, {}", last.outcome, Seconds(last.elapsed)))
            }
            (None, Some(service)) => of(service),
            (None, None) => (Mood::Quiet, "waiting".to_owned()),
        },
    }
}

fn of(service: &ServiceOverview) -> (Mood, String) {
    let mood = match service.state {
        ServiceState::Down => Mood::Quiet,
        ServiceState::Starting | ServiceState::Ending => Mood::Busy,
        ServiceState::Up => Mood::Good,
        ServiceState::Crashed | ServiceState::Suspended => Mood::Bad,
    };
    let wait = service.due_in.map(|due| format!(", again in {}", Clock(due))).unwrap_or_default();
    (mood, of_service(service.state).to_owned() + &wait)
}

/// A time that goes on: whole seconds.
struct Clock(Duration);

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.as_secs();
        if seconds < 60 {
            write!(f, "{seconds} s")
        } else {
            write!(f, "{} min {} s", seconds / 60, seconds % 60)
        }
    }
}

fn shown(name: &str) -> String {
    Escaped(name.as_bytes()).to_string()
}

/// The selected rule and why it has run last. Where no list is shown, which of them it is.
fn head(model: &Model, area: Rect, alone: bool, buffer: &mut Buffer) {
    buffer.set_style(area, BAR);
    let Some(row) = model.rows.get(model.selected) else { return };
    let rule = model.overview_of(row);
    let mut left = format!(" {}", shown(&row.name));
    if alone && let Some(rule) = rule {
        let (mood, text) = state(rule);
        left += &format!(" {} {text}", mood.sign());
    }
    if let Some(cause) = rule.and_then(|rule| rule.cause.as_ref()) {
        left += &format!("  {cause}");
    }
    let right = match row.scroll {
        Scroll::At(At { line, .. }) => {
            format!(
                " line {} of {} ",
                grouped(line + 1 - row.pane.start().min(line)),
                grouped(row.pane.end() - row.pane.start())
            )
        }
        Scroll::End if alone => format!(" {}/{} ", model.selected + 1, model.rows.len()),
        Scroll::End => String::new(),
    };
    let room = area.width.saturating_sub(width(&right));
    put(buffer, Rect { width: room, ..area }, &left, BAR);
    put(buffer, Rect { x: area.x + room, width: area.width - room, ..area }, &right, BAR);
}

/// The rules, two lines each where there is room for all of them.
fn rules(model: &Model, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let height = usize::from(area.height);
    let lines = if model.rows.len() * 2 <= height { 2 } else { 1 };
    let shown = height / lines;
    let first = (model.selected + 1).saturating_sub(shown);
    for (place, (number, row)) in model.rows.iter().enumerate().skip(first).take(shown).enumerate() {
        let y = area.y + u16::try_from(place * lines).unwrap_or(0);
        let line = Rect { y, height: 1, ..area };
        rule(model, row, number == model.selected, line, buffer);
        if lines == 2 {
            let below = Rect { y: y + 1, ..line };
            let cause = model.overview_of(row).and_then(|rule| rule.cause.clone()).unwrap_or_default();
            let bars = row.activity.sparkline();
            let room = area.width.saturating_sub(width(&bars) + 1);
            put(buffer, Rect { width: room, ..below }, &format!("  {cause}"), DIM);
            put(
                buffer,
                Rect { x: below.x + room, width: area.width - room, ..below },
                &bars,
                Mood::Busy.style(),
            );
        }
    }
}

fn rule(model: &Model, row: &Row, selected: bool, area: Rect, buffer: &mut Buffer) {
    let (mood, text) = match model.overview_of(row) {
        Some(rule) => state(rule),
        None if row.alarm => (Mood::Bad, "look here".to_owned()),
        None if model.ready => (Mood::Quiet, "watching".to_owned()),
        None => (Mood::Busy, "looking".to_owned()),
    };
    let name = format!("{} {}", mood.sign(), shown(&row.name));
    put_both(buffer, area, (&name, BOLD), (&format!("{text} "), mood.style()));
    buffer.set_style(Rect { width: area.width.min(1), ..area }, mood.style());
    if selected {
        // In one piece: reversed, each colour would be a patch.
        buffer.set_style(area, Style::reset().patch(BAR).patch(BOLD));
    }
}

/// What a rule's commands have written, as far as it is looked at.
fn pane(model: &Model, row: &Row, area: Rect, buffer: &mut Buffer) {
    let window = Window { pane: &row.pane, columns: usize::from(area.width), rows: usize::from(area.height) };
    if row.pane.end() == row.pane.start() {
        let hint = if model.selected + 1 == model.rows.len() {
            "nothing to tell"
        } else {
            "nothing yet: save a file, or press r to run it"
        };
        put(buffer, area, hint, DIM);
        return;
    }
    let mut at = window.top(row.scroll);
    let mut free = area.rows();
    while let Some(line) = row.pane.line(at.line) {
        let found = matches(&line.text, &model.needle);
        for range in rows(&line.text, window.columns).into_iter().skip(at.row) {
            let Some(place) = free.next() else { return };
            let mut x = place.x;
            for (start, c) in line.text[range.clone()].char_indices() {
                let byte = range.start + start;
                let found = found.iter().any(|found| found.contains(&byte));
                let style = if found { FOUND } else { line.style_at(byte) };
                let left = usize::from(place.right() - x);
                (x, _) = buffer.set_stringn(x, place.y, c.encode_utf8(&mut [0; 4]), left, style);
            }
        }
        at = At { line: at.line + 1, row: 0 };
    }
}

fn status(model: &Model, area: Rect, buffer: &mut Buffer) {
    if let Front::Prompt(text) = &model.front {
        let taken = put(buffer, area, &format!("/{text}"), Style::new());
        buffer.set_style(
            Rect { x: area.x + taken.min(area.width.saturating_sub(1)), width: 1.min(area.width), ..area },
            BAR,
        );
        return;
    }
    if let Some(answer) = &model.answer {
        put(buffer, area, answer, Mood::Busy.style());
        return;
    }
    let rules = &model.overview.rules;
    let paused = !rules.is_empty() && rules.iter().all(|rule| rule.paused);
    let (left, style) =
        if paused { ("paused: p goes on".to_owned(), Mood::Halted.style()) } else { (numbers(model), DIM) };
    put_both(buffer, area, (&left, style), (&hints(area.width), DIM));
}

/// What the watcher and the queues hold.
fn numbers(model: &Model) -> String {
    let queues = &model.overview.queues;
    let of = queues
        .watch_limit
        .map(|limit| format!(" of {}", grouped(usize::try_from(limit).unwrap_or(usize::MAX))));
    let mut parts = vec![format!("{}{} watched", grouped(queues.watches), of.unwrap_or_default())];
    let queued = queues.events + queues.changes;
    parts.push(format!("{} queued", grouped(queued)));
    if queues.overflows > 0 {
        parts.push(count(queues.overflows, "overflow", "overflows"));
    }
    parts.push(format!("{}/s", grouped(usize::try_from(model.events.per_second()).unwrap_or(usize::MAX))));
    if model.ready {
        parts.join(", ")
    } else {
        format!("watching {} directories ...", grouped(queues.watches))
    }
}

fn hints(width: u16) -> String {
    if width >= 90 { "r rerun  p pause  / search  ? help  q quit" } else { "? help" }.to_owned()
}

/// What is in front of the rest: a box in the middle, with a sign where it goes on.
fn front(model: &Model, area: Rect, buffer: &mut Buffer) {
    let Some(leaf) = Leaf::of(&model.front, area) else { return };
    let (place, inner, top) = (leaf.place, leaf.inner(), model.top.min(leaf.most()));
    for y in place.rows() {
        put(buffer, y, &" ".repeat(usize::from(place.width)), Style::new());
        buffer.set_style(y, Style::reset());
    }
    frame(place, buffer);
    for (y, line) in inner.rows().zip(leaf.lines.iter().skip(top)) {
        put(buffer, y, line, Style::new());
    }
    for (goes_on, y, sign) in
        [(top > 0, inner.y, "↑"), (top < leaf.most(), inner.bottom().saturating_sub(1), "↓")]
    {
        if goes_on && !inner.is_empty() {
            buffer.set_string(place.right() - 1, y, sign, BOLD);
        }
    }
}

fn frame(place: Rect, buffer: &mut Buffer) {
    if place.width < 2 || place.height < 2 {
        return;
    }
    let across = "─".repeat(usize::from(place.width - 2));
    put(buffer, place, &format!("┌{across}┐"), DIM);
    put(buffer, Rect { y: place.bottom() - 1, height: 1, ..place }, &format!("└{across}┘"), DIM);
    for y in place.y + 1..place.bottom() - 1 {
        buffer.set_string(place.x, y, "│", DIM);
        buffer.set_string(place.right() - 1, y, "│", DIM);
    }
}
