//! Rules files on disk: the ready-made ones, and how files are found and read.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// Rules file, event, path: the rules that run.
const READY_MADE: &str = "
config-reload  close_write  /etc/nginx/nginx.conf             reload
config-reload  delete       /etc/nginx/conf.d/site.conf       reload
config-reload  close_write  /etc/nginx/nginx.conf.bak
config-reload  close_write  /etc/nginx/nginx.conf.dpkg-new
config-reload  close_write  /etc/hosts
docs           close_write  docs/design.md                    docs
docs           close_write  src/lib.rs                        docs
docs           close_write  tests/lib.rs
docs           close_write  rules/docs.toml
go             close_write  cmd/app/main.go                   test
go             close_write  go.sum                            test
go             close_write  vendor/example/a.go
go             close_write  README.md
inbox          close_write  inbox/acme-17.csv                 inbox
inbox          moved_to     inbox/acme-17.csv                 inbox
inbox          delete       inbox/acme-17.csv
inbox          close_write  inbox/done/acme-17.csv
inbox          close_write  inbox/17.csv
latex          close_write  main.tex                          pdf
latex          close_write  chapters/one.tex                  pdf
latex          moved_to     figures/plot.png                  pdf
latex          close_write  main.pdf
latex          close_write  main.aux
latex          close_write  main-blx.bib
log-rotation   moved_to     logs/app.log.1                    rotated
log-rotation   close_write  logs/app.log.1
log-rotation   moved_to     logs/app.log.1.gz
log-rotation   moved_to     logs/app.log.2
make           close_write  src/deep/a.c                      build
make           close_write  include/a.h                       build
make           close_write  Makefile                          build
make           close_write  src/a.o
markdown       close_write  pages/a/b.md                      page
markdown       moved_to     pages/a.md                        page
markdown       delete       pages/a.md                        gone
markdown       moved_from   pages/a.md                        gone
markdown       close_write  html/a.html
markdown       close_write  README.md
node           close_write  package-lock.json                 install
node           delete       package-lock.json
node           close_write  src/ui/app.tsx                    test
node           delete       test/app.test.js                  test
node           close_write  package.json                      test
node           close_write  src/node_modules/x/index.js
node           close_write  dist/app.js
python         close_write  app/main.py                       all
python         close_write  tests/conftest.py                 all
python         close_write  tests/unit/test_main.py           one
python         delete       tests/unit/test_main.py
python         close_write  .venv/lib/site.py
python         close_write  app/__pycache__/main.pyc
rust           close_write  src/rules/mod.rs                  check
rust           moved_to     Cargo.toml                        check
rust           close_write  target/debug/build/x.rs
rust-server    close_write  src/main.rs                       server
rust-server    close_write  Cargo.lock
rust-server    create       target/debug/server
rust-test      close_write  crates/a/src/lib.rs               test
rust-test      delete       tests/a.rs                        test
rust-test      close_write  crates/a/Cargo.toml               test
rust-test      close_write  target/debug/build/x.rs
sass           close_write  styles/base/_colors.scss          css
sass           close_write  css/main.css
";

#[test]
fn each_ready_made_rules_file_runs_what_it_says_for_the_paths_it_says() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tried = BTreeMap::<_, [bool; 2]>::new();
    for line in READY_MADE.lines().skip(1) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [file, name, path, expected @ ..] = words.as_slice() else { panic!("{line}") };
        let rules = loaded(&repository.join(format!("rules/{file}.toml"))).rules;
        let mut event = saved(&repository.join(path));
        event.mask = EventMask::from_name(name).unwrap() | EventMask::CHANGE;
        if *name == "delete" {
            event.subject = Subject::Gone;
        }
        let mut out = Vec::new();
        rules.matches(&event, &mut out);
        let names: Vec<_> = out.iter().map(|found| rules.rules[found.rule.0].name.as_str()).collect();
        assert_eq!(names, expected, "{line}");
        tried.entry(format!("{file}.toml")).or_default()[usize::from(names.is_empty())] = true;
    }
    let entries = fs::read_dir(repository.join("rules")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert!(files.len() >= 12, "only {files:?}");
    assert_eq!(
        tried.into_iter().collect::<Vec<_>>(),
        files.into_iter().map(|file| (file, [true; 2])).collect::<Vec<_>>()
    );
}

#[test]
fn each_ready_made_rules_file_says_what_it_does_and_passes_check_with_nothing_but_cargo_installed() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bin = dir();
    fs::set_permissions(write(&bin, "cargo", ""), Permissions::from_mode(0o755)).unwrap();
    for entry in fs::read_dir(repository.join("rules")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(loaded(&path).rules.settings.root, repository, "{name}");
        let text = fs::read_to_string(&path).unwrap();
        let comment: Vec<_> = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(comment.len() >= 3, "{name}");
        assert!(comment.contains(&format!("#     tripline run -c rules/{name}").as_str()), "{name}");
        let mut check = Command::new(env!("CARGO_BIN_EXE_tripline"));
        let output = check.arg("check").arg(&path).env("PATH", bin.path()).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && shown.ends_with(", no mistakes\n"), "{shown}");
    }
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
    assert!(!rules.plan().wants_dir(dir.path().join("sub/excluded").as_os_str().as_encoded_bytes()));
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
    let status = Command::new("mkfifo").arg(dir.path().join(".gitignore")).status().unwrap();
    assert!(status.success());
    let rules = loaded(&write(&dir, "tripline.toml", RULE)).rules;
    assert_eq!(runs(&rules, &dir.path().join("a")), 1);
}
