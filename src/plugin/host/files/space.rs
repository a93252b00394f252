//! How full a file system is.

use std::{fs, os::unix::ffi::OsStrExt, path::Path};

use nix::sys::statvfs::statvfs;

use super::{
    super::{Error, bindings::minion::host::files::Usage, denial::failed},
    Access, reach,
};

/// Mount points need no grant: which there are and how full they are is no secret of a file.
pub(super) fn space(access: &Access, path: &str) -> Result<Usage, Error> {
    reach::check(path)?;
    let found = if is_mount_point(path) { statvfs(path) } else { nix::sys::statvfs::fstatvfs(access.reach(path)?) };
    let stat = found.map_err(|error| failed(path, &error.into()))?;
    let unit = stat.fragment_size();
    Ok(Usage {
        total: stat.blocks() * unit,
        free: stat.blocks_free() * unit,
        available: stat.blocks_available() * unit,
        inodes: stat.files(),
        free_inodes: stat.files_free(),
    })
}

fn is_mount_point(path: &str) -> bool {
    let table = fs::read("/proc/self/mounts").unwrap_or_default();
    let mut points = table.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(1));
    points.any(|point| Path::new(path).as_os_str().as_bytes() == unescaped(point))
}

/// The kernel writes white space and backslashes in the table as `\` and three octal digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        let octal = tail.get(..3).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        if let (b'\\', Some(byte)) = (byte, octal) {
            plain.push(byte);
            rest = &tail[3..];
        } else {
            plain.push(*byte);
            rest = tail;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_with_spaces_are_recognised() {
        assert_eq!(unescaped(br"/mnt/a\040b\134c"), br"/mnt/a b\c");
        assert_eq!(unescaped(br"/mnt/\0"), br"/mnt/\0");
        assert!(is_mount_point("/proc") && !is_mount_point("/no/such"));
    }
}
