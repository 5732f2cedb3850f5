//! A project that somebody works in: what is saved, and what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::terminal::Failure;
use super::write;

pub(crate) const RULES: [&str; 4] = ["check", "pages", "test", SERVER];
pub(crate) const SERVER: &str = "server";

/// Each run writes a line with its number, and then to the log that line and what it has read in the files that it was
/// told of. The service counts the seconds.
const FILE: &str = r#"
[env]
LOG = "@LOG@"
READ = 'echo "$TRIPLINE_RULE $TRIPLINE_RUN"; echo "$TRIPLINE_RULE $TRIPLINE_RUN $(xargs -0 cat -- <"$TRIPLINE_PATHS_FILE" | tr "\n" " ")" >>"$LOG"'

[rules.check]
paths = ["src/**/*.rs"]
run = 'eval "$READ"; for i in 1 2 3 4 5 6 7 8; do printf "\033[1;33mwarning\033[0m: unused variable %s\n" $i; sleep 0.05; done'

[rules.test]
paths = ["src/**/*.rs", "tests/**/*.rs"]
on_busy = "restart"
run = 'eval "$READ"; for i in 1 2 3 4 5; do printf "test %s ... \033[32mok\033[0m\n" case_$i; sleep 0.2; done'

[rules.pages]
paths = ["pages/**/*.md"]
run = 'eval "$READ"; wc -w pages/*.md'

[rules.server]
paths = ["server.conf"]
service = 'n=$(grep -c ^server "$LOG"); while :; do n=$((n+1)); echo "server $n"; echo "server $n" >>"$LOG"; sleep 1; done'
"#;

/// What is saved, in this order again and again, and the rules that are to see it.
const FILES: [(&str, &[&str]); 5] = [
    ("src/main.rs", &["check", "test"]),
    ("pages/index.md", &["pages"]),
    ("src/shop/price.rs", &["check", "test"]),
    ("tests/price.rs", &["test"]),
    ("pages/about.md", &["pages"]),
];

/// The file that a save writes.
const fn file(number: u32) -> (&'static str, &'static [&'static str]) {
    FILES[(number as usize * 7 + number as usize / 10) % FILES.len()]
}

/// The saves that there were. Each writes its number.
pub(crate) struct Saves {
    project: PathBuf,
    count: u32,
    state: u32,
}

/// What the log tells.
pub(crate) struct Told {
    pub(crate) lines: BTreeSet<String>,
    /// Of each run, by its line, the saves that it has read.
    runs: BTreeMap<String, Vec<u32>>,
}

pub(crate) fn told(log: &str) -> Result<Told, Failure> {
    let mut told = Told { lines: BTreeSet::new(), runs: BTreeMap::new() };
    for line in log.lines() {
        let mut words = line.split_whitespace();
        let name = [words.next().unwrap_or_default(), words.next().unwrap_or_default()].join(" ");
        told.lines.insert(name.clone());
        if !name.starts_with(SERVER) {
            told.runs.insert(name, words.map(str::parse).collect::<Result<_, _>>()?);
        }
    }
    Ok(told)
}

impl Told {
    /// What runs of a rule have read, run by run.
    fn by<'a>(&'a self, rule: &'a str) -> impl Iterator<Item = &'a Vec<u32>> {
        self.runs.iter().filter(move |(name, _)| name.split(' ').next() == Some(rule)).map(|(_, read)| read)
    }
}

impl Saves {
    pub(crate) fn begin(project: &Path, log: &Path) -> Result<Self, Failure> {
        for (name, _) in FILES {
            write(&project.join(name), "0\n")?;
        }
        fs::write(project.join("server.conf"), "")?;
        fs::write(log, "")?;
        let log = log.to_str().ok_or("the temporary directory has no name")?;
        fs::write(project.join("tripline.toml"), FILE.replace("@LOG@", log))?;
        Ok(Self { project: project.to_owned(), count: 0, state: 1 })
    }

    pub(crate) fn save(&mut self, number: u32) -> Result<(), Failure> {
        self.count = number;
        write(&self.project.join(file(number).0), &format!("{number}\n"))
    }

    /// How long until the next save, this long on average: by chance, but at once after every tenth, as "save all" does.
    pub(crate) fn pause(&mut self, number: u32, average: Duration) -> Duration {
        // Numerical Recipes' linear congruential generator.
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let chance = f64::from(self.state >> 8) / f64::from(1 << 24);
        if number.is_multiple_of(10) { Duration::ZERO } else { average.mul_f64((0.1 + 1.8 * chance) / 0.9) }
    }

    /// The saves that no run of a rule has read, nor a later save of the same file.
    pub(crate) fn lost(&self, told: &Told) -> Vec<(u32, &'static str)> {
        let due = (1..=self.count).flat_map(|number| file(number).1.iter().map(move |rule| (number, *rule)));
        let later = |number: u32, read: u32| read >= number && file(read).0 == file(number).0;
        due.filter(|(number, rule)| !told.by(rule).flatten().any(|read| later(*number, *read))).collect()
    }

    pub(crate) fn fates(&self, told: &Told) -> Fates {
        let rules = RULES.into_iter().filter(|rule| *rule != SERVER).map(|rule| {
            let due: BTreeSet<u32> =
                (1..=self.count).filter(|number| file(*number).1.contains(&rule)).collect();
            let alone: BTreeSet<u32> =
                told.by(rule).filter(|read| read.len() == 1).flatten().copied().collect();
            let read: BTreeSet<u32> = told.by(rule).flatten().copied().collect();
            Fate {
                rule,
                saves: due.len(),
                runs: told.by(rule).count(),
                alone: due.intersection(&alone).count(),
                together: due.intersection(&read).filter(|number| !alone.contains(number)).count(),
            }
        });
        Fates { rules: rules.collect(), saves: self.count, lost: self.lost(told) }
    }
}

/// What became of the saves.
pub(crate) struct Fates {
    rules: Vec<Fate>,
    saves: u32,
    lost: Vec<(u32, &'static str)>,
}

struct Fate {
    rule: &'static str,
    saves: usize,
    runs: usize,
    alone: usize,
    together: usize,
}

impl fmt::Display for Fates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Fate { rule, saves, runs, alone, together } in &self.rules {
            let overtaken = saves - alone - together;
            writeln!(
                f,
                "{rule}: {runs} runs for {saves} saves: {alone} alone, {together} with others, \
                 {overtaken} read as a later save of the same file"
            )?;
        }
        write!(f, "{} saves, {} lost {:?}", self.saves, self.lost.len(), self.lost)
    }
}
