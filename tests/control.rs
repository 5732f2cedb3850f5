//! What holds of the control socket: documented requests and their replies, hostile clients, two triplines on one file.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use prometheus_parse::Value as Prometheus;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::running::{Running, tripline};
use crate::support::watching::{Watching, as_nobody};

const RULES: &str = "[rules.test]\npaths = [\"src/**\"]\nrun = [\"true\"]\n\
                     [rules.long]\npaths = [\"long/**\"]\nrun = [\"sleep\", \"1000\"]\n";

/// How long an answer may take on a machine that has other things to do.
const LIMIT: Duration = Duration::from_secs(60);

/// A tripline with a socket of its own.
struct Bench {
    directory: TempDir,
    _running: Running,
}

impl Bench {
    fn new(rules: &str) -> Self {
        let directory = tempdir().unwrap();
        fs::write(directory.path().join("tripline.toml"), rules).unwrap();
        let mut command = tripline();
        let running = Running::start(command.args(["run", "--socket", "s"]).current_dir(directory.path()));
        running.until_ready();
        Self { directory, _running: running }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    fn client(&self) -> Client {
        Client::connect(&self.socket())
    }

    fn cli(&self, args: &[&str]) -> Output {
        tripline().args(args).args(["--socket", "s"]).current_dir(self.directory.path()).output().unwrap()
    }
}

struct Client(BufReader<UnixStream>);

impl Client {
    fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// The next line; none if it was hung up.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn ask(&mut self, line: &str) -> Value {
        self.send(format!("{line}\n").as_bytes());
        serde_json::from_str(&self.line().unwrap()).unwrap()
    }

    fn status(&mut self) -> Value {
        self.ask(r#"{"request":"status"}"#)["status"].clone()
    }

    /// Asks until something holds of the first rule.
    fn until(&mut self, holds: impl Fn(&Value) -> bool) {
        while !holds(&self.status()["rules"][0]) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The same keys, and values of the same kinds.
fn same_shape(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.keys().eq(other.keys()) && one.iter().all(|(key, value)| same_shape(value, &other[key]))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_shape(one, other))
        }
        (Value::Number(_), Value::Number(_)) => true,
        _ => one == other,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_request_in_the_documentation_is_answered_as_it_says() {
    let document = include_str!("../docs/control.md");
    let block = |kind: &str| document.split(&format!("```{kind}\n")).skip(1).collect::<Vec<_>>();
    let rules = block("toml")[0].split("```").next().unwrap();
    let bench = Bench::new(rules);
    let mut client = bench.client();
    let mut asked = 0;
    for lines in block("jsonl") {
        let mut lines = lines.split("```").next().unwrap().lines();
        while let Some(request) = lines.next() {
            let request = request.strip_prefix("> ").unwrap();
            let expected: Value =
                serde_json::from_str(lines.next().unwrap().strip_prefix("< ").unwrap()).unwrap();
            if request.contains("status") {
                client.until(|rule| rule["state"] == "waiting" && rule["counts"]["ok"] == 2);
                let service = |status: &Value| status["rules"][1]["service"]["state"] == "down";
                while !service(&client.status()) {}
                let found = client.ask(request);
                assert!(same_shape(&found, &expected), "{request}\n{found}\n{expected}");
            } else {
                assert_eq!(client.ask(request), expected, "{request}");
            }
            asked += 1;
        }
    }
    assert_eq!(asked, 13);
    assert_eq!(client.line(), None, "it ends, and hangs up");
}

#[test]
fn what_the_commands_do_shows_in_the_status() {
    let bench = Bench::new(RULES);
    let said = |args: &[&str]| {
        let output = bench.cli(args);
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let done = (0, String::new(), String::new());
    assert_eq!(said(&["trigger", "long", "x"]), done);
    let (_, table, _) = said(&["status"]);
    let row = table.lines().find(|line| line.starts_with("long")).unwrap();
    assert!(row.contains("running") && row.contains("(pid ") && row.contains("x (change)"), "{table}");
    assert_eq!(said(&["cancel", "long"]), done);
    assert_eq!(said(&["pause", "test"]), done);
    fs::create_dir(bench.directory.path().join("src")).unwrap();
    fs::write(bench.directory.path().join("src/a"), "").unwrap();
    let mut client = bench.client();
    client.until(|rule| rule["waiting"] == 1 && rule["state"] == "paused");
    assert_eq!(said(&["resume"]), done);
    client.until(|rule| rule["counts"]["ok"] == 1);
    let (code, _, error) = said(&["cancel", "test"]);
    assert_eq!((code, error.as_str()), (1, "tripline: test is not running\n"));
    assert_eq!(said(&["reload"]), done);
    assert_eq!(said(&["stop"]), done);
    let (code, _, error) = said(&["status"]);
    assert_eq!((code, error.as_str()), (1, "tripline: nothing listens at s\n"));
}

#[test]
fn a_parser_of_prometheus_reads_the_metrics() {
    let bench = Bench::new(RULES);
    assert_eq!(bench.cli(&["trigger", "test"]).status.code(), Some(0));
    bench.client().until(|rule| rule["counts"]["ok"] == 1);
    let output = text(&bench.cli(&["status", "--format", "prometheus"]).stdout);
    let parsed = prometheus_parse::Scrape::parse(output.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let of_rule = |name: &str| {
        let of_name = parsed.samples.iter().filter(|sample| sample.metric == name);
        let of_rule = of_name.filter(|sample| sample.labels.get("rule") == Some("test"));
        of_rule.cloned().collect::<Vec<_>>()
    };
    let runs = of_rule("tripline_runs_total");
    let ok = runs.iter().find(|sample| sample.labels.get("outcome") == Some("ok")).unwrap();
    assert_eq!((runs.len(), &ok.value), (6, &Prometheus::Counter(1.0)));
    let durations = of_rule("tripline_run_duration_seconds");
    let Prometheus::Histogram(buckets) = &durations[0].value else { panic!("{durations:?}") };
    let counts: Vec<_> = buckets.iter().map(|bucket| bucket.count).collect();
    assert_eq!((counts.len(), counts.is_sorted(), counts.last()), (15, true, Some(&1.0)));
    let untyped: Vec<_> =
        parsed.samples.iter().filter(|sample| matches!(sample.value, Prometheus::Untyped(_))).collect();
    // The sum and the count of a histogram are samples of their own to this parser.
    let of_histograms = ["tripline_run_duration_seconds_", "tripline_event_to_spawn_seconds_"];
    let is_known = |name: &str| of_histograms.iter().any(|histogram| name.starts_with(histogram));
    assert!(untyped.iter().all(|sample| is_known(&sample.metric)), "{untyped:?}");
    // What is documented is there, and the other way round.
    let document = include_str!("../docs/control.md");
    let (_, table) = document.split_once("## Metrics").unwrap();
    let helped = output.lines().filter_map(|line| line.strip_prefix("# HELP tripline_")?.split(' ').next());
    for name in helped {
        assert!(table.contains(&format!("`{name}`")), "{name} is not documented");
    }
}

#[test]
fn the_time_from_a_change_to_its_command_is_counted() {
    let bench = Bench::new(&RULES.replacen("run =", "debounce = \"40ms\"\nrun =", 1));
    fs::create_dir(bench.directory.path().join("src")).unwrap();
    fs::write(bench.directory.path().join("src/a"), "").unwrap();
    let mut client = bench.client();
    client.until(|rule| rule["counts"]["ok"] == 1);
    let latencies = client.status()["rules"][0]["latencies"].clone();
    let counts: Vec<_> = latencies["counts"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    assert_eq!((counts.iter().sum::<u64>(), &counts[..4]), (1, &[0; 4][..]), "{latencies}");
    assert!(latencies["sum_ms"].as_u64().unwrap() >= 40, "{latencies}");
}

#[test]
fn events_are_told_as_they_happen() {
    let bench = Bench::new(RULES);
    let mut client = bench.client();
    assert_eq!(client.ask(r#"{"request":"events"}"#), json!({"ok": true}));
    assert_eq!(bench.client().ask(r#"{"request":"trigger","rule":"test"}"#), json!({"ok": true}));
    let mut next = || serde_json::from_str::<Value>(&client.line().unwrap()).unwrap();
    let (started, ended) = (next(), next());
    assert_eq!((&started["event"], &started["text"]), (&json!("started"), &json!("test: by hand")));
    assert_eq!((&ended["event"], &ended["code"], &ended["run"]), (&json!("ended"), &json!(0), &json!(1)));
}

#[test]
fn a_client_that_sends_garbage_or_too_much_is_told_so_and_dropped() {
    let bench = Bench::new(RULES);
    for garbage in
        [&b"\xff\xfe\n"[..], b"GET / HTTP/1.1\r\n", b"{\"request\":\"status\",\"x\":1}\n", b"\n", b"[]\n"]
    {
        let mut client = bench.client();
        client.send(garbage);
        let reply: Value = serde_json::from_str(&client.line().unwrap()).unwrap();
        assert_eq!(reply["kind"], "bad_request", "{}", garbage.escape_ascii());
        assert_eq!(client.line(), None);
    }
    let mut client = bench.client();
    let _ = client.0.get_mut().write_all(&vec![b'x'; 1 << 20]);
    let told = client.line();
    assert!(told.is_none_or(|line| line.contains("too long")));
    assert_eq!(client.line(), None);
    assert_eq!(bench.client().ask(r#"{"request":"pause"}"#), json!({"ok": true}), "others are served");
}

#[test]
fn clients_that_stall_hold_up_nobody() {
    let bench = Bench::new(RULES);
    // Half a request each, and more of them than there is room for.
    let mut stalled: Vec<_> = (0..40).map(|_| bench.client()).collect();
    for client in &mut stalled {
        let _ = client.0.get_mut().write_all(b"{\"request\":");
    }
    // One that asks and asks and never reads what it is answered.
    let deaf = UnixStream::connect(bench.socket()).unwrap();
    deaf.set_nonblocking(true).unwrap();
    let ask = "{\"request\":\"status\"}\n".repeat(1000);
    while (&deaf).write(ask.as_bytes()).is_ok() {}
    let mut client = bench.client();
    fs::create_dir(bench.directory.path().join("src")).unwrap();
    fs::write(bench.directory.path().join("src/a"), "").unwrap();
    client.until(|rule| rule["counts"]["ok"] == 1);
    // The first was sent away for the others.
    let mut rest = Vec::new();
    let _ = stalled[0].0.read_to_end(&mut rest);
    assert_eq!(rest, b"");
}

#[test]
fn a_follower_that_reads_nothing_is_dropped() {
    let bench = Bench::new(RULES);
    let mut follower = bench.client();
    follower.ask(r#"{"request":"events"}"#);
    let mut client = bench.client();
    // Each pair of requests says two lines of some 80 bytes.
    let pair = "{\"request\":\"pause\"}\n{\"request\":\"resume\"}\n".repeat(50);
    for _ in 0..200 {
        client.send(pair.as_bytes());
        for _ in 0..100 {
            client.line().unwrap();
        }
    }
    let mut lines = 0;
    while follower.line().is_some() {
        lines += 1;
    }
    assert!((100..20_000).contains(&lines), "{lines} of 20,000 lines");
}

#[test]
fn when_all_places_are_taken_by_followers_the_next_is_turned_away() {
    let bench = Bench::new(RULES);
    let mut followers: Vec<_> = (0..16).map(|_| bench.client()).collect();
    for follower in &mut followers {
        follower.ask(r#"{"request":"events"}"#);
    }
    let mut late = bench.client();
    let reply: Value = serde_json::from_str(&late.line().unwrap()).unwrap();
    assert_eq!(reply["kind"], "too_many_clients");
    drop(followers.pop());
    loop {
        let mut client = bench.client();
        let _ = client.0.get_mut().write_all(b"{\"request\":\"pause\"}\n");
        if client.line().is_some_and(|line| line == "{\"ok\":true}\n") {
            break;
        }
    }
}

#[test]
fn another_user_who_reaches_the_socket_is_refused() {
    if !Watching::can_start_as_nobody() {
        eprintln!("skipped: this user may not start a program as another");
        return;
    }
    let bench = Bench::new(RULES);
    let ask = |mut command: Command| {
        command.args(["status", "--socket"]).arg(bench.socket()).env("HOME", "/nonexistent");
        command.output().unwrap()
    };
    // Neither the directory nor the mode keeps anybody away: what is left is who connects.
    fs::set_permissions(bench.directory.path(), Permissions::from_mode(0o755)).unwrap();
    let closed = text(&ask(as_nobody()).stderr);
    assert!(closed.contains("nothing listens"), "its mode alone: {closed}");
    fs::set_permissions(bench.socket(), Permissions::from_mode(0o666)).unwrap();
    let refused = ask(as_nobody());
    let said = text(&refused.stderr);
    assert_eq!((refused.status.code(), text(&refused.stdout).as_str()), (Some(1), ""), "{said}");
    assert!(!said.contains("nothing listens"), "it connects, and is hung up on: {said}");
    assert_eq!(ask(tripline()).status.code(), Some(0), "its own user is answered");
}

#[test]
fn the_socket_of_a_rules_file_is_private_told_apart_and_replaced_when_stale() {
    let (directory, runtime) = (tempdir().unwrap(), tempdir().unwrap());
    fs::write(directory.path().join("tripline.toml"), RULES).unwrap();
    let command = |args: &[&str]| {
        let mut command = tripline();
        command.args(args).current_dir(directory.path()).env("XDG_RUNTIME_DIR", runtime.path());
        command
    };
    let none = command(&["status"]).output().unwrap();
    assert_eq!(none.status.code(), Some(1));
    let file = directory.path().canonicalize().unwrap().join("tripline.toml");
    let nobody = format!("tripline: no tripline runs {}; start one with: tripline run\n", file.display());
    assert_eq!(text(&none.stderr), nobody);

    let first = Running::start(&mut command(&["run"]));
    first.until_ready();
    let dir = runtime.path().join("tripline");
    let socket = || {
        let entries = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap());
        entries.filter(|entry| entry.file_type().unwrap().is_socket()).map(|entry| entry.path()).next()
    };
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&socket().unwrap())), (0o700, 0o600));

    let second = Running::start(&mut command(&["run"]));
    let before = second.until_ready().join("\n");
    assert!(before.contains(&format!("process {} runs these rules already", first.pid())), "{before}");
    second.stop();
    let named = socket().unwrap();
    let refused = command(&["run", "--socket", named.to_str().unwrap()]).output().unwrap();
    assert_eq!(refused.status.code(), Some(3));
    assert!(text(&refused.stderr).contains(&format!("process {} runs", first.pid())), "{refused:?}");

    first.signal(Signal::KILL);
    first.end().unwrap();
    assert!(socket().is_some(), "a killed tripline cannot remove its socket");
    assert_eq!(text(&command(&["status"]).output().unwrap().stderr), nobody);
    let third = Running::start(&mut command(&["run"]));
    third.until_ready();
    assert_eq!(command(&["stop"]).output().unwrap().status.code(), Some(0));
    assert_eq!(third.end().unwrap().1.code(), Some(0));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "nothing is left behind");
}
