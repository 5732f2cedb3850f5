//! Symbolic links below a root, followed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::linked::flood;
use crate::support::proc::eventually;
use crate::support::running::Running;
use crate::support::watching::{Seen, Watching};

/// A directory with `root` and `lib` in it.
fn place() -> (TempDir, PathBuf, PathBuf) {
    let directory = TempDir::new().unwrap();
    let base = directory.path().canonicalize().unwrap();
    for dir in ["root/src", "lib/sub"] {
        fs::create_dir_all(base.join(dir)).unwrap();
    }
    (directory, base.join("root"), base.join("lib"))
}

fn follow(root: &Path) -> Watching {
    Watching::start(root, &["--follow-symlinks"])
}

fn write(path: &Path) {
    fs::write(path, "content").unwrap();
}

fn reports(all: &[Seen], path: &Path, event: &str) -> bool {
    all.iter().any(|seen| seen.path == path && seen.events.iter().any(|name| name == event))
}

fn is_watched(watching: &Watching, inode: u64) -> bool {
    watching.watched_inodes().contains(&inode)
}

#[test]
fn what_is_below_a_link_is_reported_by_its_path_through_the_link() {
    let (_directory, root, lib) = place();
    symlink(&lib, root.join("src/link")).unwrap();
    let mut watching = follow(&root);
    write(&lib.join("sub/there"));
    fs::create_dir_all(lib.join("new/deep")).unwrap();
    write(&lib.join("new/deep/file"));
    fs::rename(lib.join("new"), lib.join("other")).unwrap();
    write(&lib.join("other/deep/after"));
    let all = watching.so_far();
    for path in ["sub/there", "other", "other/deep/after"] {
        let path = root.join("src/link").join(path);
        assert!(all.iter().any(|seen| seen.path == path), "{}: {all:#?}", path.display());
    }
    assert!(all.iter().all(|seen| seen.path.starts_with(&root)), "{all:#?}");
}

#[test]
fn a_link_that_is_made_removed_and_made_again_is_followed() {
    let (_directory, root, lib) = place();
    write(&lib.join("sub/there"));
    let inode = fs::metadata(lib.join("sub")).unwrap().ino();
    let link = root.join("src/link");
    let mut watching = follow(&root);
    for round in 0..3 {
        symlink(&lib, &link).unwrap();
        watching.until(|seen| seen.path == link.join("sub/there"));
        let file = format!("sub/file-{round}");
        write(&lib.join(&file));
        watching.until(|seen| seen.path == link.join(&file));
        fs::remove_file(&link).unwrap();
        watching.until(|seen| seen.path == link && seen.kind.as_deref() == Some("dir"));
        write(&lib.join("sub/silent"));
        let all = watching.so_far();
        eventually(|| (!is_watched(&watching, inode)).then_some(()));
        assert!(all.iter().all(|seen| !seen.path.ends_with("silent")), "{all:#?}");
        fs::remove_file(lib.join("sub/silent")).unwrap();
    }
}

#[test]
fn a_link_that_leads_nowhere_yet_is_followed_once_it_leads_somewhere() {
    let (_directory, root, lib) = place();
    let link = root.join("src/link");
    symlink("../../lib/not/yet/there", &link).unwrap();
    let watching = follow(&root);
    for round in ["first", "second"] {
        fs::create_dir_all(lib.join("not/yet/there/sub")).unwrap();
        write(&lib.join("not/yet/there/sub").join(round));
        watching.until(|seen| seen.path == link.join("sub").join(round));
        fs::remove_dir_all(lib.join("not")).unwrap();
        watching.until(|seen| seen.path == link && seen.kind.as_deref() == Some("dir"));
    }
}

#[test]
fn a_link_on_the_way_of_a_link_that_is_retargeted_is_followed() {
    let (_directory, root, lib) = place();
    let base = lib.parent().unwrap();
    for version in ["one", "two"] {
        fs::create_dir_all(base.join(version).join("sub")).unwrap();
        write(&base.join(version).join("sub").join(version));
    }
    symlink("one", base.join("current")).unwrap();
    let link = root.join("src/link");
    symlink(base.join("current/sub"), &link).unwrap();
    let watching = follow(&root);
    write(&base.join("one/sub/before"));
    watching.until(|seen| seen.path == link.join("before"));
    symlink("two", base.join("next")).unwrap();
    fs::rename(base.join("next"), base.join("current")).unwrap();
    watching.until(|seen| seen.path == link.join("two"));
    write(&base.join("two/sub/after"));
    watching.until(|seen| seen.path == link.join("after"));
}

#[test]
fn a_directory_with_several_paths_is_reported_under_each() {
    let (_directory, root, lib) = place();
    let (docs, link) = (root.join("docs"), root.join("src/link"));
    fs::create_dir_all(docs.join("deep")).unwrap();
    symlink("../docs", &link).unwrap();
    for name in ["a", "b"] {
        symlink(&lib, root.join(name)).unwrap();
    }
    let mut watching = follow(&root);
    write(&docs.join("deep/page"));
    write(&lib.join("sub/file"));
    let all = watching.so_far();
    for path in ["docs/deep/page", "src/link/deep/page", "a/sub/file", "b/sub/file"] {
        assert!(reports(&all, &root.join(path), "close_write"), "{path}: {all:#?}");
    }
    fs::create_dir(docs.join("late")).unwrap();
    write(&docs.join("late/page"));
    let all = watching.so_far();
    assert!(reports(&all, &link.join("late/page"), "create"), "{all:#?}");
    // Whichever it hangs at, it hangs at the other when that is gone.
    for (gone, left) in [("a", "b"), ("b", "a")] {
        fs::remove_file(root.join(gone)).unwrap();
        write(&lib.join("sub").join(left));
        watching.until(|seen| seen.path == root.join(left).join("sub").join(left));
        symlink(&lib, root.join(gone)).unwrap();
        watching.until(|seen| seen.path == root.join(gone).join("sub").join(left));
    }
    // And it has a place of its own once it is in the tree itself.
    write(&lib.join("sub/again"));
    fs::rename(&lib, root.join("lib")).unwrap();
    watching.until(|seen| seen.path == root.join("lib/sub/again"));
    write(&root.join("lib/sub/last"));
    let all = watching.so_far();
    assert!(reports(&all, &root.join("lib/sub/last"), "close_write"), "{all:#?}");
    assert!(!all.iter().any(|seen| seen.path == root.join("b/sub/last")), "{all:#?}");
}

#[test]
fn a_link_that_went_or_led_elsewhere_while_events_were_dropped_is_no_path_any_more() {
    let (_directory, root, lib) = place();
    fs::create_dir(root.join("docs")).unwrap();
    for name in ["gone", "other"] {
        symlink("docs", root.join(name)).unwrap();
    }
    let mut watching = follow(&root);
    watching.signal(Signal::STOP);
    flood(&root);
    fs::remove_file(root.join("gone")).unwrap();
    fs::remove_file(root.join("other")).unwrap();
    symlink(&lib, root.join("other")).unwrap();
    watching.signal(Signal::CONT);
    watching.so_far();
    write(&root.join("docs/page"));
    write(&lib.join("sub/file"));
    let all = watching.so_far();
    for path in ["docs/page", "other/sub/file"] {
        assert!(reports(&all, &root.join(path), "close_write"), "{path}: {all:#?}");
    }
    for path in ["gone/page", "other/page"] {
        assert!(all.iter().all(|seen| seen.path != root.join(path)), "{path}: {all:#?}");
    }
}

#[test]
fn links_in_a_circle_are_followed_once() {
    let (_directory, root, lib) = place();
    symlink("..", root.join("src/up")).unwrap();
    symlink(&root, lib.join("root")).unwrap();
    symlink(&lib, root.join("lib")).unwrap();
    symlink("self", root.join("self")).unwrap();
    let mut watching = follow(&root);
    write(&root.join("src/file"));
    write(&lib.join("file"));
    let paths: BTreeSet<_> = watching.so_far().into_iter().map(|seen| seen.path).collect();
    let expected = [
        "src/file",
        "src/up/src/file",
        "lib/root/src/file",
        "lib/file",
        "src/up/lib/file",
        "lib/root/lib/file",
    ];
    assert_eq!(paths, expected.map(|path| root.join(path)).into());
}

#[test]
fn a_change_of_a_file_is_one_of_each_link_to_it() {
    let (_directory, root, lib) = place();
    let (file, link) = (lib.join("file"), root.join("src/link"));
    write(&file);
    symlink(&file, &link).unwrap();
    let mut watching = follow(&root);
    write(&file);
    assert!(reports(&watching.so_far(), &link, "close_write"));
    write(&lib.join("next"));
    fs::rename(lib.join("next"), &file).unwrap();
    assert!(reports(&watching.so_far(), &link, "moved_to"));
    fs::remove_file(&file).unwrap();
    assert!(reports(&watching.so_far(), &link, "delete"));
    write(&file);
    assert!(reports(&watching.so_far(), &link, "close_write"));
    // Its directory is another one.
    fs::rename(&lib, lib.with_extension("away")).unwrap();
    watching.until(|seen| seen.path == link && seen.events == ["delete"]);
    fs::create_dir(&lib).unwrap();
    write(&file);
    watching.until(|seen| seen.path == link && seen.kind.as_deref() == Some("file"));
    write(&lib.join("unrelated"));
    let all = watching.so_far();
    assert!(all.iter().all(|seen| seen.path == link), "{all:#?}");
}

#[test]
fn rules_match_the_paths_through_links() {
    let (_directory, root, lib) = place();
    write(&lib.join("single.rs"));
    symlink("../../lib", root.join("src/link")).unwrap();
    symlink("../../lib/single.rs", root.join("src/one.rs")).unwrap();
    let rules = "[settings]\nfollow_symlinks = true\n\
                 [rules.r]\npaths = [\"src/**/*.rs\"]\nper = \"file\"\nrun = [\"echo\", \"got {rel}\"]\n\
                 [rules.one]\npaths = [\"src/*.rs\"]\nrun = [\"echo\", \"one\"]\n";
    let running = Running::with_rules(&root, rules);
    running.until_ready();
    write(&lib.join("sub/a.rs"));
    running.until(|line| line == "r | got src/link/sub/a.rs");
    write(&lib.join("single.rs"));
    let all = running.until(|line| line == "one: ok");
    assert!(all.contains(&"one: src/one.rs (close_write)".to_owned()), "{all:#?}");
}
