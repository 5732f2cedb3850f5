//! A process that outlives this one, to kill the process groups that it leaves behind when it is killed.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use super::process::Pid;
use super::signal::{full_set, set_mask};
use super::{cvt, retry};

/// More groups at once are not kept an eye on: commands that run side by side are a few.
const MOST: usize = 4096;

/// The groups that are guarded, in memory that both processes share, so that nobody is woken to be told of one.
type Groups = [AtomicI32; MOST];

/// The end of a pipe that the other process reads: it sees when this one ends, however it does.
#[derive(Debug)]
pub struct Keeper {
    groups: &'static Groups,
    _pipe: OwnedFd,
}

impl Keeper {
    /// Starts the process. It is nobody's child, leads a session of its own, holds no other descriptor and takes no
    /// signal but SIGKILL. To be called before this process is a subreaper.
    ///
    /// # Errors
    /// `EMFILE` at the limit of descriptors, `EAGAIN` at that of processes, `ENOMEM`.
    pub fn start() -> io::Result<Self> {
        let groups = share()?;
        let mut ends = [0; 2];
        // SAFETY: `ends` is writable for two descriptors.
        cvt(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
        // SAFETY: the call succeeded; nothing else owns its descriptors.
        let [read, write] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        // SAFETY: what the child does until it ends is system calls on memory of its own or shared for it.
        let child = cvt(unsafe { libc::fork() })?;
        if child == 0 {
            keep(read.as_raw_fd(), groups);
        }
        // SAFETY: no status is asked for.
        retry(|| cvt(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }))?;
        Ok(Self { groups, _pipe: write })
    }

    /// Has the group that `leader` leads killed if this process ends before it is [released](Self::release).
    pub fn guard(&self, leader: Pid) {
        note(self.groups, 0, leader.0);
    }

    /// The group is gone.
    pub fn release(&self, leader: Pid) {
        note(self.groups, leader.0, 0);
    }
}

/// Memory that a child made by fork(2) shares, all zero. It is never given back: whoever is forked may hold it.
fn share() -> io::Result<&'static Groups> {
    let (length, access) = (size_of::<Groups>(), libc::PROT_READ | libc::PROT_WRITE);
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, of nothing.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), length, access, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is as long, zeroed, aligned to a page, and stays.
    Ok(unsafe { &*start.cast::<Groups>() })
}

/// Puts a group, or none, in the first place where there is this.
fn note(groups: &Groups, there: i32, new: i32) {
    let put =
        |group: &AtomicI32| group.compare_exchange(there, new, Ordering::Relaxed, Ordering::Relaxed).is_ok();
    groups.iter().any(put);
}

/// The first child: starts the keeper and ends, so that nobody has to wait for that.
fn keep(pipe: RawFd, groups: &Groups) -> ! {
    // SAFETY: as above.
    if unsafe { libc::fork() } == 0 {
        detach(pipe);
        while !is_over() {}
        for group in groups.iter().map(|group| group.load(Ordering::Relaxed)).filter(|&group| group > 1) {
            // SAFETY: takes no pointer; the number is that of a group, never 0 or 1.
            unsafe { libc::killpg(group, libc::SIGKILL) };
        }
    }
    // SAFETY: ends this process without running what the other has registered.
    unsafe { libc::_exit(0) }
}

/// Leaves everything of the other process but the pipe, which becomes descriptor 0.
fn detach(pipe: RawFd) {
    set_mask(&full_set());
    // SAFETY: takes no pointer.
    unsafe { libc::setsid() };
    // SAFETY: the path is NUL-terminated.
    unsafe { libc::chdir(c"/".as_ptr()) };
    // SAFETY: the name is NUL-terminated and no longer than 15 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"tripline-keeper".as_ptr()) };
    // SAFETY: takes no pointer.
    unsafe { libc::dup2(pipe, 0) };
    // SAFETY: takes no pointer.
    if unsafe { libc::syscall(libc::SYS_close_range, 1, libc::c_uint::MAX, 0) } != 0 {
        // Linux before 5.9. What stays open would keep the pipe from ending.
        for fd in 1..1024 {
            // SAFETY: takes no pointer; nothing here owns a descriptor.
            unsafe { libc::close(fd) };
        }
    }
}

/// Waits until the other process has ended: nothing is ever written.
fn is_over() -> bool {
    let mut byte = [0_u8; 1];
    // SAFETY: `byte` is writable for its length.
    unsafe { libc::read(0, byte.as_mut_ptr().cast(), byte.len()) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_known_until_it_is_released() {
        let groups: Groups = [const { AtomicI32::new(0) }; MOST];
        let now = |at: usize| groups[at].load(Ordering::Relaxed);
        for (there, new) in [(0, 5), (0, 7), (5, 0), (0, 9), (8, 0)] {
            note(&groups, there, new);
        }
        assert_eq!([now(0), now(1), now(2)], [9, 7, 0]);
        (1..2 * MOST as i32).for_each(|group| note(&groups, 0, group));
        assert!((0..MOST).all(|at| now(at) != 0));
    }
}
