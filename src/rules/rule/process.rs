//! How a command's process is set up before it begins.

use std::path::PathBuf;

/// Everything about it but where its input and output lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// `user`: whom it runs as.
    pub account: Option<Account>,
    /// `group`: the number of the group it runs as, in place of the user's own.
    pub group: Option<u32>,
    /// `env_clear`: whether it inherits only a few variables.
    pub env_clear: bool,
    /// `umask`: the permissions that what it makes does not get.
    pub umask: Option<u32>,
    /// `nice`: how much it steps back for others.
    pub nice: Option<i32>,
    /// `limits`.
    pub limits: Vec<(Resource, u64)>,
}

impl Setup {
    /// Whether it inherits only a few variables.
    #[must_use]
    pub const fn clears_env(&self) -> bool {
        self.env_clear || self.account.is_some()
    }
}

/// A user (passwd(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
    /// The numbers of all groups that it is in.
    pub groups: Vec<u32>,
    /// Its home.
    pub home: PathBuf,
    /// Its shell.
    pub shell: PathBuf,
}

/// What is limited: by bytes, but for time in seconds and for numbers of descriptors and processes (getrlimit(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the `RLIMIT_` of its name")]
pub enum Resource {
    As,
    Core,
    Cpu,
    Data,
    Fsize,
    Memlock,
    Nofile,
    Nproc,
    Stack,
}
