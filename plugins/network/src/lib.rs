//! Tells interfaces, sockets and routes, and reaches other hosts.

mod addresses;
mod answers;
mod names;
mod routes;
mod sockets;

use exports::base::network::network::{
    Guest, Hop, InterfaceAddress, KnownHost, Lookup, NetworkInterface, PingResult, Protocol, ResolverConfig, Route,
    Socket,
};
use func_sdk::{
    Error, ErrorKind, Result, checked, file,
    network::{self, Reached},
    program::{Program, fine_with, judge},
};

func_sdk::module!(Network);

/// How long an answer to a ping is waited for.
const ANSWER_MS: u64 = 2000;
const DEVICES: &str = "/sys/class/net";

struct Network;

impl Guest for Network {
    fn interfaces() -> Result<Vec<NetworkInterface>> {
        let mut found = Vec::new();
        for name in file::names(DEVICES)? {
            let told = |attribute: &str| file::attribute(&format!("{DEVICES}/{name}/{attribute}"));
            let count = |counter: &str| -> Result<u64> {
                Ok(file::number(&format!("{DEVICES}/{name}/statistics/{counter}"))?.unwrap_or(0))
            };
            let Some(mtu) = told("mtu")?.and_then(|mtu| mtu.parse().ok()) else { continue };
            found.push(NetworkInterface {
                hardware_address: told("address")?.filter(|address| address.bytes().any(|b| b != b'0' && b != b':')),
                state: told("operstate")?.unwrap_or_else(|| "unknown".to_owned()),
                mtu,
                received_bytes: count("rx_bytes")?,
                received_packets: count("rx_packets")?,
                received_bad: count("rx_errors")?.saturating_add(count("rx_dropped")?),
                sent_bytes: count("tx_bytes")?,
                sent_packets: count("tx_packets")?,
                sent_bad: count("tx_errors")?.saturating_add(count("tx_dropped")?),
                name,
            });
        }
        Ok(found)
    }

    fn addresses() -> Result<Vec<InterfaceAddress>> {
        Ok(addresses::parse(&Program::new("ip").args(["-j", "address", "show"]).json()?))
    }

    fn netstat(listening: Option<bool>) -> Result<Vec<Socket>> {
        let mut found = Vec::new();
        for (protocol, path) in [
            (Protocol::Tcp, "/proc/net/tcp"),
            (Protocol::Tcp6, "/proc/net/tcp6"),
            (Protocol::Udp, "/proc/net/udp"),
            (Protocol::Udp6, "/proc/net/udp6"),
        ] {
            found.extend(sockets::parse(protocol, &file::optional(path)?.unwrap_or_default()));
        }
        let waits = |socket: &Socket| ["listen", "unconnected"].contains(&socket.state.as_str());
        found.retain(|socket| !listening.unwrap_or(false) || waits(socket));
        Ok(found)
    }

    fn routes() -> Result<Vec<Route>> {
        let mut found = routes::v4(&file::optional("/proc/net/route")?.unwrap_or_default());
        found.extend(routes::v6(&file::optional("/proc/net/ipv6_route")?.unwrap_or_default()));
        Ok(found)
    }

    fn resolver() -> Result<ResolverConfig> {
        Ok(names::resolver(&file::optional("/etc/resolv.conf")?.unwrap_or_default()))
    }

    fn hosts() -> Result<Vec<KnownHost>> {
        Ok(names::hosts(&file::optional("/etc/hosts")?.unwrap_or_default()))
    }

    fn is_port_open(host: String, port: u16, timeout: Option<u32>) -> Result<bool> {
        let host = checked::host(&host)?;
        if port == 0 {
            return Err(Error::invalid("there is no port 0"));
        }
        let timeout = within("timeout", timeout, 3, 60)?;
        Ok(network::connect(host, port, Some(u64::from(timeout) * 1000), None)?.reached == Reached::Open)
    }

    fn ping(host: String, count: Option<u32>) -> Result<PingResult> {
        let host = checked::host(&host)?;
        let count = within("count", count, 3, 20)?;
        match network::ping(host, count, Some(ANSWER_MS)) {
            Ok(echoes) => return Ok(answers::echoes(&echoes)),
            // Where the kernel lets only programs with a right of their own do it.
            Err(error) if error.kind == ErrorKind::Unsupported => {}
            Err(error) => return Err(error),
        }
        let output = Program::new("ping").args(["-n", "-q", "-c", &count.to_string(), "-W", "2", host]).run()?;
        // 1 means that nothing came back; then there is a summary all the same.
        let output = if output.stderr.is_empty() { fine_with(output, 1) } else { output };
        answers::ping(&judge("ping", output)?).ok_or_else(|| Error::failed("`ping` wrote no summary"))
    }

    fn traceroute(host: String, max_hops: Option<u32>) -> Result<Vec<Hop>> {
        let host = checked::host(&host)?;
        let hops = within("number of hops", max_hops, 30, 64)?;
        let args = ["-n", "-q", "1", "-w", "2", "-m", &hops.to_string(), host];
        Ok(answers::traceroute(&Program::new("traceroute").args(args).text()?))
    }

    fn dig(name: String, kind: Option<String>) -> Result<Lookup> {
        let name = checked::word("name", &name, ".-_")?;
        let kind = kind.unwrap_or_else(|| "A".to_owned());
        let kind = checked::word("kind of record", &kind, "")?;
        let args = ["+noall", "+comments", "+answer", "+time=3", "+tries=2", "-t", kind, "-q", name];
        let mut output = Program::new("dig").args(args).run()?;
        // It complains in comments.
        if output.stderr.is_empty() {
            output.stderr.clone_from(&output.stdout);
        }
        answers::dig(&judge("dig", output)?).ok_or_else(|| Error::failed("`dig` wrote no answer"))
    }
}

/// A number of 1 to a highest one.
fn within(what: &str, number: Option<u32>, default: u32, highest: u32) -> Result<u32> {
    match number.unwrap_or(default) {
        number if (1..=highest).contains(&number) => Ok(number),
        number => Err(Error::invalid(format!("the {what} is 1 to {highest}, not {number}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(within("count", None, 3, 20), Ok(3));
        assert!(within("count", Some(0), 3, 20).is_err() && within("count", Some(21), 3, 20).is_err());
    }
}
