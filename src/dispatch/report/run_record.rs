//! What is remembered of a run that is over. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::Cause;
use crate::dispatch::job::RunId;
use crate::dispatch::job::outcome::Outcome;

/// Of what a run writes, the beginning: what was called, and the first mistake of a compiler.
const HEAD: usize = 64 << 10;
/// And the end: why it failed. Both together are a screen of text a second for a minute.
const TAIL: usize = 192 << 10;

/// A run, or a service, that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The rule's name.
    pub rule: String,
    /// The run's number in this tripline.
    pub run: RunId,
    /// Its cause; none of a service.
    pub cause: Option<Cause>,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub elapsed: Duration,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether it was told to end, so that its outcome says nothing.
    pub stopped: bool,
    /// What it has written.
    pub output: Excerpt,
}

/// The beginning and the end of what a run has written, byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    omitted: u64,
}

impl Excerpt {
    /// Adds bytes to the end.
    pub fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(head);
        let (skipped, rest) = rest.split_at(rest.len().saturating_sub(TAIL));
        let excess = (self.tail.len() + rest.len()).saturating_sub(TAIL);
        self.tail.drain(..excess);
        self.tail.extend(rest);
        self.omitted += (skipped.len() + excess) as u64;
    }

    /// What comes before the bytes that were left out, how many those are, and what comes after them.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, u64, Vec<u8>) {
        (self.head, self.omitted, self.tail.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(pieces: impl IntoIterator<Item = Vec<u8>>) -> (Vec<u8>, u64, Vec<u8>) {
        let mut excerpt = Excerpt::default();
        pieces.into_iter().for_each(|piece| excerpt.push(&piece));
        excerpt.into_parts()
    }

    #[test]
    fn what_is_short_is_whole() {
        let (head, omitted, tail) = parts([b"a\0".to_vec(), vec![], b"\xff\n".to_vec()]);
        assert_eq!((head.as_slice(), omitted, tail.as_slice()), (b"a\0\xff\n".as_slice(), 0, b"".as_slice()));
        let (head, omitted, tail) = parts([vec![b'x'; HEAD + TAIL]]);
        assert_eq!((head.len(), omitted, tail.len()), (HEAD, 0, TAIL));
    }

    #[test]
    fn of_what_is_long_the_beginning_and_the_end_are_kept_however_it_came() {
        let all: Vec<u8> = (0..2 * (HEAD + TAIL)).map(|n| (n % 251) as u8).collect();
        for size in [1, 7, 4096, HEAD, TAIL + 1, all.len()] {
            let (head, omitted, tail) = parts(all.chunks(size).map(<[u8]>::to_vec));
            assert_eq!(head, all[..HEAD], "{size}");
            assert_eq!(tail, all[all.len() - TAIL..], "{size}");
            assert_eq!(omitted as usize, all.len() - HEAD - TAIL, "{size}");
        }
    }
}
