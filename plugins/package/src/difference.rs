//! What a package manager did: the difference between what was installed and what is.

use std::collections::BTreeMap;

use crate::exports::base::packages::package::{ChangedPackage, Installed};

/// The packages that differ, by name. One name may be installed for several architectures, and a kernel in several versions.
pub fn between(before: &[Installed], after: &[Installed]) -> Vec<ChangedPackage> {
    let (before, after) = (versions(before), versions(after));
    let keys: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let change = |key: &(String, String)| {
        let (old, new) = (before.get(key), after.get(key));
        (old != new).then(|| ChangedPackage {
            name: format!("{}:{}", key.0, key.1),
            before: old.map(|versions| versions.join(", ")),
            after: new.map(|versions| versions.join(", ")),
        })
    };
    keys.into_iter().filter_map(change).collect()
}

fn versions(packages: &[Installed]) -> BTreeMap<(String, String), Vec<&str>> {
    let mut found: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for package in packages {
        found.entry((package.name.clone(), package.architecture.clone())).or_default().push(&package.version);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Installed {
        let (name, version) = (name.to_owned(), version.to_owned());
        Installed { name, version, architecture: "amd64".to_owned(), size: 0, summary: String::new() }
    }

    #[test]
    fn only_what_differs_is_told() {
        let before = [package("a", "1"), package("b", "1"), package("kernel", "1"), package("old", "1")];
        let after =
            [package("a", "1"), package("b", "2"), package("kernel", "1"), package("kernel", "2"), package("new", "1")];
        let told: Vec<_> = between(&before, &after).into_iter().map(|c| (c.name, c.before, c.after)).collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [
                ("b:amd64".to_owned(), some("1"), some("2")),
                ("kernel:amd64".to_owned(), some("1"), some("1, 2")),
                ("new:amd64".to_owned(), None, some("1")),
                ("old:amd64".to_owned(), some("1"), None),
            ]
        );
        assert!(between(&before, &before).is_empty());
    }
}
