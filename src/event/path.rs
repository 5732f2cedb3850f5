//! Absolute paths as bytes. These functions work on the text alone and never ask the file system.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Returns the components of a path, without empty ones.
pub(crate) fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|part| !part.is_empty())
}

/// Returns the part of `path` below `dir`: empty if they are equal, `None` if `path` is not below `dir`.
pub(crate) fn below<'a>(dir: &[u8], path: &'a [u8]) -> Option<&'a [u8]> {
    let rest = path.strip_prefix(dir.strip_suffix(b"/").unwrap_or(dir))?;
    match rest.split_first() {
        None => Some(rest),
        Some((b'/', rest)) => Some(rest),
        Some(_) => None,
    }
}

/// Returns whether `path` is `dir` or lies below it, by their bytes.
#[must_use]
pub fn is_below(path: &[u8], dir: &[u8]) -> bool {
    below(dir, path).is_some()
}

/// Returns the bytes as a path. On Linux, every byte string without NUL is a path.
#[must_use]
pub fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// Last components are short, so a search byte by byte costs less than `memrchr`, which goes word by word.
fn last_slash(path: &[u8]) -> Option<usize> {
    path.iter().rposition(|&byte| byte == b'/')
}

/// Returns the directory that holds `path`, or `None` for `/` and for a path without a slash.
pub(crate) fn parent(path: &[u8]) -> Option<&[u8]> {
    match last_slash(path)? {
        0 if path.len() > 1 => Some(b"/"),
        0 => None,
        slash => Some(&path[..slash]),
    }
}

/// Returns the last component of `path`.
pub(crate) fn name(path: &[u8]) -> &[u8] {
    last_slash(path).map_or(path, |slash| &path[slash + 1..])
}

/// Returns the absolute path that consists of these components.
pub(crate) fn join<T: AsRef<[u8]>>(components: &[T]) -> Vec<u8> {
    let mut out = Vec::new();
    for component in components {
        out.push(b'/');
        out.extend_from_slice(component.as_ref());
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}

/// Returns the lengths of `path` and of its parents, longest first, down to those of more than `floor` bytes.
///
/// For `/a/b/c` with a floor of 2 (`/a`) these are 6 and 4.
pub(crate) fn prefixes_above(path: &[u8], floor: usize) -> impl Iterator<Item = usize> {
    let mut end = path.len();
    std::iter::from_fn(move || {
        if end <= floor.max(1) {
            return None;
        }
        let this = end;
        end = last_slash(&path[..end]).unwrap_or(0);
        Some(this)
    })
}

/// Returns `text` as an absolute path. `~/` stands for `home`, any other relative path starts at `base`, and `.` and
/// `..` are resolved by their text.
///
/// Returns `None` if the path climbs above `/`, or if it needs a home directory and there is none.
pub(crate) fn resolve(base: &[u8], home: Option<&[u8]>, text: &[u8]) -> Option<Vec<u8>> {
    let (start, rest) = match text {
        [b'/', ..] => (&b"/"[..], text),
        b"~" => (home?, &b""[..]),
        [b'~', b'/', rest @ ..] => (home?, rest),
        _ => (base, text),
    };
    let mut out: Vec<&[u8]> = components(start).collect();
    for component in components(rest) {
        match component {
            b"." => {}
            b".." => drop(out.pop()?),
            name => out.push(name),
        }
    }
    Some(join(&out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_respects_component_borders() {
        assert_eq!(below(b"/a", b"/a/b"), Some(&b"b"[..]));
        assert_eq!(below(b"/a", b"/a"), Some(&b""[..]));
        assert_eq!(below(b"/a", b"/ab"), None);
        assert_eq!(below(b"/", b"/a"), Some(&b"a"[..]));
        assert_eq!(below(b"/", b"/"), Some(&b""[..]));
    }

    #[test]
    fn parents_end_at_the_top() {
        assert_eq!(parent(b"/a/b"), Some(&b"/a"[..]));
        assert_eq!(parent(b"/a"), Some(&b"/"[..]));
        assert_eq!(parent(b"/"), None);
        assert_eq!(parent(b"a"), None);
        assert_eq!(parent(b""), None);
    }

    #[test]
    fn prefixes_stop_at_the_floor() {
        let ends = |path: &[u8], floor| prefixes_above(path, floor).collect::<Vec<_>>();
        assert_eq!(ends(b"/a/b/c", 2), [6, 4]);
        assert_eq!(ends(b"/a/b/c", 0), [6, 4, 2]);
        assert!(ends(b"/a", 2).is_empty());
        assert!(ends(b"/", 0).is_empty());
        assert!(ends(b"", 0).is_empty());
    }

    #[test]
    fn resolving_knows_home_dots_and_the_top() {
        let at = |text: &[u8]| resolve(b"/w", Some(b"/home/u"), text);
        assert_eq!(at(b"a//./b/").as_deref(), Some(&b"/w/a/b"[..]));
        assert_eq!(at(b"../x").as_deref(), Some(&b"/x"[..]));
        assert_eq!(at(b"../../x"), None);
        assert_eq!(at(b"~/x").as_deref(), Some(&b"/home/u/x"[..]));
        assert_eq!(at(b"~x").as_deref(), Some(&b"/w/~x"[..]));
        assert_eq!(at(b".").as_deref(), Some(&b"/w"[..]));
        assert_eq!(at(b"..").as_deref(), Some(&b"/"[..]));
        assert_eq!(resolve(b"/w", None, b"~/x"), None);
    }
}
