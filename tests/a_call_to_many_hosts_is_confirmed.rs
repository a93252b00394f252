//! On a terminal, a call, a retry or a copy that may change something on many hosts is confirmed first; a script is not asked.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::{Answer, Simulation, skip};

/// Runs a command on a terminal of its own, on which this is typed. What it prints comes on one stream.
fn on_a_terminal(simulation: &Simulation, arguments: &str, typed: &str) -> Answer {
    let mut script = Command::new("script");
    script.args(["-qec", &format!("{} {arguments}", env!("CARGO_BIN_EXE_func")), "/dev/null"]);
    script.env("FUNC_HOME", simulation.home()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut script = script.spawn().unwrap();
    script.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
    Answer::from(script.wait_with_output().unwrap())
}

#[test]
fn whoever_can_be_asked_is_asked() {
    if Command::new("script").arg("--version").stdout(Stdio::null()).status().is_err() {
        return skip("whoever_can_be_asked_is_asked", "there is no program `script`, which makes terminals");
    }
    let simulation = Simulation::start(4);
    fs::write(simulation.home().join("overlord.toml"), "[calls]\nconfirm_above = 3\n").unwrap();
    let asks = "`test.sleep` may change something, and goes to 4 hosts. Call it?";
    for more in ["", "--async", "--async --no-wait"] {
        let call = format!("call '*' test.sleep 0 {more}");
        let refused = on_a_terminal(&simulation, &call, "n\n").expect(2);
        assert!(refused.out.contains(asks) && refused.out.contains("nothing was called"), "{}", refused.out);
        let called = on_a_terminal(&simulation, &call, "y\n").expect(0);
        assert!(called.out.contains(asks), "{}", called.out);
    }
    for silent in [
        "call '*' test.sleep 0 --yes",
        "call '*' test.ping",
        "call '*' system.list_modules",
        "call 'sim[1-3]' test.sleep 0",
    ] {
        let called = on_a_terminal(&simulation, silent, "n\n").expect(0);
        assert!(!called.out.contains("may change"), "{silent}: {}", called.out);
    }
    let checked = on_a_terminal(&simulation, "call '*' test.sleep 0 --check", "n\n");
    assert!(!checked.out.contains("may change"), "{}", checked.out);
    let scripted = simulation.func(&["call", "*", "test.sleep", "0"]).expect(0);
    assert!(!scripted.err.contains("may change"), "{}", scripted.err);
    for host in ["sim1", "sim2", "sim3", "sim4"] {
        simulation.func(&["hosts", "set", host, "127.0.0.1:1"]).expect(0);
    }
    let failed = simulation.func(&["call", "*", "test.explode", "--async", "--json"]).expect(6).json();
    let again = format!("job retry '{}' --unreachable", failed["id"].as_str().unwrap());
    let file = simulation.home().join("overlord.toml");
    let copy = format!("copy {} '*:/srv/'", file.display());
    for (changes, method, code) in [(again, "test.explode", 6), (copy, "copyfile.put", 6)] {
        let asks = format!("`{method}` may change something, and goes to 4 hosts. Call it?");
        let refused = on_a_terminal(&simulation, &changes, "n\n").expect(2);
        assert!(refused.out.contains(&asks) && refused.out.contains("nothing was called"), "{}", refused.out);
        assert!(on_a_terminal(&simulation, &changes, "y\n").expect(code).out.contains(&asks));
        let silent = on_a_terminal(&simulation, &format!("{changes} --yes"), "n\n").expect(code);
        assert!(!silent.out.contains("may change"), "{}", silent.out);
    }
    // Files are only read there.
    let fetch = format!("fetch '*:/etc/hosts' {}", simulation.home().join("fetched").display());
    let fetched = on_a_terminal(&simulation, &fetch, "n\n").expect(6);
    assert!(!fetched.out.contains("may change"), "{}", fetched.out);
    fs::write(simulation.home().join("overlord.toml"), "[calls]\nconfirm_over = 3\n").unwrap();
    let broken = on_a_terminal(&simulation, "call '*' test.sleep 0", "y\n").expect(3);
    assert!(broken.out.contains("overlord.toml") && broken.out.contains("confirm_over"), "{}", broken.out);
}
