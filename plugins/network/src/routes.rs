//! Routes, from `/proc/net/route` and `/proc/net/ipv6_route` (`proc_net(5)`).

use std::net::{Ipv4Addr, Ipv6Addr};

use func_sdk::table;

use crate::exports::base::network::network::Route;

/// Flags of a route: it is in use; it leads over a router; it refuses.
const UP: u32 = 1;
const GATEWAY: u32 = 2;
const REJECT: u32 = 0x200;
/// A flag of version 6: the kernel's own address.
const LOCAL: u32 = 0x8000_0000;

/// A row is `INTERFACE DESTINATION GATEWAY FLAGS REFCOUNT USE METRIC MASK …`, addresses in the machine's own byte order.
pub fn v4(text: &str) -> Vec<Route> {
    let route = |row: Vec<&str>| {
        let number = |at: usize| u32::from_str_radix(row.get(at)?, 16).ok();
        let address = |at: usize| Some(Ipv4Addr::from_bits(number(at)?.swap_bytes()));
        let flags = number(3)?;
        (flags & UP != 0 && flags & REJECT == 0).then_some(())?;
        Some(Route {
            destination: format!("{}/{}", address(1)?, number(7)?.count_ones()),
            gateway: if flags & GATEWAY == 0 { None } else { Some(address(2)?.to_string()) },
            device: (*row.first()?).to_owned(),
            metric: row.get(6)?.parse().ok()?,
        })
    };
    table::rows(text).skip(1).filter_map(route).collect()
}

/// A row is `DESTINATION PREFIX SOURCE PREFIX GATEWAY METRIC REFCOUNT USE FLAGS INTERFACE`, numbers in hexadecimal.
pub fn v6(text: &str) -> Vec<Route> {
    let route = |row: Vec<&str>| {
        let number = |at: usize| u32::from_str_radix(row.get(at)?, 16).ok();
        let address = |at: usize| u128::from_str_radix(row.get(at)?, 16).ok().map(Ipv6Addr::from_bits);
        let (flags, destination) = (number(8)?, address(0)?);
        (flags & UP != 0 && flags & (LOCAL | REJECT) == 0 && !destination.is_multicast()).then_some(())?;
        Some(Route {
            destination: format!("{destination}/{}", number(1)?),
            gateway: if flags & GATEWAY == 0 { None } else { Some(address(4)?.to_string()) },
            device: (*row.get(9)?).to_owned(),
            metric: number(5)?,
        })
    };
    table::rows(text).filter_map(route).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_version_4_are_read() {
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
*\t0000000A\t00000000\t0200\t0\t0\t0\t000000FF\t0\t0\t0\nx y\n";
        let told = v4(text);
        assert_eq!(told.len(), 2);
        assert_eq!((told[0].destination.as_str(), told[0].gateway.as_deref()), ("0.0.0.0/0", Some("192.0.2.1")));
        assert_eq!((told[0].metric, told[0].device.as_str()), (100, "eth0"));
        assert_eq!((told[1].destination.as_str(), told[1].gateway.as_deref()), ("192.0.2.0/24", None));
    }

    #[test]
    fn routes_of_version_6_are_read_without_the_kernels_own() {
        let zero = "0".repeat(32);
        let text = format!(
            "fd000000000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001     eth0
{zero} 00 {zero} 00 fd000000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo
fd000000000000000000000000000002 80 {zero} 00 {zero} 00000000 00000002 00000000 80200001     eth0
ff000000000000000000000000000000 08 {zero} 00 {zero} 00000100 00000003 00000000 00000001     eth0
nonsense"
        );
        let told = v6(&text);
        let lines: Vec<_> = told.iter().map(|route| (route.destination.as_str(), route.gateway.as_deref())).collect();
        assert_eq!(lines, [("fd00::/64", None), ("::/0", Some("fd00::1"))]);
        assert_eq!(told[1].metric, 1024);
    }
}
