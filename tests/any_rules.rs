//! Whatever is typed is compiled or refused with a reason: rules files with something cut, doubled or moved.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tripline::rules::{IgnoreFiles, Rules, SourceFile, Surroundings};

/// Every rules file that there is, with a mistake or without.
static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dirs = ["rules", "tests/mistakes"].map(|dir| fs::read_dir(here.join(dir)).unwrap());
    let files = dirs.into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|ext| ext == "toml")).collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
});

/// However slow the machine: a file of a page takes no longer.
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
enum Edit {
    Cut(usize, usize),
    /// Something of another file, or of the same.
    Paste(usize, usize, usize, usize),
    Type(usize, String),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = || any::<usize>();
    let edit = prop_oneof![
        (at(), 1..20_usize).prop_map(|(at, length)| Edit::Cut(at, length)),
        (at(), at(), at(), 1..80_usize)
            .prop_map(|(to, file, from, length)| Edit::Paste(to, file, from, length)),
        (at(), "[\\[\\]{}\"'=,.!*?\\\\a-z0-9 \\n]{1,6}").prop_map(|(at, text)| Edit::Type(at, text)),
    ];
    prop::collection::vec(edit, 1..6)
}

/// Where characters begin.
fn place(text: &str, at: usize) -> usize {
    let at = at % (text.len() + 1);
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

fn edited(mut text: String, edits: &[Edit]) -> String {
    for edit in edits {
        match edit {
            Edit::Cut(at, length) => {
                let (from, to) = (place(&text, *at), place(&text, at.saturating_add(*length)));
                text.replace_range(from.min(to)..from.max(to), "");
            }
            Edit::Paste(to, file, from, length) => {
                let other = &TEXTS[file % TEXTS.len()];
                let from = place(other, *from);
                let piece: String = other[from..].chars().take(*length).collect();
                text.insert_str(place(&text, *to), &piece);
            }
            Edit::Type(at, typed) => text.insert_str(place(&text, *at), typed),
        }
    }
    text
}

proptest! {
    #[test]
    fn whatever_is_typed_is_compiled_or_refused_with_a_reason(file in any::<usize>(), edits in edits()) {
        let text = edited(TEXTS[file % TEXTS.len()].clone(), &edits);
        let files = Arc::new(HashMap::<PathBuf, IgnoreFiles>::new());
        let around = Surroundings { directory: "/w".into(), home: Some("/home/u".into()), files };
        let start = Instant::now();
        match Rules::parse(SourceFile { name: "t".to_owned(), text }, &around) {
            Ok(rules) => drop((rules.warnings.render(false), rules.effective())),
            Err(mistakes) => prop_assert!(mistakes.has_errors() && !mistakes.render(false).is_empty()),
        }
        prop_assert!(start.elapsed() < LIMIT);
    }
}
