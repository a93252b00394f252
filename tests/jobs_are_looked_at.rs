//! Which jobs there are, everything about one of them, and how they go away.

use crate::harness::{Fleet, Gate, guest, until};

fn ids(fleet: &Fleet, filters: &[&str]) -> Vec<String> {
    let listed = fleet.func(["job", "list", "--json"].iter().chain(filters)).expect(0).json();
    listed.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn jobs_are_listed_shown_and_purged_but_for_those_that_run() {
    let mut fleet = Fleet::empty();
    let gate = Gate::new(fleet.folder(), "m1");
    fleet.add_with("m1", &gate.settings(), &[&guest("rogue")]);
    fleet.add_with("m2", "", &[&guest("rogue")]);
    let job = |call: &[&str]| {
        fleet.func(["call"].iter().chain(call).chain(&["--async", "--json"])).json()["id"].as_str().unwrap().to_owned()
    };
    let done = job(&["*", "rogue.text", "3"]);
    let failed = job(&["m2", "rogue.fail", "no\u{1b}[2J"]);
    let live = fleet.func(["call", "m1", "rogue.pass_gate", "--async", "--no-wait"]).expect(0).out;
    until("the run", || (!gate.lines().is_empty()).then_some(()));

    assert_eq!(ids(&fleet, &[]).len(), 3);
    assert_eq!(ids(&fleet, &["--method", "rogue.t*"]), std::slice::from_ref(&done));
    assert_eq!(ids(&fleet, &["--host", "m2", "--state", "finished"]).len(), 2);
    assert_eq!(ids(&fleet, &["--host", "m1", "--limit", "1", "--since", "1h"]), std::slice::from_ref(&live));
    until("the hand-out", || (ids(&fleet, &["--state", "partial"]) == [live.clone()]).then_some(()));
    let table = fleet.func(["job", "list"]).expect(0).out;
    assert!(table.starts_with("STATE") && table.lines().all(|line| !line.contains('…')), "{table}");

    let shown = fleet.func(["job", "show", &failed]).expect(0).out;
    assert!(shown.contains("argument:   \"no\\u{1b}[2J\" (string)"), "{shown}");
    assert!(
        shown.contains("by:         ") && !shown.contains("not known") && shown.contains("target:     m2"),
        "{shown}"
    );
    assert!(shown.contains("failed") && shown.contains("-minion"), "{shown}");
    let budget = fleet.func(["job", "show", &done, "--budget", "--json"]).expect(0).json();
    assert!(budget["budgets"]["m2"]["memory_bytes"].as_u64().unwrap() > 0, "{budget}");
    let told = fleet.func(["call", "m2", "rogue.text", "3", "--async", "--budget", "--json"]).expect(0).json();
    assert!(told["budgets"]["m2"]["memory_bytes"].as_u64().unwrap() > 0, "{told}");

    let refused = fleet.func(["job", "purge", &done, &live]).expect(7).err;
    assert!(refused.contains("has not ended") && refused.contains("func job cancel"), "{refused}");
    fleet.func(["job", "show", &done]).expect(0);
    assert_eq!(fleet.func(["job", "purge", &done]).expect(0).out, "purged 1 job");
    fleet.func(["job", "show", &done]).expect(3);
    fleet.func(["job", "purge", "--older-than", "1d"]).expect(0);
    assert_eq!(ids(&fleet, &[]).len(), 3);
    fleet.func(["job", "purge", "--older-than", "0s"]).expect(0);
    assert_eq!(ids(&fleet, &[]), std::slice::from_ref(&live));
    gate.open("done");
    fleet.func(["job", "wait", &live]).expect(0);
}
