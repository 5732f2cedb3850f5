//! What a job's process gets: tripline's environment under the job's variables, and the program's path.
//! Pure but for the question whether a file can be executed.

use std::borrow::Cow;
use std::ffi::{CStr, CString, NulError, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::dispatch::{Job, Variable, is_inherited, is_kept};
use crate::event::as_path;
use crate::rules::{Account, Setup};

/// Where programs are looked for without a `PATH`, as execvp(3) does.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// The variables every command inherits, made once for all of them.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    inherited: Vec<Inherited>,
}

/// A variable as a process gets it.
#[derive(Clone, Debug)]
struct Inherited {
    /// `NAME=VALUE`.
    text: CString,
    /// How many bytes of it are the name.
    name: usize,
}

impl Inherited {
    fn name(&self) -> &[u8] {
        &self.text.as_bytes()[..self.name]
    }

    fn value(&self) -> &[u8] {
        &self.text.as_bytes()[self.name + 1..]
    }
}

impl Environment {
    /// Of a process's variables, those that are passed on, and its id.
    pub(crate) fn new(variables: impl Iterator<Item = (OsString, OsString)>, pid: u32) -> Self {
        let bytes = variables.map(|(name, value)| (name.into_vec(), value.into_vec()));
        let pid = (b"TRIPLINE_PID".to_vec(), pid.to_string().into_bytes());
        let passed_on = bytes.filter(|(name, _)| is_inherited(name)).chain([pid]);
        // A process has been given its own as C strings, too.
        let inherited = passed_on.filter_map(|(name, value)| {
            Some(Inherited { text: joined(&name, &value).ok()?, name: name.len() })
        });
        Self { inherited: inherited.collect() }
    }

    /// As `NAME=VALUE` strings.
    pub(crate) fn strings(&self) -> Vec<Cow<'_, CStr>> {
        self.inherited.iter().map(|variable| variable.text.as_c_str().into()).collect()
    }

    /// A job's whole environment: `more` and its own variables win over inherited ones, and those over the ones
    /// that say which user it runs as.
    ///
    /// # Errors
    /// A NUL byte in a variable of the job.
    pub(crate) fn of(
        &self,
        job: &Job,
        setup: &Setup,
        more: &[Variable],
    ) -> Result<Vec<Cow<'_, CStr>>, NulError> {
        let set = |name: &[u8]| job.env.iter().any(|(own, _)| own == name);
        let mut user = setup.account.as_ref().map(of_account).unwrap_or_default();
        user.retain(|(name, _)| !set(name));
        let own = || user.iter().chain(&job.env).chain(more);
        let passed = |name: &[u8]| {
            (!setup.clears_env() || is_kept(name)) && !own().any(|(own, _)| own.as_slice() == name)
        };
        let inherited = self.inherited.iter().filter(|variable| passed(variable.name()));
        let inherited = inherited.map(|variable| Ok(variable.text.as_c_str().into()));
        inherited.chain(own().map(|(name, value)| joined(name, value).map(Cow::Owned))).collect()
    }

    /// The file to execute for a job's program: itself if it has a slash, else the first in the job's
    /// `PATH` that `is_executable` takes. Relative directories are relative to the job's.
    pub(crate) fn program(&self, job: &Job, is_executable: impl Fn(&Path) -> bool) -> Option<PathBuf> {
        let name = job.argv.first()?;
        if name.contains(&b'/') {
            return Some(as_path(name).to_path_buf());
        }
        let own = job.env.iter().rfind(|(name, _)| name == b"PATH").map(|(_, value)| value.as_slice());
        let inherited = || self.inherited.iter().find(|variable| variable.name() == b"PATH");
        let path = own.or_else(|| inherited().map(Inherited::value)).unwrap_or(DEFAULT_PATH);
        let candidates = path.split(|&b| b == b':').map(|dir| job.cwd.join(as_path(dir)).join(as_path(name)));
        candidates.into_iter().find(|candidate| is_executable(candidate))
    }
}

fn of_account(account: &Account) -> Vec<Variable> {
    let (home, shell) = (account.home.as_os_str().as_bytes(), account.shell.as_os_str().as_bytes());
    let name = account.name.as_bytes();
    let variable = |(name, value): (&str, &[u8])| (name.as_bytes().to_vec(), value.to_vec());
    [("HOME", home), ("USER", name), ("LOGNAME", name), ("SHELL", shell)].map(variable).to_vec()
}

fn joined(name: &[u8], value: &[u8]) -> Result<CString, NulError> {
    CString::new([name, b"=", value].concat())
}

/// Says what is missing where execve(2) only says that something is.
pub(crate) fn explain(error: &std::io::Error, program: &Path, cwd: &Path) -> String {
    if error.kind() != std::io::ErrorKind::NotFound {
        return error.to_string();
    }
    if !cwd.is_dir() {
        return format!("its working directory {} is not there", cwd.display());
    }
    if cwd.join(program).is_file() {
        return format!("the interpreter that {} names is not there", program.display());
    }
    "No such file or directory".to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dispatch::{Part, RunId, StdinSource};
    use crate::rules::tests::rules;

    fn job(program: &str, env: &[(&str, &str)]) -> Job {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let rules = rules("[rules.r]\npaths = [\"a\"]\nrun = [\"x\"]");
        Job {
            run: RunId(1),
            rule: Arc::clone(&rules.rules[0]),
            part: Part::Step(0),
            recorded: false,
            argv: vec![bytes(program)],
            env: env.iter().map(|(name, value)| (bytes(name), bytes(value))).collect(),
            cwd: "/work".into(),
            stdin: StdinSource::Null,
            paths: Vec::new(),
        }
    }

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())), 7)
    }

    #[test]
    fn the_jobs_variables_win_and_each_name_comes_once() {
        let inherited = environment(&[("A", "1"), ("B", "2"), ("NOTIFY_SOCKET", "/s")]);
        let (job, more) = (job("x", &[("B", "3")]), [(b"C".to_vec(), b"4".to_vec())]);
        let all = inherited.of(&job, &Setup::default(), &more).unwrap();
        assert_eq!(all, [c"A=1", c"TRIPLINE_PID=7", c"B=3", c"C=4"]);
        assert!(matches!(all[..2], [Cow::Borrowed(_), Cow::Borrowed(_)]), "they are made once");
    }

    #[test]
    fn another_user_gets_a_home_of_its_own_and_no_secrets() {
        let inherited = environment(&[("PATH", "/bin"), ("SECRET", "x"), ("HOME", "/root"), ("LANG", "C")]);
        let (name, home, shell) = ("www".to_owned(), "/srv".into(), "/bin/sh".into());
        let account = Some(Account { name, uid: 33, gid: 33, groups: vec![33], home, shell });
        let (job, setup) = (job("x", &[("HOME", "/x")]), Setup { account, ..Setup::default() });
        let all = inherited.of(&job, &setup, &[]).unwrap();
        let all: Vec<_> = all.iter().map(|variable| variable.to_str().unwrap()).collect();
        let known =
            ["PATH=/bin", "LANG=C", "TRIPLINE_PID=7", "USER=www", "LOGNAME=www", "SHELL=/bin/sh", "HOME=/x"];
        assert_eq!(all, known);
    }

    #[test]
    fn no_process_can_be_given_a_nul() {
        let inherited = environment(&[("A", "1")]);
        assert!(inherited.of(&job("x", &[("B", "2\0C=3")]), &Setup::default(), &[]).is_err());
    }

    #[test]
    fn a_program_is_found_as_a_shell_would_in_the_jobs_path() {
        let inherited = environment(&[("PATH", "/bin:bin:/opt")]);
        let at = |program, env: &[_], there: &str| {
            inherited.program(&job(program, env), |path| path == Path::new(there))
        };
        assert_eq!(at("make", &[], "/opt/make"), Some("/opt/make".into()));
        assert_eq!(at("make", &[], "/work/bin/make"), Some("/work/bin/make".into()));
        assert_eq!(at("make", &[("PATH", "/usr/bin")], "/opt/make"), None);
        assert_eq!(at("./make", &[], "nowhere"), Some("./make".into()));
    }
}
