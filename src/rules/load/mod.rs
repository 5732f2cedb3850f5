//! Finding and reading rules files: the shell around the pure rest of this layer.

pub(super) mod diff;
pub(super) mod include;
pub(super) mod ownership;
pub(super) mod watched_files;

use crate::time::FileTime;
use std::ffi::{CString, OsStr};
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use xxhash_rust::xxh3::Xxh3;

use self::include::Reading;
use self::watched_files::Sources;
use super::Rules;
use super::compile::{Surroundings, compile};
use super::diagnostics::{Diagnostic, Diagnostics, SourceFile, quote};
use super::file_system::{FileSource, IgnoreFile, IgnoreFiles, RepositoryFiles, Stamp};
use super::glob::component::{Case, Name};
use super::ignore::git_config;
use super::keys::Raw;
use super::rule::process::Account;
use super::suggest;
use crate::event::Subject;

/// The name of a rules file.
const NAME: &str = "tripline.toml";

/// The largest file that is read, in bytes. A rules file is typed by hand; more is another kind of file.
const LARGEST: u64 = 1 << 20;

/// Where the rules are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In `tripline.toml`, in this directory or the nearest one above that has it.
    Search(PathBuf),
    /// In this file, or if it is a directory in every `*.toml` in it, in the order of their names.
    Path(PathBuf),
}

/// The rules file, or the directory of them, without symbolic links on the way; none if there is none.
#[must_use]
pub fn locate(location: &Location) -> Option<PathBuf> {
    let found = match location {
        Location::Path(path) => path.clone(),
        Location::Search(start) => search(start).ok()?.files.into_iter().next()?,
    };
    found.canonicalize().ok()
}

/// Rules and the files that they came from.
#[derive(Debug)]
pub struct Loaded {
    /// The rules of all files together.
    pub rules: Rules,
    /// The files, in the order in which they were read.
    pub files: Vec<PathBuf>,
}

/// What came of reading rules.
#[derive(Debug)]
pub struct Attempt {
    /// The rules, or every mistake in them.
    pub loaded: Result<Loaded, Diagnostics>,
    /// What was read, and what else was looked for.
    pub sources: Sources,
}

/// What came of reading rules once more.
#[derive(Debug)]
pub struct Reread {
    /// The same; none if what was read says what was known.
    pub loaded: Option<Result<Loaded, Diagnostics>>,
    /// What was read, and what else was looked for.
    pub sources: Sources,
}

/// Finds, reads and compiles rules.
///
/// # Errors
///
/// Every mistake in all the files, or why there is nothing to read.
pub fn load(location: &Location) -> Result<Loaded, Diagnostics> {
    load_profile(location, None)
}

/// The same with a profile chosen: what `[profile.NAME]` says overrules the rest of its files.
///
/// # Errors
///
/// The same, and that there is no such profile.
pub fn load_profile(location: &Location, profile: Option<&str>) -> Result<Loaded, Diagnostics> {
    attempt(location, profile).loaded
}

/// The same, along with where to look for what may be different the next time.
#[must_use]
pub fn attempt(location: &Location, profile: Option<&str>) -> Attempt {
    let (gathered, sources) = gather(location);
    Attempt { loaded: gathered.and_then(|gathered| gathered.compile(profile)), sources }
}

/// The same once more. What says the same as what is `known` is not compiled.
#[must_use]
pub fn reread(location: &Location, profile: Option<&str>, known: Option<&Sources>) -> Reread {
    let (gathered, sources) = gather(location);
    let is_new = known.is_none_or(|known| !sources.say_the_same(known));
    let loaded = is_new.then(|| gathered.and_then(|gathered| gathered.compile(profile)));
    Reread { loaded, sources }
}

/// What was read, before it is compiled.
struct Gathered {
    /// The files, and what overrules them.
    layers: Vec<Raw>,
    reading: Reading,
    directory: PathBuf,
}

fn gather(location: &Location) -> (Result<Gathered, Diagnostics>, Sources) {
    let mut reading = Reading::default();
    match find(location) {
        Ok(found) => {
            let layers = found.read(&mut reading);
            let sources = std::mem::take(&mut reading.sources);
            (Ok(Gathered { layers, reading, directory: found.directory }), sources)
        }
        Err(diagnostic) => {
            if let Location::Path(path) = location {
                reading.sources.file(path, None);
                reading.sources.all(path, any_toml());
            }
            (Err(only(&diagnostic)), reading.sources)
        }
    }
}

impl Gathered {
    /// Everything as one set of rules.
    fn compile(self, profile: Option<&str>) -> Result<Loaded, Diagnostics> {
        let Self { mut layers, mut reading, directory } = self;
        if let Some(name) = profile {
            reading.diagnostics.extend(unknown_profile(name, &layers));
            layers = layers.into_iter().map(|layer| layer.with_profile(name)).collect();
        }
        let raw = layers.into_iter().reduce(|below, above| above.over(below)).unwrap_or_default();
        let around = surroundings(directory);
        let files = reading.files;
        compile(&raw, reading.diagnostics, &around).map(|rules| Loaded { rules, files })
    }
}

fn unknown_profile(name: &str, layers: &[Raw]) -> Option<Diagnostic> {
    let known = layers.iter().flat_map(|layer| &layer.profiles).map(|(known, _)| known.value.as_str());
    let known: Vec<_> = known.collect();
    if known.contains(&name) {
        return None;
    }
    let help = match known.is_empty() {
        true => format!("a profile begins with [profile.{name}.settings], or .env, .rules, .templates"),
        false => suggest::instead_of(name, &known),
    };
    Some(Diagnostic::general(format!("no profile is called {}", quote(name))).help(help))
}

/// The surroundings of a rules file in `directory`, with the real file system.
#[must_use]
pub fn surroundings(directory: PathBuf) -> Surroundings {
    Surroundings { directory, home: home(), files: Arc::new(Disk) }
}

fn home() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| home.is_absolute())
}

/// Where a user with that home has configuration (XDG Base Directory Specification).
pub(crate) fn config_home(home: Option<PathBuf>) -> Option<PathBuf> {
    let given = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    given.or_else(|| Some(home?.join(".config")))
}

/// The files to read, and the directory that their root is relative to.
struct Found {
    files: Vec<PathBuf>,
    /// What overrules them, if it is there.
    local: Option<PathBuf>,
    /// Where every rules file counts.
    all_of: Option<PathBuf>,
    directory: PathBuf,
}

impl Found {
    /// The files and what overrules them.
    fn read(&self, reading: &mut Reading) -> Vec<Raw> {
        if let Some(dir) = &self.all_of {
            reading.sources.all(dir, any_toml());
        }
        let mut layers = vec![reading.read(self.files.clone())];
        if let Some(local) = &self.local {
            reading.sources.expect(local);
            layers.extend(local.is_file().then(|| reading.read(vec![local.clone()])));
        }
        layers
    }
}

fn find(location: &Location) -> Result<Found, Diagnostic> {
    match location {
        Location::Search(start) => search(start),
        Location::Path(path) if path.is_dir() => list(path),
        Location::Path(path) => {
            let directory = absolute(path)?.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf);
            Ok(Found { files: vec![path.clone()], local: local(path), all_of: None, directory })
        }
    }
}

/// The file beside `file` that overrules it: `tripline.local.toml` beside `tripline.toml`.
fn local(file: &Path) -> Option<PathBuf> {
    Some(file.with_extension("local.toml")).filter(|local| local != file)
}

fn search(start: &Path) -> Result<Found, Diagnostic> {
    let start = absolute(start)?;
    for directory in start.ancestors() {
        let file = directory.join(NAME);
        if file.is_file() {
            let (local, directory) = (local(&file), directory.to_path_buf());
            return Ok(Found { local, files: vec![file], all_of: None, directory });
        }
    }
    let message = format!("there is no {NAME} in {} or above it", start.display());
    Err(Diagnostic::general(message).help("`tripline init` writes a first one, and `-c FILE` names another"))
}

fn list(path: &Path) -> Result<Found, Diagnostic> {
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| unreadable(path, &error))?;
    let is_rules = |file: &PathBuf| file.extension().is_some_and(|ext| ext == "toml");
    let hidden = |file: &PathBuf| file.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."));
    let paths = entries.iter().map(fs::DirEntry::path);
    let mut files: Vec<_> = paths.filter(|file| is_rules(file) && !hidden(file)).collect();
    files.sort_unstable();
    if files.is_empty() {
        let message = format!("there is no *.toml in {}", path.display());
        return Err(Diagnostic::general(message).help("`-c` takes a rules file or a directory with some"));
    }
    Ok(Found { files, local: None, all_of: Some(path.to_path_buf()), directory: absolute(path)? })
}

/// Any `*.toml`.
fn any_toml() -> Option<Name> {
    Name::parse("*.toml", Case::Exact).ok()
}

pub(super) fn read(path: &Path) -> Result<SourceFile, Diagnostic> {
    let bytes = read_up_to(path, LARGEST + 1).map_err(|error| unreadable(path, &error))?;
    let name = path.display().to_string();
    if bytes.len() as u64 > LARGEST {
        let message = format!("{name} is larger than 1 MiB: that is no rules file");
        return Err(Diagnostic::general(message).help("name the right file with `-c FILE`"));
    }
    String::from_utf8(bytes).map(|text| SourceFile { name: name.clone(), text }).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
        Diagnostic::general(format!("{name}:{line}: not UTF-8, at byte {at}"))
            .help("a rules file is text; save it as UTF-8")
    })
}

fn read_up_to(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let found = Diagnostic::general(format!("cannot read {}: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::NotFound => found.help("`tripline init` writes a first tripline.toml"),
        _ => found,
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Diagnostic> {
    std::path::absolute(path).map_err(|error| unreadable(path, &error))
}

fn only(diagnostic: &Diagnostic) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    diagnostics.push(diagnostic.clone());
    diagnostics
}

/// The real file system.
#[derive(Debug)]
struct Disk;

impl FileSource for Disk {
    fn ignore_files(&self, dir: &Path) -> IgnoreFiles {
        let git = dir.join(".git");
        let repository = git.symlink_metadata().is_ok().then(|| repository(&git));
        let text = |name: &str| read_ignore_file(&dir.join(name));
        IgnoreFiles {
            triplineignore: text(".triplineignore"),
            ignore: text(".ignore"),
            gitignore: text(".gitignore"),
            repository,
        }
    }

    fn global_excludes(&self) -> IgnoreFile {
        let config = config_home(home()).map(|dir| dir.join("git"));
        let own = home().and_then(|home| configured(&home.join(".gitconfig")));
        let named = own.or_else(|| configured(&config.as_ref()?.join("config")));
        named.or_else(|| Some(config?.join("ignore"))).map(ignore_file).unwrap_or_default()
    }

    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        path.canonicalize().ok()
    }

    fn has_program(&self, name: &str, path: Option<&str>) -> bool {
        let own = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
        let path = path.map_or(own.as_os_str(), OsStr::new);
        std::env::split_paths(path).any(|dir| is_executable(&dir.join(name)))
    }

    fn size(&self, path: &Path) -> Option<u64> {
        path.symlink_metadata().ok().filter(fs::Metadata::is_file).map(|found| found.len())
    }

    fn exists(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }

    fn stamp(&self, path: &Path) -> Option<Stamp> {
        let found = path.symlink_metadata().ok().filter(fs::Metadata::is_file)?;
        let mtime = FileTime::new(found.mtime(), found.mtime_nsec());
        Some(Stamp { size: found.len(), mtime })
    }

    fn subject(&self, path: &Path) -> Subject {
        match path.symlink_metadata().map(|found| found.file_type()) {
            Ok(kind) if kind.is_file() => Subject::File,
            Ok(kind) if kind.is_dir() => Subject::Dir,
            Ok(kind) if kind.is_symlink() => Subject::Symlink,
            Ok(_) => Subject::Other,
            Err(_) => Subject::Gone,
        }
    }

    fn hash(&self, path: &Path, most: u64) -> Option<u128> {
        self.size(path).filter(|&size| size <= most)?;
        let mut hasher = Xxh3::new();
        // It may have grown since.
        let mut file = fs::File::open(path).ok()?.take(most + 1);
        let read = io::copy(&mut file, &mut hasher).ok()?;
        (read <= most).then(|| hasher.digest128())
    }

    fn account(&self, name: &str) -> Option<Account> {
        let by_number = || User::from_uid(Uid::from_raw(name.parse().ok()?)).ok()?;
        let user = User::from_name(name).ok().flatten().or_else(by_number)?;
        let groups = getgrouplist(&CString::new(user.name.as_bytes()).ok()?, user.gid).ok()?;
        let groups = groups.into_iter().map(Gid::as_raw).collect();
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        Some(Account { name: user.name, uid, gid, groups, home: user.dir, shell: user.shell })
    }

    fn group(&self, name: &str) -> Option<u32> {
        let by_number = || Group::from_gid(Gid::from_raw(name.parse().ok()?)).ok()?;
        Group::from_name(name).ok().flatten().or_else(by_number).map(|group| group.gid.as_raw())
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn repository(git: &Path) -> RepositoryFiles {
    let dir = common_dir(git);
    let excludes_file = configured(&dir.join("config")).map(ignore_file);
    RepositoryFiles { exclude: ignore_file(dir.join("info/exclude")), excludes_file }
}

/// What a configuration file of git names as `core.excludesFile`.
fn configured(config: &Path) -> Option<PathBuf> {
    let named = git_config::excludes_file(&read_ignore_file(config))?;
    match named.strip_prefix("~/") {
        Some(rest) => Some(home()?.join(rest)),
        None => Some(PathBuf::from(named)),
    }
}

fn ignore_file(path: PathBuf) -> IgnoreFile {
    IgnoreFile { text: read_ignore_file(&path), path }
}

/// A FIFO or device would block the watcher: only regular files are opened.
fn read_ignore_file(path: &Path) -> Vec<u8> {
    if !path.is_file() {
        return Vec::new();
    }
    read_up_to(path, LARGEST).unwrap_or_default()
}

/// The repository that `.git` stands for: itself, or where its text and `commondir` point, as in a
/// linked work tree or a submodule (gitrepository-layout(5)).
fn common_dir(git: &Path) -> PathBuf {
    let text = read_ignore_file(git);
    let Some(target) = text.strip_prefix(b"gitdir: ") else { return git.to_path_buf() };
    let base = git.parent().unwrap_or(git);
    let dir = base.join(crate::event::as_path(target.trim_ascii_end()));
    match read_ignore_file(&dir.join("commondir")).trim_ascii_end() {
        b"" => dir,
        common => dir.join(crate::event::as_path(common)),
    }
}
