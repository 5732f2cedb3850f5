//! The architecture, read from the source: which layer imports which, where `unsafe` is, how long things are.

use std::fs;
use std::path::{Path, PathBuf};

/// Each layer with those that it may import.
const LAYERS: [(&str, &[&str]); 7] = [
    ("event", &[]),
    ("time", &[]),
    ("sys", &["event", "time"]),
    ("watch", &["event", "time", "sys"]),
    ("rules", &["event", "time"]),
    ("dispatch", &["event", "time", "sys", "watch", "rules"]),
    ("cli", &["event", "time", "sys", "watch", "rules", "dispatch"]),
];

/// The folder of `dispatch` that may touch `sys` and `watch`; everything else there is pure.
const SHELL: &str = "dispatch/driver/";

const LONGEST_FUNCTION: usize = 60;
const LONGEST_FILE: usize = 800;

#[test]
fn the_layers_point_one_way() {
    assert_clean(imports_against_the_arrow);
}

#[test]
fn unsafe_is_in_sys_only_and_explains_itself() {
    assert_clean(unexplained_unsafe);
}

#[test]
fn nothing_is_too_long() {
    assert_clean(too_long);
}

fn assert_clean(check: impl Fn(&str, &str) -> Vec<String>) {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 10, "only {} files found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        wrong.extend(check(&name, &fs::read_to_string(&file).unwrap()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            out.push(path);
        }
    }
}

/// `file` is relative to `src`.
fn imports_against_the_arrow(file: &str, text: &str) -> Vec<String> {
    let layer = layer_of(file);
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else { return Vec::new() };
    let pure = layer == "dispatch" && !file.starts_with(SHELL);
    let mut wrong = Vec::new();
    for (number, line, depth) in code_lines(file, text) {
        for target in imported_layers(&line, depth) {
            let shell = pure && (target == "sys" || target == "watch");
            if target != layer && (shell || !allowed.contains(&target)) {
                wrong.push(format!("src/{file}:{number}: {layer} must not import `{target}`"));
            }
        }
    }
    wrong
}

/// The first component below `src`.
fn layer_of(file: &str) -> &str {
    file.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// What a line names at the top of the crate, by `crate::` or by as many `super::` as it takes from a
/// module at `depth`. A group is no name of a layer, so `crate::{..}` is never allowed.
fn imported_layers(line: &str, depth: usize) -> Vec<&str> {
    let up = "super::".repeat(depth);
    let paths = line.match_indices("crate::").chain(line.match_indices(&up));
    let after =
        paths.filter(|(at, _)| !line[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
    after
        .map(|(at, path)| {
            let rest = &line[at + path.len()..];
            &rest[..rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())]
        })
        .collect()
}

/// Each line of code with its number, without comments and strings, and how deep its module lies. Tests stand
/// at the foot of a file, in a module of their own.
fn code_lines<'a>(file: &str, text: &'a str) -> impl Iterator<Item = (usize, String, usize)> + 'a {
    let components = file.split('/').count();
    let mut depth = if file.ends_with("/mod.rs") { components - 1 } else { components };
    (1..).zip(text.lines()).map(move |(number, line)| {
        depth += usize::from(line == "#[cfg(test)]");
        (number, code(line), depth)
    })
}

fn code(line: &str) -> String {
    let mut out = String::new();
    for (i, part) in line.split('"').enumerate().filter(|(i, _)| i % 2 == 0) {
        if i > 0 {
            out.push_str("\"\"");
        }
        if let Some((code, _comment)) = part.split_once("//") {
            return out + code;
        }
        out.push_str(part);
    }
    out
}

fn unexplained_unsafe(file: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut explained = false;
    for (number, line, _) in code_lines(file, text) {
        let is_unsafe = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == "unsafe");
        if is_unsafe && layer_of(file) != "sys" {
            wrong.push(format!("src/{file}:{number}: `unsafe` outside sys"));
        } else if is_unsafe && !explained {
            wrong.push(format!("src/{file}:{number}: `unsafe` without a SAFETY comment above it"));
        }
        let comment = text.lines().nth(number - 1).unwrap_or_default().trim_start();
        explained = comment.starts_with("//") && (explained || comment.starts_with("// SAFETY:"));
    }
    wrong
}

fn too_long(file: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut wrong = Vec::new();
    if lines.len() > LONGEST_FILE {
        wrong.push(format!("src/{file}: {} lines, at most {LONGEST_FILE}", lines.len()));
    }
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| opens_function(line)) {
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = lines[start..].iter().position(|line| line.strip_prefix(indent) == Some("}")).unwrap_or(0);
        if end + 1 > LONGEST_FUNCTION {
            let (number, length) = (start + 1, end + 1);
            wrong
                .push(format!("src/{file}:{number}: function of {length} lines, at most {LONGEST_FUNCTION}"));
        }
    }
    wrong
}

fn opens_function(line: &str) -> bool {
    let line = code(line);
    let is_fn = line.trim_start().starts_with("fn ") || line.contains(" fn ");
    is_fn && !line.trim_end().ends_with(['}', ';'])
}

#[test]
fn an_import_against_the_arrow_is_found() {
    for (file, line) in [
        ("rules/glob/mod.rs", "use crate::sys::inotify;"),
        ("watch/tree/mod.rs", "use crate::rules::Rules;"),
        ("event/mod.rs", "fn f() { crate::time::now() }"),
        ("event/mod.rs", "use super::rules::Rules;"),
        ("rules/mod.rs", "use super::dispatch::Core;"),
        ("rules/glob/mod.rs", "use super::super::watch;"),
        ("dispatch/core/mod.rs", "use crate::sys::process;"),
        ("sys/epoll.rs", "use crate::{event, watch};"),
        ("rules/a/b.rs", "#[cfg(test)]\nuse super::super::super::super::cli;"),
    ] {
        assert_eq!(imports_against_the_arrow(file, line).len(), 1, "{file}: {line}");
    }
    for (file, line) in [
        ("rules/glob/mod.rs", "use crate::event::Event; // not crate::sys"),
        ("rules/glob/mod.rs", "use super::rule::Rule;"),
        ("rules/glob/mod.rs", "#[cfg(test)]\nuse super::super::Rules;"),
        ("dispatch/driver/process/mod.rs", "use crate::sys::process;"),
        ("event/mod.rs", "let text = \"crate::sys::x\";"),
        ("main.rs", "use crate::anything;"),
    ] {
        assert_eq!(imports_against_the_arrow(file, line), Vec::<String>::new(), "{file}: {line}");
    }
}

#[test]
fn an_unexplained_unsafe_is_found() {
    assert_eq!(unexplained_unsafe("rules/glob/mod.rs", "// SAFETY: no\nunsafe { f() }").len(), 1);
    assert_eq!(unexplained_unsafe("sys/epoll.rs", "let x =\n    unsafe { f() };").len(), 1);
    assert!(
        unexplained_unsafe("sys/epoll.rs", "// SAFETY: f\n// is fine.\nlet x = unsafe { f() };").is_empty()
    );
    assert!(unexplained_unsafe("event/mod.rs", "#![deny(unsafe_code)] // unsafe").is_empty());
}

#[test]
fn a_long_function_is_found() {
    let function = |body: usize| format!("    pub fn f() {{\n{}    }}\n", "        g();\n".repeat(body));
    assert_eq!(too_long("event/mod.rs", &function(59)).len(), 1);
    assert_eq!(too_long("event/mod.rs", &function(58)), Vec::<String>::new());
    assert_eq!(too_long("event/mod.rs", &"\n".repeat(801)).len(), 1);
}
