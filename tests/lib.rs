//! Integration tests: one binary.

mod layers;
mod scenarios;
mod support;
mod watching;
