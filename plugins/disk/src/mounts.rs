//! Which of the mounts store something, each file system once.

use std::collections::{BTreeMap, HashMap};

use func_sdk::mountinfo::{self, Mount};

/// File systems that store nothing: they show the kernel's state as files.
const PSEUDO: [&str; 25] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fuse.gvfsd-fuse",
    "fuse.lxcfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "ramfs",
    "resctrl",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "sysfs",
    "tracefs",
];

/// Whether a mount is more than the kernel's state shown as files.
pub fn stores(mount: &Mount) -> bool {
    !PSEUDO.contains(&mount.kind.as_str())
}

/// All mounts that can be reached, by mount point. Of several on one point only the last can be.
pub fn parse(mountinfo: &str) -> Vec<Mount> {
    let mounts = mountinfo::parse(mountinfo);
    let by_point: BTreeMap<_, _> = mounts.into_iter().map(|mount| (mount.point.clone(), mount)).collect();
    by_point.into_values().collect()
}

/// Those that store something, each file system once: where its root is mounted, else at its shortest mount point.
pub fn storing(mounts: Vec<Mount>) -> Vec<Mount> {
    let rank = |mount: &Mount| (mount.root.len(), mount.point.len());
    let mut best: HashMap<String, Mount> = HashMap::new();
    for mount in mounts.into_iter().filter(stores) {
        match best.get(&mount.number) {
            Some(other) if rank(other) <= rank(&mount) => {}
            _ => drop(best.insert(mount.number.clone(), mount)),
        }
    }
    let mut best: Vec<_> = best.into_values().collect();
    best.sort_by(|a, b| a.point.cmp(&b.point));
    best
}

/// The mount whose file system holds the path: the one with the longest mount point above it.
pub fn holding(mounts: Vec<Mount>, path: &str) -> Option<Mount> {
    let above = |mount: &Mount| {
        let below = path.strip_prefix(mount.point.trim_end_matches('/'));
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    mounts.into_iter().filter(above).max_by_key(|mount| mount.point.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = r"
22 28 0:20 / /proc rw,nosuid - proc proc rw
28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
29 28 8:1 /home/x /srv/x rw - ext4 /dev/sda1 rw
30 28 8:1 /etc/hosts /etc/hosts ro,relatime master:1 - ext4 /dev/sda1 rw
31 28 8:17 / /mnt/my\040disk ro - xfs /dev/sdb1 ro
32 28 0:30 / /tmp rw - tmpfs tmpfs rw
33 28 0:31 / /tmp rw - tmpfs tmpfs rw,size=1k
a line that makes no sense
";

    fn points(mounts: &[Mount]) -> Vec<&str> {
        mounts.iter().map(|mount| mount.point.as_str()).collect()
    }

    #[test]
    fn a_file_system_is_told_once_and_where_its_root_is() {
        let mounts = storing(parse(MOUNTINFO));
        assert_eq!(points(&mounts), ["/", "/mnt/my disk", "/tmp"]);
        assert!(mounts[1].read_only() && !mounts[0].read_only());
        assert_eq!(mounts[2].number, "0:31");
    }

    #[test]
    fn a_path_is_held_by_the_nearest_mount_above_it() {
        let held = |path| holding(parse(MOUNTINFO), path).unwrap().point;
        assert_eq!(held("/usr/bin"), "/");
        assert_eq!(held("/"), "/");
        assert_eq!(held("/srv/x/y"), "/srv/x");
        assert_eq!(held("/srv/xy"), "/");
        assert_eq!(held("/proc/1"), "/proc");
    }
}
