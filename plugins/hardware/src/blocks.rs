//! Block devices, from /sys/block.

use func_sdk::{Result, file};

use crate::exports::base::hardware::hardware::{BlockDevice, Partition};

const DEVICES: &str = "/sys/block";
/// The kernel counts blocks of this size, whatever those of the device are.
const SECTOR: u64 = 512;

/// The devices of some size, by name.
pub fn look() -> Result<Vec<BlockDevice>> {
    let mut found = Vec::new();
    for name in file::names(DEVICES)? {
        let folder = format!("{DEVICES}/{name}");
        let told = |attribute: &str| file::attribute(&format!("{folder}/{attribute}"));
        let is = |attribute: &str| Ok(told(attribute)?.as_deref() == Some("1"));
        let size = size(told("size")?);
        if size == 0 {
            continue;
        }
        let mut partitions = Vec::new();
        for part in file::names(&folder)?.into_iter().filter(|part| is_partition(&name, part)) {
            let size = self::size(told(&format!("{part}/size"))?);
            partitions.push(Partition { name: part, size });
        }
        found.push(BlockDevice {
            size,
            vendor: told("device/vendor")?,
            model: told("device/model")?,
            serial: if let Some(serial) = told("device/serial")? { Some(serial) } else { told("serial")? },
            removable: is("removable")?,
            rotational: is("queue/rotational")?,
            read_only: is("ro")?,
            is_virtual: file::link(&folder)?.is_some_and(|target| target.contains("/virtual/")),
            partitions,
            name,
        });
    }
    Ok(found)
}

fn size(sectors: Option<String>) -> u64 {
    sectors.and_then(|sectors| sectors.parse::<u64>().ok()).unwrap_or(0).saturating_mul(SECTOR)
}

/// Partitions are folders named `sda1`, or `nvme0n1p1` where the disk's name ends in a digit.
fn is_partition(disk: &str, name: &str) -> bool {
    let Some(rest) = name.strip_prefix(disk) else { return false };
    let rest = if disk.ends_with(|c: char| c.is_ascii_digit()) { rest.strip_prefix('p').unwrap_or("") } else { rest };
    !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_told_from_attributes() {
        assert!(is_partition("sda", "sda1") && is_partition("nvme0n1", "nvme0n1p2"));
        assert!(!is_partition("sda", "size") && !is_partition("sda", "sda") && !is_partition("nvme0n1", "nvme0n12"));
        assert!(!is_partition("sda", "sdaqueue"));
    }

    #[test]
    fn sizes_are_counted_in_sectors_of_512_bytes() {
        assert_eq!((size(Some("8".into())), size(Some("x".into())), size(None)), (4096, 0, 0));
    }
}
