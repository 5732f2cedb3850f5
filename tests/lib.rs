//! Integration tests: one binary.

mod rules_files;
