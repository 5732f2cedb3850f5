//! The grammar of `.trip` files: one behaviour as rules, steps and the lines that are expected.
//!
//! ```text
//! # What this shows.
//! -- rules
//! [rules.test]
//! paths = ["src/**"]
//! run = ["make"]
//! -- show env TRIPLINE_PATH TRIPLINE_COUNT
//! -- steps
//! 0ms    write src/a
//! 10ms   repeat 3 every 5ms write src/f{n}
//! 200ms  exit test code 1
//! -- expect
//! 75ms   spawn test: make
//! ```
//!
//! A line that starts with `#` is a comment. A name with a space or a byte of its own is quoted, with `\xNN`,
//! `\n`, `\"` and `\\`. Everything else is taken literally, and what is not understood is an error.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::words::{duration, number, words};

/// One `.trip` file.
#[derive(Debug)]
pub(crate) struct Script {
    /// Where it is.
    pub(crate) file: PathBuf,
    /// Everything up to and including the line `-- expect`.
    pub(crate) head: String,
    /// The rules file.
    pub(crate) rules: String,
    /// What a spawn line is followed by.
    pub(crate) show: Vec<Show>,
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

/// A name as it was written: relative to the root unless it starts with `/`.
pub(crate) type Name = Vec<u8>;

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Something is done to one name.
    File(FileOp, Name),
    /// A name becomes another.
    Rename(Name, Name),
    /// The kernel's queue overflows.
    Overflow,
    /// The oldest run of a rule ends, its leader like this.
    Exit { rule: String, how: How },
    /// The leader of a run exits; others of its process group live on.
    Straggle { rule: String },
    /// The last process of such a group ends.
    Gone { rule: String },
    /// The next spawn of a rule fails with this error.
    SpawnFail { rule: String, error: String },
    /// Every initial watch is in place.
    Ready,
    /// The first signal to tripline.
    Halt,
    /// The second.
    Kill,
}

/// What is done to one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileOp {
    /// Opened for writing, made if need be, written, closed.
    Write,
    /// Made and not closed yet.
    Create,
    /// Made as a directory.
    Mkdir,
    /// Removed.
    Rm,
    /// Removed, being a directory.
    Rmdir,
    /// Made as a hard link to something.
    Link,
    /// Made as a symbolic link.
    Symlink,
    /// Changed in mode.
    Attrib,
    /// Written to and not closed yet.
    Modify,
    /// Opened for reading, read, closed.
    Read,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Preamble,
    Rules,
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
            show: Vec::new(),
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
            Section::Preamble | Section::Rules | Section::Steps => "a section is missing",
            Section::Expect if script.steps.is_empty() => "there are no steps",
            Section::Expect if script.expect.is_empty() => "nothing is expected",
            Section::Expect => return Ok(script),
        };
        Err(format!("{}:{}: {missing}", file.display(), text.lines().count()))
    }

    /// The file's text with `lines` as what is expected.
    pub(crate) fn blessed(&self, lines: &[Line]) -> String {
        lines.iter().fold(self.head.clone(), |text, line| text + &line.to_string() + "\n")
    }

    fn directive(&mut self, section: Section, directive: &str) -> Result<Section, String> {
        let words: Vec<&str> = directive.split_whitespace().collect();
        match (section, words.as_slice()) {
            (Section::Preamble, ["rules"]) => Ok(Section::Rules),
            (Section::Rules, ["steps"]) => Ok(Section::Steps),
            (Section::Steps, ["expect"]) => Ok(Section::Expect),
            (Section::Rules, ["show", "env", names @ ..]) if !names.is_empty() => {
                self.show.extend(names.iter().map(|name| Show::Env((*name).to_owned())));
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
            Section::Rules => self.rules += &format!("{line}\n"),
            _ if is_blank => {}
            Section::Preamble => return Err("only comments come before `-- rules`".to_owned()),
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

/// The steps of one line: several if it says `repeat`.
fn steps(number: usize, line: &str) -> Result<Vec<Step>, String> {
    let (at, what) = line.split_once(char::is_whitespace).ok_or("a time and a verb are expected")?;
    let (at, what) = (duration(at)?, what.trim());
    let Some(repeated) = what.strip_prefix("repeat ") else {
        return Ok(vec![Step { line: number, at, verb: verb(what)? }]);
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
            let verb = verb(&what.replace("{n}", &(n + 1).to_string()))?;
            Ok(Step { line: number, at: at + every * n, verb })
        })
        .collect()
}

fn verb(text: &str) -> Result<Verb, String> {
    let words = words(text)?;
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let rule = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    Ok(match words.as_slice() {
        [b"overflow"] => Verb::Overflow,
        [b"ready"] => Verb::Ready,
        [b"halt"] => Verb::Halt,
        [b"kill"] => Verb::Kill,
        [b"rename", from, to] => Verb::Rename(from.to_vec(), to.to_vec()),
        [b"exit", name] => Verb::Exit { rule: rule(name), how: How::Code(0) },
        [b"exit", name, b"code", code] => Verb::Exit { rule: rule(name), how: How::Code(number(code)?) },
        [b"exit", name, b"signal", signal] => {
            Verb::Exit { rule: rule(name), how: How::Signal(number(signal)?) }
        }
        [b"straggle", name] => Verb::Straggle { rule: rule(name) },
        [b"gone", name] => Verb::Gone { rule: rule(name) },
        [b"spawnfail", name, error @ ..] if !error.is_empty() => {
            Verb::SpawnFail { rule: rule(name), error: rule(&error.join(&b' ')) }
        }
        [op, name] => Verb::File(file_op(op).ok_or_else(|| format!("`{text}` is no verb"))?, name.to_vec()),
        _ => return Err(format!("`{text}` is no verb")),
    })
}

fn file_op(word: &[u8]) -> Option<FileOp> {
    Some(match word {
        b"write" => FileOp::Write,
        b"create" => FileOp::Create,
        b"mkdir" => FileOp::Mkdir,
        b"rm" => FileOp::Rm,
        b"rmdir" => FileOp::Rmdir,
        b"link" => FileOp::Link,
        b"symlink" => FileOp::Symlink,
        b"attrib" => FileOp::Attrib,
        b"modify" => FileOp::Modify,
        b"read" => FileOp::Read,
        _ => return None,
    })
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
