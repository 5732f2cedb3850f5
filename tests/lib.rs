//! Integration tests: one binary.

mod convergence;
mod layers;
mod scenarios;
mod support;
mod watching;
