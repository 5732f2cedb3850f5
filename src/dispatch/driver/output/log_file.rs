//! A file of what commands write, which does not grow without end.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use crate::rules::Log;

/// The file, opened when the first bytes come.
#[derive(Debug)]
pub(crate) struct LogFile {
    log: Log,
    open: Option<(File, u64)>,
    /// Whether it could not be written: that is said once.
    failed: bool,
}

impl LogFile {
    pub(crate) const fn new(log: Log) -> Self {
        Self { log, open: None, failed: false }
    }

    /// Goes on under other limits, as other rules may set them.
    pub(crate) fn limit(&mut self, log: &Log) {
        self.log.clone_from(log);
    }

    /// Adds bytes. What the disk does not take is left out.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        match self.write(bytes) {
            Ok(()) => self.failed = false,
            Err(error) => {
                self.open = None;
                if !std::mem::replace(&mut self.failed, true) {
                    tracing::warn!("cannot write to {}: {error}", self.log.file.display());
                }
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let more = bytes.len() as u64;
        let (mut file, mut size) = match self.open.take() {
            Some(open) => open,
            None => self.open()?,
        };
        if size > 0 && size + more > self.log.max_size {
            self.rotate()?;
            (file, size) = self.open()?;
        }
        file.write_all(bytes)?;
        self.open = Some((file, size + more));
        Ok(())
    }

    fn open(&self) -> io::Result<(File, u64)> {
        if let Some(dir) = self.log.file.parent() {
            fs::create_dir_all(dir)?;
        }
        let file = File::options().append(true).create(true).open(&self.log.file)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    }

    /// Gives each file the name of the one before it; the last is overwritten.
    fn rotate(&self) -> io::Result<()> {
        for number in (1..=self.log.keep).rev() {
            match fs::rename(self.name(number - 1), self.name(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn name(&self, number: usize) -> PathBuf {
        if number == 0 {
            return self.log.file.clone();
        }
        let mut name = OsString::from(&self.log.file);
        name.push(format!(".{number}"));
        name.into()
    }
}
