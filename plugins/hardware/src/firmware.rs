//! What the firmware says about the machine: DMI on most machines, a device tree on others.

use func_sdk::{Result, file};

use crate::exports::base::hardware::hardware::Product;

/// Where the kernel shows DMI. (/sys/class/dmi/id is a link to it.)
const DMI: &str = "/sys/devices/virtual/dmi/id";
const DEVICE_TREE: &str = "/proc/device-tree";

/// What is told. A machine without DMI has perhaps a device tree.
pub fn look() -> Result<Product> {
    let dmi = |name: &str| Ok(file::attribute(&format!("{DMI}/{name}"))?.and_then(|text| meant(&text)));
    let tree = |name: &str| Ok(file::attribute(&format!("{DEVICE_TREE}/{name}"))?.and_then(|text| meant(&text)));
    let or_tree = |found: Option<String>, name| if found.is_none() { tree(name) } else { Ok(found) };
    Ok(Product {
        vendor: dmi("sys_vendor")?,
        name: or_tree(dmi("product_name")?, "model")?,
        version: dmi("product_version")?,
        serial: or_tree(dmi("product_serial")?, "serial-number")?,
        uuid: dmi("product_uuid")?,
        board_vendor: dmi("board_vendor")?,
        board_name: dmi("board_name")?,
        board_serial: dmi("board_serial")?,
        firmware_vendor: dmi("bios_vendor")?,
        firmware_version: dmi("bios_version")?,
        firmware_date: dmi("bios_date")?,
    })
}

/// Firmware is often shipped with its blanks not filled in.
fn meant(text: &str) -> Option<String> {
    const BLANKS: [&str; 8] = [
        "",
        "none",
        "default string",
        "not specified",
        "system serial number",
        "to be filled by o.e.m.",
        "system product name",
        "system version",
    ];
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!BLANKS.contains(&text.to_ascii_lowercase().as_str())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_of_the_firmware_are_not_told() {
        assert_eq!(meant("Standard PC (Q35 + ICH9, 2009)\n").as_deref(), Some("Standard PC (Q35 + ICH9, 2009)"));
        assert_eq!(meant("Raspberry Pi 4\0").as_deref(), Some("Raspberry Pi 4"));
        for blank in ["To Be Filled By O.E.M.", "None", " ", "\0"] {
            assert_eq!(meant(blank), None, "{blank:?}");
        }
    }
}
