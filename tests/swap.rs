//! A server that holds a port is built, tested and swapped while somebody saves: the port is answered by what
//! was built last, by one server at a time, and nothing is left.
//!
//! Normally a script stands in for cargo, and a few seconds are enough. At full size cargo builds a project, and
//! 50 saves come within two minutes:
//!
//!     TRIPLINE_SWAP=full cargo test swap -- --nocapture

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use tempfile::{TempDir, tempdir};

use crate::support::proc::eventually;
use crate::support::running::Running;

/// The server: it answers every connection with its version, and tells if another like it runs.
const SERVER: &str = r#"
use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;

fn main() {
    let lock = File::create("lock").unwrap();
    if lock.try_lock().is_err() {
        fs::write("two", "two servers at once").unwrap();
    }
    let version = version();
    let listener = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
    println!("serving {version}");
    for connection in listener.incoming() {
        let _ = connection.and_then(|mut connection| connection.write_all(version.as_bytes()));
    }
}
"#;

/// What is asked of the machine.
struct Size {
    saves: u32,
    within: Duration,
    cargo: bool,
}

const SMALL: Size = Size { saves: 12, within: Duration::from_secs(5), cargo: false };
const FULL: Size = Size { saves: 50, within: Duration::from_secs(120), cargo: true };

/// What a save makes of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Save {
    Good,
    DoesNotBuild,
    FailsItsTest,
}

/// Numbers at random (Knuth's MMIX).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

struct Project {
    directory: TempDir,
    port: u16,
    cargo: bool,
}

impl Project {
    fn new(cargo: bool) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let project = Self { directory: tempdir().unwrap(), port: free.local_addr().unwrap().port(), cargo };
        fs::create_dir_all(project.path("src")).unwrap();
        fs::create_dir_all(project.path("target/debug")).unwrap();
        let toml = "[package]\nname = \"server\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        fs::write(project.path("Cargo.toml"), toml).unwrap();
        if !cargo {
            let version = "fn version() -> String {\n\
                let program = std::env::current_exe().unwrap();\n\
                program.file_name().unwrap().to_str().unwrap()[\"server-\".len()..].to_owned()\n}";
            fs::write(project.path("server.rs"), project.source(version)).unwrap();
            let mut rustc = Command::new("rustc");
            rustc.args(["--edition=2024", "-o", "server", "server.rs"]);
            assert!(rustc.current_dir(project.path(".")).status().unwrap().success());
        }
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn source(&self, version: &str) -> String {
        format!("const PORT: u16 = {};\n{version}\n{SERVER}", self.port)
    }

    fn rules(&self) -> String {
        let steps = if self.cargo {
            "[[\"cargo\", \"build\", \"-q\", \"--offline\"], [\"cargo\", \"test\", \"-q\", \"--offline\"]]"
        } else {
            // Like cargo, it puts the program in its place before the tests run. It tests what it has built.
            "['cp src/main.rs built.rs && ! grep -q broken built.rs && \
               version=$(sed -n \"s/^version //p\" built.rs) && \
               ln -f server target/debug/server-$version && ln -sfn server-$version built && \
               mv -T built target/debug/server', '! grep -q wrong built.rs']"
        };
        format!(
            "[rules.server]\npaths = [\"src/**/*.rs\"]\nsteps = {steps}\non_busy = \"restart\"\non_start = true\n\
             service = [\"target/debug/server\"]\nready = {{ port = {} }}\nstop_timeout = \"5s\"\n",
            self.port
        )
    }

    fn save(&self, number: u32, save: Save) {
        let (build, test) = (save != Save::DoesNotBuild, save != Save::FailsItsTest);
        let text = if self.cargo {
            let version = format!("fn version() -> String {{ \"{number}\".to_owned() }}\n");
            let broken = if build { "" } else { "this does not build\n" };
            let check = format!("#[test]\nfn check() {{ assert!({test}); }}\n");
            self.source(&version) + broken + &check
        } else {
            let broken = if build { "" } else { "broken\n" };
            let wrong = if test { "" } else { "wrong\n" };
            format!("version {number}\n{broken}{wrong}")
        };
        // As an editor does: who reads meanwhile reads the old or the new.
        fs::write(self.path("src/main.rs.new"), text).unwrap();
        fs::rename(self.path("src/main.rs.new"), self.path("src/main.rs")).unwrap();
    }

    /// What the server says that answers now, if one does.
    fn ask(&self) -> Option<u32> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        let mut answer = String::new();
        // Who is ended while it answers has not answered.
        connection.read_to_string(&mut answer).ok()?;
        answer.parse().ok()
    }
}

/// Who answered, and how long nobody did.
#[derive(Default)]
struct Answers {
    versions: Vec<u32>,
    count: usize,
    longest_gap: Duration,
}

#[test]
fn a_port_is_answered_by_the_last_build_that_succeeded() {
    let full = std::env::var_os("TRIPLINE_SWAP").is_some_and(|size| size == "full");
    let (size, seed) = (if full { FULL } else { SMALL }, u64::from(std::process::id()));
    println!("seed {seed}");
    let project = Project::new(size.cargo);
    project.save(0, Save::Good);
    let mut command = crate::support::running::tripline();
    if let Some(home) = std::env::var_os("HOME") {
        command.env("HOME", home);
    }
    fs::write(project.path("tripline.toml"), project.rules()).unwrap();
    let running = Running::start(command.arg("run").current_dir(project.path(".")));
    running.until(|line| line == "server: the service is ready");
    let saved = Mutex::new(vec![(0, Save::Good)]);
    let done = AtomicBool::new(false);
    let answers = scope(|scope| {
        let asking = scope.spawn(|| ask_until(&project, &saved, &done));
        save_at_random(&project, &size, &saved, Random(seed));
        eventually(|| (project.ask() == last_good(&saved)).then_some(()));
        done.store(true, Ordering::Relaxed);
        asking.join().unwrap()
    });
    let lines = running.stop();
    let crashed: Vec<_> = lines.iter().filter(|line| line.contains("the service has ended")).collect();
    assert_eq!(crashed, [""; 0], "{lines:#?}");
    assert!(!project.path("two").exists(), "two servers at once");
    assert_eq!(project.ask(), None);
    assert_eq!(processes_in(project.directory.path()), [""; 0]);
    let Answers { versions, count, longest_gap } = answers;
    let swaps = versions.len() - 1;
    println!("{count} answers, {swaps} swaps, nobody answered for {longest_gap:?} at most");
    assert!(swaps > 0 && count > 100);
    assert!(longest_gap < Duration::from_secs(if full { 5 } else { 3 }), "{longest_gap:?}");
}

fn last_good(saved: &Mutex<Vec<(u32, Save)>>) -> Option<u32> {
    saved.lock().unwrap().iter().rev().find(|(_, save)| *save == Save::Good).map(|&(number, _)| number)
}

fn save_at_random(project: &Project, size: &Size, saved: &Mutex<Vec<(u32, Save)>>, mut random: Random) {
    let within = size.within.as_millis() as u64;
    let mut moments: Vec<_> = (0..size.saves).map(|_| Duration::from_millis(random.below(within))).collect();
    moments.sort_unstable();
    let start = Instant::now();
    for (number, moment) in (1..).zip(moments) {
        sleep(moment.saturating_sub(start.elapsed()));
        let save = match random.below(4) {
            _ if number == size.saves => Save::Good,
            0 => Save::DoesNotBuild,
            1 => Save::FailsItsTest,
            _ => Save::Good,
        };
        saved.lock().unwrap().push((number, save));
        project.save(number, save);
    }
}

/// Asks who answers, again and again: always a version that is good, and never one older than the last.
fn ask_until(project: &Project, saved: &Mutex<Vec<(u32, Save)>>, done: &AtomicBool) -> Answers {
    let mut answers = Answers::default();
    let mut last = Instant::now();
    while !done.load(Ordering::Relaxed) {
        if let Some(version) = project.ask() {
            let good = saved.lock().unwrap().contains(&(version, Save::Good));
            assert!(good, "{version} was not to be served");
            let newest = answers.versions.last().copied().unwrap_or(0);
            assert!(version >= newest, "{version} after {newest}");
            if answers.versions.last() != Some(&version) {
                answers.versions.push(version);
            }
            answers.count += 1;
            answers.longest_gap = answers.longest_gap.max(last.elapsed());
            last = Instant::now();
        }
        sleep(Duration::from_millis(2));
    }
    answers
}

/// The processes that run in a directory.
fn processes_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let inside =
        |process: &PathBuf| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory));
    entries.filter(inside).map(|process| process.display().to_string()).collect()
}
