//! What `apt-get -s` says it would do: `Inst NAME [OLD] (NEW ORIGIN [ARCH])`, `Remv NAME [OLD]`.

use crate::exports::base::packages::package::{Available, ChangedPackage};

/// No questions; settings that were changed stay; a name is a name and no pattern.
pub const OPTIONS: [&str; 8] = [
    "-q",
    "-y",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-o",
    "APT::Cmd::Pattern-Only=true",
];

/// The packages that would be brought to a newer version.
pub fn available(text: &str) -> Vec<Available> {
    let package = |line: &str| {
        let (name, old, new) = parts(line.strip_prefix("Inst ")?);
        let (version, origin) = new?.split_once(' ')?;
        Some(Available {
            name: name.to_owned(),
            installed: old.map(str::to_owned),
            version: version.to_owned(),
            origin: origin.split(" [").next().unwrap_or_default().to_owned(),
        })
    };
    text.lines().filter_map(package).collect()
}

/// All that would change, by name.
pub fn changes(text: &str) -> Vec<ChangedPackage> {
    let change = |line: &str| {
        let (rest, goes) = match line.strip_prefix("Remv ") {
            Some(rest) => (rest, true),
            None => (line.strip_prefix("Inst ")?, false),
        };
        let (name, old, new) = parts(rest);
        let new = new.and_then(|new| new.split(' ').next()).filter(|_| !goes);
        Some(ChangedPackage { name: name.to_owned(), before: old.map(str::to_owned), after: new.map(str::to_owned) })
    };
    let mut found: Vec<_> = text.lines().filter_map(change).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The name, what is in brackets right after it, and what is in parentheses.
fn parts(rest: &str) -> (&str, Option<&str>, Option<&str>) {
    let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let old = rest.strip_prefix('[').and_then(|rest| rest.split(']').next());
    let new = rest.split_once('(').and_then(|(_, rest)| rest.split(')').next());
    (name, old, new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "NOTE: This is only a simulation!\nReading package lists...
Inst libc6 [2.36-9] (2.36-9+deb12u4 Debian:12.5/stable, Debian-Security:12/stable-security [amd64]) []
Inst hello (2.10-3 Debian:12.5/stable [amd64])\nRemv old [1.0]\nConf hello (2.10-3 Debian:12.5/stable [amd64])\n";

    #[test]
    fn newer_versions_are_told_with_where_they_come_from() {
        let told = available(SAID);
        assert_eq!(told.len(), 2);
        assert_eq!((told[0].installed.as_deref(), told[0].version.as_str()), (Some("2.36-9"), "2.36-9+deb12u4"));
        assert_eq!(told[0].origin, "Debian:12.5/stable, Debian-Security:12/stable-security");
        assert_eq!(told[1].installed, None);
    }

    #[test]
    fn what_would_change_is_told() {
        let told: Vec<_> = changes(SAID).into_iter().map(|c| (c.name, c.before, c.after)).collect();
        assert_eq!(told[0], ("hello".into(), None, Some("2.10-3".into())));
        assert_eq!(told[1], ("libc6".into(), Some("2.36-9".into()), Some("2.36-9+deb12u4".into())));
        assert_eq!(told[2], ("old".into(), Some("1.0".into()), None));
    }
}
