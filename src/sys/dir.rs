//! Directories by descriptor: openat(2) chains, getdents64(2), fstatat(2), a working directory, and whether a file
//! is being written.

use crate::time::FileTime;
use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::{cvt, cvt_len, own, retry};

/// An open directory.
#[derive(Debug)]
pub struct Dir(OwnedFd);

/// What a directory entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A FIFO, socket or device.
    Other,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its bytes.
    pub name: Vec<u8>,
    /// Its kind, where the file system tells without being asked for each.
    pub kind: Option<Kind>,
}

/// What fstatat(2) says of a name, not following a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// What it is.
    pub kind: Kind,
    /// How many names it has; a directory, where [`Dir::counts_links`], two and one for each in it.
    pub links: u64,
    /// The number of its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// How many bytes it holds.
    pub size: u64,
    /// When its content last changed, in nanoseconds since the epoch.
    pub mtime: FileTime,
    /// When its content or attributes last changed, in nanoseconds since the epoch.
    pub ctime: FileTime,
}

/// Which file something is: the numbers of its file system and in it (inode(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity(pub u64, pub u64);

/// File systems that change without this kernel's doing, or have no inodes of their own to watch (statfs(2)).
const SILENT: [u64; 9] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x0102_1997, // 9p
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
    0x9fa0,      // proc
    0x6265_6572, // sysfs
];

/// File systems that count the links of directories. ext4 sets the number to 1 where it would be too large.
const COUNTING: [u64; 3] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x0102_1994, // tmpfs
];

/// openat(2) refuses longer paths; a chain of opens takes their place.
const SEGMENT: usize = libc::PATH_MAX as usize - 1;
/// Large enough that a directory of a thousand names costs one call.
const DENTS: usize = 64 * 1024;
/// Where the name starts in `struct linux_dirent64`: inode 8, offset 8, length 2, type 1.
const DENT_HEADER: usize = 19;

impl Dir {
    /// Opens an absolute path, following symbolic links.
    ///
    /// # Errors
    /// Those of open(2); `ENOTDIR` for anything but a directory.
    pub fn open(path: &[u8]) -> io::Result<Self> {
        open_chain(libc::AT_FDCWD, path, libc::O_RDONLY | libc::O_DIRECTORY).map(Self)
    }

    /// Opens a path below this directory, of any length. The last component is not followed if it is a
    /// symbolic link.
    ///
    /// # Errors
    /// Those of open(2); `ENOTDIR` or `ELOOP` for anything but a directory.
    pub fn open_below(&self, relative: &[u8]) -> io::Result<Self> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        open_chain(self.0.as_raw_fd(), relative, flags).map(Self)
    }

    /// As [`open_below`](Self::open_below) for one name, but only what lies on the same mount, so on the same file
    /// system (openat2(2), `RESOLVE_NO_XDEV`).
    ///
    /// # Errors
    /// As those, and `EXDEV` for what is mounted there and where the kernel cannot tell.
    pub fn open_inside(&self, name: &[u8]) -> io::Result<Self> {
        let name = CString::new(name)?;
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        // `struct open_how`: flags, mode, resolve.
        let how = [u64::from(flags.cast_unsigned()), 0, libc::RESOLVE_NO_XDEV];
        let fd = self.0.as_raw_fd();
        let opened = retry(|| {
            // SAFETY: `name` is NUL-terminated, `how` has the layout and the size of the structure, and both outlive
            // the call.
            let fd = unsafe {
                libc::syscall(libc::SYS_openat2, fd, name.as_ptr(), how.as_ptr(), size_of_val(&how))
            };
            cvt(fd as libc::c_int)
        });
        match opened {
            // Linux before 5.6, and sandboxes that do not know the call.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                Err(io::Error::from_raw_os_error(libc::EXDEV))
            }
            opened => opened.map(|fd| Self(own(fd))),
        }
    }

    /// Makes it the working directory.
    ///
    /// # Errors
    /// `EACCES` without the permission to search it.
    pub fn enter(&self) -> io::Result<()> {
        // SAFETY: takes no pointer.
        cvt(unsafe { libc::fchdir(self.0.as_raw_fd()) }).map(drop)
    }

    /// Opens the directory that a name in this one leads to, following symbolic links.
    ///
    /// # Errors
    /// Those of open(2); `ENOTDIR` for anything but a directory.
    pub fn follow(&self, name: &[u8]) -> io::Result<Self> {
        open_chain(self.0.as_raw_fd(), name, libc::O_RDONLY | libc::O_DIRECTORY).map(Self)
    }

    /// A name for this directory that reaches the very inode, whatever became of its path.
    pub(super) fn proc_path(&self) -> CString {
        CString::new(format!("/proc/self/fd/{}", self.0.as_raw_fd())).unwrap_or_default()
    }

    /// Lists the directory, without `.` and `..`. It can be listed once: what follows is empty.
    ///
    /// # Errors
    /// Those of getdents64(2); what was listed before it is given to `visit` all the same.
    pub fn list(&self, mut visit: impl FnMut(Entry)) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); DENTS];
        loop {
            let records = self.read_dents(&mut buffer)?;
            if records.is_empty() {
                return Ok(());
            }
            parse_dents(records, &mut visit);
        }
    }

    fn read_dents<'b>(&self, buffer: &'b mut [MaybeUninit<u8>]) -> io::Result<&'b [u8]> {
        let (fd, start, length) = (self.0.as_raw_fd(), buffer.as_mut_ptr(), buffer.len());
        let length = retry(|| {
            // SAFETY: `buffer` is writable for its whole length; the call writes no further.
            let length = unsafe { libc::syscall(libc::SYS_getdents64, fd, start, length) };
            cvt_len(length as libc::ssize_t)
        })?;
        // SAFETY: the call has written so many bytes.
        Ok(unsafe { std::slice::from_raw_parts(start.cast(), length) })
    }

    /// What a name in this directory is now.
    ///
    /// # Errors
    /// `ENOENT` if nothing has that name.
    pub fn status(&self, name: &[u8]) -> io::Result<Status> {
        let stat = self.stat(name, libc::AT_SYMLINK_NOFOLLOW)?;
        // 32 bits wide on some architectures.
        #[allow(clippy::unnecessary_cast)]
        let (links, device, inode) = (stat.st_nlink as u64, stat.st_dev as u64, stat.st_ino as u64);
        Ok(Status {
            kind: kind_of_mode(stat.st_mode),
            links,
            device,
            inode,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: FileTime::new(stat.st_mtime, stat.st_mtime_nsec),
            ctime: FileTime::new(stat.st_ctime, stat.st_ctime_nsec),
        })
    }

    /// Which directory this is.
    ///
    /// # Errors
    /// Those of fstatat(2).
    pub fn identity(&self) -> io::Result<Identity> {
        let stat = self.stat(b"", libc::AT_EMPTY_PATH)?;
        // 32 bits wide on some architectures.
        #[allow(clippy::unnecessary_cast)]
        Ok(Identity(stat.st_dev as u64, stat.st_ino as u64))
    }

    fn stat(&self, name: &[u8], flags: libc::c_int) -> io::Result<libc::stat> {
        let name = CString::new(name)?;
        let mut stat = MaybeUninit::<libc::stat>::uninit();
        let fd = self.0.as_raw_fd();
        // SAFETY: `name` is NUL-terminated and `stat` is writable.
        retry(|| cvt(unsafe { libc::fstatat(fd, name.as_ptr(), stat.as_mut_ptr(), flags) }))?;
        // SAFETY: the call succeeded, so it filled the structure.
        Ok(unsafe { stat.assume_init() })
    }

    /// Whether inotify hears of every change in this directory. Not on a network file system, where others
    /// make changes, nor on proc and sysfs, whose files change by themselves.
    #[must_use]
    pub fn notifies(&self) -> bool {
        self.file_system().is_none_or(|kind| !SILENT.contains(&kind))
    }

    /// Whether each directory on its file system has two links and one for each directory in it, so that one with two
    /// links has none. On others the number means nothing, or not always that.
    #[must_use]
    pub fn counts_links(&self) -> bool {
        self.file_system().is_some_and(|kind| COUNTING.contains(&kind))
    }

    /// The type of its file system (statfs(2)).
    fn file_system(&self) -> Option<u64> {
        let mut statfs = MaybeUninit::<libc::statfs>::uninit();
        let fd = self.0.as_raw_fd();
        // SAFETY: `statfs` is writable.
        retry(|| cvt(unsafe { libc::fstatfs(fd, statfs.as_mut_ptr()) })).ok()?;
        // SAFETY: the call succeeded, so it filled the structure.
        let statfs = unsafe { statfs.assume_init() };
        // Signed, and 32 bits wide, on some architectures: only the low 32 bits count.
        #[allow(clippy::unnecessary_cast)]
        Some(statfs.f_type as u64 & 0xffff_ffff)
    }

    /// Whether any process has this regular file open for writing: the kernel grants a read lease only
    /// if none has (fcntl(2), "Leases"). The lease is given back at once.
    ///
    /// # Errors
    /// `EACCES` for another user's file, `EINVAL` where the file system has no leases, `ENOENT`.
    pub fn is_being_written(&self, name: &[u8]) -> io::Result<bool> {
        let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = open_one(self.0.as_raw_fd(), name, flags)?;
        own_lease_signals(&file)?;
        // SAFETY: F_SETLEASE takes an integer.
        match cvt(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) }) {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// Gives this thread a working directory of its own (unshare(2), `CLONE_FS`).
///
/// # Errors
/// `EPERM` in some sandboxes.
pub fn own_working_directory() -> io::Result<()> {
    // SAFETY: takes no pointer.
    cvt(unsafe { libc::unshare(libc::CLONE_FS) }).map(drop)
}

/// Makes the root the working directory, so that no other is kept from being freed or unmounted.
///
/// # Errors
/// `EACCES` without the permission to search it.
pub fn leave_working_directory() -> io::Result<()> {
    // SAFETY: the path is NUL-terminated.
    cvt(unsafe { libc::chdir(c"/".as_ptr()) }).map(drop)
}

/// Has the signal of a broken lease sent to this thread, where it stays blocked, and not to the process,
/// where it would be deadly.
fn own_lease_signals(file: &OwnedFd) -> io::Result<()> {
    #[repr(C)]
    struct Owner {
        kind: libc::c_int,
        pid: libc::pid_t,
    }
    const F_OWNER_TID: libc::c_int = 0;
    const F_SETOWN_EX: libc::c_int = 15;
    // SAFETY: takes no pointer.
    let owner = Owner { kind: F_OWNER_TID, pid: unsafe { libc::gettid() } };
    // SAFETY: `owner` has the layout of `struct f_owner_ex` and outlives the call.
    cvt(unsafe { libc::fcntl(file.as_raw_fd(), F_SETOWN_EX, &raw const owner) }).map(drop)
}

fn open_chain(start: RawFd, path: &[u8], flags: libc::c_int) -> io::Result<OwnedFd> {
    let mut rest = path;
    let mut dir: Option<OwnedFd> = None;
    while rest.len() >= SEGMENT {
        let cut = rest[..SEGMENT].iter().rposition(|&b| b == b'/').filter(|&at| at > 0);
        let cut = cut.ok_or_else(|| io::Error::from_raw_os_error(libc::ENAMETOOLONG))?;
        let base = dir.as_ref().map_or(start, AsRawFd::as_raw_fd);
        dir = Some(open_one(base, &rest[..cut], libc::O_PATH | libc::O_DIRECTORY)?);
        rest = &rest[cut + 1..];
    }
    let rest = if rest.is_empty() { b"." } else { rest };
    open_one(dir.as_ref().map_or(start, AsRawFd::as_raw_fd), rest, flags)
}

fn open_one(base: RawFd, path: &[u8], flags: libc::c_int) -> io::Result<OwnedFd> {
    let path = CString::new(path)?;
    // SAFETY: `path` is NUL-terminated and outlives the call.
    retry(|| cvt(unsafe { libc::openat(base, path.as_ptr(), flags | libc::O_CLOEXEC) })).map(own)
}

/// Reads `struct linux_dirent64` records; a record that does not fit ends the walk.
fn parse_dents(mut bytes: &[u8], visit: &mut impl FnMut(Entry)) {
    while bytes.len() > DENT_HEADER {
        let length = usize::from(u16::from_ne_bytes([bytes[16], bytes[17]]));
        let Some(record) = bytes.get(..length).filter(|r| r.len() > DENT_HEADER) else { return };
        let name = record[DENT_HEADER..].split(|&b| b == 0).next().unwrap_or_default();
        if name != b"." && name != b".." {
            visit(Entry { name: name.to_vec(), kind: kind_of_type(record[18]) });
        }
        bytes = &bytes[length..];
    }
}

fn kind_of_type(d_type: u8) -> Option<Kind> {
    match d_type {
        libc::DT_REG => Some(Kind::File),
        libc::DT_DIR => Some(Kind::Dir),
        libc::DT_LNK => Some(Kind::Symlink),
        libc::DT_UNKNOWN => None,
        _ => Some(Kind::Other),
    }
}

fn kind_of_mode(mode: libc::mode_t) -> Kind {
    match mode & libc::S_IFMT {
        libc::S_IFREG => Kind::File,
        libc::S_IFDIR => Kind::Dir,
        libc::S_IFLNK => Kind::Symlink,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_directory_records_end_the_walk_without_panic() {
        let mut seen = Vec::new();
        let mut record = vec![0_u8; 24];
        record[16..18].copy_from_slice(&24_u16.to_ne_bytes());
        record[18] = libc::DT_REG;
        record[19] = b'a';
        let mut bytes = record.clone();
        bytes.extend(&record[..20]);
        parse_dents(&bytes, &mut |entry| seen.push(entry));
        assert_eq!(seen, [Entry { name: b"a".to_vec(), kind: Some(Kind::File) }]);
        record[16..18].copy_from_slice(&0_u16.to_ne_bytes());
        parse_dents(&record, &mut |entry| seen.push(entry));
        assert_eq!(seen.len(), 1);
    }
}
