//! Hosts are chosen by what they said of themselves, and judge for themselves what is only for some of them.

use func::fleet::Outcome;
use func::wire::Value;
use serde_json::json;

use crate::harness::Fleet;

/// `web1` may tell what it is; `db1` may not, so that nothing is known of it.
fn fleet() -> Fleet {
    let mut fleet = Fleet::empty();
    fleet.add("web1", "[grants.facts]\nread = [\"/proc/sys/kernel/hostname\", \"/proc/cpuinfo\"]\n");
    fleet.add("db1", "");
    fleet
}

#[test]
fn what_is_known_chooses_hosts_and_what_is_not_known_is_told() {
    let fleet = fleet();
    let nobody = fleet.func(["hosts", "cpus>0"]).expect(5).err;
    assert!(nobody.contains("func facts refresh"), "{nobody}");
    assert!(fleet.func(["facts", "web1"]).expect(0).out.contains("nothing is known"));
    fleet.func(["facts", "refresh", "web1"]).expect(0);

    let known = fleet.func(["facts", "web1", "--json"]).expect(0).json();
    assert!(known["web1"]["facts"]["cpus"].as_u64().unwrap() > 0 && known["web1"]["at"].is_string(), "{known}");
    assert!(fleet.func(["facts", "web1"]).expect(0).out.starts_with("web1 ("));
    for target in ["cpus>0", "* and not rack:7", "not (rack:7 or rack:8)"] {
        let chosen = fleet.func(["hosts", target, "--json"]).expect(0);
        assert!(
            chosen.err.contains("left out, because their facts are not known here: db1"),
            "{target}: {}",
            chosen.err
        );
        let chosen = chosen.json();
        assert_eq!((chosen.as_array().unwrap().len(), &chosen[0]["name"]), (1, &json!("web1")), "{target}: {chosen}");
    }
    fleet.func(["group", "add", "big", "cpus>0"]).expect(0);
    assert_eq!(fleet.func(["group", "show", "big"]).expect(0).out, "members: cpus>0\nhosts: web1");
    // Whoever is named is chosen, whatever is not known of the facts.
    assert_eq!(fleet.func(["hosts", "db1 or cpus>0", "--json"]).expect(0).json().as_array().unwrap().len(), 2);
    assert!(fleet.func(["hosts", "db1", "--exclude", "cpus>0"]).expect(5).err.contains("excluded"));

    // It answers, and tells nothing: now that is known.
    fleet.func(["facts", "refresh"]).expect(0);
    let chosen = fleet.func(["hosts", "not cpus>0", "--json"]).expect(0);
    assert_eq!((chosen.json()[0]["name"].as_str(), chosen.err.as_str()), (Some("db1"), ""));
}

#[test]
fn a_filter_is_judged_on_each_host_before_the_method_runs() {
    let fleet = fleet();
    fleet.func(["facts", "refresh", "web1"]).expect(0);
    let cpus = fleet.func(["facts", "web1", "--json"]).expect(0).json()["web1"]["facts"]["cpus"].clone();
    let unknown =
        |names: &[&str]| names.iter().map(|name| format!("{name} is not known there")).collect::<Vec<_>>().join(", ");
    for (filter, ok, skipped, because) in [
        (&["--filter", "cpus>0"][..], "web1", "db1", unknown(&["cpus"])),
        (&["--filter", "not cpus>0"], "db1", "web1", format!("cpus is {cpus}")),
        (&["--filter-or", "cpus<0", "--filter-or", "hostname:*"], "web1", "db1", unknown(&["cpus", "hostname"])),
        (&["--filter", "cpus>0,hostname=*"], "web1", "db1", unknown(&["cpus", "hostname"])),
    ] {
        let call = ["call", "*", "test.add", "1", "2", "--json"];
        let told = fleet.func(call.iter().chain(filter)).expect(0).json();
        assert_eq!(told["hosts"][ok]["value"], 3, "{told}");
        assert_eq!(
            told["hosts"][skipped],
            json!({ "outcome": "skipped", "why": format!("its facts do not meet the filter: {because}") })
        );
        assert_eq!((&told["summary"]["skipped"], &told["summary"]["total"]), (&json!(1), &json!(2)));
        let job = fleet.func(call.iter().chain(filter).chain(&["--async"])).expect(0).json();
        assert_eq!(job["hosts"][ok]["result"]["value"], 3, "{job}");
        assert_eq!(
            (&job["hosts"][skipped]["result"]["outcome"], &job["summary"]["total"]),
            (&json!("skipped"), &json!(2))
        );
    }
    assert_eq!(fleet.audit("web1", "test.add").len(), 4);
    fleet.func(["call", "*", "test.ping", "--filter", "web1"]).expect(2);
    // Nobody is meant, though everybody was reached.
    for more in [&[][..], &["--async"]] {
        fleet.func(["call", "*", "test.ping", "--filter", "cpus<0"].iter().chain(more)).expect(5);
    }

    let condition = Value::from_json(&json!({ "__fact__": ["NOT", ["cpus__lt", 1]] }));
    let Outcome::Ok(answer) = fleet.ask("web1", "test.add", vec![condition, 1.into(), 2.into()]) else { panic!() };
    let answer = answer.to_json();
    assert_eq!((&answer[0]["__fact__"][0], &answer[1]), (&json!(true), &json!(3)), "{answer}");
    assert!(answer[0]["__fact__"][1]["cpus"].is_u64(), "{answer}");
}

#[test]
fn a_filter_tells_nobody_what_they_may_not_ask() {
    let mut fleet = Fleet::empty();
    let rules = "[[access]]\ndeny = \"system.facts\"\nargs = []\n\n[[access]]\nallow = \"*\"\n";
    let rules = rules.replace("args = []\n", "");
    fleet.add("web1", &format!("{rules}\n[grants.facts]\nread = [\"/proc/cpuinfo\"]\n"));
    fleet.func(["call", "web1", "system.facts"]).expect(1);
    for (filter, more) in [("cpus>0", &[][..]), ("cpus<0", &[]), ("cpus<0", &["--async"])] {
        let call = ["call", "web1", "test.add", "1", "2", "--json", "--filter", filter];
        let told = fleet.func(call.iter().chain(more)).expect(1).json();
        let host = if more.is_empty() { &told["hosts"]["web1"] } else { &told["hosts"]["web1"]["result"] };
        let why = host["why"].as_str().unwrap();
        assert!(host["outcome"] == "refused" && why.contains("a condition on facts takes the right"), "{told}");
    }
    let written = fleet.audit("web1", "test.add");
    assert!(written.iter().all(|line| line["outcome"] == "denied"), "{written:?}");
    fleet.func(["call", "web1", "test.add", "1", "2"]).expect(0);
}
