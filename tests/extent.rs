//! How far the watcher goes from its roots: other file systems.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::proc::eventually;
use crate::support::running::Running;
use crate::support::watching::{Watching, inside, unshared};

fn place() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let root = directory.path().canonicalize().unwrap().join("root");
    fs::create_dir(&root).unwrap();
    (directory, root)
}

const ONE_FILE_SYSTEM: &str = "[settings]\none_file_system = true\n\
                               [rules.r]\npaths = [\"**/*\"]\nper = \"file\"\nrun = [\"echo\", \"got {rel}\"]\n";

/// A script that mounts another file system with a file in it.
fn mount(dir: &Path) -> String {
    let dir = dir.display();
    format!("mount -t tmpfs none {dir}; mkdir {dir}/deep; echo > {dir}/deep/foreign")
}

/// Makes a file, and answers everything up to its run.
fn until_seen(running: &Running, root: &Path, name: &str) -> Vec<String> {
    fs::write(root.join(name), "content").unwrap();
    running.until(|line| line == format!("got {name}"))
}

#[test]
fn one_file_system_leaves_out_what_is_mounted_below_the_root() {
    let (_directory, root) = place();
    for dir in ["early", "late/below"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    let Some(mut command) = unshared(&mount(&root.join("early"))) else { return };
    fs::write(root.join("tripline.toml"), ONE_FILE_SYSTEM).unwrap();
    let running = Running::start(command.arg("run").current_dir(&root));
    assert_eq!(running.until_ready(), Vec::<String>::new());
    inside(running.pid(), &mount(&root.join("late")));
    inside(running.pid(), &format!("echo > {}/early/deep/foreign", root.display()));
    let mut all = until_seen(&running, &root, "first");
    inside(running.pid(), &format!("echo > {}/late/deep/foreign", root.display()));
    all.extend(until_seen(&running, &root, "second"));
    assert!(!all.iter().any(|line| line.contains("foreign")), "{all:#?}");
    inside(running.pid(), &format!("umount {}/late", root.display()));
    until_seen(&running, &root, "late/below/third");
}

#[test]
fn what_is_left_out_for_its_file_system_is_explained() {
    let (_directory, root) = place();
    for dir in ["elsewhere", "src", ".git"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    let Some(mut command) = unshared(&mount(&root.join("elsewhere"))) else { return };
    fs::write(root.join("tripline.toml"), ONE_FILE_SYSTEM).unwrap();
    let output = command.args(["explain", "--watching"]).current_dir(&root).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap().replace(root.to_str().unwrap(), "/w");
    let expected = "2 directories watched\n  /w and 1 directory below, for r\n\
                    1 directory ignored, with all below\n  .git, by `.git`, built in, default_ignore\n\
                    0 directories that no rule reaches\n\
                    1 directory on other file systems, with all below\n  elsewhere\n";
    assert_eq!(shown, expected);
}

#[test]
fn what_is_bound_into_the_tree_is_followed_and_so_is_its_end() {
    let (directory, root) = place();
    let outside = directory.path().canonicalize().unwrap().join("outside");
    let point = root.join("point");
    fs::create_dir_all(outside.join("sub")).unwrap();
    fs::create_dir(&point).unwrap();
    // Of the file system that the root is on: to be told to stay there makes no difference.
    for options in [&[][..], &["--one-file-system"]] {
        fs::write(outside.join("sub/there"), "content").unwrap();
        let Some(mut watching) = Watching::start_unshared(&root, options, "") else { return };
        watching.inside(&format!("mount --bind {} {}", outside.display(), point.display()));
        watching.until(|seen| seen.path == point.join("sub/there"));
        fs::write(outside.join("sub/made"), "content").unwrap();
        watching.until(|seen| seen.path == point.join("sub/made"));
        watching.inside(&format!("umount {}", point.display()));
        fs::write(point.join("beneath"), "content").unwrap();
        watching.until(|seen| seen.path == point.join("beneath"));
        let inode = fs::metadata(outside.join("sub")).unwrap().ino();
        eventually(|| (!watching.watched_inodes().contains(&inode)).then_some(()));
        fs::write(outside.join("sub/silent"), "content").unwrap();
        let all = watching.so_far();
        assert!(all.iter().all(|seen| !seen.path.ends_with("silent")), "{all:#?}");
    }
}
