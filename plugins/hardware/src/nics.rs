//! Network interfaces, from /sys/class/net.

use func_sdk::{Result, file};

use crate::exports::base::hardware::hardware::NetworkCard;

const DEVICES: &str = "/sys/class/net";

/// The interfaces, by name.
pub fn look() -> Result<Vec<NetworkCard>> {
    let mut found = Vec::new();
    for name in file::names(DEVICES)? {
        let folder = format!("{DEVICES}/{name}");
        let told = |attribute: &str| file::attribute(&format!("{folder}/{attribute}"));
        // Files such as `bonding_masters` lie among the interfaces.
        let Some(mtu) = told("mtu")?.and_then(|mtu| mtu.parse().ok()) else { continue };
        found.push(NetworkCard {
            address: told("address")?.filter(|address| is_set(address)),
            state: told("operstate")?.unwrap_or_else(|| "unknown".to_owned()),
            speed: told("speed")?.and_then(|speed| speed.parse().ok()),
            mtu,
            driver: file::link_name(&format!("{folder}/device/driver"))?,
            is_virtual: file::link(&folder)?.is_some_and(|target| target.contains("/virtual/")),
            name,
        });
    }
    Ok(found)
}

/// The loopback interface has an address of zeros.
fn is_set(address: &str) -> bool {
    address.bytes().any(|b| b != b'0' && b != b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_zeros_is_none() {
        assert!(is_set("02:fc:00:00:00:01") && !is_set("00:00:00:00:00:00") && !is_set(""));
    }
}
