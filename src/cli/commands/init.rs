//! `tripline init`.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::cli::args::InitArgs;
use crate::cli::{Exit, fail};

/// What a project is known by, and the rule that it gets.
struct Kind {
    /// Files or folders; one of them is enough.
    signs: &'static [&'static str],
    /// What its tools write, in gitignore syntax: nothing in there is to run a rule.
    ignore: &'static [&'static str],
    rule: &'static str,
}

const KINDS: [Kind; 6] = [
    Kind {
        signs: &["Cargo.toml"],
        // cargo makes it under such a name, with six characters of its own, before it is renamed.
        ignore: &["target/", "target??????/"],
        rule: r#"[rules.rust]
paths = ["**/*.rs", "**/Cargo.toml"]
run = ["cargo", "check", "--workspace", "--all-targets"]
on_busy = "restart"    # saved again during a run: stop it, and begin anew
"#,
    },
    Kind {
        signs: &["package.json"],
        ignore: &["node_modules/", "dist/", "coverage/"],
        rule: r#"[rules.node]
paths = ["**/*.{js,mjs,cjs,ts,jsx,tsx}", "package.json"]
run = "npm test"       # a string is for the shell, an array is executed as it is
on_busy = "restart"
"#,
    },
    Kind {
        signs: &["pyproject.toml", "setup.py", "requirements.txt"],
        ignore: &[".venv/", "venv/", "build/"],
        rule: r#"[rules.python]
paths = ["**/*.py", "pyproject.toml"]
run = "python3 -m pytest -q"
exit_codes = { skip = [5] }    # pytest has found no tests
on_busy = "restart"
"#,
    },
    Kind {
        signs: &["go.mod"],
        ignore: &["vendor/"],
        rule: r#"[rules.go]
paths = ["**/*.go", "go.mod", "go.sum"]
run = "go vet ./... && go test ./..."
on_busy = "restart"
"#,
    },
    Kind {
        signs: &["Makefile", "makefile", "GNUmakefile"],
        ignore: &[],
        rule: r#"[rules.make]
paths = ["**/*.{c,h}", "{GNUm,M,m}akefile"]    # what make reads, never what it writes: that would run it again
run = "make"
"#,
    },
    Kind {
        signs: &["docs", "doc"],
        ignore: &[],
        rule: r#"[rules.docs]
paths = ["{docs,doc}/**/*.md"]
run = ["echo", "changed:", "{paths}"]          # put in here what builds the pages
debounce = "500ms"     # wait until nothing has changed for half a second
"#,
    },
];

const HEAD: &str = "\
# What runs when files change. `tripline` runs it, `tripline check` shows its mistakes, and
# `tripline explain PATH` says why a path runs a rule or does not.
";

/// For a place with nothing that is known.
const ANY: &str = r#"[rules.any]
paths = ["**"]                           # every file below this one's folder, or for instance "src/**/*.c"
run = ["echo", "changed:", "{paths}"]    # put your command in here
"#;

pub(crate) fn init(args: &InitArgs) -> Exit {
    let path = args.dir.join("tripline.toml");
    let shown = path.strip_prefix(".").unwrap_or(&path).display();
    let found = found(&args.dir);
    let written =
        File::create_new(&path).and_then(|mut file| file.write_all(starting_file(&found).as_bytes()));
    match written {
        Ok(()) => {
            let signs: Vec<_> = found.iter().map(|(_, sign)| *sign).collect();
            let signs = if signs.is_empty() { "any file".to_owned() } else { signs.join(", ") };
            let _ =
                writeln!(std::io::stdout(), "{shown}: written, with rules for {signs}; `tripline` runs it");
            Exit::Ok
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fail(format_args!("{shown} is there already, and stays as it is"), Exit::Usage)
        }
        Err(error) => fail(format_args!("cannot write {shown}: {error}"), Exit::Usage),
    }
}

/// Each kind that a directory shows, with the sign of it.
fn found(dir: &Path) -> Vec<(&'static Kind, &'static str)> {
    let sign = |kind: &'static Kind| kind.signs.iter().find(|sign| dir.join(sign).exists());
    KINDS.iter().filter_map(|kind| Some((kind, *sign(kind)?))).collect()
}

fn starting_file(found: &[(&Kind, &str)]) -> String {
    let mut text = HEAD.to_owned();
    let ignored: Vec<_> = found.iter().flat_map(|(kind, _)| kind.ignore).collect();
    if !ignored.is_empty() {
        text += &format!("\n[settings]\nignore = {ignored:?}    # besides what .gitignore says\n");
    }
    for (kind, sign) in found {
        text += &format!("\n# For {sign}.\n{}", kind.rule);
    }
    if found.is_empty() {
        text += &format!("\n{ANY}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Rules, SourceFile, surroundings};

    #[test]
    fn every_mix_of_kinds_is_a_rules_file_with_a_rule_for_each() {
        for mix in 0..1_usize << KINDS.len() {
            let chosen = KINDS.iter().enumerate().filter(|(number, _)| mix >> number & 1 == 1);
            let found: Vec<_> = chosen.map(|(_, kind)| (kind, kind.signs[0])).collect();
            let text = starting_file(&found);
            let file = SourceFile { name: "tripline.toml".to_owned(), text };
            let rules = Rules::parse(file, &surroundings("/w".into())).unwrap();
            assert_eq!(rules.rules.len(), found.len().max(1));
        }
    }
}
