//! Each shipped module has tests of its own logic, which run on the machine that builds it.

use std::path::Path;
use std::process::Command;

/// Modules with logic of their own.
const TESTED: [&str; 21] = [
    "bridge",
    "command",
    "disk",
    "facts",
    "filetracker",
    "firewall",
    "hardware",
    "httpd",
    "mount",
    "nagios",
    "network",
    "package",
    "process",
    "reboot",
    "service",
    "smart",
    "sysctl",
    "test",
    "users",
    "virt",
    "vlan",
];

#[test]
fn the_tests_of_every_shipped_module_and_of_the_sdk_pass() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins");
    let output = Command::new(env!("CARGO"))
        .args(["test", "--release", "--workspace", "--locked"])
        .current_dir(&plugins)
        // What cargo tells this test about its own build is no business of the other one.
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    // Every crate has a heading of its own in cargo's output of tests (on standard error), and a count on
    // standard output, in the same order.
    let errors = String::from_utf8_lossy(&output.stderr);
    let crates = errors
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("Running unittests ")?.split(['(', '-']).nth(1));
    let counts =
        text.lines().filter_map(|line| line.split(" passed").next()?.rsplit(' ').next()?.parse::<usize>().ok());
    let tested: Vec<(&str, usize)> = crates.zip(counts).collect();
    for module in TESTED {
        let count = tested
            .iter()
            .filter(|(name, _)| name.rsplit('/').next() == Some(module))
            .map(|(_, count)| count)
            .sum::<usize>();
        assert!(count > 0, "no test of `{module}` ran: {tested:?}");
    }
}
