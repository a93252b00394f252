//! The reference of the shipped modules lists every method of their components, and says which only read.
//!
//! After a change of a module, `INSTA_UPDATE=always` writes it anew.

use std::{env, fmt::Write as _, fs, path::Path};

use crate::harness::{direct::compiled, shipped_modules};

const BEGIN: &str = "do not edit -->\n";
const END: &str = "<!-- end of methods -->";

/// The first sentence of a text, on one line.
fn first_sentence(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
    match paragraph.split_once(". ") {
        Some((first, _)) => format!("{first}."),
        None => paragraph,
    }
}

fn table() -> String {
    let mut text = String::from("| method | only reads | |\n| --- | --- | --- |\n");
    for built in &shipped_modules().modules {
        for module in compiled(&built.name).modules() {
            let _ = writeln!(text, "| **{}** | | {} |", module.name, first_sentence(&module.description));
            for (name, method) in &module.methods {
                let reads = if method.read_only { " yes " } else { " " };
                let _ = writeln!(text, "| `{}.{name}` |{reads}| {} |", module.name, first_sentence(&method.doc));
            }
        }
    }
    text
}

#[test]
fn every_method_is_in_the_reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (listed, after) = rest.split_once(END).unwrap();
    let made = table();
    if listed != made && env::var("INSTA_UPDATE").is_ok_and(|how| how == "always") {
        fs::write(&path, [before, BEGIN, &made, END, after].concat()).unwrap();
        return;
    }
    for (listed, made) in listed.lines().zip(made.lines()) {
        assert_eq!(listed, made, "write plugins/README.md anew with INSTA_UPDATE=always");
    }
    assert_eq!(listed.lines().count(), made.lines().count());
}

#[test]
fn what_has_another_name_now_is_told() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/README.md")).unwrap();
    let names: Vec<&str> = shipped_modules().modules.iter().map(|built| built.name.as_str()).collect();
    for (old, new) in [("rpms", "package"), ("yumcmd", "package"), ("networktest", "network"), ("iptables", "firewall")]
    {
        let row = readme
            .lines()
            .find(|line| line.starts_with('|') && line.split('|').nth(1).unwrap().contains(&format!("`{old}`")));
        assert!(row.is_some_and(|row| row.contains(&format!("`{new}`"))) && names.contains(&new), "{old}: {row:?}");
    }
    for gone in ["jboss", "djangoctl", "netapp", "snmp"] {
        assert!(readme.contains(&format!("`{gone}`")) && !names.contains(&gone), "{gone}");
    }
}
