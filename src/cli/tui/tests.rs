//! The model and what is drawn of it, without a terminal.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;

use super::draw::draw;
use super::model::{Act, Front, Model, matches};
use super::wrap::Scroll;
use crate::dispatch::{Command, Core, Limits};
use crate::rules::Rules;
use crate::time::MonoTime;

fn rules(names: &[&str]) -> Arc<Rules> {
    let rule = |name: &&str| format!("[rules.{name}]\npaths = [\"{name}\"]\nrun = [\"true\"]\n");
    Arc::new(crate::rules::tests::rules(&names.iter().map(rule).collect::<String>()))
}

fn at(seconds: u64) -> MonoTime {
    MonoTime::from_origin(Duration::from_secs(seconds))
}

fn model(names: &[&str], width: u16, height: u16) -> Model {
    let rules = rules(names);
    let area = Rect { x: 0, y: 0, width, height };
    let mut model = Model::default();
    (model.area, model.ready) = (area, true);
    model.rules(&rules);
    model.see(Core::new(rules, Limits { exec_bytes: 4096 }).overview(at(1)), at(1));
    model
}

fn press(model: &mut Model, code: KeyCode) -> Option<Act> {
    model.press(KeyEvent::new(code, KeyModifiers::NONE))
}

fn drawn(model: &Model) -> Vec<String> {
    let mut buffer = Buffer::empty(model.area);
    draw(model, true, &mut buffer);
    let width = usize::from(model.area.width).max(1);
    let line =
        |cells: &[ratatui::buffer::Cell]| cells.iter().map(ratatui::buffer::Cell::symbol).collect::<String>();
    buffer.content.chunks(width).map(|cells| line(cells).trim_end().to_owned()).collect()
}

#[test]
fn more_rules_than_there_is_room_for_scroll_with_the_selection() {
    let names: Vec<String> = (0..30).map(|n| format!("r{n}")).collect();
    let mut model = model(&names.iter().map(String::as_str).collect::<Vec<_>>(), 80, 12);
    assert!(drawn(&model)[1].starts_with("· r0 "));
    for _ in 0..20 {
        press(&mut model, KeyCode::Tab);
    }
    let lines = drawn(&model);
    assert!(lines[0].starts_with(" r20") && lines[10].starts_with("· r20 "), "{lines:#?}");
    press(&mut model, KeyCode::BackTab);
    assert_eq!(model.selected_rule().as_deref(), Some("r19"));
    for _ in 0..12 {
        press(&mut model, KeyCode::Tab);
    }
    assert_eq!(model.selected_rule().as_deref(), Some("r0"));
}

#[test]
fn on_the_smallest_screens_help_can_be_read_to_its_end() {
    for (width, height) in [(20, 5), (12, 3), (80, 10)] {
        let mut model = model(&["a"], width, height);
        press(&mut model, KeyCode::Char('?'));
        let mut read = String::new();
        for _ in 0..200 {
            read += &drawn(&model).join("");
            press(&mut model, KeyCode::Down);
        }
        let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        let read = letters(&read);
        for (keys, what) in super::help::KEYS {
            // On a screen this narrow words are broken.
            for word in keys.split(' ').chain(what.split(' ')).filter(|word| word.len() < 5) {
                assert!(read.contains(&letters(word)), "{width}x{height}: {word}");
            }
        }
        assert_eq!(model.front, Front::Help);
        let end = drawn(&model);
        press(&mut model, KeyCode::Home);
        assert_ne!(drawn(&model), end);
        press(&mut model, KeyCode::Esc);
        assert_eq!(model.front, Front::Nothing);
    }
    // Where all of it is seen, such a key leaves it, and scrolls what is behind.
    let mut model = model(&["a"], 80, 30);
    press(&mut model, KeyCode::Char('?'));
    press(&mut model, KeyCode::Up);
    assert_eq!(model.front, Front::Nothing);
}

#[test]
fn rules_that_are_read_again_keep_what_they_have_written() {
    let mut model = model(&["a", "b", "c"], 80, 12);
    press(&mut model, KeyCode::Tab);
    model.write("b", b"kept\n");
    model.rules(&rules(&["new", "c", "b"]));
    assert_eq!(model.selected_rule().as_deref(), Some("b"));
    assert!(drawn(&model)[1].ends_with("│kept"));
    model.rules(&rules(&["new", "c"]));
    assert_eq!(model.selected_rule().as_deref(), Some("new"));
    model.write("b", b"nobody's\n");
}

#[test]
fn what_is_written_while_somebody_scrolls_leaves_it_where_it_is() {
    let mut model = model(&["a"], 80, 8);
    (0..100).for_each(|n| model.write("a", format!("line {n}\n").as_bytes()));
    press(&mut model, KeyCode::PageUp);
    let before = drawn(&model);
    assert!(before[1].ends_with("line 89"), "{before:#?}");
    model.write("a", b"more\n");
    assert_eq!(drawn(&model)[1..7], before[1..7]);
    press(&mut model, KeyCode::End);
    assert!(drawn(&model)[6].ends_with("more"));
    assert_eq!(model.rows[0].scroll, Scroll::End);
}

#[test]
fn a_search_goes_on_and_begins_anew_at_the_end() {
    let mut model = model(&["a"], 80, 8);
    (0..100).for_each(|n| model.write("a", format!("Line {n}\n").as_bytes()));
    press(&mut model, KeyCode::Home);
    for key in "/line 7".chars() {
        press(&mut model, KeyCode::Char(key));
    }
    assert_eq!(drawn(&model)[7], "/line 7");
    press(&mut model, KeyCode::Enter);
    let mut found = vec![model.rows[0].found];
    for key in ['n', 'n', 'N', 'N', 'N'] {
        press(&mut model, KeyCode::Char(key));
        found.push(model.rows[0].found);
    }
    assert_eq!(found, [7, 70, 71, 70, 7, 79].map(Some));
    let found = |text, needle| -> Vec<_> {
        matches(text, needle).iter().map(|found| (found.start, found.end)).collect()
    };
    assert_eq!(found("Ärger, ärger", "ärger"), [(8, 14)]);
    assert_eq!(found("aXa", "X"), [(1, 2)]);
    assert_eq!(found("xX", "x"), [(0, 1), (1, 2)]);
}

#[test]
fn keys_ask_for_what_they_say() {
    let mut model = model(&["a", "b"], 80, 12);
    let (rule, all) = (|| "a".to_owned(), None);
    let command = |command| Some(Act::Command(command));
    assert_eq!(press(&mut model, KeyCode::Char('r')), command(Command::Rerun { rule: rule() }));
    assert_eq!(press(&mut model, KeyCode::F(5)), command(Command::Rerun { rule: rule() }));
    assert_eq!(press(&mut model, KeyCode::Char('x')), command(Command::Cancel { rule: rule() }));
    assert_eq!(press(&mut model, KeyCode::Char('p')), command(Command::Pause { rule: all.clone() }));
    assert_eq!(press(&mut model, KeyCode::Char('P')), command(Command::Pause { rule: Some(rule()) }));
    model.overview.rules.iter_mut().for_each(|rule| rule.paused = true);
    assert_eq!(press(&mut model, KeyCode::Char('p')), command(Command::Resume { rule: all, forget: false }));
    press(&mut model, KeyCode::Char('?'));
    // What leaves the help does nothing else; other keys do.
    assert_eq!(press(&mut model, KeyCode::Char('q')), None);
    press(&mut model, KeyCode::Char('?'));
    assert_eq!(press(&mut model, KeyCode::Char('e')), Some(Act::Explain));
    assert_eq!(press(&mut model, KeyCode::Char('q')), command(Command::Stop));
    press(&mut model, KeyCode::BackTab);
    assert_eq!(press(&mut model, KeyCode::Char('r')), None);
    assert!(model.answer.is_some());
}

#[test]
fn at_rest_no_time_is_waited_for() {
    let mut model = model(&["a"], 80, 12);
    assert_eq!(model.deadline(at(2)), None);
    let mut overview = model.overview.clone();
    (overview.events, overview.rules[0].counts.matches) = (5, 3);
    model.see(overview.clone(), at(2));
    assert_eq!(model.deadline(at(2)), Some(at(5)));
    model.see(overview, at(100));
    assert_eq!(model.deadline(at(100)), None);
}

/// Every key that means something, and some that mean nothing.
fn keys() -> impl Strategy<Value = KeyCode> {
    let named = [
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Backspace,
        KeyCode::F(5),
        KeyCode::Delete,
    ];
    let typed = "rpPcxse/nN?jkgGq漢".chars().map(KeyCode::Char);
    proptest::sample::select(named.into_iter().chain(typed).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn any_keys_and_any_output_can_be_drawn_at_any_size(
        steps in proptest::collection::vec((keys(), ".{0,50}\n?", 0_u16..90, 0_u16..30), 1..30)
    ) {
        let mut model = model(&["a", "b", "c"], 80, 12);
        for (key, text, width, height) in steps {
            model.area = Rect { x: 0, y: 0, width, height };
            press(&mut model, key);
            model.write("b", text.as_bytes());
            if let Front::Prompt(typed) = &model.front {
                prop_assert!(typed.len() < 100);
            }
            prop_assert_eq!(drawn(&model).len(), if width == 0 { 0 } else { usize::from(height) });
        }
    }
}
