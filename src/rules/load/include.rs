//! Reading rules files together with those that they include.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::read;
use super::watched_files::Sources;
use crate::rules::diagnostics::{Diagnostic, Diagnostics, Spanned, quote};
use crate::rules::glob::component::{Case, Name};
use crate::rules::keys::Raw;
use crate::rules::parse::parse;

/// The most files of one set of rules: more are included by mistake.
const MOST: usize = 1000;

/// What has been read so far.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) diagnostics: Diagnostics,
    pub(crate) sources: Sources,
    /// The files, in the order in which they were read.
    pub(crate) files: Vec<PathBuf>,
    /// The same with all links followed: each is read once, so that a circle ends.
    seen: HashSet<PathBuf>,
}

impl Reading {
    /// These files and all that they include.
    pub(crate) fn read(&mut self, files: Vec<PathBuf>) -> Raw {
        let mut raw = Raw::default();
        let mut open = VecDeque::from(files);
        while let Some(file) = open.pop_front() {
            if !self.seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())) {
                continue;
            }
            self.one(&file, &mut raw);
            let included: Vec<_> = std::mem::take(&mut raw.include);
            for typed in &included {
                open.extend(self.included(&file, typed));
            }
            if self.files.len() + open.len() > MOST {
                let message = format!("more than {MOST} files are included");
                self.diagnostics
                    .push(Diagnostic::general(message).help("include fewer, or put them together"));
                open.clear();
            }
        }
        raw
    }

    fn one(&mut self, file: &Path, raw: &mut Raw) {
        match read(file) {
            Ok(source) => {
                self.sources.file(file, Some(&source.text));
                parse(source, raw, &mut self.diagnostics);
            }
            Err(diagnostic) => {
                self.sources.file(file, None);
                raw.broken = true;
                self.diagnostics.push(diagnostic);
            }
        }
        self.files.push(file.to_path_buf());
    }

    /// The files that one element of `include` names, relative to the file that it is in.
    fn included(&mut self, by: &Path, typed: &Spanned<String>) -> Vec<PathBuf> {
        let path = by.parent().unwrap_or(Path::new("")).join(&typed.value);
        let last = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let pattern = match Name::parse(last, Case::Exact) {
            Ok(pattern) => pattern,
            Err(reason) => return self.refuse(typed, &format!("{}: {reason}", quote(&typed.value))),
        };
        if pattern.is_plain() && path.is_file() {
            return vec![path];
        }
        if pattern.is_plain() {
            self.sources.expect(&path);
            return self.refuse(typed, &format!("there is no file {}", quote(&path.display().to_string())));
        }
        let dir = path.parent().unwrap_or(Path::new("/"));
        self.sources.all(dir, Some(pattern.clone()));
        let Ok(entries) = fs::read_dir(dir) else {
            return self.refuse(typed, &format!("the directory of {} cannot be read", quote(&typed.value)));
        };
        let names = entries.flatten().map(|entry| entry.path());
        let mut found: Vec<_> = names.filter(|path| takes(&pattern, path)).collect();
        found.sort_unstable();
        found
    }

    fn refuse(&mut self, typed: &Spanned<String>, message: &str) -> Vec<PathBuf> {
        let help = "a path is relative to the file that includes it; wildcards may stand in its last name";
        self.diagnostics.push(Diagnostic::at(&typed.place, message).help(help));
        Vec::new()
    }
}

/// Whether the path is a file whose name matches. Hidden ones, such as an editor's, are left out.
fn takes(pattern: &Name, path: &Path) -> bool {
    let name = path.file_name().map_or(&b""[..], OsStrExt::as_bytes);
    !name.starts_with(b".") && pattern.matches(name) && path.is_file()
}
