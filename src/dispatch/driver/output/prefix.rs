//! A command's output as whole lines behind its rule's name. Pure.

/// A longer line is broken, which bounds what a command that never ends one can make tripline hold.
const LONGEST: usize = 64 * 1024;

/// One stream of one run.
#[derive(Debug)]
pub(crate) struct Lines {
    prefix: Vec<u8>,
    partial: Vec<u8>,
    /// Whether a carriage return ends a line, too, to be overwritten by the next.
    returns: bool,
    /// Whether the last line has ended so: then a line feed alone is none of its own.
    returned: bool,
}

impl Lines {
    /// Lines behind `name | `; of a terminal, those that are written over each other, too.
    pub(crate) fn new(name: &str, tty: bool) -> Self {
        let prefix = format!("{name} | ").into_bytes();
        Self { prefix, partial: Vec::new(), returns: tty, returned: false }
    }

    /// Takes bytes in and appends the lines that are complete to `out`.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let returns = self.returns;
        let ends = |byte: u8| byte == b'\n' || (returns && byte == b'\r');
        for piece in bytes.split_inclusive(|&byte| ends(byte)) {
            if std::mem::take(&mut self.returned) && piece == b"\n" {
                out.extend_from_slice(piece);
                continue;
            }
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || (returns && piece.ends_with(b"\r")) {
                self.returned = piece.ends_with(b"\r");
                self.emit(out);
            } else if self.partial.len() >= LONGEST {
                self.end(out);
            }
        }
    }

    /// Appends what is left as a line.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) {
        if !self.partial.is_empty() {
            self.partial.push(b'\n');
            self.emit(out);
        }
    }

    fn emit(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.prefix);
        out.append(&mut self.partial);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixed(pieces: &[&[u8]]) -> String {
        all(Lines::new("test", false), pieces)
    }

    fn all(mut lines: Lines, pieces: &[&[u8]]) -> String {
        let mut out = Vec::new();
        for piece in pieces {
            lines.push(piece, &mut out);
        }
        lines.end(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn every_line_is_whole_and_behind_the_name() {
        assert_eq!(
            prefixed(&[b"on", b"e\ntwo\n", b"\nend"]),
            "test | one\ntest | two\ntest | \ntest | end\n"
        );
        assert_eq!(prefixed(&[]), "");
    }

    #[test]
    fn what_a_terminal_writes_over_itself_is_behind_the_name_each_time() {
        let written: [&[u8]; 3] = [b"10%\r50%\r", b"100%\r", b"\ndone\r\n\n"];
        let shown = all(Lines::new("t", true), &written);
        assert_eq!(shown, "t | 10%\rt | 50%\rt | 100%\r\nt | done\r\nt | \n");
    }

    #[test]
    fn an_endless_line_is_broken() {
        let long = vec![b'x'; 3 * LONGEST];
        let (mut lines, mut out) = (Lines::new("t", false), Vec::new());
        for piece in long.chunks(1000) {
            lines.push(piece, &mut out);
            assert!(lines.partial.len() <= LONGEST + 1000);
        }
        assert_eq!(out.split(|&b| b == b'\n').count(), 3);
    }
}
