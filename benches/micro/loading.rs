//! From a rules file's text to rules.

use divan::Bencher;

use super::rules::{COUNTS, load, text};

#[divan::bench(args = COUNTS, sample_count = 10)]
fn a_rules_file(bencher: Bencher<'_, '_>, count: usize) {
    bencher.with_inputs(|| text("src/mN/**/*.rs", count)).bench_local_values(load);
}
