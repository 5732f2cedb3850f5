//! The catalogue of mistakes: every rules file under `tests/mistakes` and, beside it, what is said about it.
//!
//! `TRIP_BLESS=1` writes what is said into the `.txt` files instead; read the difference before you keep it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tripline::rules::{
    FileSource, IgnoreFile, IgnoreFiles, RepositoryFiles, Rules, SourceFile, Stamp, Surroundings,
};

use crate::support::diff::diff;

/// A screen.
const MOST_LINES: usize = 60;

#[test]
fn every_mistake_is_explained_as_written() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|ext| ext == "toml")).collect();
    files.sort();
    assert!(files.len() >= 60, "only {} mistakes found", files.len());
    let failures: Vec<_> = files.iter().filter_map(|file| check(file).err()).collect();
    assert!(failures.is_empty(), "{} of {} failed\n\n{}", failures.len(), files.len(), failures.join("\n"));
}

fn check(file: &Path) -> Result<(), String> {
    let said = said(file);
    assert!(!said.is_empty(), "{}: nothing is said", file.display());
    assert!(said.lines().count() <= MOST_LINES, "{}: more than a screen", file.display());
    let beside = file.with_extension("txt");
    if std::env::var_os("TRIP_BLESS").is_some_and(|value| value == "1") {
        return fs::write(beside, said).map_err(|error| error.to_string());
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    if said == expected {
        return Ok(());
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    Err(format!("{}\n{}", beside.display(), diff(&lines(&expected), &lines(&said))))
}

/// The diagnostics of the file in `/w`, a work tree that ignores `target/`, without colour.
fn said(file: &Path) -> String {
    let ignoring = IgnoreFiles {
        gitignore: b"target/\n".to_vec(),
        repository: Some(RepositoryFiles::default()),
        ..IgnoreFiles::default()
    };
    let around = Surroundings {
        directory: PathBuf::from("/w"),
        home: Some(PathBuf::from("/home/u")),
        files: Arc::new(Place(HashMap::from([(PathBuf::from("/w"), ignoring)]))),
    };
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    let text = fs::read_to_string(file).unwrap();
    match Rules::parse(SourceFile { name, text }, &around) {
        Ok(rules) => rules.warnings.render(false),
        Err(found) => found.render(false),
    }
}

/// Ignore files, and every program but one.
#[derive(Debug)]
struct Place(HashMap<PathBuf, IgnoreFiles>);

impl FileSource for Place {
    fn ignore_files(&self, dir: &Path) -> IgnoreFiles {
        self.0.ignore_files(dir)
    }

    fn global_excludes(&self) -> IgnoreFile {
        self.0.global_excludes()
    }

    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        self.0.canonical(path)
    }

    fn has_program(&self, name: &str, _: Option<&str>) -> bool {
        name != "no-such-program"
    }

    fn size(&self, path: &Path) -> Option<u64> {
        self.0.size(path)
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.exists(path)
    }

    fn stamp(&self, path: &Path) -> Option<Stamp> {
        self.0.stamp(path)
    }

    fn hash(&self, path: &Path, most: u64) -> Option<u128> {
        self.0.hash(path, most)
    }
}
