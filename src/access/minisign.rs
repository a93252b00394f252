//! Public keys and detached signatures in minisign's format.
//!
//! A public key is one word, `RWQ…`: two letters for the algorithm, the key's id, the Ed25519 key. A
//! signature file has four lines: a comment, the signature (which names the key by its id), a second
//! comment, and a signature over the first signature and that comment. What is signed is the BLAKE2b-512
//! of the file. The older form, which signs the file itself, is refused. The format is documented at
//! <https://jedisct1.github.io/minisign/>; that program makes and checks the same files.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use blake2::{Blake2b512, Digest as _};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

/// The signature file of `FILE` is `FILE.minisig`.
pub const SIGNATURE_SUFFIX: &str = ".minisig";

/// The algorithm of keys.
const KEY: [u8; 2] = *b"Ed";
/// The algorithm of signatures over a file's BLAKE2b-512.
const PREHASHED: [u8; 2] = *b"ED";

const FIRST_COMMENT: &str = "untrusted comment: ";
const SECOND_COMMENT: &str = "trusted comment: ";

/// What tells keys apart; written as minisign writes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 8]);

impl KeyId {
    /// The beginning of every public key that has this id.
    pub fn beginning_of_key(self) -> String {
        let mut text = STANDARD.encode([&KEY[..], &self.0, &[0; 2]].concat());
        text.truncate(13);
        text
    }

    /// The bytes, in the order of the file.
    pub fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl From<[u8; 8]> for KeyId {
    fn from(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A text that is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no public key: {why}")]
pub struct InvalidKey {
    text: String,
    why: &'static str,
}

/// Somebody's public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    id: KeyId,
    key: [u8; 32],
}

impl PublicKey {
    /// The key of these 32 bytes.
    pub fn new(id: KeyId, key: [u8; 32]) -> Self {
        Self { id, key }
    }

    /// What a signature of this key names it by.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Whether `signature` was made with this key over exactly `bytes`, and its comment with it.
    pub fn verify(&self, bytes: &[u8], signature: &Signature) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        signature.key == self.id
            && key.verify(&prehash(bytes), &signature.over_file).is_ok()
            && key.verify(&signature.sealed(), &signature.seal).is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let refuse = |why| InvalidKey { text: text.chars().take(80).collect(), why };
        let bytes = STANDARD.decode(text).map_err(|_| refuse("it is not base64; a key is one word, `RWQ…`"))?;
        let bytes: [u8; 42] = bytes.try_into().map_err(|_| refuse("it has not the length of one"))?;
        if bytes[..2] != KEY {
            return Err(refuse("it is of another kind than Ed25519"));
        }
        let (mut id, mut key) = ([0; 8], [0; 32]);
        id.copy_from_slice(&bytes[2..10]);
        key.copy_from_slice(&bytes[10..]);
        Ok(Self { id: KeyId(id), key })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode([&KEY[..], &self.id.0, &self.key].concat()))
    }
}

impl TryFrom<String> for PublicKey {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

/// A file that is no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no signature in minisign's format: {0}")]
pub struct InvalidSignature(&'static str);

/// A detached signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    key: KeyId,
    over_file: [u8; 64],
    comment: String,
    seal: [u8; 64],
}

impl Signature {
    /// Signs `bytes`. `sign` makes an Ed25519 signature with the key of this id.
    pub fn make(key: KeyId, bytes: &[u8], comment: &str, sign: impl Fn(&[u8]) -> [u8; 64]) -> Self {
        let comment = comment.replace(char::is_control, " ");
        let mut made = Self { key, over_file: sign(&prehash(bytes)), comment, seal: [0; 64] };
        made.seal = sign(&made.sealed());
        made
    }

    /// The key that it says it was made with.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// The comment that is signed with the file.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// What the second signature is over.
    fn sealed(&self) -> Vec<u8> {
        [&self.over_file[..], self.comment.as_bytes()].concat()
    }
}

impl FromStr for Signature {
    type Err = InvalidSignature;

    fn from_str(text: &str) -> Result<Self, InvalidSignature> {
        let lines: Vec<&str> = text.lines().collect();
        let [first, signature, second, seal] = lines[..] else { return Err(InvalidSignature("it has not four lines")) };
        if !first.starts_with(FIRST_COMMENT) {
            return Err(InvalidSignature("its first line is no comment"));
        }
        let comment = second.strip_prefix(SECOND_COMMENT).ok_or(InvalidSignature("its third line is no comment"))?;
        let signature: [u8; 74] = decode(signature).ok_or(InvalidSignature("its second line is damaged"))?;
        let seal = decode(seal).ok_or(InvalidSignature("its fourth line is damaged"))?;
        if signature[..2] == KEY {
            return Err(InvalidSignature("it is of the old form, which does not hash the file first; sign again"));
        }
        if signature[..2] != PREHASHED {
            return Err(InvalidSignature("it is of another kind than Ed25519 over BLAKE2b"));
        }
        let (mut id, mut bytes) = ([0; 8], [0; 64]);
        id.copy_from_slice(&signature[2..10]);
        bytes.copy_from_slice(&signature[10..]);
        Ok(Self { key: KeyId(id), over_file: bytes, comment: comment.to_owned(), seal })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signature = STANDARD.encode([&PREHASHED[..], &self.key.0, &self.over_file].concat());
        writeln!(f, "{FIRST_COMMENT}signature by the key {}\n{signature}", self.key)?;
        writeln!(f, "{SECOND_COMMENT}{}\n{}", self.comment, STANDARD.encode(self.seal))
    }
}

fn decode<const N: usize>(line: &str) -> Option<[u8; N]> {
    STANDARD.decode(line).ok()?.try_into().ok()
}

fn prehash(bytes: &[u8]) -> [u8; 64] {
    Blake2b512::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by minisign 0.11 over `hi\n`.
    const THEIR_KEY: &str = "RWShUuMOxxGeyOIF3wnegTvOTS3mVslyp+6Rzde0yG9skoVXswgJr6tB";
    const THEIR_SIGNATURE: &str = "\
        untrusted comment: signature from minisign secret key\n\
        RUShUuMOxxGeyPjyWeIYJcTty8JaZ6TVauZ6r9q5yO1yME6hx4PkbqesLEjyz8tUwcapLgazY1slbUok8gJDKgk1n42TrUXziww=\n\
        trusted comment: timestamp:1795505484\tfile:x\thashed\n\
        pud0N/iisFYXpGaOC2ZfiZ/xlRjRHtGm1clOCqmBfEAhw82G/SYIF6NLSC2EcY7MNikViZvqLyuqcFc+RMfFDQ==\n";

    #[test]
    fn what_minisign_signed_is_verified() {
        let key: PublicKey = THEIR_KEY.parse().unwrap();
        assert_eq!((key.to_string().as_str(), key.id().to_string().as_str()), (THEIR_KEY, "C89E11C70EE352A1"));
        assert!(THEIR_KEY.starts_with(&key.id().beginning_of_key()));
        let signature: Signature = THEIR_SIGNATURE.parse().unwrap();
        assert!(key.verify(b"hi\n", &signature));
        assert!(!key.verify(b"hi", &signature) && !key.verify(b"", &signature));
        assert_eq!(signature.to_string().parse::<Signature>().unwrap(), signature);
    }

    #[test]
    fn no_bit_of_a_signature_may_change() {
        let key: PublicKey = THEIR_KEY.parse().unwrap();
        let body = THEIR_SIGNATURE.find('\n').unwrap();
        for at in body..THEIR_SIGNATURE.len() {
            for flip in [1, 4, 32] {
                let mut changed = THEIR_SIGNATURE.as_bytes().to_vec();
                changed[at] ^= flip;
                let Ok(changed) = String::from_utf8(changed) else { continue };
                let believed = changed.parse().is_ok_and(|signature| key.verify(b"hi\n", &signature));
                assert!(!believed, "{changed}");
            }
        }
    }

    #[test]
    fn another_key_of_the_same_id_is_another_key() {
        let real: PublicKey = THEIR_KEY.parse().unwrap();
        let other = PublicKey::new(real.id(), [7; 32]);
        assert!(!other.verify(b"hi\n", &THEIR_SIGNATURE.parse().unwrap()));
    }

    #[test]
    fn what_is_no_key_and_no_signature_is_refused() {
        for text in ["", "RWQ", "RWShUuMOxxGey", "not base64!", &THEIR_KEY[1..], &format!("{THEIR_KEY} ")] {
            assert!(text.parse::<PublicKey>().is_err(), "{text:?}");
        }
        let old = THEIR_SIGNATURE.replacen("\nRU", "\nRW", 1);
        assert!(old.parse::<Signature>().unwrap_err().to_string().contains("old form"));
        for text in ["", "\n\n\n\n", &format!("{THEIR_SIGNATURE}more\n"), &THEIR_SIGNATURE[1..], THEIR_KEY] {
            assert!(text.parse::<Signature>().is_err(), "{text:?}");
        }
    }
}
