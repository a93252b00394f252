//! The chain: how a line is sealed, and how a sealed line is read.
//!
//! A line is `{…,"seq":7,"hash":"…"}`. The hash is SHA-256 over the hash of the line before it, as text, and the
//! line up to `,"hash"`. The first line follows 64 zeros.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::ids::Digest;

/// The number and the hash of the last line of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The line's number; 0 before the first.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

/// What is no head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a head is a line's number and its hash: NUMBER:HASH")]
pub struct InvalidHead;

impl Head {
    /// Before the first line.
    pub(super) fn beginning() -> Self {
        Self { seq: 0, hash: Digest::from([0; 32]) }
    }

    /// Seals `body`, a JSON object, as the line `seq` after this one, and answers the new head. The line is added to `out`.
    pub(super) fn seal(self, body: &[u8], seq: u64, out: &mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend_from_slice(body.strip_suffix(b"}").unwrap_or(body));
        out.extend_from_slice(format!(",\"seq\":{seq}").as_bytes());
        let hash = hash(&self.hash, &out[start..]);
        out.extend_from_slice(format!("{MARK}{hash}\"}}\n").as_bytes());
        Self { seq, hash }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = InvalidHead;

    fn from_str(text: &str) -> Result<Self, InvalidHead> {
        let (seq, hash) = text.trim().split_once(':').ok_or(InvalidHead)?;
        Ok(Self { seq: seq.parse().map_err(|_| InvalidHead)?, hash: hash.parse().map_err(|_| InvalidHead)? })
    }
}

const MARK: &str = ",\"hash\":\"";

/// A line of a chain, as it says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sealed<'a> {
    content: &'a [u8],
    pub(super) head: Head,
}

impl<'a> Sealed<'a> {
    /// Reads a line without its line end; nothing if it is none of a chain.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_suffix(b"\"}")?;
        let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(64)?)?;
        let content = rest.strip_suffix(MARK.as_bytes())?;
        let hash = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let at = content.iter().rposition(|byte| !byte.is_ascii_digit())?;
        let number = content[..=at].ends_with(b",\"seq\":").then(|| std::str::from_utf8(&content[at + 1..]).ok())??;
        Some(Self { content, head: Head { seq: number.parse().ok()?, hash } })
    }

    /// Whether this line follows one of that hash.
    pub(super) fn follows(&self, before: &Digest) -> bool {
        hash(before, self.content) == self.head.hash
    }
}

fn hash(before: &Digest, content: &[u8]) -> Digest {
    let mut all = before.to_string().into_bytes();
    all.extend_from_slice(content);
    Digest::of(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_line_is_json_and_says_what_it_follows() {
        let mut out = Vec::new();
        let first = Head::beginning().seal(br#"{"a":",\"hash\":\""}"#, 1, &mut out);
        let second = first.seal(br#"{"b":"x"}"#, 2, &mut out);
        let lines: Vec<&[u8]> = out.split(|byte| *byte == b'\n').collect();
        let [one, two] = [lines[0], lines[1]].map(|line| Sealed::read(line).unwrap());
        assert!(one.follows(&Head::beginning().hash) && two.follows(&first.hash) && !two.follows(&second.hash));
        assert_eq!((one.head, two.head, second.to_string().parse()), (first, second, Ok(second)));
        let json: serde_json::Value = serde_json::from_slice(lines[0]).unwrap();
        assert_eq!(json["seq"], 1);
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_the_reader_panic(line: Vec<u8>, tail in "[,\":a-z0-9}]{0,80}") {
            let _ = Sealed::read(&line);
            let _ = Sealed::read(&[&line[..], tail.as_bytes()].concat());
        }
    }
}
