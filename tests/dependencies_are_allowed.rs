//! Every dependency has a licence that we may use, comes from the registry, and is none of those that we do without.
//!
//! `cargo deny` would check the same, and takes longer to build than all of this project's tests take to run. Its
//! advisories are not checked: their database is not among what a build can reach.

use std::{collections::BTreeMap, path::Path, process::Command};

use serde_json::Value;

/// Licences that ask for no more than to be named.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// Others, each with its reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];
/// What must not be in what we ship, and why.
const BANNED: &[(&str, &str)] = &[
    ("openssl-sys", "one TLS provider: ring"),
    ("aws-lc-sys", "one TLS provider: ring"),
    ("native-tls", "one TLS provider: ring"),
    ("rustls-native-certs", "the fleet's own authority alone is trusted"),
    ("webpki-roots", "the fleet's own authority alone is trusted"),
    ("serde_yaml", "no longer kept"),
    ("atty", "no longer kept"),
];

fn metadata(folder: &Path) -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "metadata",
        "--format-version=1",
        "--locked",
        "--offline",
        "--filter-platform=x86_64-unknown-linux-gnu",
    ]);
    let told = cargo.current_dir(folder).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let used: Vec<_> = told["resolve"]["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect();
    let packages = told["packages"].as_array().unwrap();
    packages.iter().filter(|package| used.contains(&package["id"])).cloned().collect()
}

/// Whether one may choose only licences of the list. `AND` binds more tightly than `OR`; `/` is an old way to write `OR`.
fn allowed(licence: &str) -> bool {
    let licence = licence.replace('/', " OR ");
    let Some(open) = licence.rfind('(') else {
        return licence
            .split(" OR ")
            .any(|all| all.split(" AND ").all(|one| one == "true" || LICENCES.contains(&one.trim())));
    };
    let Some(close) = licence[open..].find(')').map(|close| open + close) else { return false };
    let inner = if allowed(&licence[open + 1..close]) { "true" } else { "false" };
    allowed(&format!("{}{inner}{}", &licence[..open], &licence[close + 1..]))
}

#[test]
fn licences_are_read_as_they_are_written() {
    assert!(allowed("MIT OR GPL-3.0") && allowed("MIT/Apache-2.0") && allowed("(MIT OR GPL-3.0) AND Unicode-3.0"));
    assert!(!allowed("GPL-3.0") && !allowed("MIT AND GPL-3.0") && !allowed("(MIT AND GPL-3.0) OR LGPL-3.0"));
}

#[test]
fn what_we_build_on_may_be_used_and_comes_from_the_registry() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for folder in [root.to_owned(), root.join("plugins")] {
        let mut names = BTreeMap::<String, usize>::new();
        for package in metadata(&folder) {
            let name = package["name"].as_str().unwrap();
            *names.entry(name.to_owned()).or_default() += 1;
            let ours = package["source"].is_null();
            let inside = package["manifest_path"].as_str().is_some_and(|path| Path::new(path).starts_with(root));
            let registry = package["source"].as_str().is_some_and(|source| source.starts_with("registry+"));
            if !(registry || ours && inside) {
                wrong.push(format!("{name} is from {}", package["source"]));
            }
            let licence = package["license"].as_str().unwrap_or_default();
            let excepted = EXCEPTIONS.iter().any(|(excepted, of, _)| *excepted == name && *of == licence);
            if !ours && !excepted && !allowed(licence) {
                wrong.push(format!("{name} has the licence `{licence}`"));
            }
            if let Some((_, why)) = BANNED.iter().find(|(banned, _)| *banned == name) {
                wrong.push(format!("{name} is not to be used: {why}"));
            }
        }
        assert!(names.len() > 3, "{} has almost no dependency: {names:?}", folder.display());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
