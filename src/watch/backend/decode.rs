//! The kernel's bytes to [`RawEvent`]s. Pure, and distrusts every length.

use std::fmt;

use crate::event::EventMask;
use crate::sys::Wd;

/// One `struct inotify_event` (inotify(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawEvent<'b> {
    /// The watch it came through; -1 for an overflow of the queue.
    pub wd: Wd,
    /// What happened.
    pub mask: EventMask,
    /// What the halves of a rename share; otherwise 0.
    pub cookie: u32,
    /// The entry of the watched directory; empty if it is about the directory itself.
    pub name: &'b [u8],
}

/// Bytes that are no event: the rest of the buffer is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the kernel sent a truncated event")
    }
}

/// wd, mask, cookie and length, four bytes each.
const HEADER: usize = 16;

/// The events in what one read(2) returned. After an error there is nothing more.
pub fn decode(bytes: &[u8]) -> Decode<'_> {
    Decode { rest: bytes }
}

/// The iterator of [`decode`].
#[derive(Clone, Debug)]
pub struct Decode<'b> {
    rest: &'b [u8],
}

impl<'b> Iterator for Decode<'b> {
    type Item = Result<RawEvent<'b>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let event = split(self.rest);
        self.rest = event.map_or(&[], |(_, rest)| rest);
        Some(event.map(|(event, _)| event).ok_or(Malformed))
    }
}

fn split(bytes: &[u8]) -> Option<(RawEvent<'_>, &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let field = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
    let length = usize::try_from(u32::from_ne_bytes(field(12))).ok()?;
    let (padded, rest) = rest.split_at_checked(length)?;
    let name = padded.split(|&byte| byte == 0).next().unwrap_or_default();
    let wd = Wd(i32::from_ne_bytes(field(0)));
    let mask = EventMask::from_kernel(u32::from_ne_bytes(field(4)));
    Some((RawEvent { wd, mask, cookie: u32::from_ne_bytes(field(8)), name }, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(wd: i32, mask: u32, cookie: u32, name: &[u8], padding: usize) -> Vec<u8> {
        let length = if name.is_empty() { 0 } else { name.len() + 1 + padding };
        let mut bytes = Vec::new();
        bytes.extend(wd.to_ne_bytes());
        bytes.extend(mask.to_ne_bytes());
        bytes.extend(cookie.to_ne_bytes());
        bytes.extend(u32::try_from(length).unwrap().to_ne_bytes());
        bytes.extend(name);
        bytes.resize(HEADER + length, 0);
        bytes
    }

    #[test]
    fn names_keep_every_byte_but_the_padding() {
        let bytes = encode(7, 0x4000_0100, 3, b"\xff\n$(x)", 9);
        let event = decode(&bytes).next().unwrap().unwrap();
        assert_eq!(event.wd, Wd(7));
        assert_eq!(event.mask, EventMask::CREATE | EventMask::ISDIR);
        assert_eq!((event.cookie, event.name), (3, &b"\xff\n$(x)"[..]));
    }

    #[test]
    fn a_truncated_event_is_an_error_and_the_end() {
        let bytes = encode(1, 0x100, 0, b"name", 0);
        for cut in 1..bytes.len() {
            let all: Vec<_> = decode(&bytes[..cut]).collect();
            assert_eq!(all, [Err(Malformed)], "cut at {cut}");
        }
    }

    type Parts = (i32, u32, u32, Vec<u8>, usize);

    fn parts() -> impl Strategy<Value = Parts> {
        let name = proptest::collection::vec(1_u8.., 0..40);
        (any::<i32>(), 0_u32..0x1_0000, any::<u32>(), name, 0_usize..16)
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let events = decode(&bytes).count();
            prop_assert!(events <= bytes.len() / HEADER + 1);
        }

        #[test]
        fn any_split_between_events_gives_the_same_events(all in proptest::collection::vec(parts(), 0..12), at in 0_usize..12) {
            let encoded: Vec<_> = all.iter().map(|(w, m, c, n, p)| encode(*w, *m, *c, n, *p)).collect();
            let whole = encoded.concat();
            let together: Vec<_> = decode(&whole).collect();
            let at = at.min(encoded.len());
            let (first, second) = (encoded[..at].concat(), encoded[at..].concat());
            let apart: Vec<_> = decode(&first).chain(decode(&second)).collect();
            prop_assert_eq!(&together, &apart);
            prop_assert_eq!(together.len(), all.len());
            for (event, (wd, mask, cookie, name, _)) in together.iter().zip(&all) {
                let expected = RawEvent { wd: Wd(*wd), mask: EventMask::from_kernel(*mask), cookie: *cookie, name };
                prop_assert_eq!(*event, Ok(expected));
            }
        }
    }
}
