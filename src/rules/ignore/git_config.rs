//! The one setting of git's configuration that matters here, git-config(1): `core.excludesFile`.

/// The value that a configuration file gives it: the last one. `include` is not followed.
pub(crate) fn excludes_file(config: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(config);
    let (mut in_core, mut found) = (false, None);
    for line in text.lines() {
        let mut line = line.trim();
        if let Some((section, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            in_core = section.trim().eq_ignore_ascii_case("core");
            line = rest.trim();
        }
        if let Some((key, typed)) = line.split_once('=').filter(|_| in_core)
            && key.trim().eq_ignore_ascii_case("excludesfile")
        {
            found = Some(value(typed));
        }
    }
    found.filter(|path| !path.is_empty())
}

/// A value without quotes, escapes, comment and the blanks around it.
fn value(typed: &str) -> String {
    let (mut out, mut quoted, mut kept) = (String::new(), false, 0);
    let mut chars = typed.trim().chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '#' | ';' if !quoted => break,
            '\\' => out.extend(chars.next().map(|escaped| match escaped {
                'n' => '\n',
                't' => '\t',
                other => other,
            })),
            other => out.push(other),
        }
        if quoted || !c.is_whitespace() {
            kept = out.len();
        }
    }
    out.truncate(kept);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_found_however_it_is_written() {
        for (config, expected) in [
            ("[core]\n\texcludesFile = ~/.ignore\n", Some("~/.ignore")),
            ("[CORE]\nEXCLUDESFILE=a", Some("a")),
            ("[core] excludesfile = a # comment", Some("a")),
            ("[core]\nexcludesfile = \"a b\" ; x", Some("a b")),
            ("[core]\nexcludesfile = \"a\\\\b # c\"", Some("a\\b # c")),
            ("[core]\nexcludesfile = a\n[user]\nexcludesfile = b\n[core]\nexcludesfile = c", Some("c")),
            ("[core \"x\"]\nexcludesfile = a", None),
            ("[core]\nexcludesfile =", None),
            ("[core]\n# excludesfile = a", None),
            ("excludesfile = a", None),
            ("", None),
        ] {
            assert_eq!(excludes_file(config.as_bytes()).as_deref(), expected, "{config}");
        }
    }
}
