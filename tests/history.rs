//! What holds of the history of runs, and of a tripline that cannot keep one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rusqlite::Connection;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::support::proc::eventually;
use crate::support::running::{READY, Running, tripline};
use crate::support::screen::Screen;
use crate::support::watching::unshared;

/// Waits for a file, fails, and writes what is no text: to both streams, one after the other.
const RULE: &str =
    "[rules.r]\npaths = [\"*.x\"]\nrun = \"printf 'out\\\\0\\\\377\\\\n'; echo err >&2; exit 3\"\n";
const WRITTEN: &[u8] = b"out\0\xff\nerr\n";

/// A directory with rules, and a place for their history.
struct Bench {
    directory: TempDir,
}

impl Bench {
    fn new(rules: &str) -> Self {
        let directory = tempdir().unwrap();
        fs::create_dir(directory.path().join("w")).unwrap();
        fs::write(directory.path().join("w/tripline.toml"), rules).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn within(&self, mut command: Command) -> Command {
        command.current_dir(self.path("w")).env("XDG_STATE_HOME", self.path("state"));
        command
    }

    fn start(&self) -> Running {
        self.start_as(tripline())
    }

    fn start_as(&self, command: Command) -> Running {
        let running = Running::start(self.within(command).arg("run"));
        running.until_ready();
        running
    }

    fn save(&self, name: &str) {
        fs::write(self.path("w").join(name), "content\n").unwrap();
    }

    /// Runs the rule `r` for that file.
    fn run(&self, running: &Running, name: &str) -> Vec<String> {
        self.save(name);
        running.until(|line| line.starts_with("r: ok") || line.starts_with("r: exit code"))
    }

    fn ask(&self, args: &[&str]) -> Output {
        self.within(tripline()).args(args).output().unwrap()
    }

    fn logs(&self, args: &[&str]) -> Vec<u8> {
        let output = self.ask(&[&["logs"], args].concat());
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        output.stdout
    }

    /// The runs, the last one first.
    fn runs(&self) -> Vec<Value> {
        let output = self.ask(&["runs", "--json", "--limit", "1000"]);
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Why there is no answer.
    fn refused(&self, args: &[&str]) -> String {
        let output = self.ask(args);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{args:?}");
        text(&output.stderr).replace(&self.directory.path().canonicalize().unwrap().display().to_string(), "")
    }

    /// The file of the history.
    fn file(&self) -> PathBuf {
        let all = fs::read_dir(self.path("state/tripline")).unwrap();
        let mut all = all.map(|file| file.unwrap().path()).filter(|file| file.extension().unwrap() == "db");
        all.next().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// How often it was said that there is no history.
fn complaints(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.contains("no history of runs is kept for now")).count()
}

#[test]
fn runs_and_what_they_have_written_survive_a_restart() {
    let bench = Bench::new(RULE);
    assert_eq!(bench.refused(&["runs"]), "tripline: nothing that /w/tripline.toml says has run yet\n");
    for (n, name) in ["1.x", "2.x"].into_iter().enumerate() {
        let running = bench.start();
        bench.run(&running, name);
        running.stop();
        assert_eq!(bench.runs().len(), n + 1);
    }
    assert_eq!(bench.logs(&["r"]), WRITTEN);
    let runs = bench.runs();
    for (run, id, path) in [(&runs[0], 2, "2.x"), (&runs[1], 1, "1.x")] {
        assert_eq!((run["id"].as_i64(), run["path"].as_str()), (Some(id), Some(path)));
        assert_eq!((run["rule"].as_str(), run["run"].as_i64()), (Some("r"), Some(1)));
        assert_eq!(run["cause"].as_str(), Some(&*format!("{path} (close_write)")));
        assert_eq!((run["code"].as_i64(), run["stopped"].as_bool()), (Some(3), Some(false)));
        assert_eq!(run["bytes"].as_u64(), Some(WRITTEN.len() as u64));
    }
    let table = text(&bench.ask(&["runs", "r", "--limit", "1"]).stdout);
    let lines: Vec<_> = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(lines[0], ["ID", "RULE", "STARTED", "TOOK", "CODE", "OUTCOME", "CAUSE"]);
    assert_eq!((lines.len(), lines[1][0], lines[1][1]), (2, "2", "r"));
    assert_eq!(lines[1][6..], ["3", "exit", "code", "3", "2.x", "(close_write)"]);
}

#[test]
fn it_is_read_while_tripline_runs_and_nobody_else_may() {
    let bench = Bench::new(RULE);
    let running = bench.start();
    bench.run(&running, "1.x");
    eventually(|| (!bench.runs().is_empty()).then_some(()));
    assert_eq!(bench.logs(&["r", "--run", "1"]), WRITTEN);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&bench.file()), mode(&bench.path("state/tripline"))), (0o600, 0o700));
    running.stop();
}

#[test]
fn what_is_asked_for_in_vain_has_a_way_out() {
    let bench = Bench::new(&format!("{RULE}[rules.never]\npaths = [\"*.n\"]\nrun = [\"true\"]\n"));
    let running = bench.start();
    bench.run(&running, "1.x");
    bench.run(&running, "2.x");
    running.stop();
    assert_eq!(
        bench.refused(&["logs", "never"]),
        "tripline: nothing of never is kept: it has not run, or long ago\n"
    );
    assert_eq!(
        bench.refused(&["runs", "nevr"]),
        "tripline: there is no rule `nevr` in /w/tripline.toml, and none has run; did you mean `never`?\n"
    );
    assert_eq!(
        bench.refused(&["logs", "r", "--run", "7"]),
        "tripline: there is no run 7; those of r are from 1 to 2: tripline runs r\n"
    );
}

#[test]
fn output_is_remembered_wherever_it_goes() {
    for output in ["inherit", "prefix", "group", "on-failure", "none"] {
        let bench = Bench::new(&format!("{RULE}output = \"{output}\"\non_failure = \"echo after\"\n"));
        let running = bench.start();
        bench.run(&running, "1.x");
        // That is when the command after it has ended.
        eventually(|| (!bench.runs().is_empty()).then_some(()));
        running.stop();
        let written = bench.logs(&["r"]);
        // The two streams of what is shown line by line are two pipes.
        if output == "prefix" || output == "none" {
            let mut lines: Vec<_> = written.split(|&byte| byte == b'\n').collect();
            lines.sort_unstable();
            assert_eq!(lines, [b"".as_slice(), b"after", b"err", b"out\0\xff"], "{output}");
        } else {
            assert_eq!(written, [WRITTEN, b"after\n"].concat(), "{output}");
        }
    }
}

#[test]
fn both_streams_stay_in_their_order_where_they_lead_to_the_same_place() {
    let run = "for n in $(seq 300); do echo out $n; echo err $n >&2; done";
    let bench = Bench::new(&format!("[rules.r]\npaths = [\"*.x\"]\nrun = \"{run}\"\n"));
    let running = bench.start();
    let shown = bench.run(&running, "1.x");
    running.stop();
    let expected: Vec<_> = (1..=300).flat_map(|n| [format!("out {n}"), format!("err {n}")]).collect();
    assert_eq!(shown[1..=600], expected);
    assert_eq!(text(&bench.logs(&["r"])).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_terminal_stays_one_and_its_colours_are_kept_unless_nobody_wants_them() {
    let rule = "[rules.r]\npaths = [\"*.x\"]\nrun = \"test -t 1 && test -t 2 && printf '\\\\033[32mgreen\\\\033[m\\\\n'\"\n";
    let bench = Bench::new(rule);
    let command = bench.within(Screen::command(&[]));
    let mut screen = Screen::start(&mut { command }, (20, 70));
    screen.until_shown([READY]);
    bench.save("1.x");
    screen.until_shown(["green", "r: ok"]);
    screen.stop();
    assert_eq!(bench.logs(&["r"]), b"\x1b[32mgreen\x1b[m\n");
    let plain = bench.within(tripline()).args(["logs", "r"]).env("NO_COLOR", "1").output().unwrap();
    assert_eq!(text(&plain.stdout), "green\n");
}

#[test]
fn half_a_terminal_stays_one_and_what_is_written_there_is_not_remembered() {
    let rule = "[rules.r]\npaths = [\"*.x\"]\nrun = \"test -t 1 && ! test -t 2 && echo green\"\n";
    let bench = Bench::new(rule);
    let line = "exec \"$0\" run 2> err";
    let command = bench.within(Screen::command_of("sh", &["-c", line, env!("CARGO_BIN_EXE_tripline")]));
    let mut screen = Screen::start(&mut { command }, (20, 70));
    let said =
        |what| eventually(|| fs::read_to_string(bench.path("w/err")).ok().filter(|all| all.contains(what)));
    said(READY);
    bench.save("1.x");
    screen.until_shown(["green"]);
    said("r: ok");
    screen.stop();
    assert_eq!(bench.logs(&["r"]), b"");
}

#[test]
fn of_very_much_output_the_beginning_and_the_end_are_kept_and_what_is_missing_is_told() {
    let bench = Bench::new("[rules.r]\npaths = [\"*.x\"]\noutput = \"none\"\nrun = \"seq 1000000\"\n");
    let running = bench.start();
    bench.run(&running, "1.x");
    running.stop();
    let written = text(&bench.logs(&["r"]));
    assert!(written.starts_with("1\n2\n3\n") && written.ends_with("999999\n1000000\n"));
    let omitted = written
        .lines()
        .find_map(|line| line.strip_prefix("[tripline: ")?.strip_suffix(" bytes are left out here]"));
    let (omitted, all): (usize, usize) =
        (omitted.unwrap().parse().unwrap(), (1..=1_000_000).map(|n: u32| n.to_string().len() + 1).sum());
    let mark = format!("\n[tripline: {omitted} bytes are left out here]\n");
    assert_eq!(written.len() - mark.len() + omitted, all);
    assert_eq!(bench.runs()[0]["bytes"].as_u64(), Some(all as u64));
}

#[test]
fn a_service_is_remembered_when_it_ends_however_it_does() {
    let rules = "[rules.r]\npaths = [\"*.x\"]\nservice = \"echo up; exec sleep 1000\"\n[rules.no]\nservice = [\"/nowhere/no\"]\n";
    let bench = Bench::new(rules);
    let running = bench.start();
    running.until(|line| line == "r | up");
    running.stop();
    assert_eq!(bench.logs(&["r"]), b"up\n");
    let runs = bench.runs();
    let of = |rule: &str| runs.iter().find(|run| run["rule"] == rule).unwrap();
    assert_eq!((of("r")["stopped"].as_bool(), of("r")["code"].as_i64()), (Some(true), Some(143)));
    assert_eq!((of("no")["stopped"].as_bool(), of("no")["code"].as_i64()), (Some(false), Some(127)));
}

#[test]
fn what_is_not_watched_for_good_leaves_no_history_and_neither_do_rules_that_want_none() {
    let off = format!("[settings]\nhistory = \"0\"\n{RULE}");
    for (rules, args) in
        [(off.as_str(), ["run", "-c", "tripline.toml"]), (RULE, ["run", "--dry-run", "--no-tui"])]
    {
        let bench = Bench::new(rules);
        let running = Running::start(bench.within(tripline()).args(args));
        running.until_ready();
        bench.save("1.x");
        running.until(|line| line.starts_with("r: exit code") || line.contains("would run"));
        running.stop();
        assert!(!bench.path("state").exists(), "{args:?}");
    }
    let bench = Bench::new(RULE);
    bench.save("1.x");
    assert_eq!(bench.ask(&["run", "--once"]).status.code(), Some(3));
    assert!(!bench.path("state").exists());
}

#[test]
fn two_triplines_have_a_history_each() {
    let (one, other) = (Bench::new(RULE), Bench::new("[rules.r]\npaths = [\"*.x\"]\nrun = \"echo other\"\n"));
    let command = |bench: &Bench| {
        let mut command = bench.within(tripline());
        command.env("XDG_STATE_HOME", one.path("state"));
        command
    };
    let (first, second) =
        (Running::start(command(&one).arg("run")), Running::start(command(&other).arg("run")));
    for (bench, running) in [(&one, &first), (&other, &second)] {
        running.until_ready();
        bench.run(running, "1.x");
    }
    first.stop();
    second.stop();
    assert_eq!(one.logs(&["r"]), WRITTEN);
    assert_eq!(command(&other).args(["logs", "r"]).output().unwrap().stdout, b"other\n");
}

#[test]
fn a_damaged_file_is_put_aside_and_another_begun() {
    let much = "[rules.r]\npaths = [\"*.x\"]\noutput = \"none\"\nrun = \"seq 30000\"\n";
    // The head, the tables, and what a run has written.
    for (at, length) in [(0, 100), (4096, 8192), (100_000, 8192)] {
        let bench = Bench::new(much);
        let running = bench.start();
        for name in ["1.x", "2.x"] {
            bench.run(&running, name);
        }
        running.stop();
        let file = bench.file();
        let mut bytes = fs::read(&file).unwrap();
        assert!(bytes.len() >= at + length, "{}", bytes.len());
        bytes[at..at + length].fill(b'?');
        fs::write(&file, &bytes).unwrap();
        let running = bench.start();
        let mut lines = bench.run(&running, "new.x");
        lines.extend(running.stop());
        let told = lines.iter().filter(|line| line.contains("was damaged and begins anew")).count();
        assert_eq!(told, 1, "{at}: {lines:#?}");
        let runs = bench.runs();
        assert_eq!((runs.len(), runs[0]["path"].as_str()), (1, Some("new.x")));
        assert_eq!(fs::read(file.with_extension("damaged")).unwrap(), bytes);
    }
}

#[test]
fn a_file_from_a_newer_tripline_is_left_alone() {
    let bench = Bench::new(RULE);
    let running = bench.start();
    bench.run(&running, "1.x");
    running.stop();
    let database = Connection::open(bench.file()).unwrap();
    database.pragma_update(None, "user_version", 1000).unwrap();
    drop(database);
    let before = fs::read(bench.file()).unwrap();
    let running = bench.start();
    let mut lines = bench.run(&running, "2.x");
    lines.extend(bench.run(&running, "3.x"));
    lines.extend(running.stop());
    assert_eq!(complaints(&lines), 1, "{lines:#?}");
    assert_eq!(fs::read(bench.file()).unwrap(), before);
    assert!(
        bench
            .refused(&["runs"])
            .ends_with("it was written by a newer tripline; use that one, or remove the file\n")
    );
}

#[test]
fn a_locked_file_holds_no_run_up() {
    let bench = Bench::new(RULE);
    let running = bench.start();
    bench.run(&running, "1.x");
    eventually(|| (bench.runs().len() == 1).then_some(()));
    let database = Connection::open(bench.file()).unwrap();
    database.execute_batch("BEGIN EXCLUSIVE").unwrap();
    for name in ["2.x", "3.x"] {
        bench.run(&running, name);
    }
    database.execute_batch("COMMIT").unwrap();
    eventually(|| (bench.runs().len() == 3).then_some(()));
    assert_eq!(complaints(&running.stop()), 0);
}

/// Three runs, one complaint.
fn costs_the_history_and_no_run(bench: &Bench, command: Command) {
    let running = bench.start_as(command);
    let mut lines = Vec::new();
    for name in ["1.x", "2.x", "3.x"] {
        lines.extend(bench.run(&running, name));
    }
    lines.extend(running.stop());
    assert_eq!(complaints(&lines), 1, "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| *line == "r: exit code 3").count(), 3);
}

#[test]
fn a_full_disk_costs_the_history_and_no_run() {
    let bench = Bench::new(RULE);
    let state = bench.path("state");
    fs::create_dir(&state).unwrap();
    let script = format!("mount -t tmpfs -o size=8k none {}", state.display());
    if let Some(command) = unshared(&script) {
        costs_the_history_and_no_run(&bench, command);
    }
}

#[test]
fn a_limit_on_the_size_of_files_costs_the_history_and_no_run() {
    let mut command = Command::new("prlimit");
    command.args(["--fsize=4096", env!("CARGO_BIN_EXE_tripline")]);
    costs_the_history_and_no_run(&Bench::new(RULE), command);
}

#[test]
fn a_place_that_cannot_be_made_costs_the_history_and_no_run() {
    let bench = Bench::new(RULE);
    fs::write(bench.path("state"), "a file").unwrap();
    costs_the_history_and_no_run(&bench, tripline());
}

#[test]
fn who_has_no_home_has_no_history() {
    let bench = Bench::new(RULE);
    let mut command = bench.within(tripline());
    let running = Running::start(command.env_remove("XDG_STATE_HOME").arg("run"));
    running.until_ready();
    let mut lines = bench.run(&running, "1.x");
    lines.extend(bench.run(&running, "2.x"));
    lines.extend(running.stop());
    assert_eq!(complaints(&lines), 1, "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("XDG_STATE_HOME can name another place")), "{lines:#?}");
    assert!(!Path::new("/nonexistent").exists());
}
