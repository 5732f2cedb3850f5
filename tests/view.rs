//! The terminal view, on a terminal: what is seen at several sizes, keys that do what they say, and a terminal that is
//! given back whatever happens.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use regex::Regex;
use rustix::process::Signal;
use tempfile::{TempDir, tempdir};

use crate::support::command::Test;
use crate::support::diff::diff;
use crate::support::proc::{eventually, settled_switches, status, switches};
use crate::support::screen::Screen;

const SIZE: (u16, u16) = (16, 100);

/// Three rules and a service: one that waits for a file `go`, one that fails, one that writes much.
const RULES: &str = "\
[rules.check]
paths = [\"*.rs\"]
run = \"echo checking $TRIPLINE_NAME; until test -e go; do sleep 0.02; done; printf '\\\\033[32mfine\\\\033[0m\\\\n'\"
[rules.test]
paths = [\"*.rs\"]
run = \"printf 'test a ... \\\\033[31mFAILED\\\\033[0m\\\\n'; exit 101\"
[rules.chatty]
paths = [\"*.txt\"]
run = \"seq 1 100000\"
[rules.web]
paths = [\"*.conf\"]
service = \"echo listening; exec sleep 1000\"
";

struct View {
    directory: TempDir,
    screen: Screen,
}

impl View {
    fn start(rules: &str, size: (u16, u16)) -> Self {
        let directory = tempdir().unwrap();
        let screen = Screen::with_rules(directory.path(), rules, &["--tui"], size);
        screen.until_shown([" watched"]);
        Self { directory, screen }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn save(&self, name: &str) {
        fs::write(self.path(name), "content\n").unwrap();
    }

    fn press<const N: usize>(&self, keys: &str, parts: [&str; N]) -> String {
        self.screen.keys(keys);
        self.screen.until_shown(parts)
    }

    /// Selects a rule, from wherever.
    fn select(&self, rule: &str) {
        let begins = |text: &str| text.lines().next().unwrap().starts_with(&format!(" {rule}"));
        while !begins(&self.screen.text()) {
            let before = self.screen.text();
            self.screen.keys("\t");
            self.screen.until(|screen| (screen.text().lines().next() != before.lines().next()).then_some(()));
        }
    }

    /// Waits until nothing more is drawn.
    fn settle(&self) -> String {
        self.screen.until(|screen| {
            let before = screen.bytes().len();
            sleep(Duration::from_millis(400));
            (screen.bytes().len() == before).then(|| screen.text())
        })
    }
}

/// The screen without what differs each time: times, numbers, bars, and the room that they take.
fn timeless(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, name) in [
        (r"[\d.]+ (ms|s)\b", "TIME"),
        (r"[\d,]+ of [\d,]+ watched", "N watched"),
        (r"[\d,]+/s", "N/s"),
        (r"[▁▂▃▄▅▆▇█]", ""),
        (r" {2,}", " "),
        (r" *\n", "\n"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, name).into_owned();
    }
    text.trim_end().to_owned() + "\n"
}

/// Compares a screen with the one in `tests/screens`; `TRIP_BLESS=1` writes it there.
fn check(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(format!("{name}.txt"));
    let actual = timeless(text);
    if std::env::var_os("TRIP_BLESS").is_some_and(|value| value == "1") {
        fs::write(&file, &actual).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let difference = diff(&lines(&expected), &lines(&actual));
    assert!(expected == actual, "{name}:\n{difference}\nthe screen:\n{text}");
}

#[test]
fn rules_and_their_output_are_shown_at_every_size() {
    for (name, rows, columns) in [("wide", 16, 100), ("narrow", 14, 50), ("tiny", 5, 20)] {
        let mut view = View::start(RULES, (rows, columns));
        view.save("go");
        view.save("a.rs");
        // On the smallest, only one is seen.
        for rule in ["check", "test"] {
            view.select(rule);
            let end = if rule == "check" { "fine" } else { "FAILED" };
            view.screen.until_shown([end]);
        }
        let end = if name == "tiny" { ["exit code 101"; 2] } else { ["exit code 101", "ok,"] };
        view.screen.until_shown(end);
        check(&format!("{name}_failed"), &view.settle());
        check(&format!("{name}_help"), &{
            view.press("?", ["q"]);
            view.settle()
        });
        if name == "tiny" {
            view.press("G", ["this"]);
            check("tiny_help_end", &view.settle());
        }
        view.screen.stop();
    }
}

#[test]
fn keys_do_what_they_say() {
    let mut view = View::start(RULES, SIZE);
    // Run, stop, run again.
    view.press("r", ["● check", "check: by hand", "checking"]);
    view.press("x", ["check: stopping", "check: killed by SIGTERM", "stopped"]);
    view.press("x", ["check is not running"]);
    view.save("go");
    view.press("\x1b[15~", ["✓ check", "fine"]);
    // Pause: nothing runs until it goes on.
    view.press("p", ["paused: p goes on", "‖ check"]);
    view.save("a.rs");
    view.screen.until_shown(["‖ test"]);
    assert!(!view.settle().contains("a.rs (close_write)"));
    view.press("p", ["✗ test", "a.rs (close_write)"]);
    // Why.
    view.press("e", ["check has run for: a.rs (close_write)", "`*.rs` (", "matches"]);
    view.screen.keys("\x1b");
    view.screen.until(|screen| (!screen.text().contains("has run for")).then_some(()));
    // Clear.
    view.screen.until_shown(["fine"]);
    view.press("c", ["nothing yet: save a file, or press r to run it"]);
    // The service.
    view.select("web");
    view.press("s", ["· web", "web: stopping the service"]);
    view.press("s", ["✓ web", "web: starting the service"]);
    view.select("check");
    view.press("s", ["check has no service"]);
    // Help, and back.
    view.press("?", ["explain why it has run last"]);
    view.screen.keys("q");
    view.screen.until(|screen| (!screen.text().contains("explain why")).then_some(()));
    view.screen.keys("q");
    assert_eq!(view.screen.end().code(), Some(0));
    assert!(view.screen.is_given_back());
}

#[test]
fn a_hundred_thousand_lines_are_all_there_and_can_be_searched() {
    let mut view = View::start(RULES, SIZE);
    view.save("a.txt");
    view.select("chatty");
    view.screen.until_shown(["✓ chatty", "chatty: ok", "│100000"]);
    view.press("\x1b[H", ["line 1 of 100,002", "│1\n", "│2\n"]);
    view.press("/77777\r", ["│77777"]);
    view.press("n", ["│77777"]);
    view.press("/no such thing\r", ["not found: no such thing"]);
    view.press("\x1b[F", ["chatty: ok", "│100000"]);
    view.press("\x1b[5~", ["│99980"]);
    view.press("\r", ["chatty ✓ ok"]);
    assert!(!view.screen.text().contains('│'));
    view.press("\x1b", ["✓ chatty", "│"]);
    view.screen.stop();
}

#[test]
fn what_commands_write_to_a_terminal_harms_nothing() {
    let hostile = "printf '\\\\033[2J\\\\033[H\\\\033[?1049l\\\\033[10Aup\\\\033]0;title\\\\007\\\\033[?25h\\\\033c\\\\033[6n\\\\n\
                   10%%\\\\r20%%\\\\rdone\\\\n\\\\377\\\\376 \\\\033[1;35mbold\\\\033[0m\\\\n'";
    let rules = format!("[rules.r]\npaths = [\"a\"]\nrun = \"{hostile}\"\n");
    let mut view = View::start(&rules, (10, 80));
    view.save("a");
    view.screen.until_shown(["r: ok", "done", "bold"]);
    check("hostile", &view.settle());
    assert!(view.screen.is_taken() && view.screen.title().is_empty());
    view.screen.stop();
    assert!(view.screen.is_given_back());
}

#[test]
fn the_screen_follows_the_size_of_the_terminal_and_so_do_commands() {
    let rules = "[rules.r]\npaths = [\"a\"]\n\
                 run = \"trap 'stty size < /dev/stdout' WINCH; stty size < /dev/stdout; while :; do sleep 0.05; done\"\n";
    let mut view = View::start(rules, (12, 90));
    view.save("a");
    // 90 columns less the list and the line beside it.
    view.screen.until_shown(["10 59"]);
    view.screen.resize(20, 120);
    view.screen.until_shown(["18 79", "10 59"]);
    view.screen.resize(5, 20);
    view.screen.until(|screen| (screen.text().lines().count() == 5).then_some(()));
    view.screen.until_shown(["3 20"]);
    view.screen.resize(20, 120);
    view.screen.until_shown(["r rerun  p pause"]);
    view.screen.stop();
}

#[test]
fn commands_do_not_get_the_keys() {
    let rules = "[rules.r]\npaths = [\"a\"]\nstdin = \"inherit\"\nrun = \"cat; echo end of input\"\n";
    let mut view = View::start(rules, SIZE);
    view.save("a");
    view.screen.until_shown(["end of input", "r: ok"]);
    view.press("?", ["explain why"]);
    view.screen.stop();
}

#[test]
fn without_colours_signs_tell() {
    let directory = tempdir().unwrap();
    fs::write(directory.path().join("tripline.toml"), RULES).unwrap();
    fs::write(directory.path().join("go"), "").unwrap();
    for (no_color, coloured) in [("1", false), ("", true)] {
        let mut command = Screen::command(&["--tui"]);
        let mut screen = Screen::start(command.env("NO_COLOR", no_color).current_dir(directory.path()), SIZE);
        screen.until_shown(["✓ web"]);
        fs::write(directory.path().join("a.rs"), "").unwrap();
        screen.until_shown(["✓ check", "✗ test", "fine"]);
        assert_eq!(screen.coloured() > 0, coloured);
        screen.stop();
    }
}

#[test]
fn a_terminal_that_takes_nothing_holds_up_neither_runs_nor_the_end() {
    let rules = "[rules.chatty]\npaths = [\"*.x\"]\nrun = \"seq 1 200000; touch ${TRIPLINE_NAME%x}done\"\n";
    let mut view = View::start(rules, SIZE);
    view.screen.set_stuck(true);
    for n in 0..3 {
        view.save(&format!("{n}.x"));
        let done = view.path(&format!("{n}.done"));
        eventually(|| done.exists().then_some(()));
    }
    let memory = status(view.screen.pid(), "VmHWM");
    let kilobytes: u64 = memory.trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 96 << 10, "{memory}");
    view.screen.stop();
    view.screen.set_stuck(false);
    view.screen.until(|screen| screen.is_given_back().then_some(()));
}

#[test]
fn a_signal_gives_the_terminal_back() {
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT] {
        let mut view = View::start(RULES, SIZE);
        assert!(view.screen.is_taken() && !view.screen.is_given_back());
        view.screen.signal(signal);
        assert_eq!(view.screen.end().code(), Some(0), "{signal:?}");
        view.screen.until(|screen| screen.is_given_back().then_some(()));
    }
}

#[test]
fn ctrl_z_gives_the_terminal_back_until_it_goes_on() {
    let directory = tempdir().unwrap();
    fs::write(directory.path().join("tripline.toml"), RULES).unwrap();
    // A shell that controls jobs, as a person's does.
    let tripline = env!("CARGO_BIN_EXE_tripline");
    let script = format!("set -m; {tripline} run --tui; echo it has stopped; read line; fg; echo it is over");
    let mut command = Screen::command_of("bash", &["-c", &script]);
    let mut screen = Screen::start(command.current_dir(directory.path()), SIZE);
    screen.until_shown(["✓ web"]);
    screen.keys("\x1a");
    screen.until_shown(["it has stopped"]);
    assert!(screen.is_given_back());
    screen.keys("\n");
    screen.until_shown(["✓ web", "r rerun"]);
    assert!(screen.is_taken());
    screen.keys("q");
    screen.until_shown(["it is over"]);
    assert!(screen.is_given_back());
    assert!(screen.end().success());
}

#[test]
fn at_rest_nothing_is_drawn_and_nothing_wakes() {
    let mut view = View::start(RULES, SIZE);
    view.screen.until_shown(["✓ web"]);
    view.settle();
    let (before, drawn) = (settled_switches(view.screen.pid()), view.screen.bytes().len());
    sleep(Duration::from_secs(2));
    assert_eq!(switches(view.screen.pid()), before);
    assert_eq!(view.screen.bytes().len(), drawn);
    view.screen.stop();
}

#[test]
fn where_there_is_no_terminal_lines_are_shown_or_it_is_refused() {
    let refused = "tripline: `--tui` needs a terminal as standard output\n";
    Test::new(["run", "--tui"]).file("tripline.toml", RULES).status(2).stderr(refused).run();
    let rules = format!("[settings]\ntui = true\n{RULES}");
    for (args, taken) in [(&[][..], true), (&["--no-tui"][..], false)] {
        let directory = tempdir().unwrap();
        let mut screen = Screen::with_rules(directory.path(), &rules, args, SIZE);
        screen.until_shown([if taken { "✓ web" } else { "web: starting the service" }]);
        assert_eq!(screen.is_taken(), taken);
        screen.stop();
    }
}

#[test]
fn rules_that_come_and_go_are_shown_and_mistakes_too() {
    let mut view = View::start(RULES, SIZE);
    fs::write(view.path("tripline.toml"), format!("{RULES}[rules.late]\npaths = [\"l\"]\nrun = \"true\"\n"))
        .unwrap();
    view.screen.until_shown(["· late"]);
    fs::write(view.path("tripline.toml"), "[rules.check]\npath = [\"l\"]\n").unwrap();
    view.screen.until_shown(["✗ tripline", "look here"]);
    view.select("tripline");
    view.screen.until_shown(["did you mean `paths`?", "the rules stay as they were"]);
    view.screen.stop();
}
