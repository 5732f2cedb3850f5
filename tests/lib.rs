//! Integration tests: one binary.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy.toml allows them in test functions; what tests are made of is test code, too"
)]

mod any_rules;
mod command_line;
mod control;
mod convergence;
mod costs;
mod crawl;
mod daemon;
mod doctor;
mod drop_folder;
mod extent;
mod extremes;
mod faults;
mod golden;
mod history;
mod ignored;
mod layers;
mod linked;
mod links;
mod live;
mod metrics;
mod mistakes;
mod output;
mod packages;
mod pages;
mod peers;
mod privileges;
mod processes;
mod properties;
mod readme;
mod reload;
mod rules_files;
mod scenarios;
mod support;
mod swap;
mod terminal;
mod trees;
mod view;
mod watching;
