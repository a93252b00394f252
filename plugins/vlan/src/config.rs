//! VLAN interfaces, from /proc/net/vlan/config: two headings, then `NAME | ID | DEVICE`.

use func_sdk::table;

use crate::exports::base::vlan::vlan::VlanInterface;

/// The interfaces, by name; headings have no number.
pub fn parse(text: &str) -> Vec<VlanInterface> {
    let vlan = |fields: Vec<&str>| {
        let [name, id, device] = fields[..] else { return None };
        let id = id.trim().parse().ok()?;
        Some(VlanInterface { name: name.trim().to_owned(), id, device: device.trim().to_owned() })
    };
    let mut found: Vec<_> = table::fields(text, '|').filter_map(vlan).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_told_and_headings_are_not() {
        let text = "VLAN Dev name    | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD
eth1.100       | 100  | eth1\neth0.7         | 7  | eth0\n";
        let told = parse(text);
        assert_eq!(told.len(), 2);
        assert_eq!((told[0].name.as_str(), told[0].id, told[0].device.as_str()), ("eth0.7", 7, "eth0"));
        assert!(parse("").is_empty());
    }
}
