//! Rules files on disk: the ready-made ones, and how files are found and read.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tripline::event::{Event, EventMask, Scope, Subject, Trigger};
use tripline::rules::{Loaded, Location, Rules, load};

const RULE: &str = "[rules.r]\npaths = [\"**\"]\nrun = [\"true\"]\n";

fn saved(path: &Path) -> Event {
    Event {
        mask: EventMask::CLOSE_WRITE | EventMask::CHANGE,
        path: path.as_os_str().as_encoded_bytes().to_vec(),
        subject: Subject::File,
        from: None,
        cookie: 0,
        trigger: Trigger::Event,
    }
}

fn runs(rules: &Rules, path: &Path) -> usize {
    let mut out = Vec::new();
    rules.matches(&saved(path), &mut out);
    out.len()
}

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn write(dir: &TempDir, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn loaded(path: &Path) -> Loaded {
    load(&Location::Path(path.to_path_buf())).unwrap_or_else(|found| panic!("{found}"))
}

fn refused(location: &Location) -> String {
    load(location).unwrap_err().render(false)
}

#[test]
fn every_ready_made_rules_file_loads_and_acts_on_this_repository() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for entry in fs::read_dir(repository.join("rules")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(loaded(&path).rules.settings.root, repository, "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 3);
    let rust = loaded(&repository.join("rules/rust.toml")).rules;
    assert_eq!(runs(&rust, &repository.join("src/rules/mod.rs")), 1);
    assert_eq!(runs(&rust, &repository.join("target/debug/build/x.rs")), 0);
    let inbox = loaded(&repository.join("rules/inbox.toml")).rules;
    assert_eq!(runs(&inbox, &repository.join("inbox/acme-17.csv")), 1);
    assert_eq!(runs(&inbox, &repository.join("inbox/done/acme-17.csv")), 0);
}

#[test]
fn the_nearest_file_above_is_found() {
    let dir = dir();
    let file = write(&dir, "tripline.toml", RULE);
    let deep = dir.path().join("a/b");
    fs::create_dir_all(&deep).unwrap();
    let found = load(&Location::Search(deep)).unwrap();
    assert_eq!(found.files, [file]);
    assert_eq!(found.rules.settings.root, dir.path());
}

#[test]
fn a_missing_file_comes_with_a_way_out() {
    let dir = dir();
    let shown = refused(&Location::Search(dir.path().to_path_buf()));
    assert!(shown.contains("there is no tripline.toml in") && shown.contains("-c FILE"), "{shown}");
    let shown = refused(&Location::Path(dir.path().join("x.toml")));
    assert!(shown.contains("cannot read") && shown.contains("No such file"), "{shown}");
    let shown = refused(&Location::Path(dir.path().to_path_buf()));
    assert!(shown.contains("there is no *.toml in"), "{shown}");
}

#[test]
fn the_files_of_a_directory_are_one_set_of_rules_in_the_order_of_their_names() {
    let dir = dir();
    write(&dir, "b.toml", "[rules.b]\npaths = [\"a\"]\nrun = \"x\"\n");
    write(&dir, "a.toml", "[settings]\njobs = 2\n[rules.z]\npaths = [\"a\"]\nrun = \"x\"\n");
    write(&dir, "c.txt", "not rules");
    let found = loaded(dir.path());
    assert_eq!(found.rules.rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), ["z", "b"]);
    assert_eq!(found.rules.settings.jobs, 2);
    assert_eq!(found.rules.settings.root, dir.path());
    write(&dir, "d.toml", "[settings]\njobs = 3\n[rules.b]\nx = 1\n");
    let shown = refused(&Location::Path(dir.path().to_path_buf()));
    for part in [
        "`jobs` is there twice",
        "the rule `b` is there twice",
        "d.toml:2:1",
        "no key in a rule is called `x`",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn what_is_no_text_or_too_much_is_refused_with_the_reason() {
    let dir = dir();
    let binary = write(&dir, "binary.toml", b"[rules.r]\nrun = \"\xff\"\n");
    let shown = refused(&Location::Path(binary));
    assert!(shown.contains("binary.toml:2: not UTF-8, at byte 17"), "{shown}");
    let large = write(&dir, "large.toml", vec![b'#'; (1 << 20) + 1]);
    assert!(refused(&Location::Path(large)).contains("larger than 1 MiB"));
    assert!(refused(&Location::Path("/dev/zero".into())).contains("larger than 1 MiB"));
    let missing = dir.path().join("gone.toml");
    symlink("nowhere", &missing).unwrap();
    assert!(refused(&Location::Path(missing)).contains("cannot read"));
}

#[test]
fn the_parent_of_a_linked_directory_is_the_real_one() {
    let dir = dir();
    let text = format!("[settings]\nroot = \"..\"\n{RULE}");
    write(&dir, "real/rules/r.toml", text);
    symlink("real/rules", dir.path().join("link")).unwrap();
    let root = loaded(&dir.path().join("link/r.toml")).rules.settings.root;
    assert_eq!(root, dir.path().canonicalize().unwrap().join("real"));
}

#[test]
fn ignore_files_are_read_from_the_work_tree_around_the_root() {
    let dir = dir();
    write(&dir, ".git/info/exclude", "excluded\n");
    write(&dir, ".gitignore", "*.log\n");
    write(&dir, "sub/.gitignore", "!keep.log\n");
    let rules = loaded(&write(&dir, "sub/tripline.toml", RULE)).rules;
    let seen = |name: &str| runs(&rules, &dir.path().join("sub").join(name)) == 1;
    assert!(seen("a.rs") && seen("keep.log"));
    assert!(!seen("a.log") && !seen("excluded"));
    assert!(!rules.plan().wants(dir.path().join("sub/excluded").as_os_str().as_encoded_bytes()));
}

#[test]
fn a_linked_work_tree_has_the_exclude_file_of_its_repository() {
    let dir = dir();
    write(&dir, "main/.git/info/exclude", "excluded\n");
    write(&dir, "main/.git/worktrees/w/commondir", "../..\n");
    write(&dir, "w/.git", format!("gitdir: {}\n", dir.path().join("main/.git/worktrees/w").display()));
    let rules = loaded(&write(&dir, "w/tripline.toml", RULE)).rules;
    assert_eq!(runs(&rules, &dir.path().join("w/excluded")), 0);
    assert_eq!(runs(&rules, &dir.path().join("w/a")), 1);
}

#[test]
fn an_ignore_file_that_is_no_file_does_not_block() {
    let dir = dir();
    fs::create_dir_all(dir.path().join(".git")).unwrap();
    let status = std::process::Command::new("mkfifo").arg(dir.path().join(".gitignore")).status().unwrap();
    assert!(status.success());
    let rules = loaded(&write(&dir, "tripline.toml", RULE)).rules;
    assert_eq!(runs(&rules, &dir.path().join("a")), 1);
}
