//! Whom a host's name or address means, and whether that was granted.

use std::net::{IpAddr, ToSocketAddrs as _};

use super::super::{
    Access, Error, ErrorKind, blocking,
    call::cancelled,
    denial::{denied_entry, invalid, shown},
    error, until_set,
};
use crate::access::{Grant, reserved};

/// Addresses of one name that are looked at.
const MOST: usize = 32;

/// A host as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Address(IpAddr),
    /// In small letters, without a dot at the end.
    Name(String),
}

/// What a place is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Port(u16),
    /// To look its name up or to ask whether it is there.
    Ask,
}

impl Place {
    /// Reads what a module gave. What would be an address to the resolver alone is refused: nobody could say
    /// by its text what is granted.
    pub(super) fn new(text: &str) -> Result<Self, Error> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let letters = |label: &str| label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let label = |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && letters(label);
        let last = name.rsplit('.').next().unwrap_or_default();
        let numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
        if name.len() > 253 || !name.split('.').all(label) || numeric {
            return Err(invalid(format!("`{}` is neither a host's name nor an address", shown(text))));
        }
        Ok(Self::Name(name))
    }

    /// Its addresses that may be reached.
    pub(super) async fn addresses(&self, access: &Access, wanted: Use) -> Result<Vec<IpAddr>, Error> {
        self.addresses_by(look_up, access, wanted).await
    }

    /// The same, with the resolver given.
    async fn addresses_by(
        &self,
        look_up: impl FnOnce(&str) -> Result<Vec<IpAddr>, Error> + Send + 'static,
        access: &Access,
        wanted: Use,
    ) -> Result<Vec<IpAddr>, Error> {
        let name = match self {
            Self::Address(address) if may_reach(&access.grant, None, *address, wanted) => return Ok(vec![*address]),
            Self::Address(address) => return Err(self.denied(access, wanted, Some(*address))),
            Self::Name(name) => name,
        };
        if !may_look_up(&access.grant, name, wanted) {
            return Err(self.denied(access, wanted, None));
        }
        let asked = name.clone();
        let found = tokio::select! {
            found = blocking(move || look_up(&asked)) => found?,
            () = until_set(&access.cancelled) => return Err(cancelled()),
        };
        let (may, may_not): (Vec<IpAddr>, Vec<IpAddr>) =
            found.into_iter().partition(|address| may_reach(&access.grant, Some(name), *address, wanted));
        match may_not.first() {
            Some(address) if may.is_empty() => Err(self.denied(access, wanted, Some(*address))),
            _ => Ok(may),
        }
    }

    /// The denial. Where the name is granted, but not the address that somebody gave it, that is the one to
    /// grant.
    fn denied(&self, access: &Access, wanted: Use, address: Option<IpAddr>) -> Error {
        let port = match wanted {
            Use::Port(port) => port.to_string(),
            Use::Ask => "ping".to_owned(),
        };
        let (host, leads) = match (self, address) {
            (Self::Name(name), Some(address)) => (bracketed(address), format!(" (as which `{name}` is known)")),
            (Self::Name(name), None) => (name.clone(), String::new()),
            (Self::Address(address), _) => (bracketed(*address), String::new()),
        };
        let entry = format!("{host}:{port}");
        let what = match wanted {
            Use::Port(_) => format!("connect to `{entry}`{leads}"),
            Use::Ask => format!("ask for `{host}`{leads}"),
        };
        denied_entry(&access.module, &what, "network", &entry)
    }
}

fn bracketed(address: IpAddr) -> String {
    if address.is_ipv6() { format!("[{address}]") } else { address.to_string() }
}

/// Whether a name may be looked up: because it is granted, or because an address it may have could be.
fn may_look_up(grant: &Grant, name: &str, wanted: Use) -> bool {
    grant.network.iter().any(|grant| is_named(grant, name, wanted) || grant.is_network())
}

fn is_named(grant: &crate::access::NetworkGrant, name: &str, wanted: Use) -> bool {
    match wanted {
        Use::Port(port) => grant.covers_name(name, port),
        Use::Ask => grant.names(name),
    }
}

fn may_reach(grant: &Grant, name: Option<&str>, address: IpAddr, wanted: Use) -> bool {
    let own = name.is_some_and(|name| name == "localhost") && address.is_loopback();
    grant.network.iter().any(|grant| {
        let named = name.is_some_and(|name| is_named(grant, name, wanted));
        let held = match wanted {
            Use::Port(port) => grant.covers_address(address, port),
            Use::Ask => grant.holds(address),
        };
        held || (named && (reserved(address).is_none() || own))
    })
}

fn look_up(name: &str) -> Result<Vec<IpAddr>, Error> {
    let unknown = |why: &str| error(ErrorKind::NotFound, format!("`{name}` has no address{why}"), None);
    let found = (name, 0).to_socket_addrs().map_err(|error| unknown(&format!(": {error}")))?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|found| found.ip().to_canonical()) {
        if !addresses.contains(&address) && addresses.len() < MOST {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(unknown("")) } else { Ok(addresses) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form() {
        for (text, address) in [("10.0.0.1", "10.0.0.1"), ("::ffff:127.0.0.1", "127.0.0.1"), ("FE80::1", "fe80::1")] {
            assert_eq!(Place::new(text).unwrap(), Place::Address(address.parse().unwrap()));
        }
        let forms = ["0177.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "0x7f000001", "127.0.0.1.", "010.8.8.8"];
        let others = ["", ".", "a..b", "-a", "a b", "[::1]", "::1%lo", "fe80::1%eth0", "a\0", "é.example", "http://a"];
        for text in forms.into_iter().chain(others) {
            assert_eq!(Place::new(text).unwrap_err().kind, ErrorKind::Invalid, "{text:?}");
        }
        assert_eq!(Place::new("DB1.example.").unwrap(), Place::Name("db1.example".into()));
    }

    /// Whoever answers for a name may answer something else each time.
    #[tokio::test]
    async fn a_name_that_comes_to_mean_the_machine_itself_leads_nowhere() {
        let grant: Grant = toml::from_str(r#"network = ["*.example:80", "0.0.0.0/0:80", "[::/0]:80"]"#).unwrap();
        let far = std::time::Instant::now() + std::time::Duration::from_mins(1);
        let (limits, flag) = (crate::plugin::Limits::default(), std::sync::Arc::default());
        let access = Access::new("m".parse().unwrap(), None, std::sync::Arc::new(grant), limits, flag, far);
        let ask = async |answer: &[&str]| {
            let answer: Vec<IpAddr> = answer.iter().map(|text| text.parse().unwrap()).collect();
            let place = Place::new("rebound.example").unwrap();
            place.addresses_by(move |_| Ok(answer), &access, Use::Port(80)).await
        };
        for own in ["127.0.0.1", "127.1.2.3", "::1", "::", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1"] {
            let error = ask(&[own]).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Denied, "{own}");
            // The one that may be reached is the one that is reached: nothing is looked up again.
            assert_eq!(ask(&[own, "192.0.2.1"]).await.unwrap(), ["192.0.2.1".parse::<IpAddr>().unwrap()], "{own}");
        }
    }

    #[test]
    fn a_granted_name_does_not_lead_to_the_machine_itself() {
        let grant = |network: &[&str]| Grant {
            network: network.iter().map(|text| (*text).to_owned().try_into().unwrap()).collect(),
            ..Grant::default()
        };
        let may = |network: &[&str], name: &str, address: &str| {
            may_reach(&grant(network), Some(name), address.parse().unwrap(), Use::Port(80))
        };
        assert!(may(&["db.example:80"], "db.example", "10.0.0.1") && may(&["*.example:*"], "db.example", "8.8.8.8"));
        for address in ["127.0.0.1", "::1", "0.0.0.0", "169.254.169.254"] {
            assert!(!may(&["db.example:80", "*.example:*", "0.0.0.0/0:80"], "db.example", address), "{address}");
        }
        assert!(may(&["localhost:80"], "localhost", "127.0.0.1") && !may(&["localhost:80"], "localhost", "0.0.0.0"));
        assert!(may(&["db.example:80", "127.0.0.1:80"], "db.example", "127.0.0.1"));
        assert!(may(&["10.0.0.0/8:80"], "any.name", "10.1.1.1") && !may(&["10.0.0.0/8:80"], "any.name", "11.1.1.1"));
        assert!(!may(&["db.example:ping"], "db.example", "10.0.0.1"));
    }
}
