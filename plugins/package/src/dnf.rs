//! What `rpm` and `dnf` write.

use crate::exports::base::packages::package::{Available, Installed};

/// A line a package for `rpm -qa --queryformat`, fields separated by tabs.
pub const FORMAT: &str = "%{NAME}\\t%{EVR}\\t%{ARCH}\\t%{SIZE}\\t%{SUMMARY}\\n";

/// The installed packages. Keys for signatures, which rpm keeps as packages, are none.
pub fn installed(text: &str) -> Vec<Installed> {
    let package = |line: &str| {
        let mut fields = line.splitn(5, '\t').map(str::to_owned);
        let (name, version, architecture) = (fields.next()?, fields.next()?, fields.next()?);
        let size = fields.next()?.parse().unwrap_or(0);
        (name != "gpg-pubkey").then(|| Installed {
            name,
            version,
            architecture,
            size,
            summary: fields.next().unwrap_or_default(),
        })
    };
    text.lines().filter_map(package).collect()
}

/// Lines of `NAME.ARCH VERSION ORIGIN`, up to the list of what has been replaced.
pub fn available(text: &str) -> Vec<Available> {
    let lines = text.lines().take_while(|line| !line.starts_with("Obsoleting"));
    let package = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, version, origin] = words[..] else { return None };
        let name = name.rsplit_once('.')?.0;
        Some(Available {
            name: name.to_owned(),
            installed: None,
            version: version.to_owned(),
            origin: origin.to_owned(),
        })
    };
    lines.filter_map(package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rpm_lists_is_told() {
        let text =
            "bash\t5.2.26-3.fc40\tx86_64\t8316000\tThe GNU Bourne Again shell\ngpg-pubkey\t1\t(none)\t0\tkey\nx\n";
        let told = installed(text);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].version.as_str(), told[0].size), ("5.2.26-3.fc40", 8_316_000));
    }

    #[test]
    fn what_dnf_offers_is_told() {
        let text = "\nbash.x86_64   5.2.26-4.fc40   updates\nkernel-core.x86_64 6.9.1-200.fc40 updates\n
Obsoleting Packages\na.noarch 1 b\n";
        let told = available(text);
        assert_eq!(told.len(), 2);
        assert_eq!((told[1].name.as_str(), told[1].origin.as_str()), ("kernel-core", "updates"));
    }
}
