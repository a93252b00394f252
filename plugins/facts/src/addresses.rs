//! The machine's own addresses, from the kernel's routing tables.
//!
//! `/proc/net/fib_trie` lists each IPv4 address that is the machine's own as a leaf `|-- ADDRESS` whose next lines say
//! `/32 host LOCAL`; `/proc/net/if_inet6` has a line for each IPv6 address, in hexadecimal.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, Ipv6Addr},
};

use func_sdk::table;

/// The IPv4 addresses, without loopback and link-local ones.
pub fn v4(fib_trie: &str) -> BTreeSet<Ipv4Addr> {
    let mut own: BTreeSet<Ipv4Addr> = BTreeSet::new();
    let mut leaf: Option<Ipv4Addr> = None;
    for line in fib_trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        } else if line.starts_with("/32 host LOCAL") {
            own.extend(leaf);
        }
    }
    own.retain(|address| !address.is_loopback() && !address.is_link_local());
    own
}

/// The IPv6 addresses, without loopback and link-local ones.
pub fn v6(if_inet6: &str) -> BTreeSet<Ipv6Addr> {
    let digits = table::rows(if_inet6).filter_map(|row| u128::from_str_radix(row.first()?, 16).ok());
    let link_local = |address: &Ipv6Addr| address.segments()[0] & 0xffc0 == 0xfe80;
    digits.map(Ipv6Addr::from_bits).filter(|address| !address.is_loopback() && !link_local(address)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_machines_own_addresses_are_told() {
        let text = "Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.0.0.0
        /24 link UNICAST
     |-- 10.0.0.7
        /32 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 10.0.0.255
        /32 link BROADCAST
Local:
     |-- 10.0.0.7
        /32 host LOCAL
     |-- 169.254.1.1
        /32 host LOCAL
";
        assert_eq!(Vec::from_iter(v4(text)), [Ipv4Addr::new(10, 0, 0, 7)]);
    }

    #[test]
    fn hexadecimal_addresses_are_read() {
        let text = "00000000000000000000000000000001 01 80 10 80 lo\nfe800000000000000000000000000001 02 40 20 80 eth0
20010db8000000000000000000000001 02 40 00 80 eth0\nnonsense\n";
        let told: Vec<_> = v6(text).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["2001:db8::1"]);
    }
}
