//! One line that lets one machine in: where to ask, whom to believe there, and a secret that works once.
//!
//! ```text
//! base64url of: version (1) | SHA-256 of the CA's certificate (32) | secret (16) | address, as text | CRC-32 of it all (4)
//! ```
//!
//! The checksum is for lines that lost an end in somebody's clipboard; it protects nothing.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Address, Error};
use crate::ids::Digest;

const VERSION: u8 = 1;
const HEAD: usize = 1 + 32 + Secret::BYTES;
const CHECKSUM: usize = 4;
/// A host's name has 253 bytes at most.
const MOST_ADDRESS: usize = 300;

/// What the holder of a token shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; Self::BYTES]);

/// A token, as it is given to a new machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Where to ask.
    pub address: Address,
    /// The authority that must be there.
    pub authority: Digest,
    /// What shows that the operator wants this machine.
    pub secret: Secret,
}

/// Text that is not a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidToken {
    /// It is cut off, mistyped or something else altogether.
    #[error("this is not a whole token; copy the line of `func ca token` again")]
    Damaged,
    /// It was made by another version of Func.
    #[error("this token was made by another version of Func (its form is {0})")]
    Version(u8),
}

impl Secret {
    /// How long it is.
    pub const BYTES: usize = 16;

    pub(super) fn fresh() -> Result<Self, Error> {
        let mut bytes = [0; Self::BYTES];
        rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).map_err(|_| Error::Random)?;
        Ok(Self(bytes))
    }

    /// What is kept of it where tokens are known.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

/// As it travels: 32 hexadecimal digits.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Secret {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let mut bytes = [0; Self::BYTES];
        if text.len() != 2 * Self::BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidToken::Damaged);
        }
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            let pair = text.get(at..at + 2).ok_or(InvalidToken::Damaged)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| InvalidToken::Damaged)?;
        }
        Ok(Self(bytes))
    }
}

/// A secret is shown to nobody by accident.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, {})", self.address, self.authority.short())
    }
}

impl Token {
    /// Reads the bytes of a token.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidToken> {
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(InvalidToken::Damaged)?;
        if crc32fast::hash(body).to_be_bytes() != *checksum {
            return Err(InvalidToken::Damaged);
        }
        let (version, rest) = body.split_first().ok_or(InvalidToken::Damaged)?;
        if *version != VERSION {
            return Err(InvalidToken::Version(*version));
        }
        let (authority, rest) = rest.split_first_chunk::<32>().ok_or(InvalidToken::Damaged)?;
        let (secret, address) = rest.split_first_chunk::<{ Secret::BYTES }>().ok_or(InvalidToken::Damaged)?;
        let address = Some(address).filter(|text| text.len() <= MOST_ADDRESS);
        let address = address.and_then(|text| str::from_utf8(text).ok()).and_then(|text| text.parse().ok());
        Ok(Self {
            address: address.ok_or(InvalidToken::Damaged)?,
            authority: Digest::from(*authority),
            secret: Secret(*secret),
        })
    }

    /// The bytes of it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + CHECKSUM);
        bytes.push(VERSION);
        bytes.extend_from_slice(self.authority.as_bytes());
        bytes.extend_from_slice(&self.secret.0);
        bytes.extend_from_slice(self.address.to_string().as_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        bytes
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&URL_SAFE_NO_PAD.encode(self.to_bytes()))
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        if text.len() > 2 * (HEAD + MOST_ADDRESS) {
            return Err(InvalidToken::Damaged);
        }
        Self::from_bytes(&URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| InvalidToken::Damaged)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token {
            address: "boss.example:51235".parse().unwrap(),
            authority: Digest::of(b"ca"),
            secret: Secret::fresh().unwrap(),
        }
    }

    #[test]
    fn a_token_comes_back_whole_and_any_slip_in_it_is_noticed() {
        let token = token();
        let text = token.to_string();
        assert_eq!(text.parse::<Token>().unwrap(), token);
        assert_eq!(format!(" {text}\n").parse::<Token>().unwrap(), token);
        for at in 0..text.len() {
            let mut slip = text.clone().into_bytes();
            slip[at] = if slip[at] == b'A' { b'B' } else { b'A' };
            assert!(String::from_utf8(slip).unwrap().parse::<Token>().is_err(), "{at}");
            assert!(text[..at].parse::<Token>().is_err(), "{at}");
        }
        assert!(!format!("{token:?}").contains(&token.secret.to_string()));
        assert_eq!(token.secret.to_string().parse::<Secret>().unwrap(), token.secret);
    }

    #[test]
    fn a_token_of_another_version_is_told_apart() {
        let mut bytes = token().to_bytes();
        bytes.truncate(bytes.len() - CHECKSUM);
        bytes[0] = 7;
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        assert_eq!(Token::from_bytes(&bytes), Err(InvalidToken::Version(7)));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, text: String) {
            let _ = Token::from_bytes(&bytes);
            let _ = text.parse::<Token>();
            let _ = text.parse::<Secret>();
        }
    }
}
