//! Each shipped module has tests of its own logic, which run on the machine that builds it.

use std::path::Path;
use std::process::Command;

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
    let passed: usize =
        text.lines().filter_map(|line| line.split(" passed").next()?.rsplit(' ').next()?.parse::<usize>().ok()).sum();
    assert!(passed > 30, "only {passed} tests ran:\n{text}");
}
