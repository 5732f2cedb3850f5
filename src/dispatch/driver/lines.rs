//! A command's output as whole lines behind its rule's name. Pure.

/// A longer line is broken, which bounds what a command that never ends one can make tripline hold.
const LONGEST: usize = 64 * 1024;

/// One stream of one run.
#[derive(Debug)]
pub(super) struct Lines {
    prefix: Vec<u8>,
    partial: Vec<u8>,
}

impl Lines {
    /// Lines behind `name | `.
    pub(super) fn new(name: &str) -> Self {
        Self { prefix: format!("{name} | ").into_bytes(), partial: Vec::new() }
    }

    /// Takes bytes in and appends the lines that are complete to `out`.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.emit(out);
            } else if self.partial.len() >= LONGEST {
                self.end(out);
            }
        }
    }

    /// Appends what is left as a line.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
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
        let (mut lines, mut out) = (Lines::new("test"), Vec::new());
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
    fn an_endless_line_is_broken() {
        let long = vec![b'x'; 3 * LONGEST];
        let (mut lines, mut out) = (Lines::new("t"), Vec::new());
        for piece in long.chunks(1000) {
            lines.push(piece, &mut out);
            assert!(lines.partial.len() <= LONGEST + 1000);
        }
        assert_eq!(out.split(|&b| b == b'\n').count(), 3);
    }
}
