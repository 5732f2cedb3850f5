//! What a command is started with: its arguments, and the variables that speak of the change.

use divan::Bencher;
use tripline::dispatch::preview;
use tripline::rules::RuleId;

use super::rules::{load, save};

#[divan::bench(args = [0, 10, 100])]
fn of_a_rule_with_so_many_variables(bencher: Bencher<'_, '_>, variables: usize) {
    let env: Vec<_> = (0..variables).map(|n| format!("V{n} = \"value {n}\"")).collect();
    let rule =
        "[rules.r]\npaths = [\"**/*.rs\"]\nmatch = '(?<what>[a-z]+)\\.rs$'\nrun = [\"make\", \"{rel}\"]\n";
    let rules = load(format!("{rule}[rules.r.env]\n{}\n", env.join("\n")));
    let save = save("src/deep/main.rs");
    bencher.bench_local(|| preview(&rules, RuleId(0), &save));
}
