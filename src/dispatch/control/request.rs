//! What goes over the control socket: an object a line, in both directions.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::{Command, Overview, Refusal, ServiceOrder};

/// The longest request, in bytes: a thousand long paths.
pub const LONGEST_REQUEST: usize = 64 * 1024;

/// A line of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum Request {
    /// What there is to be seen.
    Status {},
    /// Everything that is said from now on, until the client hangs up.
    Events {},
    /// [`Command::Pause`].
    Pause {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
    },
    /// [`Command::Resume`].
    Resume {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
        #[serde(default)]
        forget: bool,
    },
    /// [`Command::Trigger`].
    Trigger {
        rule: String,
        #[serde(default)]
        paths: Vec<String>,
        /// Paths that are no UTF-8, in base64.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        path_bytes: Vec<String>,
    },
    /// [`Command::Rerun`].
    Rerun { rule: String },
    /// [`Command::Cancel`].
    Cancel { rule: String },
    /// [`Command::Service`].
    Service { rule: String, order: ServiceOrder },
    /// [`Command::Reload`].
    Reload {},
    /// [`Command::Stop`].
    Stop {},
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// An overview.
    Overview,
    /// Everything that is said from now on.
    Events,
    /// Something to be done.
    Command(Command),
}

/// The line that answers a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Whether it was done.
    pub ok: bool,
    /// Why not, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why not, for programs: [`Refusal::kind`], `bad_request` or `too_many_clients`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Overview>,
}

impl Request {
    /// What a line asks for.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn decode(line: &[u8]) -> Result<Asked, String> {
        let request = serde_json::from_slice::<Self>(line).map_err(|error| error.to_string())?;
        Ok(Asked::Command(match request {
            Self::Status {} => return Ok(Asked::Overview),
            Self::Events {} => return Ok(Asked::Events),
            Self::Pause { rule } => Command::Pause { rule },
            Self::Resume { rule, forget } => Command::Resume { rule, forget },
            Self::Trigger { rule, paths, path_bytes } => {
                let mut all: Vec<_> = paths.into_iter().map(PathBuf::from).collect();
                for text in path_bytes {
                    let bytes =
                        BASE64_STANDARD.decode(&text).map_err(|error| format!("`{text}`: {error}"))?;
                    all.push(OsString::from_vec(bytes).into());
                }
                if all.iter().any(|path| path.as_os_str().as_encoded_bytes().contains(&0)) {
                    return Err("a path has no NUL in it".to_owned());
                }
                Command::Trigger { rule, paths: all }
            }
            Self::Rerun { rule } => Command::Rerun { rule },
            Self::Cancel { rule } => Command::Cancel { rule },
            Self::Service { rule, order } => Command::Service { rule, order },
            Self::Reload {} => Command::Reload,
            Self::Stop {} => Command::Stop,
        }))
    }

    /// The request that has a rule run for these paths.
    #[must_use]
    pub fn trigger(rule: String, told: Vec<PathBuf>) -> Self {
        let (mut paths, mut path_bytes) = (Vec::new(), Vec::new());
        for path in told {
            match path.into_os_string().into_string() {
                Ok(text) => paths.push(text),
                Err(bytes) => path_bytes.push(BASE64_STANDARD.encode(bytes.into_vec())),
            }
        }
        Self::Trigger { rule, paths, path_bytes }
    }
}

impl Reply {
    /// It was not done.
    #[must_use]
    pub fn error(kind: &str, error: String) -> Self {
        Self { error: Some(error), kind: Some(kind.to_owned()), ..Self::default() }
    }

    /// Here it is.
    #[must_use]
    pub fn status(status: Overview) -> Self {
        Self { ok: true, status: Some(status), ..Self::default() }
    }
}

impl From<Result<(), Refusal>> for Reply {
    fn from(answer: Result<(), Refusal>) -> Self {
        match answer {
            Ok(()) => Self { ok: true, ..Self::default() },
            Err(refusal) => Self::error(refusal.kind(), refusal.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_request_is_said() {
        for (line, part) in [
            ("", "EOF"),
            ("x", "expected value"),
            ("{}", "missing field `request`"),
            (r#"{"request":"stauts"}"#, "unknown variant `stauts`, expected one of `status`"),
            (r#"{"request":"status","rule":"a"}"#, "unknown field `rule`"),
            (r#"{"request":"trigger"}"#, "missing field `rule`"),
            (
                r#"{"request":"service","rule":"a","order":"kill"}"#,
                "expected one of `start`, `stop`, `toggle`",
            ),
            (r#"{"request":"trigger","rule":"a","paths":["x\u0000"]}"#, "NUL"),
            (r#"{"request":"trigger","rule":"a","path_bytes":["?"]}"#, "Invalid"),
        ] {
            let error = Request::decode(line.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn every_path_arrives_byte_for_byte() {
        let paths = vec![PathBuf::from("a b"), PathBuf::from(OsString::from_vec(vec![b'x', 0xff]))];
        let line = serde_json::to_vec(&Request::trigger("test".to_owned(), paths.clone())).unwrap();
        let command = Command::Trigger { rule: "test".to_owned(), paths };
        assert_eq!(Request::decode(&line), Ok(Asked::Command(command)));
    }
}
