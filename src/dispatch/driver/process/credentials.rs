//! What a rule says of a process's user and limits, for the kernel.

use crate::rules::{Account, Resource, Setup};
use crate::sys::{Credentials, SpawnSetup};

/// What the rule says of the process, in the kernel's words.
pub(crate) fn setup(setup: &Setup) -> SpawnSetup {
    let account = setup.account.as_ref();
    let gid = setup.group.or(account.map(|account| account.gid));
    let identity = gid.map(|gid| Credentials {
        uid: account.map(|account| account.uid),
        gid,
        groups: account.map_or_else(|| vec![gid], |account| groups(account, gid)),
    });
    let limits = setup.limits.iter().map(|&(resource, limit)| (number(resource), limit)).collect();
    SpawnSetup { identity, umask: setup.umask, nice: setup.nice, limits }
}

/// As initgroups(3) has them: those that the user is in, and the one that it runs as.
fn groups(account: &Account, gid: u32) -> Vec<u32> {
    let others = account.groups.iter().copied().filter(|&group| group != gid);
    std::iter::once(gid).chain(others).collect()
}

fn number(resource: Resource) -> u32 {
    // Of another type with another C library.
    let number = match resource {
        Resource::As => libc::RLIMIT_AS,
        Resource::Core => libc::RLIMIT_CORE,
        Resource::Cpu => libc::RLIMIT_CPU,
        Resource::Data => libc::RLIMIT_DATA,
        Resource::Fsize => libc::RLIMIT_FSIZE,
        Resource::Memlock => libc::RLIMIT_MEMLOCK,
        Resource::Nofile => libc::RLIMIT_NOFILE,
        Resource::Nproc => libc::RLIMIT_NPROC,
        Resource::Stack => libc::RLIMIT_STACK,
    };
    number as _
}
