//! What a command reads from its standard input.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::dispatch::batch::Batch;
use crate::dispatch::batch::change::Change;
use crate::rules::{Rules, Stdin};

/// Where a command's standard input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StdinSource {
    /// `/dev/null`.
    Null,
    /// tripline's own.
    Inherit,
    /// A pipe with this content.
    Bytes(Vec<u8>),
}

/// One line of `stdin = "json"`. Text that is not UTF-8 is lossy, and `path_bytes` has the path's exact
/// bytes in base64.
#[derive(Serialize)]
struct Line<'a> {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rel: Option<String>,
    events: Vec<&'static str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
}

/// The standard input that the rule asks for.
pub(crate) fn source(rules: &Rules, stdin: Stdin, batch: &Batch) -> StdinSource {
    match stdin {
        Stdin::Null => StdinSource::Null,
        Stdin::Inherit => StdinSource::Inherit,
        Stdin::Lines => StdinSource::Bytes(terminated(batch, b'\n')),
        Stdin::Nul => StdinSource::Bytes(terminated(batch, 0)),
        Stdin::Json => StdinSource::Bytes(json(rules, batch)),
    }
}

/// Every path of the batch, with `end` after each.
pub(crate) fn terminated(batch: &Batch, end: u8) -> Vec<u8> {
    batch.iter().flat_map(|(path, _)| path.iter().copied().chain([end])).collect()
}

fn json(rules: &Rules, batch: &Batch) -> Vec<u8> {
    let lines = batch.iter().map(|(path, change)| line(rules, path, change));
    lines.flat_map(|line| serde_json::to_vec(&line).unwrap_or_default().into_iter().chain([b'\n'])).collect()
}

fn line<'a>(rules: &Rules, path: &[u8], change: &'a Change) -> Line<'a> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Line {
        path: text(path),
        rel: rules.relative(path).map(text),
        events: change.mask.names().collect(),
        subject: change.subject.name(),
        old_path: change.from().map(text),
        path_bytes: str::from_utf8(path).is_err().then(|| STANDARD.encode(path)),
    }
}
