//! The harness of the `.trip` files: what they say, how they are carried out, how the outcome is compared.

pub(crate) mod command;
pub(crate) mod diff;
pub(crate) mod disk;
pub(crate) mod live;
pub(crate) mod place;
pub(crate) mod proc;
pub(crate) mod running;
pub(crate) mod screen;
pub(crate) mod simulate;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(crate) mod tracer;
pub(crate) mod trip;
pub(crate) mod verb;
pub(crate) mod watching;
pub(crate) mod words;
pub(crate) mod writer;
