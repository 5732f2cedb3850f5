//! `tripline doctor`: what it finds, on this machine and in namespaces that lack something.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::proc::eventually;
use crate::support::running::{Running, tripline};
use crate::support::watching::{Watching, as_nobody, unshared};

const RULES: &str = "[rules.r]\npaths = [\"src/**\"]\nrun = [\"true\"]\n";

/// A directory with these rules and `src/sub`.
fn place(rules: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let root = directory.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("src/sub")).unwrap();
    fs::write(root.join("tripline.toml"), rules).unwrap();
    (directory, root)
}

/// What it prints, and its exit code.
fn doctor(command: &mut Command, root: &Path, args: &[&str]) -> (String, i32) {
    let output = command.arg("doctor").args(args).current_dir(root).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (shown.replace(root.to_str().unwrap(), "/w"), output.status.code().unwrap())
}

#[test]
fn where_all_is_well_each_line_says_so() {
    let (_directory, root) = place(RULES);
    let (shown, code) = doctor(&mut tripline(), &root, &[]);
    assert_eq!(code, 0, "{shown}");
    for line in [
        "ok       Linux ",
        ", 3 needed for the rules",
        "ok       descriptors: ",
        "inotify instances: ",
        "/w and 2 more directories: ",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    assert!(shown.contains("ok       1 program is there\n"), "{shown}");
}

#[test]
fn a_program_that_is_missing_is_a_problem_with_a_way_out() {
    let (_directory, root) = place(
        "[rules.r]\npaths = [\"src/**\"]\nrun = [\"no-such-program\"]\n\
         [rules.s]\npaths = [\"src/**\"]\nrun = [\"./built/later\"]\n\
         [rules.t]\npaths = [\"later/**\", \"/nowhere/at/all/*\"]\nrun = \"echo\"\n",
    );
    let (shown, code) = doctor(&mut tripline(), &root, &[]);
    assert_eq!(code, 1, "{shown}");
    for line in [
        "problem  r: no program `no-such-program` is in PATH\n         mend: install it, or write its whole path\n",
        "note     s: ./built/later is not there yet, or cannot be executed\n",
        "note     /nowhere/at/all is not there; it is waited for\n",
        "ok       1 program is there\n",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    let (shown, _) = doctor(&mut tripline(), &root, &["--json"]);
    assert!(
        shown.contains("{\"status\":\"problem\",\"message\":\"r: no program `no-such-program` is in PATH\","),
        "{shown}"
    );
}

#[test]
fn editors_that_are_configured_are_named_with_what_a_save_of_theirs_is() {
    let (_directory, root) =
        place("[rules.r]\npaths = [\"src/**\"]\non = [\"close_write\"]\nrun = [\"true\"]\n");
    fs::write(root.join(".vimrc"), "set backupcopy=yes\n").unwrap();
    fs::create_dir_all(root.join("config/JetBrains/RustRover2026.1/options")).unwrap();
    let edited = || {
        let mut command = tripline();
        command.env("HOME", &root).env("XDG_CONFIG_HOME", root.join("config"));
        command.env_remove("VISUAL").env("EDITOR", "/usr/bin/hx --vsplit");
        command
    };
    let (shown, code) = doctor(&mut edited(), &root, &[]);
    assert_eq!(code, 0, "{shown}");
    let expected = "\
ok       vim (/w/.vimrc) writes the file in place (modify, close_write)
ok       a JetBrains IDE (/w/config/JetBrains/RustRover2026.1/options/ide.general.xml) writes another file and renames it \
(moved_to)
note     r does not run for what is saved with a JetBrains IDE
         mend: on = [\"change\"]
ok       Helix (EDITOR) renames the old file away and writes a new one (create, modify, close_write)
";
    assert!(shown.ends_with(expected), "{shown}");
    // `change` hears of all of them.
    fs::write(root.join("tripline.toml"), RULES).unwrap();
    let (shown, _) = doctor(&mut edited(), &root, &[]);
    assert!(shown.contains("JetBrains") && !shown.contains("does not run"), "{shown}");
}

#[test]
fn descriptors_that_do_not_do_for_all_runs_are_a_problem() {
    let (_directory, root) = place(&format!("[settings]\njobs = 50\n{RULES}"));
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 200; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_tripline")]);
    let (shown, code) = doctor(&mut command, &root, &[]);
    assert_eq!(code, 1, "{shown}");
    let line = "problem  descriptors: 200 may be open, 282 needed for 50 runs at once\n         mend: ulimit -n 512\n";
    assert!(shown.contains(line), "{line} in {shown}");
}

#[test]
fn without_rules_the_machine_is_looked_at() {
    let directory = TempDir::new().unwrap();
    let (shown, code) = doctor(&mut tripline(), directory.path(), &[]);
    assert_eq!(code, 1);
    assert!(shown.contains("there is no tripline.toml") && shown.contains("inotify watches: "), "{shown}");
}

#[test]
fn limits_that_are_too_low_are_problems_with_what_raises_them() {
    let (_directory, root) = place(RULES);
    let script = "echo 2 > /proc/sys/user/max_inotify_watches; echo 0 > /proc/sys/user/max_inotify_instances";
    let Some(mut command) = unshared(script) else { return };
    let (shown, code) = doctor(&mut command, &root, &[]);
    assert_eq!(code, 1, "{shown}");
    for line in [
        " of 2 in use by this user's processes, 3 needed for the rules",
        "mend: sysctl fs.inotify.max_user_watches=",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    for line in [
        " of 0 in use by this user's processes, and there is no other: ",
        "sysctl fs.inotify.max_user_instances=512",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
}

#[test]
fn a_directory_that_may_not_be_read_is_a_problem_with_what_lets_it() {
    if !Watching::can_start_as_nobody() {
        eprintln!("skipped: only root can start it as a user to whom something is denied");
        return;
    }
    let (directory, root) = place(RULES);
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(root.join("src/sub"), fs::Permissions::from_mode(0o700)).unwrap();
    let (shown, code) = doctor(&mut as_nobody(), &root, &[]);
    assert_eq!(code, 1, "{shown}");
    let line = "problem  /w/src/sub cannot be watched: Permission denied (os error 13)\n         \
                mend: as its owner: setfacl -m u:65534:rx /w/src/sub\n";
    assert!(shown.contains(line), "{line} in {shown}");
}

#[test]
fn a_file_system_that_does_not_report_every_change_is_noted() {
    let (_directory, root) =
        place("[rules.r]\npaths = [\"src/**\", \"/proc/self/net/*\"]\nrun = [\"true\"]\n");
    let (shown, code) = doctor(&mut tripline(), &root, &[]);
    assert_eq!(code, 0, "{shown}");
    let line = "/proc/self/net: proc, which does not report every change: looked through every 2s\n";
    assert!(shown.contains(line), "{line} in {shown}");
}

#[test]
fn what_runs_is_verified_and_what_it_does_not_know_is_named() {
    let (_directory, root) = place(RULES);
    std::os::unix::fs::symlink("tripline.toml", root.join("link")).unwrap();
    let running = Running::with_rules(&root, RULES);
    running.until_ready();
    let pid = running.pid().to_string();
    let fine = format!("ok       pid {pid} watches what it should: no difference in 3 directories\n");
    assert_eq!(doctor(&mut tripline(), &root, &["--verify"]), (fine.clone(), 0));
    // Busy, but awake: it catches up.
    fs::create_dir_all(root.join("src/new/deep")).unwrap();
    let more = fine.replace("in 3", "in 5");
    assert_eq!(doctor(&mut tripline(), Path::new("/"), &["--verify", &pid]), (more.clone(), 0));
    running.signal(Signal::STOP);
    fs::create_dir_all(root.join("src/unseen/deep")).unwrap();
    fs::rename(root.join("src/sub"), root.join("sub")).unwrap();
    let (shown, code) = doctor(&mut tripline(), &root, &["--verify"]);
    // What is stopped cannot be ended, if one of these does not hold.
    running.signal(Signal::CONT);
    assert_eq!(code, 1, "{shown}");
    for line in [
        "problem  /w/src/unseen is wanted, and not watched\n         mend: restart it (pid ",
        "problem  /w/src/unseen/deep is wanted, and not watched\n",
        "problem  /w/sub is watched, and no rule needs it\n",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    assert!(!shown.contains("src/new"), "{shown}");
    eventually(|| {
        (doctor(&mut tripline(), &root, &["--verify"]) == (fine.replace("in 3", "in 6"), 0)).then_some(())
    });
}

#[test]
fn links_and_other_file_systems_are_verified_too() {
    let rules = format!("[settings]\nfollow_symlinks = true\none_file_system = true\n{RULES}");
    let (directory, root) = place(&rules);
    let base = directory.path().canonicalize().unwrap();
    fs::create_dir_all(base.join("lib/deep")).unwrap();
    fs::write(base.join("lib/file"), "content").unwrap();
    for (target, link) in
        [("../lib", "lib"), ("..", "up"), ("nowhere/at/all", "none"), ("../lib/file", "file")]
    {
        std::os::unix::fs::symlink(target, root.join("src").join(link)).unwrap();
    }
    let Some(mut command) = unshared(&format!("mount -t tmpfs none {}/src/sub", root.display())) else {
        return;
    };
    let running = Running::start(command.arg("run").current_dir(&root));
    running.until_ready();
    let pid = running.pid().to_string();
    let mut inside = Command::new("nsenter");
    inside.args(["-U", "-m", "-t", &pid, env!("CARGO_BIN_EXE_tripline")]);
    let (shown, code) = doctor(&mut inside, &root, &["--verify", &pid]);
    assert_eq!(
        (shown.as_str(), code),
        (format!("ok       pid {pid} watches what it should: no difference in 4 directories\n").as_str(), 0)
    );
}

#[test]
fn a_process_that_is_no_tripline_is_refused() {
    let (_directory, root) = place(RULES);
    let own = std::process::id().to_string();
    let (shown, code) = doctor(&mut tripline(), &root, &["--verify", &own]);
    assert_eq!(code, 1);
    assert!(shown.contains(&format!("process {own} is no `tripline run`")), "{shown}");
    let (shown, code) = doctor(&mut tripline(), &root, &["--verify"]);
    assert_eq!(code, 1);
    assert!(shown.contains("no tripline of this user runs these rules"), "{shown}");
}
