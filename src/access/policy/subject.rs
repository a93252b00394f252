//! The hash of a certificate's subject, by which old ACL files name callers beside their common name.
//!
//! It is what `openssl x509 -noout -subject_hash` prints: the first four bytes of the SHA-1 of the name in
//! OpenSSL's canonical form (values as UTF-8, in lower case, blanks folded). It tells certificates of one name apart
//! and protects nothing: that the certificate is genuine is the handshake's business.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use x509_parser::{
    certificate::X509Certificate,
    der_parser::asn1_rs::{Any, Tag, ToDer as _},
    prelude::FromDer as _,
};

/// The hash of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubjectHash(u32);

impl SubjectHash {
    /// That of a subject that is a common name and nothing else, as our authority's certificates have it.
    pub fn of_common_name(name: &str) -> Self {
        const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];
        let member = [&COMMON_NAME[..], &element(0x0c, folded(name).as_bytes())].concat();
        Self::of_canonical(&element(0x31, &element(0x30, &member)))
    }

    /// That of a certificate in DER form; nothing if it cannot be read.
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let mut canonical = Vec::new();
        for set in certificate.subject().iter_rdn() {
            let mut members = Vec::new();
            for attribute in set.iter() {
                let mut member = attribute.attr_type().to_der_vec().ok()?;
                match attribute.as_str() {
                    Ok(text) => member.extend(element(0x0c, folded(text).as_bytes())),
                    Err(_) => member.extend(any(attribute.attr_value())?),
                }
                members.push(element(0x30, &member));
            }
            members.sort();
            canonical.extend(element(0x31, &members.concat()));
        }
        Some(Self::of_canonical(&canonical))
    }

    fn of_canonical(name: &[u8]) -> Self {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, name);
        let first = digest.as_ref().iter().take(4).rev();
        Self(first.fold(0, |hash, byte| hash << 8 | u32::from(*byte)))
    }

    #[cfg(test)]
    pub(in crate::access) fn for_tests(hash: u32) -> Self {
        Self(hash)
    }

    /// All the ways in which it is written after a common name.
    pub(super) fn written(self, name: &str) -> [String; 3] {
        let Self(hash) = self;
        [format!("{name}-{hash}"), format!("{name}-{hash:08x}"), format!("{name}-{hash:08X}")]
    }
}

fn any(value: &Any<'_>) -> Option<Vec<u8>> {
    let tag = match value.tag() {
        Tag(number @ 0..=30) => u8::try_from(number).ok()?,
        _ => return None,
    };
    Some(element(tag, value.data))
}

/// Blanks at the ends go, those between words become one, letters become small.
fn folded(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

/// Tag, length, content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
        out.push(short);
    } else {
        let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
        out.push(0x80 | u8::try_from(bytes.len()).unwrap_or(8));
        out.extend(bytes);
    }
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    fn hash(parts: &[(DnType, &str)]) -> Option<SubjectHash> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, text) in parts {
            params.distinguished_name.push(kind.clone(), *text);
        }
        SubjectHash::of_certificate(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der())
    }

    #[test]
    fn it_is_what_openssl_says() {
        // openssl x509 -noout -subject_hash, of CN=web1 and of C=DE, O=Some  Thing, CN=Web1.
        let web1 = SubjectHash(0x9c1c_7d2f);
        assert_eq!(hash(&[(DnType::CommonName, "web1")]), Some(web1));
        assert_eq!(SubjectHash::of_common_name("web1"), web1);
        let parts =
            [(DnType::CountryName, "DE"), (DnType::OrganizationName, "Some  Thing"), (DnType::CommonName, "Web1")];
        assert_eq!(hash(&parts), Some(SubjectHash(0xccf7_988e)));
        assert_eq!(SubjectHash::of_certificate(b"junk"), None);
    }
}
