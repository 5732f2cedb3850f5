//! A fresh directory with a root `w` in it, and what a script does there.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, linkat, open, renameat_with};
use tempfile::TempDir;
use tripline::event::as_path;

use super::verb::{FileOp, Name, Verb};

/// A directory for temporary ones, in memory where there is one: for what would take long on a disk.
pub(crate) fn in_memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// The directory, and the files that the script holds open in it.
pub(crate) struct Place {
    directory: TempDir,
    open: HashMap<Name, File>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("w")).unwrap();
        fs::write(directory.path().join("target"), "content\n").unwrap();
        Self { directory, open: HashMap::new() }
    }

    /// Where a name of the script is: in the root, or outside if it starts with `/`.
    pub(crate) fn path(&self, name: &[u8]) -> PathBuf {
        match name.strip_prefix(b"/") {
            Some(name) => self.directory.path().join(as_path(name)),
            None => self.directory.path().join("w").join(as_path(name)),
        }
    }

    /// A line of output in the script's names, without blanks around it, as the script writes it.
    pub(crate) fn shown(&self, line: &str) -> String {
        line.trim().replace(&self.directory.path().display().to_string(), "")
    }

    /// Does what a verb says.
    pub(crate) fn act(&mut self, verb: &Verb) -> Result<(), String> {
        match verb {
            Verb::File(op, name) => self.file(*op, name).map_err(|error| error.to_string()),
            Verb::Rename(from, to) => {
                fs::rename(self.path(from), self.path(to)).map_err(|error| error.to_string())
            }
            Verb::Exchange(one, other) => {
                let (one, other) = (self.path(one), self.path(other));
                renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(|error| error.to_string())
            }
            Verb::Sh(line) => self.shell(line),
            _ => Err("real processes and the real kernel do this by themselves".to_owned()),
        }
    }

    fn file(&mut self, op: FileOp, name: &Name) -> io::Result<()> {
        let path = self.path(name);
        match op {
            FileOp::Write => self.opened(name, true)?.write_all(b"content\n"),
            FileOp::Create => {
                let file = self.opened(name, true)?;
                self.open.insert(name.clone(), file);
                Ok(())
            }
            FileOp::Modify => {
                // Opening it twice would close it once.
                let mut file = match self.open.remove(name) {
                    Some(file) => file,
                    None => self.opened(name, false)?,
                };
                file.write_all(b"more\n")?;
                self.open.insert(name.clone(), file);
                Ok(())
            }
            FileOp::Close => self.open.remove(name).map(drop).ok_or(io::ErrorKind::NotFound.into()),
            FileOp::Mkdir => fs::create_dir(path),
            FileOp::Rm => fs::remove_file(path),
            FileOp::Rmdir => fs::remove_dir(path),
            FileOp::Link => fs::hard_link(self.path(b"/target"), path),
            FileOp::Symlink => symlink(self.path(b"/target"), path),
            FileOp::Tmpfile => {
                let dir = path.parent().unwrap_or(&path);
                let file = open(dir, OFlags::TMPFILE | OFlags::WRONLY, Mode::from_raw_mode(0o644))?;
                File::from(file.try_clone()?).write_all(b"content\n")?;
                let link = format!("/proc/self/fd/{}", file.as_raw_fd());
                Ok(linkat(CWD, link, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
            }
            FileOp::Attrib => fs::set_permissions(path, Permissions::from_mode(0o600)),
            FileOp::Touch => {
                let file = self.opened(name, false)?;
                file.set_modified(std::time::SystemTime::now())
            }
            FileOp::Read => fs::read(path).map(drop),
            FileOp::Unseen => Err(io::Error::other("the real kernel is not told when to drop events")),
        }
    }

    fn opened(&self, name: &[u8], create: bool) -> io::Result<File> {
        OpenOptions::new().append(true).create(create).open(self.path(name))
    }

    fn shell(&self, line: &str) -> Result<(), String> {
        let mut command = Command::new("sh");
        command.args(["-euc", line]).current_dir(self.path(b".")).stdin(Stdio::null());
        // git is to have no settings but these.
        command.env("HOME", "/nonexistent").env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "nobody").env(format!("GIT_{who}_EMAIL"), "nobody");
        }
        let output = command.output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("`{line}` ended with {}\n{said}", output.status))
    }
}
