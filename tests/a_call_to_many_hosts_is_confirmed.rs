//! On a terminal, a call, a retry or a copy that may change something on many hosts is confirmed first; a script is not asked.

use std::fs;

use crate::harness::{Simulation, skip};

#[test]
fn whoever_can_be_asked_is_asked() {
    if let Err(why) = Simulation::terminals() {
        return skip("whoever_can_be_asked_is_asked", why);
    }
    let simulation = Simulation::start(4);
    fs::write(simulation.home().join("overlord.toml"), "[calls]\nconfirm_above = 3\n").unwrap();
    let asks = "`test.sleep` may change something, and goes to 4 hosts. Call it?";
    for more in ["", "--async", "--async --no-wait"] {
        let call = format!("call '*' test.sleep 0 {more}");
        let refused = simulation.on_a_terminal(&call, "n\n").expect(2);
        assert!(refused.out.contains(asks) && refused.out.contains("nothing was called"), "{}", refused.out);
        let called = simulation.on_a_terminal(&call, "y\n").expect(0);
        assert!(called.out.contains(asks), "{}", called.out);
    }
    for silent in [
        "call '*' test.sleep 0 --yes",
        "call '*' test.ping",
        "call '*' system.list_modules",
        "call 'sim[1-3]' test.sleep 0",
    ] {
        let called = simulation.on_a_terminal(silent, "n\n").expect(0);
        assert!(!called.out.contains("may change"), "{silent}: {}", called.out);
    }
    let checked = simulation.on_a_terminal("call '*' test.sleep 0 --check", "n\n");
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
        let refused = simulation.on_a_terminal(&changes, "n\n").expect(2);
        assert!(refused.out.contains(&asks) && refused.out.contains("nothing was called"), "{}", refused.out);
        assert!(simulation.on_a_terminal(&changes, "y\n").expect(code).out.contains(&asks));
        let silent = simulation.on_a_terminal(&format!("{changes} --yes"), "n\n").expect(code);
        assert!(!silent.out.contains("may change"), "{}", silent.out);
    }
    // Files are only read there.
    let fetch = format!("fetch '*:/etc/hosts' {}", simulation.home().join("fetched").display());
    let fetched = simulation.on_a_terminal(&fetch, "n\n").expect(6);
    assert!(!fetched.out.contains("may change"), "{}", fetched.out);
    fs::write(simulation.home().join("overlord.toml"), "[calls]\nconfirm_over = 3\n").unwrap();
    let broken = simulation.on_a_terminal("call '*' test.sleep 0", "y\n").expect(3);
    assert!(broken.out.contains("overlord.toml") && broken.out.contains("confirm_over"), "{}", broken.out);
}
