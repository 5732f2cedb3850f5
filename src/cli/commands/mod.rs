//! One file for each subcommand.

pub(super) mod check;
pub(super) mod client;
pub(super) mod config;
pub(super) mod doctor;
pub(super) mod doctor_editors;
pub(super) mod doctor_verify;
pub(super) mod explain;
pub(super) mod explain_watching;
pub(super) mod init;
pub(super) mod on;
pub(super) mod rules;
pub(super) mod run;
pub(super) mod schema;
pub(super) mod service;
pub(super) mod status;
pub(super) mod systemd_unit;
pub(super) mod watch;
