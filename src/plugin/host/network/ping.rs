//! ICMP echo, over the sockets that need no privilege: the kernel picks the identifier, fills in the
//! checksum and hands back only answers that are for the socket.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket},
};
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep, timeout_at},
};

use super::{
    super::{
        Access, Error, ErrorKind,
        call::cancelled,
        denial::{failed, invalid},
        error, until_set,
    },
    Echoes, Ping, Place, Use,
};

const MOST: u32 = 20;
const PATIENCE: Duration = Duration::from_secs(1);
/// Between an answer and the next question.
const PAUSE: Duration = Duration::from_millis(100);
/// Which users may do it.
const SETTING: &str = "net.ipv4.ping_group_range";

pub(super) async fn ask(call: Ping, access: Access) -> Result<Echoes, Error> {
    if !(1..=MOST).contains(&call.count) {
        return Err(invalid(format!("1 to {MOST} packets are sent, not {}", call.count)));
    }
    let patience = call.timeout_ms.map_or(PATIENCE, Duration::from_millis).min(access.remaining());
    let found = Place::new(&call.host)?.addresses(&access, Use::Ask).await?;
    let Some(address) = found.first().copied() else {
        return Err(error(ErrorKind::NotFound, format!("`{}` has no address", call.host), None));
    };
    let socket = open(address)?;
    let mut times_us = Vec::new();
    for number in 0..call.count {
        if number > 0 {
            sleep(PAUSE).await;
        }
        let time = tokio::select! {
            time = once(&socket, address, number, patience) => time,
            () = until_set(&access.cancelled) => return Err(cancelled()),
        };
        let time = time.map_err(|source| failed(&address.to_string(), &source))?;
        times_us.extend(time.map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)));
    }
    Ok(Echoes { address: address.to_string(), sent: call.count, times_us })
}

fn open(address: IpAddr) -> Result<UdpSocket, Error> {
    let (family, protocol, any) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let wrong = |source: io::Error| failed(&address.to_string(), &source);
    match socket(family, SockType::Datagram, flags, protocol) {
        Ok(socket) => UdpSocket::from_std(socket.into()).map_err(wrong),
        Err(Errno::EACCES | Errno::EPERM | Errno::EPROTONOSUPPORT | Errno::EAFNOSUPPORT) => {
            let message = format!("the kernel does not let this user send ICMP echo from {any}");
            let hint = format!("sysctl -w {SETTING}=\"0 2147483647\" lets every user");
            Err(error(ErrorKind::Unsupported, message, Some(hint)))
        }
        Err(error) => Err(wrong(error.into())),
    }
}

/// Asks once. Nothing when no answer comes in time or the network says that there is no way.
async fn once(socket: &UdpSocket, address: IpAddr, number: u32, patience: Duration) -> io::Result<Option<Duration>> {
    let (began, question) = (Instant::now(), question(address, number));
    match socket.send_to(&question, SocketAddr::new(address, 0)).await {
        Err(error) if no_way(&error) => return Ok(None),
        sent => sent?,
    };
    let mut answer = [0; 128];
    loop {
        match timeout_at(began + patience, socket.recv_from(&mut answer)).await {
            Err(_) => return Ok(None),
            Ok(Err(error)) if no_way(&error) => return Ok(None),
            Ok(received) => {
                let (length, from) = received?;
                if from.ip().to_canonical() == address && is_answer(address, number, &answer[..length]) {
                    return Ok(Some(began.elapsed()));
                }
            }
        }
    }
}

fn no_way(error: &io::Error) -> bool {
    use io::ErrorKind as Io;
    matches!(error.kind(), Io::HostUnreachable | Io::NetworkUnreachable | Io::ConnectionRefused | Io::PermissionDenied)
}

/// Type, code, checksum, identifier (both the kernel's), number, and a payload of the usual size.
fn question(address: IpAddr, number: u32) -> Vec<u8> {
    let kind = if address.is_ipv4() { 8 } else { 128 };
    let mut packet = vec![kind, 0, 0, 0, 0, 0];
    packet.extend(sequence(number));
    packet.extend((0_u8..56).map(|byte| byte.wrapping_add(0x20)));
    packet
}

fn is_answer(address: IpAddr, number: u32, packet: &[u8]) -> bool {
    let kind = if address.is_ipv4() { 0 } else { 129 };
    packet.first() == Some(&kind) && packet.get(6..8) == Some(&sequence(number)[..])
}

fn sequence(number: u32) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_to_this_question_counts() {
        let (v4, v6): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap());
        for (address, kind) in [(v4, 0), (v6, 129)] {
            let mut packet = question(address, 3);
            assert!(packet.len() == 64 && !is_answer(address, 3, &packet), "the question itself is none");
            packet[0] = kind;
            assert!(is_answer(address, 3, &packet) && !is_answer(address, 4, &packet));
            assert!(!is_answer(address, 3, &packet[..7]) && !is_answer(address, 3, &[]));
        }
    }
}
