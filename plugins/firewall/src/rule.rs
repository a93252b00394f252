//! A rule as `nft` reads it.

use std::net::IpAddr;

use func_sdk::{Error, Result, checked};

use crate::exports::base::firewall::firewall::{PortRule, Transport, Verdict};

/// The words of the rule: `ip saddr 10.0.0.0/8 tcp dport 80-90 accept`. `nft` puts its arguments together and reads them
/// as one text, so nothing but what is checked here becomes a part of it.
pub fn words(rule: &PortRule) -> Result<Vec<String>> {
    let mut words: Vec<&str> = Vec::new();
    let source = rule.source.as_deref().map(network).transpose()?;
    if let Some((address, text)) = &source {
        words.extend([if address.is_ipv4() { "ip" } else { "ip6" }, "saddr", text]);
    }
    let last = rule.last_port.unwrap_or(rule.port);
    if rule.port == 0 || last < rule.port || rule.last_port == Some(rule.port) {
        return Err(Error::invalid(format!("{} to {last} is no range of ports", rule.port)));
    }
    let ports = if last == rule.port { rule.port.to_string() } else { format!("{}-{last}", rule.port) };
    words.extend([name(rule.transport), "dport", &ports, verdict(rule.verdict)]);
    Ok(words.into_iter().map(str::to_owned).collect())
}

/// The name of what carries a packet.
pub fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accept => "accept",
        Verdict::Drop => "drop",
    }
}

/// An address, or a network as the kernel keeps it: without bits past its prefix, since the rule would not be found again.
fn network(text: &str) -> Result<(IpAddr, String)> {
    let wrong = |why: &str| Error::invalid(format!("the source {} {why}", checked::shown(text)));
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().map_err(|_| wrong("is no address or network"))?;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let Some(prefix) = prefix else { return Ok((address, address.to_string())) };
    let prefix: u32 = prefix.parse().map_err(|_| wrong("is no address or network"))?;
    if prefix == 0 || prefix >= whole {
        return Err(wrong("has no prefix that makes a network"));
    }
    let rest = match address {
        IpAddr::V4(address) => u128::from(address.to_bits() << prefix),
        IpAddr::V6(address) => address.to_bits() << prefix,
    };
    if rest != 0 {
        return Err(wrong("has bits set past its prefix"));
    }
    Ok((address, format!("{address}/{prefix}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(source: Option<&str>, port: u16, last_port: Option<u16>) -> PortRule {
        let (verdict, transport) = (Verdict::Accept, Transport::Tcp);
        PortRule { verdict, transport, port, last_port, source: source.map(str::to_owned) }
    }

    #[test]
    fn a_rule_becomes_words() {
        let text = |rule: &PortRule| words(rule).unwrap().join(" ");
        assert_eq!(text(&rule(None, 22, None)), "tcp dport 22 accept");
        let drop =
            PortRule { verdict: Verdict::Drop, transport: Transport::Udp, ..rule(Some("10.0.0.0/8"), 80, Some(90)) };
        assert_eq!(text(&drop), "ip saddr 10.0.0.0/8 udp dport 80-90 drop");
        assert_eq!(text(&rule(Some("fd00::/8"), 1, None)), "ip6 saddr fd00::/8 tcp dport 1 accept");
    }

    #[test]
    fn nothing_else_becomes_a_part_of_it() {
        for source in ["", "any", "10.0.0.1/8", "10.0.0.0/33", "::/0", "1.1.1.1; flush ruleset", "1.1.1.1 accept", "-f"]
        {
            assert!(words(&rule(Some(source), 22, None)).is_err(), "{source}");
        }
        for (port, last) in [(0, None), (9, Some(8)), (9, Some(9))] {
            assert!(words(&rule(None, port, last)).is_err());
        }
    }
}
