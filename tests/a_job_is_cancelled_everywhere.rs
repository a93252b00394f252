//! `func job cancel`: every host of a job ends, is named when it cannot be asked, and is counted.

use crate::harness::{Fleet, Gate, guest, until};

#[test]
fn every_host_is_cancelled_or_named_until_it_is() {
    let mut fleet = Fleet::empty();
    let names = ["m1", "m2", "m3"];
    let gates = names.map(|name| Gate::new(fleet.folder(), name));
    for (name, gate) in names.iter().zip(&gates) {
        fleet.add_with(name, &gate.settings(), &[&guest("rogue")]);
    }
    let job = fleet.func(["call", "*", "rogue.pass_gate", "--async", "--no-wait"]).expect(0).out;
    until("every host's run", || gates.iter().all(|gate| gate.lines() == ["ran"]).then_some(()));
    // Its worker goes on; nobody can be asked to end it.
    fleet.minion("m2").kill();

    let left = fleet.func(["job", "cancel", &job]).expect(7);
    assert!(left.out.contains("m[1,3]") && left.out.contains("cancelled"), "{}", left.out);
    assert!(left.out.contains("unreachable") && left.out.contains(&format!("func job wait '{job}'")), "{}", left.out);
    let stored = fleet.stored(&job);
    assert_eq!((stored["summary"]["cancelled"].as_u64(), stored["open"].as_u64()), (Some(2), Some(1)), "{stored}");

    fleet.minion("m2").launch();
    let ended = fleet.func(["job", "wait", &job, "--json"]).expect(1).json();
    assert_eq!(ended["status"], "FINISHED", "{ended}");
    assert_eq!((ended["summary"]["cancelled"].as_u64(), ended["summary"]["total"].as_u64()), (Some(3), Some(3)));
    for name in names {
        assert_eq!(ended["hosts"][name]["result"]["outcome"], "cancelled", "{ended}");
        let minion_job = ended["hosts"][name]["minion_job"].as_str().unwrap().to_owned();
        assert!(fleet.minion(name).worker(&minion_job).is_none(), "{name}");
    }
    let census = fleet.func(["job", "cancel", &job]).expect(0);
    assert!(census.out.contains("3 cancelled: 3 hosts"), "{}", census.out);
    fleet.func(["job", "cancel", "*-rogue-pass_gate-1"]).expect(3);
}
