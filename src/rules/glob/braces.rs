//! Brace expansion: `{a,b/c}.x` is `a.x` and `b/c.x`.

use super::class;

/// How many globs one pattern may expand to; each further pair of braces doubles the number.
const LIMIT: usize = 1024;

/// The patterns without braces that `text` stands for, in order; the error says what is wrong.
pub(crate) fn expand(text: &str) -> Result<Vec<String>, String> {
    let mut done = Vec::new();
    let mut open = vec![text.to_owned()];
    while let Some(next) = open.pop() {
        match first_group(&next)? {
            None => done.push(next),
            Some(group) => open.extend(group.alternatives(&next).rev()),
        }
        if done.len() + open.len() > LIMIT {
            return Err(format!("the braces stand for more than {LIMIT} globs"));
        }
    }
    Ok(done)
}

/// The byte places of one `{...}`: its opening brace, the commas of its level, its closing brace.
struct Group {
    marks: Vec<usize>,
}

impl Group {
    fn alternatives<'a>(&'a self, text: &'a str) -> impl DoubleEndedIterator<Item = String> + 'a {
        let before = &text[..self.marks[0]];
        let after = &text[self.marks[self.marks.len() - 1] + 1..];
        self.marks.windows(2).map(move |pair| format!("{before}{}{after}", &text[pair[0] + 1..pair[1]]))
    }
}

fn first_group(text: &str) -> Result<Option<Group>, String> {
    let bytes = text.as_bytes();
    let mut marks = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'[' => at = class::end(text, at).map_or(at, |end| end - 1),
            b'{' => {
                depth += 1;
                if depth == 1 {
                    marks.push(at);
                }
            }
            b',' if depth == 1 => marks.push(at),
            b'}' if depth == 0 => return Err("`}` closes nothing; `\\}` is the character itself".into()),
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    marks.push(at);
                    return Ok(Some(Group { marks }));
                }
            }
            _ => {}
        }
        at += 1;
    }
    if depth > 0 {
        return Err("`{` is never closed; `\\{` is the character itself".into());
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_multiply_nest_and_cross_slashes() {
        for (text, expected) in [
            ("a", vec!["a"]),
            ("{a,b/c}.x", vec!["a.x", "b/c.x"]),
            ("{a,b}{1,2}", vec!["a1", "a2", "b1", "b2"]),
            ("x{a,{b,c}d}", vec!["xa", "xbd", "xcd"]),
            ("{a}", vec!["a"]),
            ("f{,.bak}", vec!["f", "f.bak"]),
            ("a,b", vec!["a,b"]),
            ("\\{a,b\\}", vec!["\\{a,b\\}"]),
            ("[{]a,b[}]", vec!["[{]a,b[}]"]),
            ("{ä,ö}", vec!["ä", "ö"]),
        ] {
            assert_eq!(expand(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn unbalanced_and_explosive_braces_are_refused() {
        assert!(expand("{a").unwrap_err().contains("never closed"));
        assert!(expand("a}").unwrap_err().contains("closes nothing"));
        assert!(expand(&"{a,b}".repeat(20)).unwrap_err().contains("1024"));
        assert!(expand(&"{".repeat(4000)).is_err());
    }
}
