//! The one door to WIT in its binary form: of a component, and of its section for documentation.
//!
//! Whatever the bytes are, what comes back is the WIT or an error, and memory stays in proportion to them. The decoder by
//! itself does neither: it breaks off where bytes name what is not there, and makes room for as much as a section says that
//! it has, which may be 4 GiB. So nothing reaches it of which a section is longer than the bytes that are there.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wasmparser::{BinaryReaderError, Parser};
use wit_parser::decoding::{DecodedWasm, decode};

/// Why bytes are no WIT.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWit {
    /// They are not whole sections.
    #[error("it is damaged")]
    Damaged(#[from] BinaryReaderError),
    /// They are whole, and make no sense.
    #[error("it is no WIT: {0}")]
    Meaningless(String),
    /// They name what is not there.
    #[error("it names what is not there")]
    Dangling,
}

/// What a component, or a package in binary form, says of types.
pub fn decode_wit(bytes: &[u8]) -> Result<DecodedWasm, InvalidWit> {
    for payload in Parser::new(0).parse_all(bytes) {
        payload?;
    }
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(bytes)));
    decoded.map_err(|_| InvalidWit::Dangling)?.map_err(|error| InvalidWit::Meaningless(format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::{UsageWho, getrusage};

    use super::*;

    fn package() -> Vec<u8> {
        let mut resolve = wit_parser::Resolve::default();
        let package = resolve.push_str("a.wit", "package a:b;\ninterface i { f: func(a: u8); }\n").unwrap();
        wit_component::encode(&resolve, package).unwrap()
    }

    #[test]
    fn what_a_section_says_of_its_length_takes_no_memory() {
        let peak = || getrusage(UsageWho::RUSAGE_SELF).unwrap().max_rss();
        let before = peak();
        for section in 0..=13 {
            // Four gigabytes, less one.
            let mut bytes = package();
            bytes.extend([section, 0xff, 0xff, 0xff, 0xff, 0x0f]);
            assert!(matches!(decode_wit(&bytes), Err(InvalidWit::Damaged(_))), "section {section}");
        }
        let grown = peak() - before;
        assert!(grown < 1 << 20, "the peak of memory grew by {grown} kB");
    }

    #[test]
    fn what_is_no_wit_is_told_apart() {
        assert!(matches!(decode_wit(&package()), Ok(DecodedWasm::WitPackage(..))));
        assert!(matches!(decode_wit(b"\0asm"), Err(InvalidWit::Damaged(_))));
        let dangling = include_bytes!("../../tests/fuzz/corpus/wit_sections/a-type-that-is-not-there");
        assert!(decode_wit(dangling).is_err());
    }
}
