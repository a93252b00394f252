//! Places on the network, in grants.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{InvalidGrant, names::as_text};

/// A place on the network: `db1.example:5432`, `*.example:443`, `10.0.0.0/8:*`, `[fd00::/8]:443`.
///
/// A name grants the name, whatever address it has; a network grants addresses, whatever their names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NetworkGrant {
    text: String,
    host: Host,
    /// Nothing for every port.
    port: Option<u16>,
}

#[derive(Debug, Clone)]
enum Host {
    /// A name, in small letters; `*.` before it stands for one or more labels.
    Name {
        labels: String,
        below: bool,
    },
    Network {
        address: IpAddr,
        bits: u8,
    },
}

as_text!(NetworkGrant);

impl NetworkGrant {
    /// Whether a connection to this name may be asked for.
    pub fn covers_name(&self, name: &str, port: u16) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let Host::Name { labels, below } = &self.host else { return false };
        let named = match name.strip_suffix(labels.as_str()) {
            Some("") => !below,
            Some(rest) => *below && rest.len() > 1 && rest.ends_with('.'),
            None => false,
        };
        named && self.port.is_none_or(|granted| granted == port)
    }

    /// Whether a connection to this address may be made.
    pub fn covers_address(&self, address: IpAddr, port: u16) -> bool {
        let Host::Network { address: network, bits } = &self.host else { return false };
        // `::ffff:10.0.0.1` is 10.0.0.1.
        same_network(*network, address.to_canonical(), *bits) && self.port.is_none_or(|granted| granted == port)
    }
}

fn same_network(a: IpAddr, b: IpAddr, bits: u8) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= u32::from(bits),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= u32::from(bits),
        _ => false,
    }
}

impl TryFrom<String> for NetworkGrant {
    type Error = InvalidGrant;

    fn try_from(text: String) -> Result<Self, InvalidGrant> {
        let refuse = |why: &str| InvalidGrant::new(&text, why);
        let form = "a place is `HOST:PORT` or `NETWORK/BITS:PORT`; IPv6 in brackets, `*` for every port";
        let (host, port) = text.rsplit_once(':').ok_or_else(|| refuse(form))?;
        let port = match port {
            "*" => None,
            port => match port.parse() {
                Ok(port) if port > 0 => Some(port),
                _ => return Err(refuse("its port is no number from 1 to 65535")),
            },
        };
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match network(bracketed.unwrap_or(host)) {
            Some(Host::Network { address, .. }) if address.is_ipv6() != bracketed.is_some() => {
                return Err(refuse(form));
            }
            Some(host) => host,
            None if bracketed.is_some() || host.contains('/') => return Err(refuse("it is no address or network")),
            None => name(host).ok_or_else(|| refuse(form))?,
        };
        Ok(Self { text, host, port })
    }
}

fn network(text: &str) -> Option<Host> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(all);
    (bits <= all).then_some(Host::Network { address, bits })
}

fn name(text: &str) -> Option<Host> {
    let (labels, below) = text.strip_prefix("*.").map_or((text, false), |labels| (labels, true));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    // A name of digits and dots would be an address that is written wrongly.
    let addressed = labels.chars().all(|c| c.is_ascii_digit() || c == '.');
    (labels.split('.').all(label) && !addressed).then(|| Host::Name { labels: labels.to_ascii_lowercase(), below })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> NetworkGrant {
        text.to_owned().try_into().unwrap()
    }

    #[test]
    fn a_place_is_a_name_or_a_network_with_a_port() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(network("db1.example:5432").covers_name("DB1.example.", 5432));
        assert!(!network("db1.example:5432").covers_name("db1.example", 22));
        assert!(network("*.example:443").covers_name("a.b.example", 443));
        let below = network("*.example:443");
        assert!(
            !below.covers_name("example", 443)
                && !below.covers_name("evilexample", 443)
                && !below.covers_name(".example", 443)
        );
        assert!(network("10.0.0.0/8:*").covers_address(address("10.9.8.7"), 1));
        assert!(network("10.0.0.0/8:*").covers_address(address("::ffff:10.9.8.7"), 1));
        assert!(!network("10.0.0.0/8:80").covers_address(address("11.0.0.1"), 80));
        assert!(network("[fd00::/8]:443").covers_address(address("fd12::1"), 443));
        assert!(network("0.0.0.0/0:22").covers_address(address("8.8.8.8"), 22));
        assert!(!network("0.0.0.0/0:22").covers_address(address("::1"), 22));
        assert!(!network("10.0.0.1:80").covers_name("10.0.0.1", 80));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            "host",
            ":80",
            "host:",
            "host:0",
            "host:65536",
            "10.0.0.0/33:80",
            "::1:80",
            "[::1]",
            "[host]:80",
            "a b:80",
            "10.0.0:80",
            "*:80",
            "-x:80",
            "a..b:80",
            "a/8:80",
            "[10.0.0.1]:80",
        ] {
            assert!(NetworkGrant::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }
}
