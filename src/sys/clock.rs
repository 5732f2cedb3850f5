//! clock_gettime(2): the time as other processes of this machine read it, too.

use std::mem::MaybeUninit;
use std::time::Duration;

/// `CLOCK_MONOTONIC`, counted from when the machine was started.
pub fn since_boot() -> Duration {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `time` is writable. The clock is always there, so the call does not fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, time.as_mut_ptr()) };
    // SAFETY: zeroes are a valid `timespec`, and the call has filled it.
    let time = unsafe { time.assume_init() };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
