//! Whose modules load.
//!
//! ```toml
//! [modules]
//! unsigned = false
//! trusted = ["RWQ…"]
//!
//! [signers]
//! ops = "RWQ…"
//! ```
//!
//! Modules that were signed with any of these keys load; a key that has a name can have grants of its
//! own. A decision is about bytes in memory, which are then compiled: the file may change meanwhile.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::minisign::{InvalidSignature, KeyId, PublicKey, Signature};

/// What the operator calls a signer: letters, digits, `-`, `_`, `.` and `@`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SignerName(String);

/// A text that cannot be a signer's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name of a signer: letters, digits, `-`, `_`, `.` and `@`, 64 at most")]
pub struct InvalidSignerName(String);

impl TryFrom<String> for SignerName {
    type Error = InvalidSignerName;

    fn try_from(text: String) -> Result<Self, InvalidSignerName> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
        let whole = !text.is_empty() && text.len() <= 64 && text.chars().all(fits);
        if whole { Ok(Self(text)) } else { Err(InvalidSignerName(text.chars().take(64).collect())) }
    }
}

impl From<SignerName> for String {
    fn from(name: SignerName) -> Self {
        name.0
    }
}

impl fmt::Display for SignerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Who stands behind a module's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provenance {
    /// Nobody that is known: the minion takes unsigned modules.
    Unsigned,
    /// The holder of a trusted key.
    Signed {
        /// The key.
        key: PublicKey,
        /// What the operator calls its holder.
        name: Option<SignerName>,
    },
}

impl Provenance {
    /// The name of the signer, if it has one.
    pub fn name(&self) -> Option<&SignerName> {
        match self {
            Self::Signed { name, .. } => name.as_ref(),
            Self::Unsigned => None,
        }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => f.pad("unsigned"),
            Self::Signed { name: Some(name), .. } => name.fmt(f),
            Self::Signed { key, name: None } => f.pad(&key.id().to_string()),
        }
    }
}

/// Why a module's bytes are not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// There is no signature, perhaps not yet.
    #[error(
        "it is not signed: put its signature beside it (`func module sign` makes one), or allow unsigned modules in \
         the minion's configuration: [modules] unsigned = true"
    )]
    Unsigned,
    /// The signature file is none.
    #[error("its signature cannot be read")]
    Malformed {
        /// What is wrong with it.
        #[from]
        source: InvalidSignature,
    },
    /// The signature is by a key that the operator does not trust.
    #[error(
        "it is signed with the key {key}, which is not trusted here. Anybody can make a key: ask the one who should have \
         signed it, in another way than this file came, for the public key, and only if that begins with `{begins}` \
         trust it, in the minion's configuration: [modules] trusted = [\"{begins}…\"]", begins = key.beginning_of_key()
    )]
    Stranger {
        /// The key that the signature names.
        key: KeyId,
    },
    /// The signature names a trusted key, but is not that key's signature of these bytes.
    #[error(
        "its signature, which names the trusted key {key}, is not of these bytes: one of the two files was changed, or \
         the other has not arrived yet"
    )]
    Mismatch {
        /// The key that the signature names.
        key: KeyId,
    },
}

/// The keys that the operator trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signers {
    keys: Vec<(PublicKey, Option<SignerName>)>,
    unsigned: bool,
}

impl Signers {
    /// These keys, and whether modules load that nobody signed.
    pub fn new(
        named: &BTreeMap<SignerName, PublicKey>,
        others: impl IntoIterator<Item = PublicKey>,
        unsigned: bool,
    ) -> Self {
        let named = named.iter().map(|(name, key)| (*key, Some(name.clone())));
        Self { keys: named.chain(others.into_iter().map(|key| (key, None))).collect(), unsigned }
    }

    /// Everything loads, signed or not.
    pub fn anybody() -> Self {
        Self { keys: Vec::new(), unsigned: true }
    }

    /// Who signed `bytes`. `signature` is the text of the signature file, if there is one.
    pub fn judge(&self, bytes: &[u8], signature: Option<&str>) -> Result<Provenance, Untrusted> {
        let Some(signature) = signature else {
            return if self.unsigned { Ok(Provenance::Unsigned) } else { Err(Untrusted::Unsigned) };
        };
        let signature: Signature = signature.parse()?;
        let mut known = self.keys.iter().filter(|(key, _)| key.id() == signature.key()).peekable();
        if known.peek().is_none() {
            // A signature that nobody here can check is worth as much as none.
            return if self.unsigned {
                Ok(Provenance::Unsigned)
            } else {
                Err(Untrusted::Stranger { key: signature.key() })
            };
        }
        known
            .find(|(key, _)| key.verify(bytes, &signature))
            .map(|(key, name)| Provenance::Signed { key: *key, name: name.clone() })
            .ok_or(Untrusted::Mismatch { key: signature.key() })
    }

    /// Whether what loaded with this provenance would load still; its present name if so.
    pub fn still(&self, provenance: &Provenance) -> Option<Provenance> {
        match provenance {
            Provenance::Unsigned => self.unsigned.then_some(Provenance::Unsigned),
            Provenance::Signed { key, .. } => match self.keys.iter().find(|(known, _)| known == key) {
                Some((key, name)) => Some(Provenance::Signed { key: *key, name: name.clone() }),
                None => self.unsigned.then_some(Provenance::Unsigned),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    struct Author(Ed25519KeyPair, KeyId);

    impl Author {
        fn new(seed: u8) -> Self {
            Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(), KeyId::from([seed; 8]))
        }

        fn key(&self) -> PublicKey {
            PublicKey::new(self.1, self.0.public_key().as_ref().try_into().unwrap())
        }

        fn sign(&self, bytes: &[u8]) -> String {
            let sign = |message: &[u8]| self.0.sign(message).as_ref().try_into().unwrap();
            Signature::make(self.1, bytes, "a test", sign).to_string()
        }
    }

    fn trusting(author: &Author) -> Signers {
        Signers::new(&[("ops".to_owned().try_into().unwrap(), author.key())].into(), [], false)
    }

    #[test]
    fn a_trusted_signature_of_these_very_bytes_is_believed() {
        let author = Author::new(1);
        let judged = trusting(&author).judge(b"module", Some(&author.sign(b"module")));
        assert_eq!(judged.unwrap().name().unwrap().to_string(), "ops");
        let unnamed = Signers::new(&BTreeMap::new(), [author.key()], false);
        let judged = unnamed.judge(b"module", Some(&author.sign(b"module"))).unwrap();
        assert_eq!(judged, Provenance::Signed { key: author.key(), name: None });
        assert_eq!(judged.to_string(), "0101010101010101");
    }

    #[test]
    fn everything_else_is_refused_by_its_own_name() {
        let (author, stranger) = (Author::new(1), Author::new(2));
        let judge = |bytes: &[u8], signature: Option<&str>| trusting(&author).judge(bytes, signature).unwrap_err();
        assert_eq!(judge(b"module", None), Untrusted::Unsigned);
        assert_eq!(judge(b"changed", Some(&author.sign(b"module"))), Untrusted::Mismatch { key: author.1 });
        assert_eq!(judge(b"module", Some(&author.sign(b"another"))), Untrusted::Mismatch { key: author.1 });
        assert!(matches!(judge(b"module", Some("junk")), Untrusted::Malformed { .. }));
        let foreign = judge(b"module", Some(&stranger.sign(b"module")));
        assert_eq!(foreign, Untrusted::Stranger { key: stranger.1 });
        let text = foreign.to_string();
        let beginning = &stranger.key().to_string()[..13];
        assert!(text.contains("0202020202020202") && text.contains(&format!("trusted = [\"{beginning}…\"]")), "{text}");
    }

    #[test]
    fn a_key_that_only_claims_a_trusted_id_is_not_believed() {
        let (author, stranger) = (Author::new(1), Author::new(2));
        let disguised = Author(stranger.0, author.1);
        let judged = trusting(&author).judge(b"module", Some(&disguised.sign(b"module")));
        assert_eq!(judged, Err(Untrusted::Mismatch { key: author.1 }));
    }

    #[test]
    fn unsigned_modules_load_only_where_they_may_and_a_false_signature_nowhere() {
        let author = Author::new(1);
        let mut signers = trusting(&author);
        signers.unsigned = true;
        assert_eq!(signers.judge(b"module", None), Ok(Provenance::Unsigned));
        let stranger = Author::new(2).sign(b"module");
        assert_eq!(signers.judge(b"module", Some(&stranger)), Ok(Provenance::Unsigned));
        assert!(signers.judge(b"changed", Some(&author.sign(b"module"))).is_err());
    }

    #[test]
    fn trust_that_is_withdrawn_is_noticed() {
        let author = Author::new(1);
        let signed = trusting(&author).judge(b"m", Some(&author.sign(b"m"))).unwrap();
        assert_eq!(trusting(&author).still(&signed), Some(signed.clone()));
        assert_eq!(Signers::default().still(&signed), None);
        assert_eq!(Signers::anybody().still(&signed), Some(Provenance::Unsigned));
        assert_eq!(Signers::default().still(&Provenance::Unsigned), None);
    }

    #[test]
    fn names_of_signers_are_plain_words() {
        for text in ["", "a b", "é", "\n", &"x".repeat(65)] {
            assert!(SignerName::try_from(text.to_owned()).is_err(), "{text:?}");
        }
        assert!(SignerName::try_from("ops@example.org".to_owned()).is_ok());
    }
}
