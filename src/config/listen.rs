//! Where a daemon listens, as people write it.

use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::Deserialize;

/// An address or a name of this machine and a port, `0.0.0.0:51234`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Listen(String);

/// Why nobody can listen there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no place to listen: write it like `0.0.0.0:51234` or `[::]:51234`")]
pub struct InvalidListen(String);

impl Listen {
    /// As `bind` takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Listen {
    type Err = InvalidListen;

    fn from_str(text: &str) -> Result<Self, InvalidListen> {
        let (host, port) = text.rsplit_once(':').unwrap_or_default();
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host_is_one = match bracketed {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)),
        };
        if host_is_one && port.parse::<u16>().is_ok() {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidListen(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Listen {
    type Error = InvalidListen;

    fn try_from(text: String) -> Result<Self, InvalidListen> {
        text.parse()
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self("0.0.0.0:51234".to_owned())
    }
}
