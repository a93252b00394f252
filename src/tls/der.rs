//! The little DER (X.690) that nobody else reads or writes for us.

use std::iter;

use rustls::pki_types::TrustAnchor;
use x509_parser::{prelude::FromDer, x509::SubjectPublicKeyInfo};

/// A sequence of what is inside it. A trust anchor holds the inside of its sequences.
pub(super) fn sequence(inside: &[u8]) -> Vec<u8> {
    const TAG: u8 = 0x30;
    let length = inside.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut whole = vec![TAG];
    match length {
        [short @ 0..0x80] => whole.push(*short),
        // At most eight bytes of length.
        _ => {
            whole
                .extend(iter::once(0x80 | u8::try_from(length.len()).unwrap_or(u8::MAX)).chain(length.iter().copied()));
        }
    }
    whole.extend_from_slice(inside);
    whole
}

/// The bits of an authority's key.
pub(super) fn public_key(anchor: &TrustAnchor<'_>) -> Option<Vec<u8>> {
    let key = sequence(&anchor.subject_public_key_info);
    let (_, key) = SubjectPublicKeyInfo::from_der(&key).ok()?;
    Some(key.subject_public_key.data.into_owned())
}
