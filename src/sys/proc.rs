//! What proc(5) tells of inotify: its limits, who uses it, and what a process watches.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::Identity;

/// The limits of this user (inotify(7), namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InotifyLimits {
    /// `max_user_watches`: of all processes together.
    pub watches: u64,
    /// `max_user_instances`: of all processes together.
    pub instances: u64,
    /// `max_queued_events`: of one instance, when it is made.
    pub queue: u64,
}

/// How much one process uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InotifyUse {
    /// Its number.
    pub pid: u32,
    /// Its name (proc_pid_comm(5)).
    pub name: String,
    /// Its instances; one that it shares with another process counts for both.
    pub instances: u64,
    /// Its watches.
    pub watches: u64,
}

/// The limits that count for this process.
///
/// # Errors
/// `ENOENT` where `/proc` is not mounted.
pub fn inotify_limits() -> io::Result<InotifyLimits> {
    let number = |path: String| {
        let text = fs::read_to_string(path)?;
        text.trim().parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
    };
    let system = |name: &str| number(format!("/proc/sys/fs/inotify/{name}"));
    // A user namespace may have lower ones of its own.
    let least = |name: &str| {
        let own = number(format!("/proc/sys/user/max_inotify_{name}")).unwrap_or(u64::MAX);
        Ok::<_, io::Error>(system(&format!("max_user_{name}"))?.min(own))
    };
    Ok(InotifyLimits {
        watches: least("watches")?,
        instances: least("instances")?,
        queue: system("max_queued_events")?,
    })
}

/// The processes of this user that use inotify, as far as they may be looked at.
///
/// # Errors
/// `ENOENT` where `/proc` is not mounted.
pub fn inotify_users() -> io::Result<Vec<InotifyUse>> {
    let own = fs::metadata("/proc/self")?.uid();
    let mut users = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let (Some(pid), Ok(found)) = (pid, entry.metadata()) else { continue };
        if found.uid() == own
            && let Ok(instances) = instances(pid)
            && !instances.is_empty()
        {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let watches = instances.iter().map(|info| watches(info).count() as u64).sum();
            let (name, instances) = (name.trim_end().to_owned(), instances.len() as u64);
            users.push(InotifyUse { pid, name, instances, watches });
        }
    }
    Ok(users)
}

/// What each inotify instance of a process watches.
///
/// # Errors
/// `ENOENT` where there is no such process, `EACCES` where it is another user's.
pub fn inotify_watches(pid: u32) -> io::Result<Vec<Vec<Identity>>> {
    Ok(instances(pid)?.iter().map(|info| watches(info).collect()).collect())
}

/// What a process was started with, its program first, and its current directory.
///
/// # Errors
/// As [`inotify_watches`].
pub fn command_line(pid: u32) -> io::Result<(Vec<OsString>, PathBuf)> {
    let mut bytes = fs::read(format!("/proc/{pid}/cmdline"))?;
    bytes.pop();
    let args = bytes.split(|&byte| byte == 0).map(|arg| OsString::from_vec(arg.to_vec())).collect();
    Ok((args, fs::read_link(format!("/proc/{pid}/cwd"))?))
}

/// The text of each inotify descriptor (proc_pid_fdinfo(5)).
fn instances(pid: u32) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))?.flatten() {
        if fs::read_link(entry.path()).is_ok_and(|to| to.as_os_str() == "anon_inode:inotify") {
            let info = format!("/proc/{pid}/fdinfo/{}", entry.file_name().display());
            found.extend(fs::read_to_string(info));
        }
    }
    Ok(found)
}

fn watches(info: &str) -> impl Iterator<Item = Identity> {
    info.lines().filter_map(watch)
}

/// `inotify wd:2 ino:7ef82a sdev:800001 mask:800afff ...`, all in hexadecimal. The device is the kernel's own
/// number: twelve bits major, twenty minor.
fn watch(line: &str) -> Option<Identity> {
    let fields = line.strip_prefix("inotify ")?;
    let field = |name: &str| {
        let value = fields.split(' ').find_map(|field| field.strip_prefix(name))?;
        u64::from_str_radix(value, 16).ok()
    };
    let device = u32::try_from(field("sdev:")?).ok()?;
    Some(Identity(libc::makedev(device >> 20, device & 0xf_ffff), field("ino:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_fdinfo_names_the_inode_and_its_device_as_stat_does() {
        let line = "inotify wd:3 ino:9e7e sdev:800013 mask:800afce ignored_mask:0 fhandle-bytes:8";
        assert_eq!(watch(line), Some(Identity(libc::makedev(8, 19), 0x9e7e)));
        for other in ["pos:\t0", "inotify wd:3", "inotify wd:3 ino:x sdev:1", "eventfd-count: 0"] {
            assert_eq!(watch(other), None, "{other}");
        }
    }
}
