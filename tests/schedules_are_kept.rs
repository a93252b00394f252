//! A schedule's runs begin when they are due, each as one job, whatever becomes of the daemon; what did not run is told, and why.
//!
//! `FUNC_TESTS_KILLS` says how often the daemon is killed; what came of the instants is printed.

use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::harness::{Daemon, Fleet, Gate, guest, until};

const EACH_SECOND: &str = "* * * * * *";

fn show(fleet: &Fleet, name: &str) -> Json {
    fleet.func(["schedule", "show", name, "--json"]).expect(0).json()
}

/// Of a schedule's history, what came of instants in this way.
fn of(shown: &Json, what: &str) -> Vec<Json> {
    shown["history"].as_array().unwrap().iter().filter(|note| note["what"] == what).cloned().collect()
}

fn gated(names: &[&str]) -> (Fleet, Vec<Gate>) {
    let mut fleet = Fleet::empty();
    let gates: Vec<Gate> = names.iter().map(|name| Gate::new(fleet.folder(), name)).collect();
    for (name, gate) in names.iter().zip(&gates) {
        fleet.add_with(name, &gate.settings(), &[&guest("rogue")]);
    }
    (fleet, gates)
}

#[test]
fn each_run_is_a_job_of_the_schedule() {
    let fleet = Fleet::start(["m1", "m2"]);
    let add = ["schedule", "add", "sums", EACH_SECOND, "m*", "test.add", "1", "2", "--exclude", "m2", "--zone", "UTC"];
    let added = fleet.func(add).expect(0);
    assert!(added.out.starts_with("sums runs next at "), "{}", added.out);
    assert!(fleet.is_accompanied() || added.err.contains("start `func daemon`"), "{}", added.err);
    let daemon = Daemon::start(&fleet);
    let shown = until("two runs that have ended", || {
        let shown = show(&fleet, "sums");
        (of(&shown, "ran").iter().filter(|run| run["status"] == "FINISHED").count() > 1).then_some(shown)
    });
    // A target is resolved anew at each run, and what was added after the start is heard of.
    let run = &of(&shown, "ran")[0];
    assert_eq!((&run["summary"]["ok"], &run["summary"]["total"]), (&1.into(), &1.into()), "{run}");
    let job = fleet.stored(run["job"].as_str().unwrap());
    assert_eq!(
        (&job["submitter"], &job["hosts"]["m1"]["result"]["value"]),
        (&"schedule:sums".into(), &3.into()),
        "{job}"
    );
    assert!(fleet.func(["job", "list", "--by", "schedule:*"]).expect(0).out.contains("schedule:sums"));
    assert_eq!(fleet.func(["job", "list", "--by", "nobody", "--json"]).expect(0).json(), json!([]));

    let paused = fleet.func(["schedule", "pause", "sums", "--json"]).expect(0).json();
    assert!(paused["next"].is_null() && !paused["paused"].is_null(), "{paused}");
    let listed = fleet.func(["schedule", "list"]).expect(0);
    assert!(listed.out.contains("paused") && listed.out.contains("sums") && listed.err.is_empty(), "{}", listed.err);
    let until_now = show(&fleet, "sums")["ran"].clone();
    let resumed = fleet.func(["schedule", "resume", "sums", "--json"]).expect(0).json();
    assert!(resumed["next_local"].as_str().unwrap().ends_with("[UTC]"), "{resumed}");
    until("a run after the pause", || (show(&fleet, "sums")["ran"].as_u64() > until_now.as_u64()).then_some(()));
    fleet.func(["schedule", "remove", "sums"]).expect(0);
    assert_eq!(fleet.func(["schedule", "list"]).expect(0).out, "no schedules");
    drop(daemon);
}

#[test]
fn what_cannot_run_is_refused_and_says_what_to_do() {
    let mut fleet = Fleet::start(["m1"]);
    fleet.add_with("k1", "", &[&guest("keeper")]);
    let secret = fleet.folder().join("secret");
    std::fs::write(&secret, "hunter2").unwrap();
    let secret = format!("@secret:{}", secret.display());
    for (words, code, told) in [
        (&["never", "0 0 30 2 *", "m1", "test.ping"][..], 2, "never comes"),
        (&["odd", "61 * * * *", "m1", "test.ping"], 2, "no cron expression"),
        (&["odd name", "@daily", "m1", "test.ping"], 2, "name of a schedule"),
        (&["zone", "@daily", "m1", "test.ping", "--zone", "Europe/Atlantis"], 3, "tzdata"),
        (&["words", "@daily", "m1", "test.add", "one", "2"], 2, "must be a whole number"),
        (&["method", "@daily", "m1", "test.nothing"], 3, "no host has `test.nothing`"),
        (&["nobody", "@daily", "nobody", "test.ping"], 5, "`nobody`"),
        (&["secret", "@daily", "k1", "keeper.keep", "ann", &secret], 2, "read the secret on its host"),
        (&["secret", "@daily", "k1", "keeper.keep", "ann", "hunter2"], 2, "read the secret on its host"),
        (
            &["secret", "@daily", "k1", "keeper.keep", "ann", "{\"$secret\": \"hunter2\"}"],
            2,
            "read the secret on its host",
        ),
    ] {
        let refused = fleet.func(["schedule", "add"].iter().chain(words)).expect(code);
        assert!(refused.err.contains(told) && !refused.err.contains("hunter2"), "{words:?}: {}", refused.err);
    }
    assert_eq!(fleet.func(["schedule", "list", "--json"]).expect(0).json(), json!([]));
    fleet.func(["schedule", "show", "sums"]).expect(3);
    fleet.minion("k1").stop();
    let untold = fleet.func(["schedule", "add", "secret", "@daily", "k1", "keeper.keep", "ann", "hunter2"]).expect(6);
    assert!(untold.err.contains("a secret might be among"), "{}", untold.err);
}

#[test]
fn one_can_be_run_by_hand_and_needs_no_daemon() {
    let fleet = Fleet::start(["m1"]);
    fleet.func(["schedule", "add", "sums", "@yearly", "m1", "test.add", "1", "2", "--zone", "UTC"]).expect(0);
    let again = ["schedule", "add", "sums", "@monthly", "m1", "test.add", "1", "2"];
    assert!(fleet.func(again).expect(3).err.contains("--replace"));
    fleet.func(again.iter().chain(&["--replace"])).expect(0);
    let ran = fleet.func(["schedule", "run", "sums", "--json"]).expect(0).json();
    assert_eq!((&ran["hosts"]["m1"]["result"]["value"], &ran["status"]), (&3.into(), &"FINISHED".into()), "{ran}");
    assert!(ran["submitter"].as_str().unwrap().starts_with("schedule:sums by "), "{ran}");
    let shown = show(&fleet, "sums");
    assert_eq!((&shown["last"]["job"], &of(&shown, "ran")[0]["by_hand"]), (&ran["id"], &true.into()), "{shown}");
    assert!(fleet.func(["schedule", "show", "sums"]).expect(0).out.contains("by hand, 1 ok"));
}

#[test]
fn a_run_is_skipped_while_the_last_one_is_open_and_missed_while_nobody_is_there() {
    let (fleet, gates) = gated(&["m1"]);
    let add = ["schedule", "add", "gate", EACH_SECOND, "m1", "rogue.pass_gate", "--catch-up", "1s", "--zone", "UTC"];
    fleet.func(add).expect(0);
    let daemon = Daemon::start(&fleet);
    let shown =
        until("a run that is skipped", || Some(show(&fleet, "gate")).filter(|shown| !of(shown, "skipped").is_empty()));
    assert_eq!(of(&shown, "skipped")[0]["open"], shown["last"]["job"], "{shown}");
    assert_eq!((&shown["ran"], gates[0].lines().len()), (&1.into(), 1), "{shown}");
    assert!(fleet.func(["schedule", "run", "gate"]).expect(7).err.contains("has not ended"));
    drop(daemon);
    gates[0].open("passed");
    let gone = Timestamp::now() + Duration::from_secs(3);
    until("three seconds without a daemon", || (Timestamp::now() > gone).then_some(()));
    let daemon = Daemon::start(&fleet);
    let shown = until("the next run", || Some(show(&fleet, "gate")).filter(|shown| shown["ran"].as_u64() > Some(1)));
    let missed = of(&shown, "missed");
    assert!(missed.iter().any(|note| note["count"].as_u64() > Some(1)), "{shown}");
    drop(daemon);
}

#[test]
fn programs_set_them_and_are_told_how_they_do() {
    let mut fleet = Fleet::start(["m1"]);
    fleet.add_with("k1", "", &[&guest("keeper")]);
    let daemon = Daemon::start(&fleet);
    let put = |name: &str, body: &Json, status: u16| {
        let (answered, _, text) = daemon.ask(&format!("PUT /v1/schedules/{name}"), &body.to_string());
        assert_eq!(answered, status, "{text}");
        serde_json::from_str::<Json>(&text).unwrap()
    };
    let sums = json!({ "target": "m1", "method": "test.add", "args": [1, 2], "cron": "* * * * * *", "zone": "UTC", "batch": "50%" });
    assert_eq!(put("sums", &sums, 200)["batch"], "50%");
    let ran = |name: &str| daemon.get(&format!("/v1/schedules/{name}"))["ran"].as_u64();
    until("a run", || (ran("sums") > Some(0)).then_some(()));
    for (more, named) in [
        (json!({ "cron": "never" }), "`never`"),
        (json!({ "cron": 1 }), "`cron`"),
        (json!({ "zone": "Nowhere" }), "`Nowhere`"),
        (json!({ "catch_up": -1 }), "`catch_up`"),
        (json!({ "each": 1 }), "`each`"),
        (json!({ "target": "k1", "method": "keeper.keep", "args": ["ann", "hunter2"] }), "is a secret"),
        (json!({ "args": [{ "$secret": "hunter2" }, 2] }), "is a secret"),
    ] {
        let mut body = sums.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let problem = put("other", &body, 400);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(named) && !detail.contains("hunter2"), "{problem}");
    }
    // Another call under the same name, which goes wrong wherever it runs.
    let mut failing = sums.clone();
    failing.as_object_mut().unwrap().extend([("method".into(), json!("test.explode")), ("args".into(), json!([]))]);
    put("sums", &failing, 200);
    until("three runs that went wrong", || {
        let figures = daemon.ask("GET /metrics", "").2;
        let wrong =
            figures.lines().find_map(|line| line.strip_prefix("func_schedule_wrong_in_a_row{schedule=\"sums\"} "));
        (wrong?.parse::<u32>().unwrap() >= 3).then_some(())
    });
    let figures = daemon.ask("GET /metrics", "").2;
    for figure in [
        "schedule_next_run_timestamp_seconds{schedule=\"sums\"} ",
        "schedule_instants_total{schedule=\"sums\",end=\"ran\"} ",
    ] {
        assert!(figures.contains(&format!("func_{figure}")), "{figures}");
    }
    let ill = fleet.func(["doctor", "--offline", "--json"]).expect(1).json();
    let what = |told: &Json| told["findings"].to_string();
    assert!(what(&ill).contains("`sums` went wrong") && !what(&ill).contains("no daemon runs"), "{ill}");

    let yearly = json!({ "target": "m1", "method": "test.add", "args": [1, 2], "cron": "@yearly" });
    put("sums", &yearly, 200);
    let paused = daemon.post("/v1/schedules/sums/pause", &json!(null), 200);
    assert!(paused["paused"].is_string() && paused["next"].is_null(), "{paused}");
    let resumed = daemon.post("/v1/schedules/sums/resume", &json!(null), 200);
    assert!(resumed["paused"].is_null() && resumed["next"].is_string(), "{resumed}");
    daemon.post("/v1/schedules/other/pause", &json!(null), 404);
    let job = until("the end of the last run", || {
        let (status, _, text) = daemon.ask("POST /v1/schedules/sums/run", "");
        assert!(status == 201 || status == 409, "{text}");
        (status == 201).then(|| serde_json::from_str::<Json>(&text).unwrap())
    });
    assert!(job["submitter"].as_str().unwrap().starts_with("schedule:sums by "), "{job}");
    let listed = daemon.get("/v1/schedules");
    assert_eq!((&listed["kept"], listed["schedules"].as_array().unwrap().len()), (&true.into(), 1), "{listed}");
    drop(daemon);
    let told = fleet.func(["doctor", "--offline", "--json"]).expect(1).json();
    assert!(what(&told).contains("no daemon runs, so none of the 1 schedules"), "{told}");
    let daemon = Daemon::start(&fleet);
    assert_eq!(daemon.ask("DELETE /v1/schedules/sums", "").0, 200);
    assert_eq!(daemon.ask("DELETE /v1/schedules/sums", "").0, 404);
    assert_eq!(daemon.get("/v1/schedules")["schedules"], json!([]));
}

/// Random enough for where a kill falls (xorshift).
fn dice(state: &mut u64, below: Duration) -> Duration {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    below.mul_f64(f64::from(u32::try_from(*state >> 40).unwrap()) / f64::from(1_u32 << 24))
}

#[test]
fn no_instant_runs_twice_whenever_the_daemon_is_killed() {
    let kills: usize = std::env::var("FUNC_TESTS_KILLS").map_or(6, |kills| kills.parse().unwrap());
    let (fleet, gates) = gated(&["m1"]);
    gates[0].open("passed");
    let add = ["schedule", "add", "lines", EACH_SECOND, "m1", "rogue.pass_gate", "--catch-up", "10s", "--zone", "UTC"];
    fleet.func(add).expect(0);
    let (began, mut state) = (Instant::now(), 0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()));
    for kill in 0..kills {
        let mut daemon = Daemon::start(&fleet);
        // At times another one waits to take its place, and does.
        let other = (kill % 3 == 2)
            .then(|| Daemon::run(fleet.command(["daemon", "--socket"]).arg(fleet.folder().join("other"))));
        // Around a whole second, when something is due.
        let into = u64::try_from(Timestamp::now().subsec_millisecond()).unwrap();
        thread::sleep(Duration::from_millis(1_000 - into) + dice(&mut state, Duration::from_millis(400)));
        daemon.process.kill().unwrap();
        daemon.process.wait().unwrap();
        if other.is_some() {
            let ran = show(&fleet, "lines")["ran"].as_u64();
            until("a run by the other daemon", || (show(&fleet, "lines")["ran"].as_u64() > ran).then_some(()));
        }
    }
    let daemon = Daemon::start(&fleet);
    fleet.func(["schedule", "pause", "lines"]).expect(0);
    let shown = until("the end of all runs", || {
        let shown = show(&fleet, "lines");
        of(&shown, "ran").iter().all(|run| run["status"] == "FINISHED").then_some(shown)
    });
    drop(daemon);
    let ran = of(&shown, "ran");
    let mut instants: Vec<&str> = ran.iter().map(|run| run["from"].as_str().unwrap()).collect();
    instants.dedup();
    assert_eq!((instants.len(), &shown["ran"]), (ran.len(), &ran.len().into()), "an instant has two jobs: {shown}");
    assert!(ran.iter().all(|run| run["summary"]["ok"] == 1), "{shown}");
    assert_eq!(gates[0].lines().len(), ran.len(), "each job ran once");
    let jobs = fleet.func(["job", "list", "--by", "schedule:lines", "--json"]).expect(0).json();
    assert_eq!(jobs.as_array().unwrap().len(), ran.len(), "and there is no other");
    // Every instant from the first to the last came to something.
    let told: u64 = shown["history"].as_array().unwrap().iter().filter_map(|note| note["count"].as_u64()).sum();
    let at = |note: &Json, key: &str| note[key].as_str().unwrap().parse::<Timestamp>().unwrap().as_second();
    let history = shown["history"].as_array().unwrap();
    let span = at(history.last().unwrap(), "upto") - at(&history[0], "from") + 1;
    assert_eq!(told, u64::try_from(span).unwrap(), "{shown}");
    println!(
        "{kills} kills in {:.0?}: {} ran, {} missed, {} skipped, {} failed",
        began.elapsed(),
        shown["ran"],
        shown["missed"],
        shown["skipped"],
        shown["failed"]
    );
}
