//! What is ignored, against git itself: random trees full of ignore files, each path asked of both.
//!
//! `TRIPLINE_IGNORE_TREES=2000` tries that many trees instead of a few.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tripline::event::{Event, EventMask, Subject, Trigger};
use tripline::rules::{Location, Rules, load};

/// How many trees are tried unless the environment says otherwise: a second's worth.
const TREES: u64 = 40;

const NAMES: [&str; 16] =
    ["a", "b", "c", "ab", "a.b", ".h", "A", "b ", " c", "[a]", "\u{e9}", "a\\b", "#a", "!b", "a*", "-x"];

const TOKENS: [&str; 34] = [
    "a",
    "b",
    "c",
    "ab",
    "A",
    ".",
    "h",
    "*",
    "**",
    "***",
    "?",
    "/",
    "/",
    "/**",
    "**/",
    "/**/",
    "!",
    "[ab]",
    "[!a]",
    "[^b]",
    "[a-c]",
    "[[:alpha:]]",
    "[]a]",
    "[a",
    "\\",
    "\\*",
    " ",
    "\\ ",
    "#",
    "\\#",
    "\\!",
    "\u{e9}",
    "\t",
    "{a,b}",
];

const RULES: &str = "[settings]\ndefault_ignore = false\n\
                     [rules.r]\npaths = [\"**\"]\ntypes = [\"file\", \"dir\"]\nrun = [\"true\"]\n";

/// Numbers that look random, the same for the same seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn ignore_file(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.below(6) {
            for _ in 0..=self.below(4) {
                text += if self.below(2) == 0 { self.one_of(&NAMES) } else { self.one_of(&TOKENS) };
            }
            text += self.one_of(&["\n", "\n", "\n", "\r\n", " \n", "/\n"]);
        }
        text
    }
}

#[test]
fn the_same_is_ignored_as_git_ignores() {
    let trees =
        std::env::var("TRIPLINE_IGNORE_TREES").ok().and_then(|text| text.parse().ok()).unwrap_or(TREES);
    let (mut asked, mut ignored) = (0, 0);
    for seed in 1..=trees {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().canonicalize().unwrap();
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        grow(&mut dice, &root);
        let mut paths = Vec::new();
        list(&root, &mut paths);
        let by_git = by_git(&root, &paths);
        let by_us = by_us(&root, &paths);
        assert_eq!(by_us, by_git, "seed {seed}\n{}", ignore_files(&root, &paths));
        asked += paths.len();
        ignored += by_git.len();
    }
    println!("{trees} trees, {asked} paths, {ignored} of them ignored by both");
    assert!(ignored * 20 > asked, "hardly anything is ignored: {ignored} of {asked}");
}

/// Makes a work tree with a few directories, files and ignore files of every kind that git knows.
fn grow(dice: &mut Dice, root: &Path) {
    let status = Command::new("git").args(["init", "-q"]).arg(root).status().unwrap();
    assert!(status.success());
    let mut dirs = vec![root.to_path_buf()];
    for _ in 0..dice.below(8) {
        let dir = dirs[dice.below(dirs.len())].join(dice.one_of(&NAMES));
        fs::create_dir_all(&dir).unwrap();
        dirs.push(dir);
    }
    for _ in 0..12 {
        let file = dirs[dice.below(dirs.len())].join(dice.one_of(&NAMES));
        if !file.exists() {
            fs::write(file, "").unwrap();
        }
    }
    fs::write(root.join(".gitignore"), dice.ignore_file()).unwrap();
    for dir in &dirs {
        if dice.below(3) == 0 {
            fs::write(dir.join(".gitignore"), dice.ignore_file()).unwrap();
        }
    }
    fs::create_dir_all(root.join(".git/info")).unwrap();
    fs::write(root.join(".git/info/exclude"), dice.ignore_file()).unwrap();
    if dice.below(2) == 0 {
        let excludes = root.join(".git/excludes");
        fs::write(&excludes, dice.ignore_file()).unwrap();
        let mut config = fs::OpenOptions::new().append(true).open(root.join(".git/config")).unwrap();
        writeln!(config, "[core]\n\texcludesFile = {}", excludes.display()).unwrap();
    }
}

fn list(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != ".git" {
            if path.is_dir() {
                list(&path, out);
            }
            out.push(path);
        }
    }
}

fn by_git(root: &Path, paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut git = Command::new("git")
        .args(["check-ignore", "--no-index", "-z", "--stdin"])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input: Vec<u8> =
        paths.iter().flat_map(|path| [path.as_os_str().as_bytes(), b"\0"].concat()).collect();
    git.stdin.take().unwrap().write_all(&input).unwrap();
    let output = git.wait_with_output().unwrap();
    let listed = output.stdout.split(|&byte| byte == 0).filter(|path| !path.is_empty());
    listed.map(|path| tripline::event::as_path(path).to_path_buf()).collect()
}

fn by_us(root: &Path, paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let file = root.join(".git/rules.toml");
    fs::write(&file, format!("[settings]\nroot = {root:?}\n{}", RULES.trim_start_matches("[settings]\n")))
        .unwrap();
    let rules = load(&Location::Path(file)).unwrap_or_else(|found| panic!("{found}")).rules;
    paths.iter().filter(|path| !is_seen(&rules, path)).cloned().collect()
}

fn is_seen(rules: &Rules, path: &Path) -> bool {
    let event = Event {
        mask: EventMask::CREATE | EventMask::CHANGE,
        path: path.as_os_str().as_bytes().to_vec(),
        subject: if path.is_dir() { Subject::Dir } else { Subject::File },
        from: None,
        cookie: 0,
        trigger: Trigger::Event,
    };
    let mut found = Vec::new();
    rules.matches(&event, &mut found);
    !found.is_empty()
}

/// The ignore files of a tree, for the message about a difference.
fn ignore_files(root: &Path, paths: &[PathBuf]) -> String {
    let mut shown = String::new();
    let more = ["exclude", "../excludes"].map(|name| root.join(".git/info").join(name));
    for path in paths.iter().filter(|path| path.ends_with(".gitignore")).chain(&more) {
        let text = fs::read(path).unwrap_or_default();
        shown += &format!("{}: {:?}\n", path.display(), String::from_utf8_lossy(&text));
    }
    shown
}
