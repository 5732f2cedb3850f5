//! A process that outlives this one, to kill the process groups that it leaves behind when it is killed.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::process::Pid;
use super::signal::{full_set, set_mask};
use super::{cvt, cvt_len, retry};

/// More groups at once are not kept an eye on: commands that run side by side are a few.
const MOST: usize = 4096;

/// A group is told by its number: to be guarded, or by the negative one no longer.
const RECORD: usize = size_of::<i32>();

/// The end of a pipe that the other process reads: it sees when this one ends, however it does.
#[derive(Debug)]
pub struct Keeper(OwnedFd);

impl Keeper {
    /// Starts the process. It is nobody's child, leads a session of its own, holds no other descriptor and takes no
    /// signal but SIGKILL. To be called before this process is a subreaper.
    ///
    /// # Errors
    /// `EMFILE` at the limit of descriptors, `EAGAIN` at that of processes.
    pub fn start() -> io::Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: `ends` is writable for two descriptors.
        cvt(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
        // SAFETY: the call succeeded; nothing else owns its descriptors.
        let [read, write] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        // A keeper that is stopped must not hold up this process.
        // SAFETY: takes no pointer.
        cvt(unsafe { libc::fcntl(write.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })?;
        // SAFETY: what the child does until it ends is system calls on memory of its own.
        let child = cvt(unsafe { libc::fork() })?;
        if child == 0 {
            keep(read.as_raw_fd());
        }
        // SAFETY: no status is asked for.
        retry(|| cvt(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }))?;
        Ok(Self(write))
    }

    /// Has the group that `leader` leads killed if this process ends before it is [released](Self::release).
    pub fn guard(&self, leader: Pid) {
        self.tell(leader.0);
    }

    /// The group is gone.
    pub fn release(&self, leader: Pid) {
        self.tell(-leader.0);
    }

    /// If nobody reads any more, nobody keeps.
    fn tell(&self, record: i32) {
        let (fd, bytes) = (self.0.as_raw_fd(), record.to_ne_bytes());
        // SAFETY: `bytes` is readable for RECORD bytes.
        let _ = retry(|| cvt_len(unsafe { libc::write(fd, bytes.as_ptr().cast(), RECORD) }));
    }
}

/// The first child: starts the keeper and ends, so that nobody has to wait for that.
fn keep(pipe: RawFd) -> ! {
    // SAFETY: as above.
    if unsafe { libc::fork() } == 0 {
        detach(pipe);
        let mut groups = [0; MOST];
        while let Some(record) = next() {
            note(&mut groups, record);
        }
        for &group in groups.iter().filter(|&&group| group > 1) {
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

/// What is told next; none when the other process has ended.
fn next() -> Option<i32> {
    let mut bytes = [0; RECORD];
    // SAFETY: `bytes` is writable for RECORD bytes.
    let read = retry(|| cvt_len(unsafe { libc::read(0, bytes.as_mut_ptr().cast(), RECORD) }));
    // Records are written whole (pipe(7), PIPE_BUF), and so read.
    (read.ok()? == RECORD).then(|| i32::from_ne_bytes(bytes))
}

fn note(groups: &mut [i32; MOST], record: i32) {
    let (known, new) = if record > 0 { (0, record) } else { (record.saturating_neg(), 0) };
    if let Some(group) = groups.iter_mut().find(|group| **group == known) {
        *group = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_known_until_it_is_released() {
        let mut groups = [0; MOST];
        for record in [5, 7, -5, 9, -8] {
            note(&mut groups, record);
        }
        assert_eq!(groups[..3], [9, 7, 0]);
        (1..2 * MOST as i32).for_each(|record| note(&mut groups, record));
        assert!(groups.iter().all(|&group| group != 0));
    }
}
