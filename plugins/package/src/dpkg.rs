//! What dpkg has installed: /var/lib/dpkg/status, paragraphs of `Name: value` (deb-control(5)).

use crate::exports::base::packages::package::Installed;

/// The file.
pub const STATUS: &str = "/var/lib/dpkg/status";

/// The installed packages. Those that were removed and left settings behind are not.
pub fn parse(text: &str) -> Vec<Installed> {
    text.split("\n\n").filter_map(paragraph).collect()
}

fn paragraph(text: &str) -> Option<Installed> {
    let value = |name: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let is_installed = value("Status")?.split(' ').nth(2) == Some("installed");
    is_installed.then_some(())?;
    let kilobytes: u64 = value("Installed-Size").and_then(|size| size.parse().ok()).unwrap_or(0);
    Some(Installed {
        name: value("Package")?.to_owned(),
        version: value("Version")?.to_owned(),
        architecture: value("Architecture").unwrap_or_default().to_owned(),
        size: kilobytes.saturating_mul(1024),
        summary: value("Description").unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_installed_is_told() {
        let text = "Package: adduser\nStatus: install ok installed\nInstalled-Size: 686\nArchitecture: all
Version: 3.134\nConffiles:\n /etc/adduser.conf cc3493\nDescription: add and remove users\n and more.\n
Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nVersion: 2\n\n";
        let told = parse(text);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].name.as_str(), told[0].version.as_str(), told[0].size), ("adduser", "3.134", 686 << 10));
        assert_eq!((told[0].architecture.as_str(), told[0].summary.as_str()), ("all", "add and remove users"));
    }
}
