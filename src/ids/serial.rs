//! Certificate serial numbers.

use std::str::FromStr;

use super::{InvalidId, text::text_id};

/// The serial number of a certificate (RFC 5280, 4.1.2.2): hexadecimal, lower case, no leading
/// zeros, at most 20 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(String);

text_id!(Serial);

impl Serial {
    /// From the big-endian bytes of the certificate.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let hex: String = digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
        let trimmed = hex.trim_start_matches('0');
        Self(if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() })
    }
}

impl FromStr for Serial {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let leading_zero = text.len() > 1 && text.starts_with('0');
        if text.is_empty() || text.len() > 40 || leading_zero || !text.bytes().all(digit) {
            let why = "it has 1 to 40 hexadecimal digits in lower case, without leading zeros";
            return Err(InvalidId::new("certificate serial", text, why));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_make_no_difference() {
        assert_eq!(Serial::from_bytes(&[0, 0x0a, 0xff]).as_str(), "aff");
        assert_eq!(Serial::from_bytes(&[0]), "0".parse().unwrap());
        assert!("0a".parse::<Serial>().is_err());
    }
}
