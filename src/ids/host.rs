//! Host names.

use std::str::FromStr;

use super::{InvalidId, text::text_id};

/// The name of a machine that has a certificate: one or more DNS labels, lower case.
///
/// It is the CN and a SAN of the machine's certificate, so the rules are those of RFC 1123 (letters,
/// digits, hyphens; 63 bytes a label, 253 in all), and upper case is folded as DNS does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(String);

text_id!(HostName);

impl FromStr for HostName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let refuse = |why| Err(InvalidId::new("host name", text, why));
        if text.is_empty() {
            return refuse("it is empty");
        }
        if text.len() > 253 {
            return refuse("it is longer than 253 bytes");
        }
        for label in text.split('.') {
            if label.is_empty() || label.len() > 63 {
                return refuse("each part between dots has 1 to 63 characters");
            }
            if label.starts_with('-') || label.ends_with('-') {
                return refuse("a part must not begin or end with a hyphen");
            }
            if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                return refuse("only letters, digits, hyphens and dots are allowed");
            }
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_to_lower_case() {
        assert_eq!("Web-1.Example".parse::<HostName>().unwrap().as_str(), "web-1.example");
    }

    #[test]
    fn what_no_certificate_may_carry_is_refused() {
        for text in ["", ".", "a..b", "-a", "a-", "a b", "a/b", "a\n", "*", "é", &"x".repeat(64), &"a.".repeat(200)] {
            assert!(text.parse::<HostName>().is_err(), "{text:?}");
        }
    }
}
