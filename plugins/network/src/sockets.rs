//! Sockets, from `/proc/net/tcp` and its like (`proc_net(5)`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use func_sdk::table;

use crate::exports::base::network::network::{Protocol, Socket};

/// The sockets that the file lists; what makes no sense is left out.
pub fn parse(protocol: Protocol, text: &str) -> Vec<Socket> {
    table::rows(text).skip(1).filter_map(|row| socket(protocol, &row)).collect()
}

/// A row is `N: LOCAL REMOTE STATE TX:RX TIMER:WHEN RETRANSMITS UID TIMEOUT INODE …`.
fn socket(protocol: Protocol, row: &[&str]) -> Option<Socket> {
    let (local_address, local_port) = end(row.get(1)?)?;
    let (remote_address, remote_port) = end(row.get(2)?)?;
    let udp = matches!(protocol, Protocol::Udp | Protocol::Udp6);
    Some(Socket {
        protocol,
        local_address: local_address.to_string(),
        local_port,
        remote_address: remote_address.to_string(),
        remote_port,
        state: state(row.get(3)?, udp).to_owned(),
        uid: row.get(7)?.parse().ok()?,
        inode: row.get(9)?.parse().ok()?,
    })
}

/// An address and a port in hexadecimal. The address is written as words of 32 bits in the machine's own order, which is
/// taken to be little endian.
fn end(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.swap_bytes());
    let address = match address.len() {
        8 => Ipv4Addr::from_bits(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            Ipv6Addr::from_bits(words.iter().fold(0, |bits, word| bits << 32 | u128::from(*word))).into()
        }
        _ => return None,
    };
    Some((address, u16::from_str_radix(port, 16).ok()?))
}

fn state(code: &str, udp: bool) -> &'static str {
    match code {
        "07" if udp => "unconnected",
        "01" => "established",
        "02" => "syn-sent",
        "03" | "0C" => "syn-received",
        "04" => "fin-wait-1",
        "05" => "fin-wait-2",
        "06" => "time-wait",
        "07" => "close",
        "08" => "close-wait",
        "09" => "last-ack",
        "0A" => "listen",
        "0B" => "closing",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_told_with_both_its_ends() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 244 1 0 100 0 0 10 0
   1: 020200C0:D1A2 01010101:01BB 01 00000000:00000000 02:00000000 00000000     0        0 7 2 0 20 4 30 10 -1
   2: nonsense\n";
        let told = parse(Protocol::Tcp, text);
        assert_eq!(told.len(), 2);
        assert_eq!((told[0].local_address.as_str(), told[0].local_port, told[0].uid), ("127.0.0.1", 8080, 1000));
        assert_eq!((told[0].state.as_str(), told[0].inode, told[0].remote_port), ("listen", 244, 0));
        assert_eq!((told[1].remote_address.as_str(), told[1].remote_port), ("1.1.1.1", 443));
        assert_eq!(told[1].state, "established");
    }

    #[test]
    fn addresses_of_version_6_are_read() {
        assert_eq!(end("00000000000000000000000001000000:0016"), Some((Ipv6Addr::LOCALHOST.into(), 22)));
        let (address, _) = end("000000FD000000000000000002000000:0000").unwrap();
        assert_eq!(address.to_string(), "fd00::2");
        for text in ["", ":", "00:00", "é00000000:0000", "0100007F:1F90F"] {
            assert_eq!(end(text), None, "{text}");
        }
    }

    #[test]
    fn a_udp_socket_without_another_end_waits_for_anybody() {
        assert_eq!((state("07", true), state("07", false), state("FF", true)), ("unconnected", "close", "unknown"));
    }
}
