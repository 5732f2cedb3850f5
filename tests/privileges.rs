//! What a command may and may not, and what root does not run.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};

use crate::support::proc::{child, eventually, lives, status};
use crate::support::running::{Running, tripline};

/// A directory that other users may enter, with rules in it, and tripline ready there.
fn start(rule: &str) -> (TempDir, Running) {
    let directory = tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    fs::write(
        directory.path().join("tripline.toml"),
        format!("[rules.r]\npaths = [\"*.x\", \"d\"]\n{rule}\n"),
    )
    .unwrap();
    let mut command = tripline();
    let running = Running::start(command.arg("run").current_dir(directory.path()).env("SECRET", "x"));
    running.until_ready();
    (directory, running)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What a run writes.
fn output(directory: &TempDir, running: &Running, name: &str) -> Vec<String> {
    fs::write(directory.path().join(name), "content\n").unwrap();
    let mut lines = running.until(|line| line.starts_with("r: ") && !line.contains('('));
    lines.remove(0);
    lines
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_command_of_another_user_has_its_groups_its_home_and_nothing_of_roots() {
    if !is_root() {
        // Only root may become somebody else.
        return;
    }
    let run = "run = \"id -u; id -g; id -G; echo $HOME $USER $LOGNAME ${SECRET-none}; cat $TRIPLINE_PATHS_FILE | tr '\\\\0' '\\\\n'\"";
    let (directory, running) = start(&format!("user = \"nobody\"\n{run}"));
    let lines = output(&directory, &running, "a.x");
    let id = |flag| said("id", &[flag, "nobody"]);
    let home = said("sh", &["-c", "echo ~nobody"]);
    let path = directory.path().join("a.x").display().to_string();
    let expected =
        [id("-u"), id("-g"), id("-G"), format!("{home} nobody nobody none"), path, "r: ok".to_owned()];
    assert_eq!(lines, expected);
    running.stop();
}

#[test]
fn a_command_may_be_in_another_group_and_dies_with_tripline_all_the_same() {
    if !is_root() {
        return;
    }
    let (directory, running) = start("user = \"nobody\"\ngroup = \"daemon\"\nrun = [\"sleep\", \"1000\"]");
    fs::write(directory.path().join("a.x"), "").unwrap();
    let sleep = child(running.pid(), "sleep");
    let [user, group] = [said("id", &["-u", "nobody"]), said("getent", &["group", "daemon"])];
    let group = group.split(':').nth(2).unwrap();
    let four = |id: &str| [id; 4].join("\t");
    assert_eq!(eventually(|| Some(status(sleep.pid, "Uid")).filter(|uid| *uid != four("0"))), four(&user));
    assert_eq!(status(sleep.pid, "Gid"), four(group));
    assert_eq!(status(sleep.pid, "Groups"), format!("{group} {}", said("id", &["-G", "nobody"])));
    running.signal(Signal::KILL);
    eventually(|| (!lives(sleep.pid)).then_some(()));
}

#[test]
fn who_is_not_root_cannot_become_somebody_else_and_is_told_so() {
    let directory = tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
    let program = directory.path().join("tripline");
    fs::copy(env!("CARGO_BIN_EXE_tripline"), &program).unwrap();
    fs::write(
        directory.path().join("tripline.toml"),
        "[rules.r]\npaths = [\"*.x\"]\nuser = \"daemon\"\nrun = [\"true\"]\n",
    )
    .unwrap();
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=54321", "--regid=54321", "--clear-groups"]);
    }
    let running = Running::start(command.arg(program).arg("run").current_dir(directory.path()));
    running.until_ready();
    fs::write(directory.path().join("a.x"), "").unwrap();
    let lines = running.until(|line| line.contains("cannot run"));
    let refusal =
        "r: cannot run true: it cannot run as that user or group: Operation not permitted (os error 1)";
    assert_eq!(lines[1..], [refusal]);
    running.stop();
}

#[test]
fn a_command_has_the_limits_the_niceness_and_the_mask_of_its_rule() {
    let run = "run = \"ulimit -n; ulimit -t; ulimit -v; umask; nice\"";
    let (directory, running) = start(&format!(
        "limits = {{ nofile = 99, cpu = \"61s 500ms\", as = \"2G\" }}\numask = \"027\"\nnice = 7\n{run}"
    ));
    assert_eq!(output(&directory, &running, "a.x"), ["99", "62", "2097152", "0027", "7", "r: ok"]);
    running.stop();
}

#[test]
fn a_command_that_has_used_up_its_time_is_killed() {
    let (directory, running) = start("limits = { cpu = \"1s\" }\nrun = \"while :; do :; done\"");
    assert_eq!(output(&directory, &running, "a.x"), ["r: killed by SIGKILL"]);
    running.stop();
}

#[test]
fn a_command_runs_in_the_directory_of_its_path() {
    let (directory, running) = start("cwd = \"{dir}\"\nper = \"file\"\nrun = [\"pwd\"]");
    let below = directory.path().join("d");
    fs::create_dir(&below).unwrap();
    let here = directory.path().display().to_string();
    assert_eq!(output(&directory, &running, "a.x"), [here.clone(), "r: ok".to_owned()]);
    assert_eq!(output(&directory, &running, "d/$(a)"), [format!("{here}/d"), "r: ok".to_owned()]);
    running.stop();
}

#[test]
fn a_cleared_environment_has_what_is_documented_and_the_rules_own() {
    let (directory, running) = start(
        "env_clear = true\nenv = { OWN = \"1\" }\nrun = \"env | cut -d= -f1 | grep -v ^TRIPLINE_ | LC_ALL=C sort\"",
    );
    let lines = output(&directory, &running, "a.x");
    let known = [
        "HOME", "LANG", "LOGNAME", "OLDPWD", "OWN", "PATH", "PWD", "SHELL", "TERM", "TZ", "USER", "_",
        "r: ok",
    ];
    assert!(lines.iter().all(|line| known.contains(&line.as_str()) || line.starts_with("LC_")), "{lines:#?}");
    assert!(lines.contains(&"OWN".to_owned()) && lines.contains(&"PATH".to_owned()), "{lines:#?}");
    running.stop();
}

/// What is said of rules that are refused; nothing of rules that run.
fn refusal(rules: &Path) -> Option<String> {
    let mut command = tripline();
    let running = Running::start(command.args(["run", "-c"]).arg(rules));
    match running.next().unwrap() {
        Some(line) if line.starts_with("tripline: ready") => {
            running.stop();
            None
        }
        line => {
            let (lines, status) = running.end().unwrap();
            assert_eq!(status.code(), Some(1), "{lines:#?}");
            line
        }
    }
}

#[test]
fn root_runs_no_rules_that_others_can_change() {
    if !is_root() {
        return;
    }
    let directory = tempdir().unwrap();
    let (above, rules) = (directory.path().join("etc"), directory.path().join("etc/tripline.toml"));
    fs::create_dir(&above).unwrap();
    fs::write(&rules, "[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\n").unwrap();
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let owner = |path: &Path, owner| chown(path, Some(owner), None).unwrap();
    assert_eq!(refusal(&rules), None);
    let refused = |what: &Path, why: &str| {
        let line = refusal(&rules).unwrap_or_default();
        assert_eq!(line, format!("error: root does not run {}: {} {why}", rules.display(), what.display()));
    };
    mode(&rules, 0o646);
    refused(&rules, "may be written by everybody");
    mode(&rules, 0o644);
    owner(&rules, 54321);
    refused(&rules, "is not root's");
    owner(&rules, 0);
    mode(&above, 0o777);
    refused(&above, "may be written by everybody");
    mode(&above, 0o1777);
    assert_eq!(refusal(&rules), None);
    owner(&above, 54321);
    refused(&above, "is not root's");
    owner(&above, 0);
    mode(&above, 0o755);
    assert_eq!(refusal(&rules), None);
}
