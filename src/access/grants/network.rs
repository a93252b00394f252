//! Places on the network, in grants.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{InvalidGrant, names::as_text};

/// A place on the network: `db1.example:5432`, `*.example:443`, `10.0.0.0/8:*`, `[fd00::/8]:443`.
///
/// A name grants the name, whatever address it has; a network grants addresses, whatever their names. `HOST:ping` is for
/// no port: only for looking the name up and for asking the host whether it is there.
///
/// Addresses that lead back to the machine itself or to no single host (see [`reserved`]) are granted only by a network
/// within their own range: neither by `0.0.0.0/0`, nor by a name that somebody has given such an address.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NetworkGrant {
    text: String,
    host: Host,
    port: Port,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    Every,
    One(u16),
    None,
}

impl Port {
    fn covers(self, port: u16) -> bool {
        self == Self::Every || self == Self::One(port)
    }
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
        named && self.port.covers(port)
    }

    /// Whether connections to every port are granted.
    pub fn is_every_port(&self) -> bool {
        self.port == Port::Every
    }

    /// The one port that is granted.
    pub fn one_port(&self) -> Option<u16> {
        match self.port {
            Port::One(port) => Some(port),
            Port::Every | Port::None => None,
        }
    }

    /// Whether the name may be looked up, whatever the port.
    pub fn names(&self, name: &str) -> bool {
        Self { port: Port::Every, ..self.clone() }.covers_name(name, 0)
    }

    /// Whether the address is granted, whatever the port.
    pub fn holds(&self, address: IpAddr) -> bool {
        Self { port: Port::Every, ..self.clone() }.covers_address(address, 0)
    }

    /// Whether this is a network, with which names may be looked up for the addresses that they have in it.
    pub fn is_network(&self) -> bool {
        matches!(self.host, Host::Network { .. })
    }

    /// Whether a connection to this address may be made.
    pub fn covers_address(&self, address: IpAddr, port: u16) -> bool {
        let Host::Network { address: network, bits } = &self.host else { return false };
        // `::ffff:10.0.0.1` is 10.0.0.1.
        let address = address.to_canonical();
        let within = reserved(address).is_none_or(|least| *bits >= least);
        within && same_network(*network, address, *bits) && self.port.covers(port)
    }
}

/// For an address of the machine itself (loopback, unspecified), of its own link (where clouds keep their secrets), or of
/// many hosts: how many bits the range has that it lies in.
pub fn reserved(address: IpAddr) -> Option<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => match address.octets() {
            [0 | 127, ..] => Some(8),
            [169, 254, ..] => Some(16),
            [224..=255, ..] => Some(4),
            _ => None,
        },
        IpAddr::V6(address) => match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Some(128),
            // Addresses of version 4 in the deprecated form.
            [0, 0, 0, 0, 0, 0, ..] => Some(96),
            [0xfe80..=0xfebf, ..] => Some(10),
            // Where a cloud keeps its secrets in version 6.
            [0xfd00, 0x0ec2, ..] => Some(32),
            [0xff00..=0xffff, ..] => Some(8),
            _ => None,
        },
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
            "*" => Port::Every,
            "ping" => Port::None,
            port => match port.parse() {
                Ok(port) if port > 0 => Port::One(port),
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
    fn addresses_of_the_machine_itself_are_granted_only_by_themselves() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let (all, all6) = (network("0.0.0.0/0:*"), network("[::/0]:*"));
        let reserved = ["127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255"];
        for text in reserved {
            assert!(!all.covers_address(address(text), 80), "{text}");
            assert!(!all6.covers_address(address(&format!("::ffff:{text}")), 80), "{text}");
            assert!(network(&format!("{text}:80")).covers_address(address(text), 80), "{text}");
        }
        for text in ["::1", "::", "::127.0.0.1", "fe80::1", "ff02::1", "fd00:ec2::254"] {
            assert!(!all6.covers_address(address(text), 80), "{text}");
            assert!(network(&format!("[{text}]:80")).covers_address(address(text), 80), "{text}");
        }
        assert!(network("127.0.0.0/8:80").covers_address(address("::ffff:127.0.0.1"), 80));
        assert!(all.covers_address(address("9.9.9.9"), 80) && all6.covers_address(address("2001:db8::1"), 80));
    }

    #[test]
    fn a_host_may_be_asked_whether_it_is_there_without_a_port() {
        let ping = network("db1.example:ping");
        assert!(ping.names("db1.example") && !ping.covers_name("db1.example", 7));
        let port = network("10.0.0.0/8:443");
        assert!(port.holds("10.1.1.1".parse().unwrap()) && port.is_network() && !ping.is_network());
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
