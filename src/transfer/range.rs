//! `Content-Range` and `Range`, in the one form each that is used here.

use std::{fmt, str::FromStr};

/// Which part of a whole a request brings: `bytes FIRST-LAST/SIZE`, or `bytes */SIZE` for no byte at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// The offset of the first byte.
    pub first: u64,
    /// The offset behind the last byte.
    pub end: u64,
    /// How large the whole is.
    pub total: u64,
}

/// A header that is none of these forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the range is written `bytes FIRST-LAST/SIZE`")]
pub struct InvalidRange;

impl ContentRange {
    /// From `first` to the end of a whole of `total` bytes.
    pub fn rest(first: u64, total: u64) -> Self {
        Self { first, end: total, total }
    }

    /// How many bytes the part has.
    pub fn length(&self) -> u64 {
        self.end - self.first
    }
}

impl FromStr for ContentRange {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let (part, total) = text.strip_prefix("bytes ").and_then(|rest| rest.split_once('/')).ok_or(InvalidRange)?;
        let total = number(total)?;
        if part == "*" {
            return Ok(Self { first: total, end: total, total });
        }
        let (first, last) = part.split_once('-').ok_or(InvalidRange)?;
        let (first, last) = (number(first)?, number(last)?);
        if first <= last && last < total { Ok(Self { first, end: last + 1, total }) } else { Err(InvalidRange) }
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.end {
            write!(f, "bytes */{}", self.total)
        } else {
            write!(f, "bytes {}-{}/{}", self.first, self.end - 1, self.total)
        }
    }
}

/// `Range` for everything from an offset on.
pub fn range_from(first: u64) -> String {
    format!("bytes={first}-")
}

/// The offset of such a header.
pub fn from_range(text: &str) -> Result<u64, InvalidRange> {
    number(text.strip_prefix("bytes=").and_then(|rest| rest.strip_suffix('-')).ok_or(InvalidRange)?)
}

/// Digits and nothing else: `+1` is no offset.
fn number(text: &str) -> Result<u64, InvalidRange> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(InvalidRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_come_back_as_they_were_written() {
        for range in [ContentRange::rest(0, 10), ContentRange::rest(7, 10), ContentRange { first: 2, end: 3, total: 9 }]
        {
            assert_eq!(range.to_string().parse(), Ok(range));
        }
        assert_eq!("bytes */0".parse(), Ok(ContentRange::rest(0, 0)));
        assert_eq!(from_range(&range_from(12)), Ok(12));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in
            ["", "bytes", "bytes 0-9", "bytes 0-10/10", "bytes 5-4/10", "bytes +0-9/10", "bytes 0-9/*", "0-9/10"]
        {
            assert_eq!(text.parse::<ContentRange>(), Err(InvalidRange), "{text}");
        }
        assert_eq!("bytes 0-18446744073709551615/18446744073709551615".parse::<ContentRange>(), Err(InvalidRange));
        for text in ["bytes=-5", "bytes=0-5", "bytes=x-", "1-"] {
            assert_eq!(from_range(text), Err(InvalidRange), "{text}");
        }
    }
}
