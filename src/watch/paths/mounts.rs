//! Which mounts concern the roots (proc_pid_mountinfo(5)). Pure.

use std::collections::BTreeSet;

use crate::event::is_below;

/// Mounts by their number and the path they are mounted on. A mount in place of another has another number.
pub(crate) type Mounts = BTreeSet<(Vec<u8>, Vec<u8>)>;

/// The mounts below one of these paths, and those that the paths lead through.
pub(crate) fn concerning(mountinfo: &[u8], paths: &[Vec<u8>]) -> Mounts {
    let concerns = |point: &[u8]| paths.iter().any(|path| is_below(point, path) || is_below(path, point));
    mountinfo.split(|&byte| byte == b'\n').filter_map(mount).filter(|(_, point)| concerns(point)).collect()
}

/// The type of the file system that a path without symbolic links lies on.
#[must_use]
pub fn file_system(mountinfo: &[u8], path: &[u8]) -> Option<Vec<u8>> {
    let lines = mountinfo.split(|&byte| byte == b'\n');
    let holding = lines.filter_map(|line| {
        let (_, point) = mount(line)?;
        let mut fields = line.split(|&byte| byte == b' ').skip_while(|field| *field != b"-").skip(1);
        is_below(path, &point).then_some((point.len(), fields.next()?.to_vec()))
    });
    // What is mounted later over the same directory comes later.
    holding.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

/// The first and the fifth field of a line.
fn mount(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut fields = line.split(|&byte| byte == b' ');
    Some((fields.next()?.to_vec(), unescaped(fields.nth(3)?)))
}

/// Blanks, line ends and backslashes stand in octal: `\040`.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(field.len()), field);
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|digits| digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        match digits {
            Some(digits) if first == b'\\' => {
                bytes.push(digits.iter().fold(0_u8, |value, d| value.wrapping_mul(8) | (d - b'0')));
                rest = &after[3..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_mounted_where() {
        let lines = b"21 1 8:1 / / rw - ext4 /dev/sda rw\n\
                      30 21 0:5 / /w/a\\040b rw shared:2 - tmpfs none rw\n\
                      31 21 0:6 / /work rw - tmpfs none rw\n\
                      broken\n";
        for (path, expected) in [("/w/a b/c", "tmpfs"), ("/w/a", "ext4"), ("/work", "tmpfs"), ("/", "ext4")] {
            assert_eq!(file_system(lines, path.as_bytes()).as_deref(), Some(expected.as_bytes()), "{path}");
        }
        let expected = [(b"21".to_vec(), b"/".to_vec()), (b"30".to_vec(), b"/w/a b".to_vec())];
        assert_eq!(concerning(lines, &[b"/w".to_vec()]), Mounts::from(expected));
    }
}
