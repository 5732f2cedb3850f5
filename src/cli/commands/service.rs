//! `tripline service`: a unit file for systemd, so that tripline runs from login on.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use super::systemd_unit::{MARK, Unit};
use crate::cli::args::{InstallArgs, ServiceCommand, UninstallArgs};
use crate::cli::quote::quoted;
use crate::cli::{Exit, fail, location, refuse, warn};
use crate::rules::{Loaded, config_home, load_profile};

pub(crate) fn service(command: &ServiceCommand) -> Exit {
    match command {
        ServiceCommand::Install(args) => install(args),
        ServiceCommand::Uninstall(args) => uninstall(args),
    }
}

fn install(args: &InstallArgs) -> Exit {
    let loaded = match load_profile(&location(args.config.as_ref()), args.profile.as_deref()) {
        Ok(loaded) => loaded,
        Err(diagnostics) => return refuse(&diagnostics),
    };
    warn(&loaded.rules.warnings);
    let text = match text(args, &loaded) {
        Ok(text) => text,
        Err(error) => return fail(error, Exit::System),
    };
    if args.print {
        return print(&text);
    }
    let Some(dir) = units() else { return fail(HOMELESS, Exit::Usage) };
    let path = dir.join(file_name(&args.name));
    let shown = quoted(path.as_os_str().as_bytes());
    match fs::read(&path) {
        Ok(there) if there != text.as_bytes() && !args.force => {
            let way_out = "`--force` writes it anew, and `--name` another beside it";
            return fail(
                format_args!("{shown} is there already, and says something else; {way_out}"),
                Exit::Usage,
            );
        }
        _ => {}
    }
    if let Err(error) = write(&path, &text) {
        return fail(format_args!("cannot write {shown}: {error}"), Exit::System);
    }
    let name = &args.name;
    print(&format!(
        "{text}\n{shown}: written. To have it run, now and from each login on:\n\n    \
         systemctl --user daemon-reload\n    systemctl --user enable --now {name}\n\n\
         To see what it does: journalctl --user -u {name} -f\n\
         To have it run without a login, too: loginctl enable-linger\n"
    ))
}

fn uninstall(args: &UninstallArgs) -> Exit {
    let Some(dir) = units() else { return fail(HOMELESS, Exit::Usage) };
    let name = &args.name;
    let path = dir.join(file_name(name));
    let shown = quoted(path.as_os_str().as_bytes());
    match fs::read(&path) {
        Ok(text) if text.starts_with(MARK.as_bytes()) || args.force => {}
        Ok(_) => {
            let message = format!("{shown} is not by `tripline service install`; `--force` removes it");
            return fail(message, Exit::Usage);
        }
        Err(error) => return fail(format_args!("cannot read {shown}: {error}"), Exit::Usage),
    }
    // What `systemctl --user enable` has made.
    let enabled = dir.join("default.target.wants").join(file_name(name));
    let removed = fs::remove_file(&path).and_then(|()| match fs::remove_file(enabled) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    });
    if let Err(error) = removed {
        return fail(format_args!("cannot remove {shown}: {error}"), Exit::System);
    }
    print(&format!(
        "{shown}: removed. To end what runs of it:\n\n    systemctl --user stop {name}\n    \
         systemctl --user daemon-reload\n"
    ))
}

const HOMELESS: &str = "where are this user's units? neither HOME nor XDG_CONFIG_HOME is set";

/// Where a user's own units are (systemd.unit(5)).
fn units() -> Option<PathBuf> {
    config_home(env::var_os("HOME").map(PathBuf::from)).map(|dir| dir.join("systemd/user"))
}

fn file_name(name: &str) -> String {
    format!("{name}.service")
}

fn text(args: &InstallArgs, loaded: &Loaded) -> io::Result<String> {
    let program = env::current_exe()?;
    let rules = absolute(match (&args.config, loaded.files.first()) {
        (Some(given), _) => given,
        (None, Some(found)) => found,
        (None, None) => Path::new("."),
    })?;
    let mut words = vec![&b"run"[..], b"-c", rules.as_os_str().as_bytes()];
    if let Some(profile) = &args.profile {
        words.extend([&b"--profile"[..], profile.as_bytes()]);
    }
    let path = env::var_os("PATH");
    let stops = loaded.rules.rules.iter().map(|rule| rule.stop_timeout);
    let unit = Unit {
        program: program.as_os_str().as_bytes(),
        args: &words,
        rules: &rules,
        path: path.as_ref().map(|path| path.as_bytes()),
        stop: stops.max().unwrap_or(Duration::ZERO),
    };
    Ok(unit.text())
}

/// Whoever reads it reads all of it, or what was there before.
fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    let new = path.with_extension("service.new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)
}

fn print(text: &str) -> Exit {
    let _ = io::stdout().write_all(text.as_bytes());
    Exit::Ok
}
