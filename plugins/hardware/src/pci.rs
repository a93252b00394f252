//! The PCI bus, from /sys/bus/pci/devices.

use func_sdk::{Result, file};

use crate::exports::base::hardware::hardware::PciDevice;

const DEVICES: &str = "/sys/bus/pci/devices";

/// The devices, by address.
pub fn look() -> Result<Vec<PciDevice>> {
    let mut found = Vec::new();
    for address in file::names(DEVICES)? {
        let number = |name: &str| -> Result<String> {
            Ok(digits(&file::attribute(&format!("{DEVICES}/{address}/{name}"))?.unwrap_or_default()))
        };
        let class = number("class")?;
        found.push(PciDevice {
            kind: kind(&class).to_owned(),
            class,
            vendor: number("vendor")?,
            device: number("device")?,
            driver: file::link_name(&format!("{DEVICES}/{address}/driver"))?,
            address,
        });
    }
    Ok(found)
}

/// The kernel writes `0x8086`.
fn digits(number: &str) -> String {
    number.strip_prefix("0x").unwrap_or(number).to_owned()
}

/// The kind that a class states (PCI Code and ID Assignment Specification): two digits of class, two of subclass.
fn kind(class: &str) -> &'static str {
    match (class.get(..2), class.get(..4)) {
        (_, Some("0106")) => "SATA controller",
        (_, Some("0108")) => "NVMe controller",
        (_, Some("0104")) => "RAID controller",
        (_, Some("0600")) => "host bridge",
        (_, Some("0601")) => "ISA bridge",
        (_, Some("0604")) => "PCI bridge",
        (_, Some("0c03")) => "USB controller",
        (_, Some("0c05")) => "SMBus",
        (Some("00"), _) => "unclassified device",
        (Some("01"), _) => "storage controller",
        (Some("02"), _) => "network controller",
        (Some("03"), _) => "display controller",
        (Some("04"), _) => "multimedia device",
        (Some("05"), _) => "memory controller",
        (Some("06"), _) => "bridge",
        (Some("07"), _) => "communication controller",
        (Some("08"), _) => "system peripheral",
        (Some("09"), _) => "input device",
        (Some("0c"), _) => "serial bus controller",
        (Some("0d"), _) => "wireless controller",
        (Some("10"), _) => "encryption controller",
        (Some("11"), _) => "signal processing controller",
        (Some("12"), _) => "processing accelerator",
        _ => "unknown device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_told_in_words() {
        assert_eq!(digits("0x020000"), "020000");
        for (class, word) in [
            ("020000", "network controller"),
            ("010802", "NVMe controller"),
            ("010000", "storage controller"),
            ("ff0000", "unknown device"),
            ("", "unknown device"),
            ("é", "unknown device"),
        ] {
            assert_eq!(kind(class), word);
        }
    }
}
