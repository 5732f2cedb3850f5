//! The grammar of `.trip` files: one behaviour as rules, steps and the lines that are expected.
//!
//! ```text
//! # What this shows.
//! -- rules
//! [rules.test]
//! paths = ["src/**"]
//! run = ["make"]
//! -- show env TRIPLINE_PATH TRIPLINE_COUNT
//! -- before
//! mkdir src
//! -- steps
//! 0ms    write src/a
//! 10ms   repeat 3 every 5ms write src/f{n}
//! 200ms  exit test code 1
//! -- expect
//! 75ms   spawn test: make
//! ```
//!
//! `app` is the oldest run of the rule `app`, and `app.service` its service if it has both.
//!
//! `-- runs` says what each run of a rule does, and how long after its start, or when it is sent SIGTERM; `{n}`
//! is its number:
//!
//! ```text
//! -- runs
//! test 10ms write gen/{n}
//! test 30ms exit test
//! test term exit test signal 15
//! ```
//!
//! What `-- before` has is done before tripline starts. What `-- rules NAME` has takes the place of the rules with
//! the step `reload NAME`. `-- until first run` is what `tripline on --exit` does. `-- seed N` has waits differ at
//! random.
//!
//! A line that starts with `#` is a comment. A name with a space or a byte of its own is quoted, with `\xNN`,
//! `\n`, `\"` and `\\`. Everything else is taken literally, and what is not understood is an error.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::verb::Verb;
use super::words::duration;

/// One `.trip` file.
#[derive(Debug)]
pub(crate) struct Script {
    /// Where it is.
    pub(crate) file: PathBuf,
    /// Everything up to and including the line `-- expect`.
    pub(crate) head: String,
    /// The rules file.
    pub(crate) rules: String,
    /// Rules that take their place later, by name.
    pub(crate) later: Vec<(String, String)>,
    /// What a spawn line is followed by.
    pub(crate) show: Vec<Show>,
    /// What random numbers depend on; none if there are to be none.
    pub(crate) seed: Option<u64>,
    /// What each run of a rule does.
    pub(crate) runs: Vec<Act>,
    /// Whether everything ends with the first run.
    pub(crate) first_run: bool,
    /// What is there before anything is watched.
    pub(crate) before: Vec<Step>,
    /// What happens, in order.
    pub(crate) steps: Vec<Step>,
    /// What is to come of it, in order.
    pub(crate) expect: Vec<Line>,
}

/// What to show of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// A variable.
    Env(String),
    /// The content of its standard input.
    Stdin,
    /// The content of `TRIPLINE_PATHS_FILE`.
    Paths,
}

/// A line of the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// When.
    pub(crate) at: Duration,
    /// What.
    pub(crate) text: String,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The line it stands in.
    pub(crate) line: usize,
    /// When.
    pub(crate) at: Duration,
    /// What.
    pub(crate) verb: Verb,
}

/// Something that each run of a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Act {
    /// The line it stands in.
    pub(crate) line: usize,
    /// The rule.
    pub(crate) rule: String,
    /// How long after the start; none if it is done on SIGTERM.
    pub(crate) after: Option<Duration>,
    /// The verb, with `{n}` for the number of the run.
    text: String,
}

impl Act {
    /// What run number `n` of the rule does.
    pub(crate) fn of_run(&self, n: usize) -> Result<Verb, String> {
        Verb::parse(&self.text.replace("{n}", &n.to_string()))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Preamble,
    Rules,
    Runs,
    Before,
    Steps,
    Expect,
}

impl Script {
    /// Reads a script. The error names file and line.
    pub(crate) fn parse(file: &Path, text: &str) -> Result<Self, String> {
        let mut script = Self {
            file: file.to_owned(),
            head: String::new(),
            rules: String::new(),
            later: Vec::new(),
            show: Vec::new(),
            seed: None,
            runs: Vec::new(),
            first_run: false,
            before: Vec::new(),
            steps: Vec::new(),
            expect: Vec::new(),
        };
        let mut section = Section::Preamble;
        for (number, line) in (1..).zip(text.lines()) {
            let at = |message| format!("{}:{number}: {message}", file.display());
            if section != Section::Expect {
                script.head += &format!("{line}\n");
            }
            match line.strip_prefix("-- ") {
                Some(directive) => section = script.directive(section, directive).map_err(at)?,
                None => script.content(section, number, line).map_err(at)?,
            }
        }
        script.steps.sort_by_key(|step| step.at);
        let missing = match section {
            Section::Preamble | Section::Rules | Section::Runs | Section::Before | Section::Steps => {
                "a section is missing"
            }
            Section::Expect if script.steps.is_empty() => "there are no steps",
            Section::Expect if script.expect.is_empty() => "nothing is expected",
            Section::Expect => return Ok(script),
        };
        Err(format!("{}:{}: {missing}", file.display(), text.lines().count()))
    }

    /// The rules of that name.
    pub(crate) fn later(&self, name: &str) -> Result<&str, String> {
        let found = self.later.iter().find(|(known, _)| known == name);
        found.map(|(_, text)| text.as_str()).ok_or_else(|| format!("there is no `-- rules {name}`"))
    }

    /// The file's text with `lines` as what is expected.
    pub(crate) fn blessed(&self, lines: &[Line]) -> String {
        lines.iter().fold(self.head.clone(), |text, line| text + &line.to_string() + "\n")
    }

    fn directive(&mut self, section: Section, directive: &str) -> Result<Section, String> {
        let words: Vec<&str> = directive.split_whitespace().collect();
        match (section, words.as_slice()) {
            (Section::Preamble, ["rules"]) => Ok(Section::Rules),
            (Section::Rules, ["rules", name]) => {
                self.later.push(((*name).to_owned(), String::new()));
                Ok(section)
            }
            (Section::Rules, ["before"]) => Ok(Section::Before),
            (Section::Rules, ["seed", number]) => {
                self.seed = Some(number.parse().map_err(|_| format!("`{number}` is no seed"))?);
                Ok(section)
            }
            (Section::Rules, ["runs"]) => Ok(Section::Runs),
            (Section::Rules | Section::Runs | Section::Before, ["steps"]) => Ok(Section::Steps),
            (Section::Steps, ["expect"]) => Ok(Section::Expect),
            (Section::Rules, ["show", "env", names @ ..]) if !names.is_empty() => {
                self.show.extend(names.iter().map(|name| Show::Env((*name).to_owned())));
                Ok(section)
            }
            (Section::Rules, ["until", "first", "run"]) => {
                self.first_run = true;
                Ok(section)
            }
            (Section::Rules, ["show", "stdin"]) => {
                self.show.push(Show::Stdin);
                Ok(section)
            }
            (Section::Rules, ["show", "paths"]) => {
                self.show.push(Show::Paths);
                Ok(section)
            }
            _ => Err(format!("`-- {directive}` means nothing here")),
        }
    }

    fn content(&mut self, section: Section, number: usize, line: &str) -> Result<(), String> {
        let is_blank = line.trim().is_empty() || line.starts_with('#');
        match section {
            Section::Rules => {
                let text = self.later.last_mut().map_or(&mut self.rules, |(_, text)| text);
                *text += &format!("{line}\n");
            }
            _ if is_blank => {}
            Section::Preamble => return Err("only comments come before `-- rules`".to_owned()),
            Section::Before => {
                let verb = Verb::parse(line.trim())?;
                self.before.push(Step { line: number, at: Duration::ZERO, verb });
            }
            Section::Runs => self.runs.push(act(number, line)?),
            Section::Steps => self.steps.extend(steps(number, line)?),
            Section::Expect => self.expect.push(expected(line)?),
        }
        Ok(())
    }
}

fn expected(line: &str) -> Result<Line, String> {
    let (at, text) = line.split_once(char::is_whitespace).ok_or("a time and a line are expected")?;
    Ok(Line { at: duration(at)?, text: text.trim().to_owned() })
}

fn act(number: usize, line: &str) -> Result<Act, String> {
    let parts = line.split_once(' ').and_then(|(rule, rest)| Some((rule, rest.trim().split_once(' ')?)));
    let (rule, (after, text)) = parts.ok_or("a rule, a time and a verb are expected")?;
    let (rule, text) = (rule.to_owned(), text.trim().to_owned());
    let after = if after == "term" { None } else { Some(duration(after)?) };
    let act = Act { line: number, rule, after, text };
    act.of_run(1).map(|_| act)
}

/// The steps of one line: several if it says `repeat`.
fn steps(number: usize, line: &str) -> Result<Vec<Step>, String> {
    let (at, what) = line.split_once(char::is_whitespace).ok_or("a time and a verb are expected")?;
    let (at, what) = (duration(at)?, what.trim());
    let Some(repeated) = what.strip_prefix("repeat ") else {
        return Ok(vec![Step { line: number, at, verb: Verb::parse(what)? }]);
    };
    let (times, mut what) = repeated.split_once(' ').ok_or("`repeat` needs a number and a verb")?;
    let times: u32 = times.parse().map_err(|_| format!("`{times}` is not a number of times"))?;
    let mut every = Duration::ZERO;
    if let Some(rest) = what.strip_prefix("every ") {
        let (interval, rest) = rest.split_once(' ').ok_or("`every` needs a time and a verb")?;
        (every, what) = (duration(interval)?, rest);
    }
    (0..times)
        .map(|n| {
            let verb = Verb::parse(&what.replace("{n}", &(n + 1).to_string()))?;
            Ok(Step { line: number, at: at + every * n, verb })
        })
        .collect()
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = match self.at.as_micros() {
            0 => "0ms".to_owned(),
            us if us < 1_000_000 => format!("{}ms", us as f64 / 1e3),
            us => format!("{}s", us as f64 / 1e6),
        };
        write!(f, "{at:<7} {}", self.text)
    }
}
