//! Which interface has which address, from `ip -j address show`.

use func_sdk::json::Json;

use crate::exports::base::network::network::InterfaceAddress;

/// The addresses, as the program orders them.
pub fn parse(json: &Json) -> Vec<InterfaceAddress> {
    let of_device = |device: &Json| {
        let name = device.text_of("ifname").unwrap_or_default().to_owned();
        let address = move |info: &Json| {
            Some(InterfaceAddress {
                device: name.clone(),
                address: info.text_of("local")?.to_owned(),
                prefix: u32::try_from(info.int_of("prefixlen")?).ok()?,
                scope: info.text_of("scope").unwrap_or("unknown").to_owned(),
            })
        };
        device.list_of("addr_info").iter().filter_map(address).collect::<Vec<_>>()
    };
    json.list().iter().flat_map(of_device).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_told_with_its_interface() {
        let text = r#"[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP"],"mtu":65536,"operstate":"UNKNOWN","addr_info":[
            {"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host","label":"lo","valid_life_time":4294967295},
            {"family":"inet6","local":"::1","prefixlen":128,"scope":"host"}]},
            {"ifindex":4,"ifname":"eth0","addr_info":[{}]}]"#;
        let told = parse(&Json::parse(text).unwrap());
        assert_eq!(told.len(), 2);
        assert_eq!((told[0].device.as_str(), told[0].address.as_str(), told[0].prefix), ("lo", "127.0.0.1", 8));
        assert_eq!((told[1].address.as_str(), told[1].scope.as_str()), ("::1", "host"));
        assert!(parse(&Json::Null).is_empty());
    }
}
