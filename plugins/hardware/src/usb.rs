//! The USB bus, from /sys/bus/usb/devices.

use func_sdk::{Result, file};

use crate::exports::base::hardware::hardware::UsbDevice;

const DEVICES: &str = "/sys/bus/usb/devices";

/// The devices, by address.
pub fn look() -> Result<Vec<UsbDevice>> {
    let mut found = Vec::new();
    for address in file::names(DEVICES)?.into_iter().filter(|name| is_device(name)) {
        let told = |name: &str| file::attribute(&format!("{DEVICES}/{address}/{name}"));
        let (Some(vendor), Some(product)) = (told("idVendor")?, told("idProduct")?) else { continue };
        found.push(UsbDevice {
            vendor,
            product,
            manufacturer: told("manufacturer")?,
            name: told("product")?,
            serial: told("serial")?,
            address,
        });
    }
    Ok(found)
}

/// Interfaces of devices lie in the same folder, with a colon in their names.
fn is_device(name: &str) -> bool {
    !name.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_no_devices() {
        assert!(is_device("usb1") && is_device("1-1.2") && !is_device("1-1.2:1.0"));
    }
}
