//! A check says what a call would do and does none of it, whatever the module knows of checks.

use std::fs;

use func::fleet::Outcome;
use func::wire::Value;
use serde_json::json;

use crate::harness::{Fleet, guest};

/// A fleet of one minion that has a module that knows nothing of checks, and a folder it may write to.
fn fleet() -> (Fleet, std::path::PathBuf) {
    let mut fleet = Fleet::empty();
    let folder = fleet.folder().canonicalize().unwrap().join("open");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("motd"), "one\ntwo\n").unwrap();
    let grants = format!(
        "[grants.rogue]\nrun = [\"touch\", {{ program = \"echo\", read-only = true }}]\n\
         read = [\"{0}/*\"]\nwrite = [\"{0}/*\"]\n",
        folder.display()
    );
    fleet.add_with("m1", &grants, &[&guest("rogue")]);
    (fleet, folder)
}

fn answer(outcome: Outcome) -> serde_json::Value {
    let Outcome::Ok(value) = outcome else { panic!("{outcome:?}") };
    value.to_json()
}

#[test]
fn a_module_that_knows_nothing_of_checks_changes_nothing_in_one() {
    let (fleet, folder) = fleet();
    let motd = folder.join("motd").to_str().unwrap().to_owned();
    let mark = folder.join("mark").to_str().unwrap().to_owned();
    for ask in [Fleet::ask, Fleet::ask_as_job] {
        let ask = |method: &str, params: Vec<Value>| answer(ask(&fleet, "m1", method, params));
        let wrote = ask("check.rogue.write", vec![motd.as_str().into(), "one\n2\n".into()]);
        assert_eq!(wrote["result"], json!(null));
        let [step] = &wrote["plan"].as_array().unwrap()[..] else { panic!("{wrote}") };
        assert_eq!(
            (&step["call"], &step["effect"], &step["path"]),
            (&json!("files.write"), &json!("changed"), &json!(motd))
        );
        assert_eq!((&step["before"]["size"], &step["after"]["size"]), (&json!(8), &json!(6)));
        assert_eq!(step["diff"], "@@ line 2 @@\n-two\n+2\n");

        let touch = vec!["touch".into(), Value::Array(vec![mark.as_str().into()])];
        let ran = ask("check.rogue.run", touch);
        let [step] = &ran["plan"].as_array().unwrap()[..] else { panic!("{ran}") };
        assert_eq!((&step["call"], &step["effect"]), (&json!("command.run"), &json!("not run")));
        assert_eq!(step["arguments"]["args"], json!([mark]));

        let echo = ask("check.guests:rogue/rogue.run", vec!["echo".into(), Value::Array(vec!["hi".into()])]);
        assert_eq!(echo["result"], "hi\n", "granted as read-only");

        let denied = ask("check.rogue.write", vec!["/etc/motd".into(), "x".into()]);
        assert_eq!((&denied["error"]["type"], &denied["plan"]), (&json!("denied"), &json!([])));

        assert_eq!(fs::read_to_string(&motd).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "something was made");
    }
    let checks = fleet.audit("m1", "check.rogue.write");
    assert!(checks.iter().all(|line| line["check"] == true), "{checks:?}");
    let jobs = fleet.audit("m1", "async.check.rogue.write");
    assert!(jobs.len() == 2 && jobs.iter().all(|line| line["check"] == true), "{jobs:?}");

    let real = fleet.ask("m1", "rogue.write", vec![motd.as_str().into(), "new".into()]);
    assert_eq!(real, Outcome::Ok(Value::Nil));
    assert_eq!(fs::read_to_string(&motd).unwrap(), "new", "the same call for real");
    assert_eq!(fleet.audit("m1", "rogue.write")[0]["check"], json!(null));
}

#[test]
fn the_command_line_shows_the_plan_and_what_the_call_has_used() {
    let (fleet, folder) = fleet();
    let motd = folder.join("motd").to_str().unwrap().to_owned();
    let shown = fleet.func(["call", "m1", "rogue.write", &motd, "2", "--check"]).expect(0);
    assert!(shown.out.contains(&format!("1. files.write {motd}: changed (8 bytes → 1 bytes)")), "{}", shown.out);
    let data = fleet.func(["call", "m1", "rogue.read", &motd, "--budget", "--json"]).expect(0).json();
    let budget = &data["budgets"]["m1"];
    assert_eq!(budget["host_calls"], json!({ "files.read-text": 1 }), "{data}");
    assert!(budget["memory_bytes"].as_u64().unwrap() > 0 && budget["wall_ms"].as_f64().unwrap() > 0.0, "{budget}");
    let denied = fleet.func(["call", "m1", "rogue.read", "/etc/passwd", "--budget"]).expect(1);
    assert!(denied.out.contains("to allow it:\n    [grants.rogue]\n    read = [\"/etc/passwd\"]"), "{}", denied.out);
    let failed = fleet.func(["call", "m1", "rogue.read", "/etc/passwd", "--check"]).expect(1);
    assert!(failed.out.contains("it would fail: denied: "), "{}", failed.out);
    assert_eq!(fleet.func(["call", "m1", "rogue.read", &motd]).expect(0).out.lines().next(), Some("m1"));

    let audited = &fleet.audit("m1", "rogue.read")[1]["denials"][0];
    assert_eq!(audited["allow"], "[grants.rogue]\nread = [\"/etc/passwd\"]", "{audited}");
}

#[test]
fn a_job_s_budget_and_denials_stay_with_the_job() {
    let (fleet, _) = fleet();
    let Outcome::Ok(id) = fleet.ask("m1", "async.rogue.read", vec!["/etc/passwd".into()]) else { panic!("no job") };
    let Value::String(job) = &id else { panic!("{id:?}") };
    fleet.ask("m1", "jobs.wait", vec![id.clone(), 60.into()]);
    let budget = answer(fleet.ask("m1", "jobs.budget", vec![id.clone()]));
    assert_eq!((&budget["denied"], &budget["host_calls"]["files.read-text"]), (&json!(1), &json!(1)), "{budget}");
    assert_eq!(budget["denials"][0]["allow"], "[grants.rogue]\nread = [\"/etc/passwd\"]");
    let log = fleet.job_log("m1", job);
    assert!(
        log.contains("may not read `/etc/passwd`") && log.contains("\n[grants.rogue]\nread = [\"/etc/passwd\"]\n"),
        "{log}"
    );
    let error = fleet.failure("m1", "check.system.ping", vec![]);
    assert!(error.message.contains("call it without `check.`"), "{error}");
}
