//! Where the history of a rules file is.

use std::env;
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::cli::commands::client::key;

/// The file that is the history of a rules file, whose path has no symbolic links: in systemd's `STATE_DIRECTORY`
/// (systemd.exec(5)), or where this user's programs keep their state (XDG Base Directory Specification).
///
/// # Errors
/// There is no such place.
pub(super) fn of(rules: &Path) -> Result<PathBuf, String> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    // There may be several, with colons between them.
    let given = env::var("STATE_DIRECTORY").ok();
    let given = given.and_then(|dirs| dirs.split(':').next().map(PathBuf::from));
    let home = || env::home_dir().filter(|dir| dir.is_dir()).map(|dir| dir.join(".local/state"));
    let dir = given.filter(|dir| dir.is_absolute());
    let dir = dir.or_else(|| Some(absolute("XDG_STATE_HOME").or_else(home)?.join("tripline")));
    let dir = dir.ok_or("there is no home directory; XDG_STATE_HOME can name another place")?;
    Ok(dir.join(format!("{}.db", key(rules))))
}

/// Makes the file, if it is not there, and its directory, for nobody else to read.
///
/// # Errors
/// They cannot be made.
pub(super) fn prepare(file: &Path) -> io::Result<()> {
    if let Some(dir) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options.open(file).map(drop)
}

/// What a damaged file is called from then on.
pub(super) fn aside(file: &Path) -> PathBuf {
    file.with_extension("damaged")
}
