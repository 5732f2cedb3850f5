//! One command line and exactly what comes of it: what is not said is expected to be empty, and success.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use super::running::tripline;

/// A command line in a directory of its own, which output shows as `/w`.
pub(crate) struct Test {
    directory: TempDir,
    args: Vec<OsString>,
    status: i32,
    stdout: Said,
    stderr: Said,
}

enum Said {
    Exactly(String),
    All(Vec<String>),
}

impl Said {
    fn check(&self, text: &str) -> Result<(), String> {
        match self {
            Self::Exactly(expected) if expected == text => Ok(()),
            Self::Exactly(expected) => Err(format!("expected:\n{expected}\nbut there is:\n{text}")),
            Self::All(parts) => match parts.iter().find(|part| !text.contains(part.as_str())) {
                Some(missing) => Err(format!("no `{missing}` in:\n{text}")),
                None => Ok(()),
            },
        }
    }
}

impl Test {
    pub(crate) fn new<const N: usize>(args: [&str; N]) -> Self {
        let nothing = || Said::Exactly(String::new());
        let args = args.map(OsString::from).into();
        Self { directory: tempdir().unwrap(), args, status: 0, stdout: nothing(), stderr: nothing() }
    }

    /// Where it runs.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap()
    }

    /// One more argument.
    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// A file that is there.
    pub(crate) fn file(self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Self {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub(crate) fn status(mut self, code: i32) -> Self {
        self.status = code;
        self
    }

    pub(crate) fn stdout(mut self, text: &str) -> Self {
        self.stdout = Said::Exactly(text.to_owned());
        self
    }

    pub(crate) fn stderr(mut self, text: &str) -> Self {
        self.stderr = Said::Exactly(text.to_owned());
        self
    }

    /// Only parts of it.
    pub(crate) fn stdout_has<const N: usize>(mut self, parts: [&str; N]) -> Self {
        self.stdout = Said::All(parts.map(str::to_owned).into());
        self
    }

    /// Only parts of it.
    pub(crate) fn stderr_has<const N: usize>(mut self, parts: [&str; N]) -> Self {
        self.stderr = Said::All(parts.map(str::to_owned).into());
        self
    }

    /// Runs it, and panics unless all is as expected.
    pub(crate) fn run(self) {
        let root = self.root();
        let output = tripline().args(&self.args).current_dir(&root).output().unwrap();
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&root.display().to_string(), "/w");
        let (stdout, stderr) = (shown(&output.stdout), shown(&output.stderr));
        assert_eq!(output.status.code(), Some(self.status), "{:?}\n{stdout}{stderr}", self.args);
        let found = self.stdout.check(&stdout).map_err(|error| format!("stdout: {error}"));
        let found = found.and(self.stderr.check(&stderr).map_err(|error| format!("stderr: {error}")));
        found.unwrap_or_else(|error| panic!("{:?}: {error}", self.args));
    }
}
