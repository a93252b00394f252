//! How records lie in a file: length, kind, checksum, payload.
//!
//! ```text
//! 0        4      5           9
//! ├─length─┼─kind─┼─CRC-32────┼─payload (length bytes)─┤
//! ```
//!
//! Numbers are little-endian. The checksum covers length, kind and payload, so that a damaged length is
//! noticed like any other damage. Reading is total: it yields whole records up to the first place that
//! is not one, and never fails. A record torn by a crash is therefore simply not there.

/// Bytes before the payload.
const HEAD: usize = 9;
/// No payload is longer; a length beyond it is damage.
const PAYLOAD_MAX: usize = 64 << 20;

/// A record as it lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// What kind of record it is.
    pub(super) kind: u8,
    /// Its content.
    pub(super) payload: &'a [u8],
}

/// Why a record cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record of {length} bytes is longer than a journal takes")]
pub(super) struct TooLong {
    length: usize,
}

impl Frame<'_> {
    /// The bytes to write.
    pub(super) fn encode(&self) -> Result<Vec<u8>, TooLong> {
        let too_long = TooLong { length: self.payload.len() };
        if self.payload.len() > PAYLOAD_MAX {
            return Err(too_long);
        }
        let length = u32::try_from(self.payload.len()).map_err(|_| too_long)?.to_le_bytes();
        let mut bytes = Vec::with_capacity(HEAD + self.payload.len());
        bytes.extend_from_slice(&length);
        bytes.push(self.kind);
        bytes.extend_from_slice(&checksum(length, self.kind, self.payload).to_le_bytes());
        bytes.extend_from_slice(self.payload);
        Ok(bytes)
    }
}

/// The whole records at the beginning of `bytes`.
#[derive(Debug, Clone)]
pub(super) struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Where the last record that was yielded ends: what a writer cuts the file back to.
    pub(super) fn end(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let (head, rest) = self.bytes.get(self.at..)?.split_first_chunk::<HEAD>()?;
        let [l0, l1, l2, l3, kind, c0, c1, c2, c3] = *head;
        let length = [l0, l1, l2, l3];
        let size = usize::try_from(u32::from_le_bytes(length)).ok().filter(|&size| size <= PAYLOAD_MAX)?;
        let payload = rest.get(..size)?;
        if checksum(length, kind, payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return None;
        }
        self.at += HEAD + size;
        Some(Frame { kind, payload })
    }
}

fn checksum(length: [u8; 4], kind: u8, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(&[kind]);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Owned = Vec<(u8, Vec<u8>)>;

    fn encode(records: &Owned) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (Vec::new(), vec![0]);
        for (kind, payload) in records {
            bytes.extend(Frame { kind: *kind, payload }.encode().unwrap());
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn decode(bytes: &[u8]) -> (Owned, usize) {
        let mut frames = Frames::new(bytes);
        let records = frames.by_ref().map(|frame| (frame.kind, frame.payload.to_vec())).collect();
        (records, frames.end())
    }

    fn records() -> impl Strategy<Value = Owned> {
        prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..80)), 0..12)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(records in records()) {
            let (bytes, ends) = encode(&records);
            prop_assert_eq!(decode(&bytes), (records, *ends.last().unwrap()));
        }

        #[test]
        fn a_torn_tail_costs_only_the_record_it_tears(records in records(), cut in any::<prop::sample::Index>()) {
            let (bytes, ends) = encode(&records);
            let cut = cut.index(bytes.len() + 1);
            let whole = ends.iter().filter(|&&end| end <= cut).count() - 1;
            prop_assert_eq!(decode(&bytes[..cut]), (records[..whole].to_vec(), ends[whole]));
        }

        #[test]
        fn a_flipped_bit_never_yields_a_wrong_record(records in records(), bit in any::<prop::sample::Index>()) {
            let (mut bytes, ends) = encode(&records);
            prop_assume!(!bytes.is_empty());
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let before = ends.iter().filter(|&&end| end <= bit / 8).count() - 1;
            prop_assert_eq!(decode(&bytes), (records[..before].to_vec(), ends[before]));
        }

        #[test]
        fn noise_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (_, end) = decode(&bytes);
            prop_assert!(end <= bytes.len());
        }
    }
}
