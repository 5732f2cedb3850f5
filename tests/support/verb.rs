//! What can happen in a script.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use tripline::dispatch::{Command, ServiceOrder};

use super::words::{number, words};

/// A name as it was written: relative to the root unless it starts with `/`.
pub(crate) type Name = Vec<u8>;

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Something is done to one name.
    File(FileOp, Name),
    /// A name becomes another.
    Rename(Name, Name),
    /// Two names change places.
    Exchange(Name, Name),
    /// A command line for the shell, carried out to its end.
    Sh(String),
    /// The oldest run of a rule ends, its leader like this.
    Exit { rule: String, how: How },
    /// A service is ready, which shows when it is looked at.
    Serve { rule: String },
    /// The leader of a run exits; others of its process group live on.
    Straggle { rule: String },
    /// The last process of such a group ends.
    Gone { rule: String },
    /// The next spawn of a rule fails with this error.
    SpawnFail { rule: String, error: String },
    /// Every initial watch is in place.
    Ready,
    /// The rules of this name take the place of those there are.
    Reload(String),
    /// SIGHUP to tripline.
    Hup,
    /// Everything that is there runs once.
    Once,
    /// The first signal to tripline.
    Halt,
    /// The second.
    Kill,
    /// Somebody asks for something.
    Ask(Command),
    /// tripline is stopped, like any process, and reads nothing more.
    Stop,
    /// It goes on.
    Cont,
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
    /// Written without a name, with `O_TMPFILE`, and then given one.
    Tmpfile,
    /// Changed in mode.
    Attrib,
    /// Written to and not closed yet.
    Modify,
    /// Closed, after it was made or written to.
    Close,
    /// Opened for writing and closed, its content the same.
    Touch,
    /// Opened for reading, read, closed.
    Read,
    /// Made, or removed if it was there, while the kernel dropped events: looking finds out.
    Unseen,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl Verb {
    /// The verb and its words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(line) = text.strip_prefix("sh ") {
            return Ok(Self::Sh(line.trim().to_owned()));
        }
        let words = words(text)?;
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let rule = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        Ok(match words.as_slice() {
            [b"ready"] => Self::Ready,
            [b"reload", name] => Self::Reload(rule(name)),
            [b"hup"] => Self::Hup,
            [b"once"] => Self::Once,
            [b"halt"] => Self::Halt,
            [b"kill"] => Self::Kill,
            [b"stop"] => Self::Stop,
            [b"cont"] => Self::Cont,
            [b"exchange", one, other] => Self::Exchange(one.to_vec(), other.to_vec()),
            [b"rename", from, to] => Self::Rename(from.to_vec(), to.to_vec()),
            [b"exit", name] => Self::Exit { rule: rule(name), how: How::Code(0) },
            [b"exit", name, b"code", code] => Self::Exit { rule: rule(name), how: How::Code(number(code)?) },
            [b"exit", name, b"signal", signal] => {
                Self::Exit { rule: rule(name), how: How::Signal(number(signal)?) }
            }
            [b"serve", name] => Self::Serve { rule: rule(name) },
            [b"straggle", name] => Self::Straggle { rule: rule(name) },
            [b"gone", name] => Self::Gone { rule: rule(name) },
            [b"spawnfail", name, error @ ..] if !error.is_empty() => {
                Self::SpawnFail { rule: rule(name), error: rule(&error.join(&b' ')) }
            }
            [b"pause"] => Self::Ask(Command::Pause { rule: None }),
            [b"pause", name] => Self::Ask(Command::Pause { rule: Some(rule(name)) }),
            [b"resume"] => Self::Ask(Command::Resume { rule: None, forget: false }),
            [b"resume", name] => Self::Ask(Command::Resume { rule: Some(rule(name)), forget: false }),
            [b"resume", name, b"forget"] => {
                Self::Ask(Command::Resume { rule: Some(rule(name)), forget: true })
            }
            [b"trigger", name, paths @ ..] => {
                let paths = paths.iter().map(|path| PathBuf::from(OsStr::from_bytes(path))).collect();
                Self::Ask(Command::Trigger { rule: rule(name), paths })
            }
            [b"rerun", name] => Self::Ask(Command::Rerun { rule: rule(name) }),
            [b"cancel", name] => Self::Ask(Command::Cancel { rule: rule(name) }),
            [b"service", order, name] => {
                let order = match *order {
                    b"start" => ServiceOrder::Start,
                    b"stop" => ServiceOrder::Stop,
                    b"toggle" => ServiceOrder::Toggle,
                    _ => return Err(format!("`{text}` is no verb")),
                };
                Self::Ask(Command::Service { rule: rule(name), order })
            }
            [op, name] => {
                Self::File(file_op(op).ok_or_else(|| format!("`{text}` is no verb"))?, name.to_vec())
            }
            _ => return Err(format!("`{text}` is no verb")),
        })
    }
}

fn file_op(word: &[u8]) -> Option<FileOp> {
    Some(match word {
        b"write" => FileOp::Write,
        b"create" => FileOp::Create,
        b"mkdir" => FileOp::Mkdir,
        b"unseen" => FileOp::Unseen,
        b"rm" => FileOp::Rm,
        b"rmdir" => FileOp::Rmdir,
        b"link" => FileOp::Link,
        b"tmpfile" => FileOp::Tmpfile,
        b"symlink" => FileOp::Symlink,
        b"attrib" => FileOp::Attrib,
        b"modify" => FileOp::Modify,
        b"close" => FileOp::Close,
        b"touch" => FileOp::Touch,
        b"read" => FileOp::Read,
        _ => return None,
    })
}
