//! Those who do random things to a tree, and to what its path leads through.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// The names of directories, few enough for constant collisions; files are a letter and one of these. One is
/// no text, one is as long as a name can be with that letter.
const NAMES: [&str; 5] = ["a", "b", "c\n\u{202e} d", "-e", LONG];
const LONG: &str = match std::str::from_utf8(&[b'x'; 254]) {
    Ok(name) => name,
    Err(_) => "",
};

/// xorshift64*: repeatable, and random enough to collide.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % limit
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.below(NAMES.len())]
    }
}

/// Where everything happens.
#[derive(Clone)]
pub(crate) struct Ground {
    /// What is watched.
    pub(crate) root: PathBuf,
    /// On the same file system, and not watched.
    pub(crate) outside: PathBuf,
    /// Whether the watcher may be denied to read a directory.
    pub(crate) denies: bool,
}

impl Ground {
    /// Something that was moved out, or nothing.
    fn one_outside(&self, random: &mut Random) -> io::Result<PathBuf> {
        let all: Vec<_> = fs::read_dir(&self.outside)?.flatten().map(|entry| entry.path()).collect();
        if all.is_empty() {
            Err(io::ErrorKind::NotFound.into())
        } else {
            Ok(all[random.below(all.len())].clone())
        }
    }

    fn new_outside(&self, random: &mut Random) -> PathBuf {
        self.outside.join(format!("{}{}", random.below(5), random.below(5)))
    }

    /// Ends what was denied.
    pub(crate) fn permit(&self) {
        let mut queue = vec![self.root.clone(), self.outside.clone()];
        while let Some(dir) = queue.pop() {
            let _ = allow(&dir, 0o755);
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            queue.extend(entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()));
        }
    }
}

fn allow(dir: &Path, mode: u32) -> io::Result<()> {
    if !dir.symlink_metadata()?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    fs::set_permissions(dir, Permissions::from_mode(mode))
}

/// Works in the tree.
pub(crate) struct Writer {
    random: Random,
    number: u64,
    ground: Ground,
    /// A file that is not written to its end.
    open: Option<File>,
}

impl Writer {
    pub(crate) const fn new(number: u64, random: Random, ground: Ground) -> Self {
        Self { random, number, ground, open: None }
    }

    fn file_in(&mut self, dir: &Path) -> PathBuf {
        dir.join(format!("f{}", self.random.name()))
    }

    /// A directory of the tree, up to four levels down.
    fn dir(&mut self) -> PathBuf {
        let mut dir = self.ground.root.clone();
        for _ in 0..self.random.below(4) {
            let below = dir.join(self.random.name());
            if !below.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                break;
            }
            dir = below;
        }
        dir
    }

    /// Something new that nobody else has.
    fn fresh(&self, step: usize) -> PathBuf {
        self.ground.outside.with_file_name(format!("fresh-{}-{step}", self.number))
    }

    /// One operation; others make many of them fail, which is as it should be.
    pub(crate) fn operate(&mut self, step: usize) -> io::Result<()> {
        let dir = self.dir();
        match self.random.below(100) {
            0..44 => self.make(&dir, step),
            44..84 => self.move_(&dir, step),
            _ => self.remove(&dir),
        }
    }

    fn make(&mut self, dir: &Path, step: usize) -> io::Result<()> {
        let (sub, file) = (dir.join(self.random.name()), self.file_in(dir));
        let text = format!("{}-{step}", self.number);
        match self.random.below(44) {
            0..18 => fs::create_dir(sub),
            18..24 => {
                let deep = sub.join(self.random.name()).join(self.random.name());
                let file = self.file_in(&deep);
                fs::create_dir_all(deep).and_then(|()| fs::write(file, text))
            }
            24..37 => fs::write(file, text),
            37..40 => {
                if let Some(mut open) = self.open.take() {
                    return open.write_all(b" to the end");
                }
                let mut open = File::create(file)?;
                open.write_all(text.as_bytes())?;
                self.open = Some(open);
                Ok(())
            }
            40..42 => self.link(dir, step),
            _ => symlink(self.random.name(), sub),
        }
    }

    /// Two names for one file. Nobody writes to it: that would be reported under the name it was written by.
    fn link(&mut self, dir: &Path, step: usize) -> io::Result<()> {
        let fresh = self.fresh(step);
        fs::write(&fresh, "linked")?;
        let names = [dir.join(format!("l{}", self.random.name())), self.dir().join("l")];
        let linked = names.map(|name| fs::hard_link(&fresh, name));
        fs::remove_file(fresh)?;
        linked.into_iter().collect()
    }

    fn move_(&mut self, dir: &Path, step: usize) -> io::Result<()> {
        let sub = dir.join(self.random.name());
        let (file, other) = (self.file_in(dir), self.dir());
        let exchange = |one: &Path, two: &Path| Ok(renameat_with(CWD, one, CWD, two, RenameFlags::EXCHANGE)?);
        match self.random.below(40) {
            0..4 => fs::rename(file, self.file_in(&other)),
            4..6 => {
                let fresh = self.fresh(step);
                fs::write(&fresh, format!("replaced {}-{step}", self.number))?;
                fs::rename(&fresh, file).or_else(|_| fs::remove_file(fresh))
            }
            6..18 => fs::rename(sub, other.join(self.random.name())),
            18..21 => exchange(&sub, &other.join(self.random.name())),
            21..22 => exchange(&file, &other.join(self.random.name())),
            22..24 => exchange(&sub, &self.ground.one_outside(&mut self.random)?),
            24..30 => fs::rename(sub, self.ground.new_outside(&mut self.random)),
            30..31 => fs::rename(file, self.ground.new_outside(&mut self.random)),
            31..38 => fs::rename(self.ground.one_outside(&mut self.random)?, sub),
            _ => {
                let fresh = self.fresh(step);
                symlink(self.random.name(), &fresh)?;
                fs::rename(&fresh, sub).or_else(|_| fs::remove_file(fresh))
            }
        }
    }

    fn remove(&mut self, dir: &Path) -> io::Result<()> {
        let sub = dir.join(self.random.name());
        match self.random.below(16) {
            0..4 => fs::remove_file(self.file_in(dir)),
            4..6 => fs::remove_dir(sub),
            6..9 => fs::remove_dir_all(sub),
            9..10 => fs::remove_file(sub),
            10..12 if self.ground.denies => allow(&sub, 0o000),
            12..14 if self.ground.denies => allow(&sub, 0o755),
            _ => {
                let old = self.ground.one_outside(&mut self.random)?;
                fs::remove_dir_all(old)
            }
        }
    }
}

/// Has the root come and go, and its path lead elsewhere. The root is `<base>/link/mid/root`, where `link` leads
/// to `<base>/one` or `<base>/two`.
pub(crate) struct Landlord {
    random: Random,
    ground: Ground,
    base: PathBuf,
}

impl Landlord {
    pub(crate) fn new(random: Random, ground: Ground) -> Self {
        let base = ground.root.ancestors().nth(3).unwrap_or(&ground.root).to_owned();
        Self { random, ground, base }
    }

    /// One operation; afterwards the root is there, unless another undoes it.
    pub(crate) fn operate(&mut self) -> io::Result<()> {
        let root = self.ground.root.clone();
        let mid = self.base.join("link/mid");
        let done = match self.random.below(6) {
            0 => fs::remove_dir_all(&root),
            1 => fs::rename(&root, self.ground.new_outside(&mut self.random)),
            2 => {
                let replacement = self.ground.one_outside(&mut self.random)?;
                fs::rename(&root, self.ground.new_outside(&mut self.random))?;
                fs::rename(replacement, &root)
            }
            3 => {
                let (next, link) = (self.base.join("next"), self.base.join("link"));
                let target = if fs::read_link(&link)?.ends_with("one") { "two" } else { "one" };
                symlink(target, &next)?;
                fs::rename(next, link)
            }
            4 => {
                let away = self.base.join("away");
                fs::rename(&mid, &away)?;
                if self.random.below(2) == 0 { fs::rename(away, mid) } else { fs::remove_dir_all(away) }
            }
            _ => fs::remove_dir_all(&mid),
        };
        // What came in its place may be no directory.
        let _ = fs::remove_file(&root);
        fs::create_dir_all(&root)?;
        done
    }
}
