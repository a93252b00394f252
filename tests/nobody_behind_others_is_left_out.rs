//! Who is behind a minion that passes calls on stays on the map, is counted, or is told of.

use std::fs;

use serde_json::json;

use crate::harness::{Fleet, SUB_OVERLORD};

#[test]
fn nobody_behind_one_that_is_silent_is_left_out() {
    let mut fleet = Fleet::start(["near", "leaf"]);
    fleet.add_sub("mid", SUB_OVERLORD);
    fleet.add_sub("top", SUB_OVERLORD);
    // One of those that `top` names is the overlord's own.
    fleet.reach(&["near", "top"], &[("top", &["mid", "near"]), ("mid", &["leaf"])]);
    let whole = fleet.func(["map", "build", "--json"]).expect(0).json();
    assert_eq!((&whole["ways"]["leaf"], &whole["ways"]["near"]), (&json!(["top", "mid"]), &json!([])), "{whole}");

    // An inventory that makes no sense does not make a plain minion.
    let inventory = fleet.minion("mid").home.join("minions.toml");
    let good = fs::read(&inventory).unwrap();
    fs::write(&inventory, "[hosts]\nleaf = 7\n").unwrap();
    let broken = fleet.func(["map", "build", "--json"]).expect(1).json();
    assert_eq!((&broken["ways"], &broken["gone"]), (&whole["ways"], &json!([])), "{broken}");
    assert!(broken["silent"]["mid"].as_str().unwrap().contains("inventory"), "{broken}");
    assert!(broken["unconfirmed"]["leaf"].is_string(), "{broken}");
    fs::remove_file(&inventory).unwrap();
    let missing = fleet.func(["map", "build", "--json"]).expect(1).json();
    assert!(missing["silent"]["mid"].as_str().unwrap().contains("minions.toml"), "{missing}");
    fs::write(&inventory, good).unwrap();
    assert_eq!(fleet.func(["map", "build", "--json"]).expect(0).json()["unconfirmed"], json!({}));

    // One that is gone takes nobody with it.
    fleet.minion("top").kill();
    let said = fleet.func(["map", "build"]).expect(1).out;
    assert!(said.contains("not confirmed, last heard of up to ") && said.contains("leaf, mid"), "{said}");
    for said in [said, fleet.func(["map", "show"]).expect(0).out] {
        assert!(said.contains("4 hosts: 2 directly, 2 through others, 2 of them not confirmed"), "{said}");
    }
    let counted = fleet.func(["call", "*", "test.echo", "x", "--json"]).expect(1).json();
    assert_eq!((&counted["summary"]["ok"], &counted["summary"]["unreachable"]), (&json!(1), &json!(3)), "{counted}");
    assert!(counted["hosts"]["leaf"]["why"].as_str().unwrap().contains("by way of `top`"), "{counted}");

    // Of one that never said anything it is not known who is behind it, and every call says so.
    fs::remove_file(fleet.home().join("map.toml")).unwrap();
    let unknown = fleet.func(["map", "build", "--json"]).expect(1).json();
    assert_eq!((&unknown["unknown"], &unknown["ways"]), (&json!(["top"]), &json!({"near": [], "top": []})));
    let told = fleet.func(["call", "*", "test.echo", "x"]).expect(1).err;
    assert!(told.contains("who is behind these is not known, and not counted: top"), "{told}");
    assert!(fleet.func(["call", "near", "test.echo", "x"]).expect(0).err.is_empty());
}
