//! What holds of the metrics over HTTP: requests and their answers, hostile clients, ports that are taken, reloads.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use prometheus_parse::{Sample, Scrape, Value};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use tempfile::{TempDir, tempdir};

use crate::support::proc::{cpu_time, descriptors, eventually, settled_switches, switches};
use crate::support::running::{Running, tripline};

/// How long an answer may take on a machine that has other things to do.
const LIMIT: Duration = Duration::from_secs(60);

/// A port that nobody has now.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Without a history, whose file would now and then be among the descriptors.
fn write_rules(directory: &Path, settings: &str) {
    let rules = format!(
        "[settings]\nhistory = \"0\"\n{settings}\n[rules.test]\npaths = [\"*.x\"]\nrun = [\"true\"]\n"
    );
    fs::write(directory.join("tripline.toml"), rules).unwrap();
}

/// A tripline that serves its metrics.
struct Bench {
    directory: TempDir,
    running: Running,
    address: SocketAddr,
}

impl Bench {
    fn new() -> Self {
        let (directory, address) = (tempdir().unwrap(), free_address());
        write_rules(directory.path(), &format!("metrics = \"{address}\""));
        let running = Running::start(tripline().arg("run").current_dir(directory.path()));
        running.until_ready();
        eventually(|| TcpStream::connect(address).ok());
        Self { directory, running, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// What is answered to these bytes, as far as the connection goes.
    fn answer(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        // Who sends too much may be hung up on.
        let _ = stream.write_all(request);
        rest(&mut stream)
    }

    fn get(&self, path: &str) -> (String, String) {
        let answer = self.answer(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).as_bytes());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn scrape(&self) -> Vec<Sample> {
        let (_, body) = self.get("/metrics");
        Scrape::parse(body.lines().map(|line| Ok(line.to_owned()))).unwrap().samples
    }

    /// How many events the watcher has reported by the end of the first run.
    fn events_until_it_has_run(&self) -> f64 {
        self.running.until(|line| line.starts_with("test: ok"));
        let samples = self.scrape();
        match samples.iter().find(|sample| sample.metric == "tripline_events_total").unwrap().value {
            Value::Counter(events) => events,
            ref other => panic!("{other:?}"),
        }
    }

    /// A change is run for.
    fn runs(&self) {
        fs::write(self.directory.path().join("a.x"), "").unwrap();
        self.running.until(|line| line.starts_with("test: ok"));
    }
}

/// All that comes until the connection ends, in whatever way.
fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn a_collector_finds_the_metrics_and_nothing_else() {
    let bench = Bench::new();
    bench.runs();
    let (head, body) = bench.get("/metrics");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
    let samples = bench.scrape();
    let of_rule = |name: &str| {
        let found = samples.iter().find(|sample| {
            sample.metric == name && sample.labels.get("rule") == Some("test") && {
                let outcome = sample.labels.get("outcome");
                outcome.is_none_or(|outcome| outcome == "ok")
            }
        });
        found.unwrap().value.clone()
    };
    assert_eq!(of_rule("tripline_runs_total"), Value::Counter(1.0));
    let Value::Histogram(latencies) = of_rule("tripline_event_to_spawn_seconds") else {
        panic!("{samples:?}")
    };
    assert_eq!(latencies.last().unwrap().count, 1.0);

    let head = bench.answer(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let (other, text) = bench.get("/");
    assert!(other.starts_with("HTTP/1.1 404 Not Found\r\n") && text.contains("/metrics"), "{other}");
    let post = bench.answer(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    assert!(post.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{post}");
    assert!(post.contains("\r\nAllow: GET, HEAD\r\n"), "{post}");
}

#[test]
fn of_a_file_that_is_written_only_the_end_is_reported_if_nobody_asks_for_more() {
    let bench = Bench::new();
    let mut file = fs::File::create(bench.directory.path().join("a.x")).unwrap();
    for piece in 0..10 {
        writeln!(file, "{piece}").unwrap();
    }
    drop(file);
    assert_eq!(bench.events_until_it_has_run(), 1.0);
}

#[test]
fn directories_are_not_reported_where_no_rule_is_for_them() {
    let bench = Bench::new();
    for number in 0..10 {
        let made = bench.directory.path().join(number.to_string());
        fs::create_dir(&made).unwrap();
        fs::remove_dir(&made).unwrap();
    }
    fs::write(bench.directory.path().join("a.x"), "").unwrap();
    assert_eq!(bench.events_until_it_has_run(), 1.0);
}

#[test]
fn who_sends_garbage_or_too_much_is_told_so() {
    let bench = Bench::new();
    let huge = [b"GET /metrics HTTP/1.1\r\nX: ".to_vec(), vec![b'y'; 1 << 20]].concat();
    for (garbage, code) in [
        (&b"\xff\xfe\r\n\r\n"[..], "400"),
        (b"{\"request\":\"status\"}\n\r\n\r\n", "400"),
        (b"GET /metrics HTTP/1.1\r\n\r\n", "400"),
        (b"GET /metrics HTTP/3.0\r\nHost: x\r\n\r\n", "505"),
    ] {
        let answer = bench.answer(garbage);
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{}: {answer}", garbage.escape_ascii());
    }
    // It may be hung up on before it has read why.
    let answer = bench.answer(&huge);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert!(bench.get("/metrics").0.starts_with("HTTP/1.1 200 "), "others are served");
}

#[test]
fn thousands_of_clients_that_stall_hold_up_nobody() {
    let bench = Bench::new();
    bench.scrape();
    let before = descriptors(bench.running.pid()).len();
    // Half a request each, and far more of them than there is room for. Some read nothing of their answer.
    let mut stalled = Vec::new();
    for number in 0..2000 {
        let mut stream = bench.connect();
        let half: &[u8] = if number % 2 == 0 { b"GET /met" } else { b"GET /metrics HTTP/1.0\r\n\r\n" };
        let _ = stream.write_all(half);
        stalled.push(stream);
        if stalled.len() > 200 {
            stalled.remove(0);
        }
    }
    assert_eq!(bench.scrape().iter().filter(|sample| sample.metric == "tripline_watches").count(), 1);
    bench.runs();
    let during = descriptors(bench.running.pid()).len();
    assert!(during <= before + 16, "{before} descriptors, then {during}");
    // All are sent away in the end, those that have not hung up, too, and then nobody is waited for.
    for stream in &mut stalled {
        rest(stream);
    }
    let idle = settled_switches(bench.running.pid());
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(switches(bench.running.pid()), idle);
}

#[test]
fn without_descriptors_it_waits_and_goes_on() {
    let bench = Bench::new();
    let pid = bench.running.pid();
    settled_switches(pid);
    // Descriptors are numbers below the limit: there is room for four clients.
    let open = descriptors(pid);
    let free = (0..).filter(|number| !open.contains_key(number));
    let limit = u64::from(free.take(4).last().unwrap()) + 1;
    let (raw, limits) =
        (Pid::from_raw(pid.cast_signed()), Rlimit { current: Some(limit), maximum: Some(limit) });
    prlimit(raw, Resource::Nofile, limits).unwrap();
    let clients: Vec<_> = (0..30).map(|_| bench.connect()).collect();
    eventually(|| (descriptors(pid).len() >= open.len() + 4).then_some(()));
    let before = cpu_time(pid);
    std::thread::sleep(Duration::from_secs(2));
    let taken = cpu_time(pid) - before;
    assert!(taken < Duration::from_millis(500), "it tries again and again: {taken:?} in two seconds");
    drop(clients);
    assert!(!bench.scrape().is_empty());
}

#[test]
fn a_port_that_is_taken_is_said_and_tried_again() {
    let directory = tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    write_rules(directory.path(), &format!("metrics = \"{address}\""));
    let running = Running::start(tripline().arg("run").current_dir(directory.path()));
    let said = running.until(|line| line.contains("no metrics"));
    let said = said.last().unwrap();
    assert!(said.contains(&address.to_string()) && said.contains("`tripline reload` tries again"), "{said}");
    drop(taken);
    running.signal(Signal::HUP);
    eventually(|| TcpStream::connect(address).ok());
    running.stop();
}

#[test]
fn another_address_is_taken_up_and_none_ends_it() {
    let bench = Bench::new();
    let other = free_address();
    write_rules(bench.directory.path(), &format!("metrics = \"{other}\""));
    eventually(|| TcpStream::connect(other).ok());
    assert_eq!(TcpStream::connect(bench.address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    write_rules(bench.directory.path(), "");
    eventually(|| TcpStream::connect(other).is_err().then_some(()));
    bench.runs();
    bench.running.stop();
}
