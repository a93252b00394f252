//! Tells how full the machine's file systems are.

mod mounts;

use exports::base::disk::disk::{FileSystem, Guest};
use func_sdk::{Error, Result, checked, files, files::Usage, log, mountinfo::Mount, size};

func_sdk::module!(Disk);

const MOUNTS: &str = "/proc/self/mountinfo";

struct Disk;

impl Guest for Disk {
    fn usage(path: Option<String>) -> Result<Vec<(String, FileSystem)>> {
        let all = mounts::parse(&files::read_text(MOUNTS)?);
        let Some(path) = path else { return Ok(usage_of(mounts::storing(all))) };
        let path = checked::path("path", &path)?;
        // A mount point is there; of others the grant must allow to know it.
        if !all.iter().any(|mount| mount.point == path) && !files::exists(path)? {
            return Err(Error::not_found(format!("there is no {}", checked::shown(path))));
        }
        let mount = mounts::holding(all, path).filter(mounts::stores);
        let found = usage_of(mount.into_iter().collect());
        if found.is_empty() {
            return Err(Error::not_found(format!("{} is on a file system that stores nothing", checked::shown(path))));
        }
        Ok(found)
    }
}

/// File systems of no size, and those that cannot be asked, are left out.
fn usage_of(mounts: Vec<Mount>) -> Vec<(String, FileSystem)> {
    let ask = |mount: Mount| match files::space(&mount.point) {
        Ok(space) if space.total == 0 => None,
        Ok(space) => Some((mount.point.clone(), file_system(mount, &space))),
        Err(error) => {
            log::warn(&format!("{} is left out: {}", mount.point, error.message));
            None
        }
    };
    mounts.into_iter().filter_map(ask).collect()
}

fn file_system(mount: Mount, space: &Usage) -> FileSystem {
    let used = space.total.saturating_sub(space.free);
    FileSystem {
        read_only: mount.read_only(),
        device: mount.device,
        kind: mount.kind,
        total: space.total,
        used,
        available: space.available,
        used_percent: size::percent(used, used.saturating_add(space.available)),
        free_inodes: (space.inodes > 0).then_some(space.free_inodes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_for_root_does_not_count_as_usable() {
        let mount = mounts::parse("1 0 8:1 / / ro - ext4 /dev/sda1 ro").remove(0);
        let space = Usage { total: 1000, free: 400, available: 200, inodes: 0, free_inodes: 0 };
        let told = file_system(mount, &space);
        assert_eq!((told.used, told.available, told.used_percent), (600, 200, 75.0));
        assert_eq!((told.free_inodes, told.read_only), (None, true));
    }
}
