//! Where a minion listens.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::ids::HostName;

/// The port of the original Func, taken when an address names none.
pub const DEFAULT_PORT: u16 = 51234;

/// Between a place and those who pass calls on.
const VIA: &str = " via ";

/// A host, by name or by IP address, and a port: `web1:51234`, `10.0.0.7`, `[fe80::1]:443`.
///
/// A minion that is reached through others has the address of the first of them, and their names: `10.0.0.7:51234 via a/b`.
/// Only files say so; where an operator writes an address, it is a direct one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    place: Place,
    port: u16,
    /// The minions that pass calls on, the first of which listens here; none where it is the host itself.
    via: Vec<HostName>,
}

/// What comes before the port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Name(HostName),
    Ip(IpAddr),
}

/// Text that is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAddress {
    /// It has no form of an address.
    #[error("`{text}` is not an address; write HOST:PORT, for example `web1.example:51234` or `[::1]:51234`")]
    Form {
        /// The text.
        text: String,
    },
    /// Where an IPv6 address ends and a port begins cannot be told: `::1:5` is an address, with and without a port.
    #[error(
        "`{text}` has an IPv6 address without brackets; write it like `[::1]:51234`, or `[::1]` for the usual port"
    )]
    Brackets {
        /// The text.
        text: String,
    },
}

impl Address {
    /// The host alone, an IPv6 address without brackets.
    pub fn host(&self) -> String {
        match &self.place {
            Place::Name(name) => name.to_string(),
            Place::Ip(ip) => ip.to_string(),
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Who passes calls on, beginning with the one that listens here.
    pub fn via(&self) -> &[HostName] {
        &self.via
    }

    /// The same place, as the first of these.
    #[must_use]
    pub fn through(self, via: Vec<HostName>) -> Self {
        Self { via, ..self }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        // Four numbers with dots would pass as a name.
        text.parse().map(Self::Ip).or_else(|_| text.parse().map(Self::Name)).ok()
    }
}

impl From<&HostName> for Place {
    fn from(name: &HostName) -> Self {
        name.as_str().parse().map_or_else(|_| Self::Name(name.clone()), Self::Ip)
    }
}

impl From<std::net::SocketAddr> for Address {
    fn from(socket: std::net::SocketAddr) -> Self {
        Self { place: Place::Ip(socket.ip()), port: socket.port(), via: Vec::new() }
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        Self::with_usual_port(text, DEFAULT_PORT)
    }
}

impl Address {
    /// Reads an address whose port is `usual` where it names none.
    pub fn with_usual_port(text: &str, usual: u16) -> Result<Self, InvalidAddress> {
        let shown = || text.chars().take(80).flat_map(char::escape_debug).collect();
        let refuse = || InvalidAddress::Form { text: shown() };
        if !text.starts_with('[') && text.matches(':').count() > 1 {
            let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.%".contains(&byte));
            return Err(if digits { InvalidAddress::Brackets { text: shown() } } else { refuse() });
        }
        // The last colon of a bare `[::1]` is inside.
        let (host, port) = match text.rsplit_once(':').filter(|_| !text.ends_with(']')) {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0).ok_or_else(refuse)?),
            None => (text, usual),
        };
        let place = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inside) => Place::Ip(IpAddr::V6(inside.parse().map_err(|_| refuse())?)),
            None => Place::parse(host).ok_or_else(refuse)?,
        };
        Ok(Self { place, port, via: Vec::new() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Place::Ip(ip) => write!(f, "{ip}:{}", self.port),
            Place::Name(name) => write!(f, "{name}:{}", self.port),
        }?;
        for (index, name) in self.via.iter().enumerate() {
            write!(f, "{}{name}", if index == 0 { VIA } else { "/" })?;
        }
        Ok(())
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl TryFrom<String> for Address {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        let Some((address, via)) = text.split_once(VIA) else { return text.parse() };
        let via = via.split('/').map(str::parse).collect::<Result<Vec<HostName>, _>>();
        let shown = text.chars().take(80).flat_map(char::escape_debug).collect();
        Ok(address.parse::<Self>()?.through(via.map_err(|_| InvalidAddress::Form { text: shown })?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_both_kinds_of_ip_address_are_read() {
        for (text, host, shown) in [
            ("web1", "web1", "web1:51234"),
            ("Web1.Example:80", "web1.example", "web1.example:80"),
            ("127.0.0.1:4000", "127.0.0.1", "127.0.0.1:4000"),
            ("[::1]", "::1", "[::1]:51234"),
            ("[fe80::1]:443", "fe80::1", "[fe80::1]:443"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.host().as_str(), address.to_string().as_str()), (host, shown));
            assert_eq!(shown.parse::<Address>().unwrap(), address);
        }
    }

    #[test]
    fn a_way_through_others_is_written_and_read() {
        let via: Vec<HostName> = ["a", "b.example"].map(|name| name.parse().unwrap()).to_vec();
        let address = "[::1]:7".parse::<Address>().unwrap().through(via.clone());
        let text = String::from(address.clone());
        assert_eq!(text, "[::1]:7 via a/b.example");
        assert_eq!(Address::try_from(text.clone()).unwrap(), address);
        assert_eq!(address.via(), via);
        assert!(text.parse::<Address>().is_err(), "an operator writes direct ones");
        for wrong in ["[::1]:7 via ", "[::1]:7 via a//b", " via a", "x via a via b"] {
            assert!(Address::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["::1", "::1:5", "fe80::1:443", "2001:db8::7"] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("brackets"), "{error}");
        }
        for text in ["", ":80", "web1:", "web1:0", "web1:99999", "a b:80", "[::1]80", "[::1", "http://web1", "::1:x"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
