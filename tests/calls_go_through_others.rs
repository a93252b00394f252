//! A minion that is an overlord too: whom it reaches is called, counted and judged as if there were nobody in between.

use std::{fs, process::Stdio, thread};

use func::{fleet::Outcome, wire::Value};
use serde_json::json;

use crate::harness::{Fleet, Gate, SUB_OVERLORD, guest, until};

/// `top` reaches `mid`, which reaches `leaf`, whose module waits at a gate.
fn chain() -> (Fleet, Gate) {
    let mut fleet = Fleet::empty();
    let gate = Gate::new(fleet.folder(), "leaf");
    fleet.add_with("leaf", &gate.settings(), &[&guest("rogue")]);
    fleet.add_sub("mid", SUB_OVERLORD);
    fleet.add_sub("top", SUB_OVERLORD);
    fleet.reach(&["top"], &[("top", &["mid"]), ("mid", &["leaf"])]);
    (fleet, gate)
}

#[test]
fn a_fleet_behind_others_is_mapped_called_and_counted() {
    let mut fleet = Fleet::start(["near", "both", "far"]);
    fleet.add_sub("one", SUB_OVERLORD);
    fleet.add_sub("two", SUB_OVERLORD);
    // `both` is reached by two ways, and each of the two reaches the other.
    fleet.reach(&["near", "one", "two"], &[("one", &["both", "two"]), ("two", &["both", "far", "one"])]);

    let map = fleet.func(["map", "build", "--json"]).expect(0).json();
    assert_eq!(map["ways"]["both"], json!(["one"]), "{map}");
    assert_eq!(map["ways"]["far"], json!(["two"]), "{map}");
    assert_eq!(map["ways"]["near"], json!([]), "{map}");
    assert_eq!(map["rings"], json!([["one", "two", "one"]]), "{map}");
    let shown = fleet.func(["map", "show", "--json"]).expect(0).json();
    assert_eq!((&shown["hosts"], &shown["ways"], &shown["rings"]), (&map["hosts"], &map["ways"], &map["rings"]));
    let shown = fleet.func(["map", "show"]).expect(0).out;
    assert!(shown.contains("one > two > one") && shown.contains("  both"), "{shown}");

    let answers = fleet.func(["call", "*", "test.echo", "hello", "--json"]);
    let answers = answers.expect(0).json();
    assert_eq!(answers["summary"]["ok"], 5, "{answers}");
    assert_eq!(fleet.audit("both", "test.echo").len(), 1, "once, whichever way");
    let line = &fleet.audit("far", "test.echo")[0];
    assert_eq!((&line["caller"], &line["says_on_behalf_of"]), (&json!("two"), &json!("overlord")), "{line}");

    // Whoever is behind one that is gone is unreachable, truthfully, and the others answer.
    fleet.minion("two").kill();
    let left = fleet.func(["call", "*", "test.echo", "hello", "--json"]).expect(1).json();
    assert_eq!((&left["summary"]["ok"], &left["summary"]["unreachable"]), (&json!(3), &json!(2)), "{left}");
    let why = left["hosts"]["far"]["why"].as_str().unwrap();
    assert!(why.contains("by way of `two`"), "{left}");
}

#[test]
fn a_job_three_levels_down_survives_its_sub_overlords_and_its_result_waits_for_the_way_up() {
    let (mut fleet, gate) = chain();
    let map = fleet.func(["map", "build", "--json"]).expect(0).json();
    assert_eq!(map["ways"]["leaf"], json!(["top", "mid"]), "{map}");
    let job = fleet.func(["call", "leaf", "rogue.pass_gate", "--async", "--no-wait"]).expect(0).out;
    until("the run", || (gate.lines() == ["ran"]).then_some(()));
    let acknowledged = || (fleet.status(&job)["hosts"]["leaf"]["state"] == "RUNNING").then_some(());
    until("the acknowledgement", acknowledged);

    // The way up is cut, and who holds the result is killed and restarted before there is one.
    fleet.minion("top").kill();
    fleet.minion("mid").kill();
    fleet.minion("mid").launch();
    gate.open("done meanwhile");
    let status = fleet.status(&job);
    assert_eq!((&status["status"], &status["open"]), (&json!("PARTIAL"), &json!(1)), "{status}");
    let held = fleet.minion("mid").home.join("delegated");
    let results = || fs::read_dir(&held).unwrap().flatten().any(|file| file.path().extension().is_some());
    until("the result to wait in the middle", || results().then_some(()));

    // Nobody can ask the leaf any more.
    fleet.minion("leaf").kill();
    fleet.minion("top").launch();
    let ended = fleet.func(["job", "wait", &job, "--json"]).expect(0).json();
    assert_eq!(ended["hosts"]["leaf"]["result"]["value"], "done meanwhile", "{ended}");
    assert_eq!((&ended["summary"]["ok"], &ended["summary"]["total"]), (&json!(1), &json!(1)), "{ended}");
    assert_eq!(gate.lines(), ["ran"]);
}

#[test]
fn a_job_through_others_is_followed_cancelled_and_resumed() {
    let (mut fleet, gate) = chain();
    fleet.func(["map", "build"]).expect(0);
    let job = fleet.func(["call", "leaf", "rogue.pass_gate", "--async", "--no-wait"]).expect(0).out;
    until("the run", || (gate.lines() == ["ran"]).then_some(()));
    let cancelled = fleet.func(["job", "cancel", &job]).expect(0);
    assert!(cancelled.out.contains("1 cancelled: 1 host"), "{}", cancelled.out);
    let minion_job = fleet.status(&job)["hosts"]["leaf"]["minion_job"].as_str().unwrap().to_owned();
    assert!(fleet.minion("leaf").worker(&minion_job).is_none());

    let said = fleet.func(["call", "mid", "test.progress", "3", "10", "--follow"]).expect(0).out;
    for step in 1..=3 {
        let line = format!("step {step} of 3");
        assert_eq!(said.lines().filter(|said| said.contains(" info ") && said.ends_with(&line)).count(), 1, "{said}");
    }

    // A fan-out that is killed while its only host hangs goes on, and nothing runs twice.
    fleet.minion("mid").freeze();
    let job = fleet.func(["call", "leaf", "rogue.pass_gate", "--async", "--no-wait"]).expect(0).out;
    fleet.kill_background();
    fleet.minion("mid").thaw();
    gate.open("at last");
    fleet.func(["job", "resume", &job]).expect(0);
    assert_eq!(fleet.status(&job)["hosts"]["leaf"]["result"]["value"], "at last");
    assert_eq!(gate.lines(), ["ran", "ran"], "each job once");
}

#[test]
fn whoever_passes_a_job_on_gets_its_own_part_when_those_behind_it_have_accepted_theirs() {
    let mut fleet = Fleet::start(["leaf", "near"]);
    fleet.add_sub("mid", SUB_OVERLORD);
    fleet.reach(&["mid", "near"], &[("mid", &["leaf"])]);
    fleet.func(["map", "build"]).expect(0);
    fleet.minion("leaf").freeze();
    let job = fleet.func(["call", "*", "test.add", "1", "2", "--async", "--no-wait"]).expect(0).out;
    let at = |fleet: &Fleet, minion: &str| {
        let lines = fleet.whole_audit(minion, "async.test.add");
        lines.first().map(|line| line["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap())
    };
    let near = until("the part of one that nobody waits for", || at(&fleet, "near"));
    fleet.minion("leaf").thaw();
    until("the job's end", || (fleet.status(&job)["status"] == "FINISHED").then_some(()));
    assert_eq!(fleet.status(&job)["summary"]["ok"], 3, "{}", fleet.status(&job));
    let [leaf, mid] = ["leaf", "mid"].map(|minion| at(&fleet, minion).unwrap());
    assert!(near < leaf && leaf < mid, "near {near}, leaf {leaf}, mid {mid}");
}

#[test]
fn whoever_may_not_call_a_method_here_may_not_have_it_called_from_here() {
    let mut fleet = Fleet::start(["leaf"]);
    let rules = "[[access]]\nallow = [\"@introspection\", \"overlord.*\", \"test.add\"]\n";
    fleet.add_sub("sub", &format!("{SUB_OVERLORD}{rules}"));
    fleet.reach(&["sub"], &[("sub", &["leaf"])]);
    fleet.func(["map", "build"]).expect(0);

    fleet.func(["call", "leaf", "test.add", "1", "2"]).expect(0);
    for how in [&[][..], &["--async"]] {
        let call = ["call", "leaf", "test.echo", "x", "--json"].iter().chain(how);
        let refused = fleet.func(call.copied()).expect(1).json();
        let outcome = if how.is_empty() { &refused["hosts"]["leaf"] } else { &refused["hosts"]["leaf"]["result"] };
        assert_eq!(outcome["outcome"], "refused", "{refused}");
        assert!(outcome["why"].as_str().unwrap().contains("test.echo"), "{refused}");
    }
    assert!(fleet.audit("leaf", "test.echo").is_empty() && fleet.audit("leaf", "async.test.echo").is_empty());
    let denied = fleet.audit("sub", "overlord.delegate");
    assert_eq!(denied.iter().filter(|line| line["outcome"] == "denied").count(), 2, "{denied:?}");

    // A job at the leaf is the sub-overlord's there; whoever did not submit it from here hears nothing of it.
    let id = func::ids::MinionJobId::fresh();
    let about = |method: &str, more: Vec<Value>| {
        let args = [vec![Value::from(id.as_str())], more].concat();
        fleet.ask("sub", "overlord.delegate", vec![vec!["leaf"].into(), method.into(), Value::Array(args)])
    };
    let unknown = format!("{:?}", Value::Array(vec![2.into(), 0.into()]));
    for (method, more) in [("jobs.job_status", vec![]), ("jobs.wait", vec![1.into()])] {
        let answer = format!("{:?}", about(method, more));
        assert!(answer.contains(&unknown), "{answer}");
    }
    assert!(format!("{:?}", about("jobs.tail_output", vec![])).contains("NoSuchJob"));
    assert!(format!("{:?}", about("jobs.cancel", vec![])).contains("Cancelled"));
    assert!(fleet.audit("leaf", "jobs.job_status").is_empty() && fleet.audit("leaf", "jobs.cancel").is_empty());

    // Nor inside of something that these rules do not look into.
    let within = Value::structure([("methodName", "test.echo".into()), ("params", Value::Array(vec!["x".into()]))]);
    let calls = Value::Array(vec![Value::Array(vec![within])]);
    let answer = fleet.ask("sub", "overlord.delegate", vec![vec!["leaf"].into(), "system.multicall".into(), calls]);
    let Outcome::Failed(error) = answer else { panic!("{answer:?}") };
    assert_eq!(error.kind, "NotCallable");
    let unknown =
        fleet.ask("sub", "overlord.delegate", vec![vec!["nobody"].into(), "system.ping".into(), Value::Array(vec![])]);
    assert!(matches!(&unknown, Outcome::Failed(error) if error.kind == "NoSuchHost"), "{unknown:?}");
}

#[test]
fn a_call_two_levels_down_is_followed_and_its_job_is_cancelled_past_one_that_died() {
    let mut fleet = Fleet::empty();
    let gate = Gate::new(fleet.folder(), "leaf");
    fleet.add_with("leaf", &gate.settings(), &[&guest("rogue")]);
    fleet.add("said", "");
    fleet.add_sub("mid", SUB_OVERLORD);
    fleet.add_sub("top", SUB_OVERLORD);
    fleet.reach(&["top"], &[("top", &["mid"]), ("mid", &["leaf", "said"])]);
    fleet.func(["map", "build"]).expect(0);

    let said = fleet.func(["call", "said", "test.progress", "3", "10", "--follow"]).expect(0).out;
    for step in 1..=3 {
        let line = format!("step {step} of 3");
        assert_eq!(said.lines().filter(|said| said.contains(" info ") && said.ends_with(&line)).count(), 1, "{said}");
    }

    let job = fleet.func(["call", "leaf", "rogue.pass_gate", "--async", "--no-wait"]).expect(0).out;
    until("the run", || (gate.lines() == ["ran"]).then_some(()));
    until("the acknowledgement", || (fleet.status(&job)["hosts"]["leaf"]["state"] == "RUNNING").then_some(()));
    let minion_job = fleet.status(&job)["hosts"]["leaf"]["minion_job"].as_str().unwrap().to_owned();
    fleet.minion("mid").kill();
    let mut cancel = fleet.command(["job", "cancel", &job]);
    let cancel = cancel.stdout(Stdio::piped()).spawn().unwrap();
    // Whoever cancels finds nobody in the middle, and goes on asking.
    until("the wish to arrive in vain", || (!fleet.audit("top", "overlord.delegate").is_empty()).then_some(()));
    assert!(fleet.minion("leaf").worker(&minion_job).is_some());
    fleet.minion("mid").launch();
    assert!(cancel.wait_with_output().unwrap().status.success());
    assert!(fleet.minion("leaf").worker(&minion_job).is_none());
    let ended = fleet.func(["job", "wait", &job, "--json"]).expect(1).json();
    assert_eq!((&ended["summary"]["cancelled"], &ended["summary"]["total"]), (&json!(1), &json!(1)), "{ended}");
    assert_eq!(gate.lines(), ["ran"]);
}

#[test]
fn one_caller_has_so_many_calls_passed_on_at_a_time_and_no_more() {
    let mut fleet = Fleet::empty();
    let gate = Gate::new(fleet.folder(), "leaf");
    fleet.add_with("leaf", &gate.settings(), &[&guest("rogue")]);
    fleet.add_sub("sub", &format!("{SUB_OVERLORD}at_once = 9\nper_caller = 2\n"));
    fleet.reach(&["sub"], &[("sub", &["leaf"])]);
    let pass = |method: &str, args| {
        fleet.ask("sub", "overlord.delegate", vec![vec!["leaf"].into(), method.into(), Value::Array(args)])
    };
    thread::scope(|scope| {
        let held = [(); 2].map(|()| scope.spawn(|| pass("rogue.pass_gate", vec![])));
        until("both to wait", || (gate.lines() == ["ran", "ran"]).then_some(()));
        let refused = pass("system.ping", vec![]);
        assert!(matches!(&refused, Outcome::Failed(error) if error.kind == "Busy"), "{refused:?}");
        assert!(
            refused.why().unwrap().contains("2 calls of `overlord` already ([overlord] per_caller)"),
            "{refused:?}"
        );
        // Who asks for a job is not refused for it.
        let unknown = pass("jobs.wait", vec![func::ids::MinionJobId::fresh().as_str().into(), 1.into()]);
        assert!(unknown.is_ok(), "{unknown:?}");
        gate.open("done");
        for call in held {
            assert!(call.join().unwrap().is_ok());
        }
    });
    assert!(pass("system.ping", vec![]).is_ok());
}
