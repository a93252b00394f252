//! Every dependency has a licence that we may use, comes from the registry, is none of those that we do without, and has no
//! advisory against it.
//!
//! `cargo deny` would check the same, and takes longer to build than all of this project's tests take to run. The advisories
//! are those of `RustSec`, where a copy of them is on this machine: `.ci/run` tries to get one, and says so when it cannot.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use semver::{Version, VersionReq};
use serde_json::Value;

use crate::harness::cannot;

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

/// Advisories that are no reason to do without, each with why.
const ADVISORIES: &[(&str, &str)] =
    &[("RUSTSEC-2024-0384", "`instant` is not kept any more; sled 0.34.7 takes it for a clock, which it is")];

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

/// Where the advisories are: where somebody says so, or where `cargo audit` keeps them.
fn advisories() -> Option<PathBuf> {
    let usual = || Some(PathBuf::from(env::var_os("HOME")?).join(".cargo/advisory-db"));
    let folder = env::var_os("FUNC_ADVISORIES").map(PathBuf::from).or_else(usual)?.join("crates");
    folder.is_dir().then_some(folder)
}

/// Whether an advisory, as it is written, is about this version.
fn is_about(advisory: &toml::Table, version: &Version) -> bool {
    let versions = |kind: &str| advisory.get("versions").and_then(|all| all.get(kind)?.as_array().cloned());
    let listed = ["patched", "unaffected"].into_iter().filter_map(versions).flatten();
    let requirements = listed.map(|text| text.as_str().unwrap().parse::<VersionReq>().unwrap());
    let withdrawn = advisory["advisory"].get("withdrawn").is_some();
    !withdrawn && !requirements.into_iter().any(|requirement| requirement.matches(version))
}

/// The head of an advisory, which is a block of TOML in Markdown.
fn head(text: &str) -> toml::Table {
    let (_, rest) = text.split_once("```toml").unwrap();
    rest.split_once("```").unwrap().0.parse().unwrap()
}

#[test]
fn an_advisory_is_about_the_versions_that_it_does_not_except() {
    let text = "```toml\n[advisory]\nid = \"RUSTSEC-2020-0001\"\n[versions]\npatched = [\">= 1.2.3\", \"^0.9.4\"]\n\
                unaffected = [\"< 0.8\"]\n```\n# Title\n";
    let about = |version: &str| is_about(&head(text), &version.parse().unwrap());
    assert!(about("1.2.2") && about("0.9.3") && about("0.8.0"));
    assert!(!about("1.2.3") && !about("0.9.4") && !about("0.7.9"));
    let withdrawn = text.replace("[versions]", "withdrawn = \"2021-01-01\"\n[versions]");
    assert!(!is_about(&head(&withdrawn), &"1.0.0".parse().unwrap()));
}

#[test]
fn no_advisory_is_about_what_we_build_on() {
    let Some(folder) = advisories() else {
        return cannot(
            "no_advisory_is_about_what_we_build_on",
            "the advisories (https://github.com/RustSec/advisory-db) are neither at FUNC_ADVISORIES nor at ~/.cargo/advisory-db",
        );
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = [root.to_owned(), root.join("plugins")].into_iter().flat_map(|folder| metadata(&folder));
    let mut found = Vec::new();
    for package in packages.filter(|package| !package["source"].is_null()) {
        let (name, version) = (package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        for file in fs::read_dir(folder.join(name)).into_iter().flatten() {
            let advisory = head(&fs::read_to_string(file.unwrap().path()).unwrap());
            let id = advisory["advisory"]["id"].as_str().unwrap().to_owned();
            let excepted = ADVISORIES.iter().any(|(excepted, _)| *excepted == id);
            if !excepted && is_about(&advisory, &version.parse().unwrap()) {
                found.push(format!("{name} {version}: {id}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
