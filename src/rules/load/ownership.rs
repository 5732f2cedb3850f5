//! Whether others could change a rules file: what root runs must be root's alone, as for cron(8) and sudo(8).

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::rules::diagnostics::{Diagnostic, Diagnostics};

/// What is known of a name.
#[derive(Clone, Debug)]
struct Found {
    owner: u32,
    group: u32,
    mode: u32,
    /// Where it leads, if it is a symbolic link.
    link: Option<PathBuf>,
}

/// As many links as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

const OTHERS_WRITE: u32 = 0o002;
const GROUP_WRITES: u32 = 0o020;
const STICKY: u32 = 0o1000;

/// If this process is root's: which of the files, or of the directories on the way to them, others could change.
///
/// # Errors
/// The first of them, and how to take it from them.
pub fn refuse_untrusted(files: &[PathBuf]) -> Result<(), Diagnostics> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    for file in files {
        let Ok(file) = std::path::absolute(file) else { continue };
        if let Some((place, reason, help)) = weakness(&file, look) {
            let mut found = Diagnostics::default();
            let message = format!("root does not run {}: {} {reason}", file.display(), place.display());
            found.push(Diagnostic::general(message).help(help));
            return Err(found);
        }
    }
    Ok(())
}

fn look(path: &Path) -> io::Result<Found> {
    let found: Metadata = path.symlink_metadata()?;
    let link = if found.is_symlink() { Some(path.read_link()?) } else { None };
    Ok(Found { owner: found.uid(), group: found.gid(), mode: found.mode(), link })
}

/// The first name on the way to `path` that somebody else could change or replace, and why. What does not exist
/// is not there to be read, either.
fn weakness(
    path: &Path,
    look: impl Fn(&Path) -> io::Result<Found>,
) -> Option<(PathBuf, &'static str, String)> {
    let mut at = PathBuf::from("/");
    let mut ahead: VecDeque<OsString> = names(path);
    let mut links = 0;
    ahead.push_front(OsString::new());
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        at.push(&name);
        let Ok(found) = look(&at) else { return None };
        if let Some((reason, help)) = fault(&found, &at) {
            return Some((at, reason, help));
        }
        if let Some(target) = found.link {
            links += 1;
            if links > MOST_LINKS {
                return None;
            }
            at.pop();
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            for name in names(&target).into_iter().rev() {
                ahead.push_front(name);
            }
        }
    }
    None
}

fn names(path: &Path) -> VecDeque<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    };
    path.components().filter_map(name).collect()
}

/// The mode of a link means nothing. In a sticky directory, what is ours can be neither removed nor replaced.
fn fault(found: &Found, at: &Path) -> Option<(&'static str, String)> {
    let shown = at.display();
    if found.owner != 0 {
        return Some(("is not root's", format!("chown root {shown}, or run tripline as its owner")));
    }
    if found.link.is_some() || found.mode & STICKY != 0 {
        return None;
    }
    if found.mode & OTHERS_WRITE != 0 {
        return Some(("may be written by everybody", format!("chmod o-w {shown}")));
    }
    if found.mode & GROUP_WRITES != 0 && found.group != 0 {
        return Some(("may be written by its group", format!("chmod g-w {shown}")));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    type World = HashMap<&'static str, (u32, u32, u32, Option<&'static str>)>;

    /// Directories of root's, and a file in them, but for these.
    fn weak(
        path: &str,
        but: &[(&'static str, u32, u32, u32, Option<&'static str>)],
    ) -> Option<(String, &'static str)> {
        let but: World =
            but.iter().map(|&(path, owner, group, mode, link)| (path, (owner, group, mode, link))).collect();
        let look = |path: &Path| {
            let known = but.get(path.to_str().unwrap()).copied();
            let (owner, group, mode, link) = known.unwrap_or((0, 0, 0o755, None));
            Ok(Found { owner, group, mode, link: link.map(PathBuf::from) })
        };
        weakness(Path::new(path), look).map(|(at, reason, _)| (at.display().to_string(), reason))
    }

    #[test]
    fn what_is_roots_all_the_way_is_trusted() {
        assert_eq!(weak("/etc/tripline/a.toml", &[]), None);
        assert_eq!(weak("/etc/a.toml", &[("/etc/a.toml", 0, 0, 0o664, None)]), None, "the group is root's");
    }

    #[test]
    fn another_owner_or_writer_anywhere_on_the_way_is_found() {
        let found = |at: &str, reason| Some((at.to_owned(), reason));
        for (but, expected) in [
            (("/a/b/c", 7, 0, 0o644, None), found("/a/b/c", "is not root's")),
            (("/a/b", 7, 0, 0o755, None), found("/a/b", "is not root's")),
            (("/a", 0, 7, 0o775, None), found("/a", "may be written by its group")),
            (("/a/b/c", 0, 0, 0o646, None), found("/a/b/c", "may be written by everybody")),
            (("/", 0, 0, 0o777, None), found("/", "may be written by everybody")),
        ] {
            assert_eq!(weak("/a/b/c", &[but]), expected, "{but:?}");
        }
    }

    #[test]
    fn a_sticky_directory_is_fine_as_long_as_what_is_in_it_is_roots() {
        let tmp = ("/tmp", 0, 0, 0o1777, None);
        assert_eq!(weak("/tmp/x/a.toml", &[tmp]), None);
        assert!(weak("/tmp/x/a.toml", &[tmp, ("/tmp/x", 7, 7, 0o755, None)]).is_some());
        assert!(weak("/tmp/x/a.toml", &[("/tmp", 7, 0, 0o1777, None)]).is_some());
    }

    #[test]
    fn links_are_followed_as_the_kernel_does() {
        let link = ("/a/l", 0, 0, 0o777, Some("../b/c"));
        assert_eq!(weak("/a/l", &[link]), None);
        let weak_target = weak("/a/l", &[link, ("/b/c", 7, 0, 0o644, None)]);
        assert_eq!(weak_target, Some(("/b/c".to_owned(), "is not root's")));
        assert!(weak("/a/l", &[link, ("/b", 0, 7, 0o775, None)]).is_some());
        assert!(weak("/a/l", &[("/a/l", 7, 0, 0o777, Some("/b"))]).is_some());
        assert_eq!(
            weak("/a/l", &[("/a/l", 0, 0, 0o777, Some("/a/l"))]),
            None,
            "the kernel would not read it"
        );
    }
}
