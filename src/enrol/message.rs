//! What goes through the door, as JSON.

use serde::{Deserialize, Serialize};

use crate::ca::{Address, Verdict};

/// The path of it.
pub(super) const PATH: &str = "/enrol";

/// The longest body that is read, on either side.
pub(super) const MOST_BYTES: usize = 32 << 10;

/// A machine asks to belong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The certificate request, in PEM form.
    pub request: String,
    /// The secret of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Where the machine will listen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Its port, at the address from which it asks, if it names no address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

impl Ask {
    /// Reads what a stranger sent; the error says no more than that it is malformed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.len() > MOST_BYTES {
            return Err("the request is too long");
        }
        serde_json::from_slice(bytes).map_err(|_| "the request is malformed")
    }
}

/// What it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Answer {
    /// It belongs.
    Signed {
        /// Its certificate, in PEM form.
        certificate: String,
    },
    /// The operator has not decided.
    Pending,
    /// It does not.
    Refused {
        /// Why.
        why: String,
    },
    /// Too much at once; nothing was decided.
    Busy {
        /// Why.
        why: String,
    },
}

impl From<&Verdict> for Answer {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Signed { certificate, .. } => Self::Signed { certificate: certificate.clone() },
            Verdict::Pending { .. } => Self::Pending,
            Verdict::Refused { why } => Self::Refused { why: why.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_comes_back_and_nothing_else_is_taken() {
        let ask = Ask {
            request: "PEM".into(),
            secret: Some("s".into()),
            address: Some("web1:80".parse().unwrap()),
            port: Some(80),
        };
        assert_eq!(Ask::from_bytes(&serde_json::to_vec(&ask).unwrap()), Ok(ask));
        for text in ["", "{}", "{\"request\":1}", "{\"request\":\"\",\"role\":\"overlord\"}"] {
            assert!(Ask::from_bytes(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Ask::from_bytes(&vec![b' '; MOST_BYTES + 1]).is_err());
    }
}
