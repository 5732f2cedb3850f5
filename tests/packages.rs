//! What packages bring: the list of what the program is made of is complete.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn each_dependency_is_listed_with_its_reason() {
    let manifest = read("Cargo.toml");
    let page = read("docs/packages.md");
    for (section, heading) in [("dependencies", "In the program"), ("dev-dependencies", "In the tests alone")]
    {
        let (_, rest) = page.split_once(&format!("## {heading}\n")).unwrap();
        let rows = rest.split("\n## ").next().unwrap().lines().filter_map(|line| line.strip_prefix("| `"));
        let listed: Vec<(&str, &str)> = rows.map(|row| row.split_once("` | ").unwrap()).collect();
        for (name, reason) in &listed {
            assert!(reason.trim_end_matches(" |").len() > 10, "why is {name} there?");
        }
        let listed: BTreeSet<_> = listed.into_iter().map(|(name, _)| name).collect();
        let (_, rest) = manifest.split_once(&format!("\n[{section}]\n")).unwrap();
        let lines = rest.split("\n[").next().unwrap().lines();
        let there: BTreeSet<_> = lines.filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
        assert_eq!(listed, there, "under {heading}, and in Cargo.toml's {section}");
    }
}
