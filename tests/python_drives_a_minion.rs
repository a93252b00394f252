//! Python's stock `xmlrpc.client`, with an ssl context and no code of ours, drives a minion.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use crate::harness::{Fleet, Minion, shipped_modules, skip};

#[test]
fn python_drives_a_minion() {
    if let Err(error) = Command::new("python3").arg("--version").output() {
        return skip("python_drives_a_minion", &format!("python3 cannot be started: {error}"));
    }
    let fleet = Fleet::empty();
    let home = fleet.folder().join("web1");
    let folder = |name: &str| home.join(name).to_str().unwrap().to_owned();
    // Python verifies the address that it connects to.
    let (own, other) = (folder("identity"), folder("stranger"));
    fleet.func(["ca", "issue", "web1", "--role", "minion", "--address", "127.0.0.1:1", "--out", &own]).expect(0);
    fleet.func(["ca", "issue", "web2", "--role", "minion", "--out", &other]).expect(0);
    std::fs::create_dir_all(home.join("modules")).unwrap();
    let test = shipped_modules().modules.iter().find(|built| built.name == "test").unwrap();
    std::fs::copy(&test.path, home.join("modules/test.wasm")).unwrap();
    let minion = Minion::start_at(Ipv4Addr::LOCALHOST, "web1", &home, &home.join("cache"));

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python_drives_a_minion.py");
    let boss = fleet.home().join("identity");
    let output = Command::new("python3")
        .arg(script)
        .arg(format!("https://{}", minion.address))
        .args([boss.join("ca.pem"), boss.join("cert.pem"), boss.join("key.pem")])
        .args([format!("{other}/cert.pem"), format!("{other}/key.pem")])
        .output()
        .unwrap();
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}\n{}", shown(&output.stdout), shown(&output.stderr), minion.log());
    assert!(shown(&output.stdout).starts_with("driven by Python"));

    // What the README shows, held against what it says beside it.
    let mut script =
        include_str!("../README.md").split_once("```python\n").unwrap().1.split_once("```").unwrap().0.to_owned();
    for (written, tried) in [
        ("https://web1.example:51234", format!("https://{}", minion.address)),
        ("minion.test.add(1, 2) ", "assert 3 == minion.test.add(1, 2)".to_owned()),
        ("minion.system.list_modules()", "assert 'test' in minion.system.list_modules()".to_owned()),
        (".test.sleep(5)", ".test.sleep(0.01)".to_owned()),
        ("minion.jobs.wait(job, 10) ", "assert 1 == minion.jobs.wait(job, 10)[0]".to_owned()),
    ] {
        assert!(script.contains(written), "{written} is not in:\n{script}");
        script = script.replace(written, &tried);
    }
    let output = Command::new("python3").args(["-c", &script]).current_dir(fleet.home()).output().unwrap();
    assert!(output.status.success(), "{}\n{script}", shown(&output.stderr));
}
