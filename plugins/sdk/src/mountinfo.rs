//! What is mounted where, as /proc/self/mountinfo tells it (proc(5)).

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The kernel's number of the file system: the same for each of its mounts.
    pub number: String,
    /// The directory of the file system that is mounted: `/` unless it is a bind mount.
    pub root: String,
    /// The directory it is mounted on.
    pub point: String,
    /// The options of this mount, such as `ro`.
    pub options: Vec<String>,
    /// The kind of file system.
    pub kind: String,
    /// What is mounted.
    pub device: String,
    /// The options of the file system.
    pub file_system_options: Vec<String>,
}

impl Mount {
    /// Whether it is mounted for reading only.
    pub fn read_only(&self) -> bool {
        self.options.iter().any(|option| option == "ro")
    }

    /// A line is `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAGS…] - KIND DEVICE OPTIONS`.
    fn parse(line: &str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split_whitespace().skip(2);
        let (number, root, point, options) = (mount.next()?, mount.next()?, mount.next()?, mount.next()?);
        let mut file_system = file_system.split_whitespace();
        let (kind, device) = (file_system.next()?, file_system.next()?);
        let split = |options: &str| options.split(',').map(unescape).filter(|option| !option.is_empty()).collect();
        Some(Self {
            number: number.to_owned(),
            root: unescape(root),
            point: unescape(point),
            options: split(options),
            kind: kind.to_owned(),
            device: unescape(device),
            file_system_options: split(file_system.next().unwrap_or_default()),
        })
    }
}

/// All mounts, in the order they were made; what makes no sense is left out.
pub fn parse(mountinfo: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(Mount::parse).collect()
}

/// The kernel writes white space and backslashes as `\` and three octal digits.
fn unescape(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..3).filter(|_| first == b'\\').and_then(octal);
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_told_with_both_kinds_of_options() {
        let text = "31 28 8:17 / /mnt/my\\040disk ro,noexec shared:1 - xfs /dev/sdb1 rw,attr2\nnonsense\n";
        let mounts = parse(text);
        let [mount] = &mounts[..] else { panic!("{mounts:?}") };
        assert_eq!((mount.point.as_str(), mount.kind.as_str(), mount.read_only()), ("/mnt/my disk", "xfs", true));
        assert_eq!((mount.number.as_str(), mount.root.as_str(), mount.device.as_str()), ("8:17", "/", "/dev/sdb1"));
        assert_eq!(
            (mount.options.join(" "), mount.file_system_options.join(" ")),
            ("ro noexec".into(), "rw attr2".into())
        );
    }

    #[test]
    fn escapes_are_undone_and_lone_backslashes_kept() {
        assert_eq!(unescape(r"a\040b\134\0"), r"a b\\0");
        assert_eq!(unescape(r"\999\é"), r"\999\é");
    }
}
