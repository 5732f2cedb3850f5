//! Where watched paths lead: roots, the directories above them, symbolic links and mounts.

pub(super) mod ancestors;
pub(super) mod follow_symlinks;
pub(super) mod mounts;
pub(super) mod roots;
pub(super) mod symlinks;
