//! Whom a target means is shown before anybody is called, and is who is called.

use crate::harness::Fleet;

fn inventory() -> Fleet {
    let fleet = Fleet::empty();
    for (port, name) in ["web1", "web2", "web3", "db1", "db2"].iter().enumerate() {
        fleet.func(["hosts", "set", name, &format!("127.0.0.1:{}", port + 1)]).expect(0);
    }
    fleet
}

fn chosen(fleet: &Fleet, words: &[&str]) -> Vec<String> {
    let shown = fleet.func(["hosts", "--json"].iter().chain(words)).expect(0).json();
    shown.as_array().unwrap().iter().map(|host| host["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn groups_are_kept_shown_and_nested() {
    let fleet = inventory();
    fleet.func(["group", "add", "web", "web{1..2}", "WEB3"]).expect(0);
    fleet.func(["group", "add", "@all", "@web", "@web:web1;db*"]).expect(0);
    assert_eq!(chosen(&fleet, &["@web"]), ["web1", "web2", "web3"]);
    assert_eq!(chosen(&fleet, &["@all and not (web2 or db2)"]), ["db1", "web1", "web3"]);
    assert_eq!(chosen(&fleet, &["@all:*1"]), ["db1", "web1"]);
    assert_eq!(chosen(&fleet, &["*", "--exclude", "@web;db1"]), ["db2"]);
    let listed = fleet.func(["group", "list", "--json"]).expect(0).json();
    assert_eq!((&listed[0]["name"], &listed[0]["hosts"]), (&"all".into(), &5.into()));
    assert_eq!(fleet.func(["group", "show", "web"]).expect(0).out, "members: web{1..2}; WEB3\nhosts: web[1-3]");

    let cycle = fleet.func(["group", "add", "web", "@all"]).expect(3);
    assert!(
        cycle.err.contains("holds itself: ") && cycle.err.contains("web → all → web")
            || cycle.err.contains("all → web → all"),
        "{}",
        cycle.err
    );
    let held = fleet.func(["group", "remove", "web"]).expect(3).err;
    assert!(held.contains("the group `web` is a member of `all`"), "{held}");
    fleet.func(["group", "remove", "web", "web3"]).expect(0);
    assert_eq!(chosen(&fleet, &["@web"]), ["web1", "web2"]);
    fleet.func(["group", "remove", "all"]).expect(0);
    let unknown = fleet.func(["ping", "@all"]).expect(3);
    assert!(unknown.err.contains("no group `all`") && unknown.err.contains("func group list"), "{}", unknown.err);
}

#[test]
fn slips_in_groups_are_told() {
    let fleet = inventory();
    let nobody = fleet.func(["group", "add", "web", "web*", "wbe*;db1"]).expect(0);
    assert_eq!(nobody.err, "warning: no host of the inventory matches `wbe*` now\n".trim_end());
    let unknown = fleet.func(["group", "show", "wbe"]).expect(3).err;
    assert!(unknown.contains("there is no group `wbe`; did you mean `web`?"), "{unknown}");
    let absent = fleet.func(["group", "remove", "web", "proxy*"]).expect(3).err;
    assert!(absent.contains("`proxy*` is no member of `web`") && absent.contains("it has web*; wbe*;db1"), "{absent}");
    let some = fleet.func(["group", "remove", "web", "proxy*", "web*"]).expect(0);
    assert_eq!(
        (some.out.as_str(), some.err.as_str()),
        ("`web` is wbe*;db1", "warning: `proxy*` is no member of `web`")
    );
    assert_eq!(fleet.func(["group", "remove", "web"]).expect(0).out, "`web` is gone");
}

#[test]
fn the_choice_is_shown_with_its_reasons() {
    let fleet = inventory();
    std::fs::write(fleet.home().join("down"), "web2\n").unwrap();
    fleet.func(["group", "add", "web", "web*"]).expect(0);
    let shown = fleet.func(["hosts", "@web;*1", "--json"]).expect(0).json();
    let host = |name: &str| shown.as_array().unwrap().iter().find(|host| host["name"] == name).unwrap().clone();
    assert_eq!(host("web1")["chosen_by"], serde_json::json!(["@web", "*1"]));
    assert_eq!(host("db1")["chosen_by"], serde_json::json!(["*1"]));
    assert_eq!(host("web2")["skipped"], "known to be down");
    assert!(fleet.func(["hosts", "@web"]).expect(0).out.contains("skipped: known to be down"));
    // Nobody listens, and who is known to be down is not even tried.
    let called = fleet.func(["ping", "web{1..2}", "--json"]).expect(6).json();
    assert_eq!(called["hosts"]["web2"]["outcome"], "skipped");
    let wrong = fleet.func(["ping", "web1 and"]).expect(2);
    assert!(wrong.err.contains("at character 9"), "{}", wrong.err);
}
