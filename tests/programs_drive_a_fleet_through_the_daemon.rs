//! The overlord's daemon: calls and jobs for programs, over a Unix socket, beside the commands.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::Command;

use serde_json::{Value as Json, json};

use crate::harness::{Daemon, Fleet, Gate, guest, skip, until};

/// A job's place below `/v1/jobs`.
fn place(job: &Json) -> String {
    let id = job["id"].as_str().unwrap();
    format!("/v1/jobs/{}", percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC))
}

#[test]
fn a_call_is_answered_with_what_became_of_every_host() {
    let mut fleet = Fleet::start(["m1", "m2"]);
    fleet.minion("m2").stop();
    let daemon = Daemon::start(&fleet);
    assert_eq!(fs::metadata(&daemon.socket).unwrap().permissions().mode() & 0o777, 0o600);
    fleet.func(["daemon"]).expect(3);

    let call = json!({ "target": "*;nobody*", "method": "test.add", "args": [20, 22] });
    let answer = daemon.post("/v1/calls", &call, 200);
    assert_eq!(answer["hosts"]["m1"], json!({ "outcome": "ok", "value": 42 }));
    assert_eq!(answer["hosts"]["m2"]["outcome"], "unreachable");
    assert_eq!((&answer["summary"]["total"], &answer["unmatched"]), (&json!(2), &json!(["nobody*"])));

    let mut call = call;
    call["budget"] = true.into();
    let answer = daemon.post("/v1/calls", &call, 200);
    let used = |answer: &Json| answer["budget"]["memory_bytes"].as_u64();
    assert!(used(&answer["hosts"]["m1"]) > Some(0) && used(&answer["hosts"]["m2"]).is_none(), "{answer}");

    let (status, head, lines) = daemon.ask("POST /v1/calls\nAccept: application/jsonl\r\n", &call.to_string());
    assert!(status == 200 && head.contains("content-type: application/jsonl"), "{head}");
    let lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    let sum = |line: &Json| line["host"] == "m1" && line["value"] == 42 && used(line) > Some(0);
    assert!(lines[..2].iter().any(sum), "{lines:?}");
    assert_eq!(lines[2]["summary"]["ok"], 1);

    for (body, status, named) in [
        (json!({ "target": "*", "method": "test.add", "arg": [] }), 400, "`arg`"),
        (json!({ "target": "x;(", "method": "test.add" }), 400, "`target`"),
        (json!({ "target": "*", "method": "add" }), 400, "`method`"),
        (json!({ "target": "nobody", "method": "test.add" }), 404, "`nobody`"),
        (json!({ "target": "*", "method": "test.add", "timeout": -1 }), 400, "`timeout`"),
    ] {
        let problem = daemon.post("/v1/calls", &body, status);
        assert!(problem["detail"].as_str().unwrap().contains(named), "{problem}");
    }
    let (status, head, _) = daemon.ask("DELETE /v1/jobs", "");
    assert!(status == 405 && head.contains("allow: post, get"), "{head}");
    let figures = daemon.ask("GET /metrics", "").2;
    assert!(figures.contains("func_host_outcomes_total{outcome=\"ok\"} 3"), "{figures}");
    for whose in ["whose=\"overlord\"", "whose=\"authority\"", "whose=\"minion\",name=\"m1\""] {
        let end = figures.lines().find(|line| line.contains("certificate_end") && line.contains(whose));
        let end: i64 = end.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect(whose);
        assert!(end > jiff::Timestamp::now().as_second(), "{whose} {end}");
    }
}

#[test]
fn a_job_is_heard_to_its_end_and_seen_by_the_commands() {
    let fleet = Fleet::start(["m1", "m2"]);
    let daemon = Daemon::start(&fleet);
    let job = daemon.post("/v1/jobs", &json!({ "target": "*", "method": "test.progress", "args": [2] }), 201);
    let (_, head, events) = daemon.ask(&format!("GET {}/events", place(&job)), "");
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    let of = |kind: &str| {
        let wanted = format!("event: {kind}\ndata: ");
        events
            .split("\n\n")
            .filter_map(|event| Some(serde_json::from_str(event.strip_prefix(&wanted)?).unwrap()))
            .collect()
    };
    let (results, ends): (Vec<Json>, Vec<Json>) = (of("result"), of("end"));
    let mut hosts: Vec<&str> = results.iter().map(|result| result["host"].as_str().unwrap()).collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["m1", "m2"], "{events}");
    assert!(ends.len() == 1 && ends[0]["status"] == "FINISHED" && events.trim_end().ends_with(&ends[0].to_string()));

    assert_eq!(daemon.get(&place(&job))["summary"]["ok"], 2);
    assert_eq!(fleet.stored(job["id"].as_str().unwrap())["status"], "FINISHED");
    assert_eq!(daemon.get("/v1/jobs")["jobs"][0]["id"], job["id"]);
    // What a command has begun is seen as well.
    fleet.func(["call", "m1", "test.add", "1", "2", "--async"]).expect(0);
    let jobs = |only: &str| daemon.get(&format!("/v1/jobs{only}"))["jobs"].as_array().unwrap().len();
    assert_eq!(jobs(""), 2);
    for (only, number) in [
        ("?method=test.p*", 1),
        ("?state=finished", 2),
        ("?state=partial", 0),
        ("?host=m2", 1),
        ("?by=*uid*", 1),
        ("?since=3600&limit=1", 1),
    ] {
        assert_eq!(jobs(only), number, "{only}");
    }
    let (status, _, wrong) = daemon.ask("GET /v1/jobs?state=ended", "");
    assert!(status == 400 && wrong.contains("`state`"), "{wrong}");
    let missing = daemon.ask("GET /v1/jobs/nothing", "");
    assert!(missing.0 == 404 || missing.0 == 400, "{missing:?}");
}

#[test]
fn a_job_can_be_wanted_with_all_that_the_commands_have_and_names_who_asked() {
    let mut fleet = Fleet::empty();
    let gates = ["m1", "m2", "m3", "m4"].map(|name| Gate::new(fleet.folder(), name));
    for (number, gate) in gates.iter().enumerate() {
        let number = number + 1;
        // The second host has no method of the name, so its part fails.
        let module = if number == 2 { guest("keeper") } else { guest("rogue") };
        fleet.add_with(&format!("m{number}"), &gate.settings(), &[&module]);
        gate.open("passed");
    }
    let daemon = Daemon::start(&fleet);
    let body = json!({
        "target": "*", "exclude": "m4", "method": "rogue.pass_gate", "canary": 1, "batch": "34%", "pause": 0.01,
        "max_fail": 0, "forks": 2, "timeout": 20, "job_timeout": 30, "give_up_after": 600, "retry": 1,
    });
    let job = daemon.post("/v1/jobs", &body, 201);
    let ended = until("the job's end", || Some(daemon.get(&place(&job))).filter(|job| job["status"] == "FINISHED"));
    let outcome = |host: &str| ended["hosts"][host]["result"]["outcome"].clone();
    // The third is not asked any more.
    assert_eq!((outcome("m1"), outcome("m3"), &ended["hosts"]["m4"]), (json!("ok"), json!("skipped"), &Json::Null));
    assert_eq!((&ended["rollout"]["canary"], &ended["rollout"]["batch"]), (&json!(1), &json!(1)), "{ended}");
    let me = format!("(uid {})", nix::unistd::getuid());
    assert!(ended["submitter"].as_str().unwrap().ends_with(&me), "{ended}");
    let listed = fleet.func(["job", "list"]).expect(0).out;
    assert!(listed.contains(&me), "{listed}");

    let outcomes = json!({ "outcomes": ["skipped"] });
    let again = daemon.post(&format!("{}/retry", place(&job)), &outcomes, 201);
    assert_eq!((&again["retry_of"], &again["summary"]["total"]), (&job["id"], &json!(1)), "{again}");
    until("its end", || (daemon.get(&place(&again))["summary"]["ok"] == 1).then_some(()));
    let budgets = daemon.get(&format!("{}/budgets", place(&again)));
    assert!(budgets["budgets"]["m3"]["memory_bytes"].as_u64().unwrap() > 0, "{budgets}");
    let none = daemon.post(&format!("{}/retry", place(&again)), &outcomes, 409);
    assert!(none["detail"].as_str().unwrap().contains("has ended like that"), "{none}");
    // Whoever goes on with a job that has ended changes nothing.
    let resumed = daemon.post(&format!("{}/resume", place(&again)), &json!({}), 202);
    assert_eq!(resumed["status"], "FINISHED", "{resumed}");
    assert_eq!(gates.map(|gate| gate.lines().len()), [1, 0, 1, 0]);
}

#[test]
fn a_daemon_that_is_killed_goes_on_with_its_jobs_when_it_is_started_again() {
    let mut fleet = Fleet::empty();
    let gates = ["m1", "m2"].map(|name| Gate::new(fleet.folder(), name));
    for (name, gate) in ["m1", "m2"].into_iter().zip(&gates) {
        fleet.add_with(name, &gate.settings(), &[&guest("rogue")]);
    }
    let mut daemon = Daemon::start(&fleet);
    let job = daemon.post("/v1/jobs", &json!({ "target": "*", "method": "rogue.pass_gate" }), 201);
    until("both methods at the gate", || gates.iter().all(|gate| gate.lines().len() == 1).then_some(()));
    daemon.process.kill().unwrap();
    daemon.process.wait().unwrap();
    for gate in &gates {
        gate.open("passed");
    }

    let daemon = Daemon::start(&fleet);
    let view = until("the job's end", || Some(daemon.get(&place(&job))).filter(|job| job["status"] == "FINISHED"));
    assert_eq!(view["summary"]["ok"], 2, "{view}");
    assert!(gates.iter().all(|gate| gate.lines().len() == 1), "nothing ran twice");
    until("no job is attended", || (daemon.get("/healthz")["jobs"] == 0).then_some(()));
    let figures = daemon.ask("GET /metrics", "").2;
    assert!(figures.contains("func_host_outcomes_total{outcome=\"ok\"} 2"), "{figures}");
}

#[test]
fn a_job_can_be_cancelled_and_the_daemon_stopped_while_somebody_listens() {
    let mut fleet = Fleet::empty();
    let gate = Gate::new(fleet.folder(), "m1");
    fleet.add_with("m1", &gate.settings(), &[&guest("rogue")]);
    let mut daemon = Daemon::start(&fleet);
    let body = json!({ "target": "*", "method": "rogue.pass_gate" });
    let job = daemon.post("/v1/jobs", &body, 201);
    until("the method at the gate", || (gate.lines().len() == 1).then_some(()));
    let cancelled = daemon.post(&format!("{}/cancel", place(&job)), &json!(null), 200);
    assert_eq!(cancelled["summary"]["cancelled"], 1, "{cancelled}");

    let job = daemon.post("/v1/jobs", &body, 201);
    let mut listener = UnixStream::connect(&daemon.socket).unwrap();
    write!(listener, "GET {}/events HTTP/1.0\r\n\r\n", place(&job)).unwrap();
    let mut reader = BufReader::new(listener);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("200"), "{line}");
    let pid = nix::unistd::Pid::from_raw(daemon.process.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(daemon.process.wait().unwrap().success());
    assert!(!daemon.socket.exists());
}

#[test]
fn the_document_tells_the_truth() {
    let fleet = Fleet::start(["m1"]);
    let daemon = Daemon::start(&fleet);
    fleet.func(["call", "m1", "test.add", "1", "2", "--async"]).expect(0);
    fleet.func(["schedule", "add", "sums", "@yearly", "m1", "test.add", "1", "2"]).expect(0);
    let job = daemon.get("/v1/jobs")["jobs"][0].clone();
    let document = daemon.get("/openapi.json");
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(told) = methods.get("get") else { continue };
        let path = path.replace("/v1/jobs/{id}", &place(&job)).replace("/v1/schedules/{id}", "/v1/schedules/sums");
        let (status, head, body) = daemon.ask(&format!("GET {path}"), "");
        let answer = &told["responses"][status.to_string()]["content"];
        let (media, answer) =
            answer.as_object().unwrap_or_else(|| panic!("{path}: {status} {body}")).iter().next().unwrap();
        assert!(head.contains(&format!("content-type: {media}")), "{path}: {head}");
        asked += 1;
        let schema = answer["schema"]["$ref"].as_str().unwrap().trim_start_matches('#');
        let schema = document.pointer(schema).unwrap();
        if let Some(required) = schema["required"].as_array() {
            let body: Json = serde_json::from_str(&body).unwrap();
            for member in required {
                assert!(body.get(member.as_str().unwrap()).is_some(), "{path}: {member} is not in {body}");
            }
        }
    }
    assert!(asked >= 7, "{asked}");
}

#[test]
fn a_stock_xml_rpc_client_calls_the_whole_fleet() {
    if let Err(error) = Command::new("python3").arg("--version").output() {
        return skip("a_stock_xml_rpc_client_calls_the_whole_fleet", &format!("python3 cannot be started: {error}"));
    }
    let fleet = Fleet::start(["m1", "m2"]);
    let daemon = Daemon::start(&fleet);
    let readme = include_str!("../README.md");
    let mut scripts = readme.split("```python\n").skip(1).filter_map(|part| Some(part.split_once("```")?.0));
    let script = scripts.find(|script| script.contains("overlord.sock")).unwrap();
    let checks = r#"
assert overlord.call("*", "test", "add", [20, 22])["m2"] == {"outcome": "ok", "value": 42}
job = overlord.submit("m1", "test", "add", [1, 2])
while overlord.status(job)["status"] != "FINISHED": pass
assert overlord.status(job)["hosts"]["m1"]["result"]["value"] == 3
checked = overlord.call("*", "test", "add", [1, 2], {"check": True, "exclude": "m2", "timeout": 20})
assert list(checked) == ["m1"] and checked["m1"]["value"]["plan"] == [], checked
job = overlord.submit("*", "test", "add", [1, 2], {"batch": 1, "filter": ["hostname=nobody"]})
while overlord.status(job)["status"] != "FINISHED": pass
assert overlord.status(job)["summary"]["skipped"] == 2, overlord.status(job)
again = overlord.retry(job, {"outcomes": ["skipped"]})
assert overlord.resume(again)["retry_of"] == job
assert overlord.call("m1", "test", "add", [1, 2], {"budget": True})["m1"]["budget"]["memory_bytes"] > 0
assert [found["id"] for found in overlord.jobs({"limit": 1})] == [again] and overlord.jobs({"host": "m9"}) == []
overlord.set_schedule("sums", {"target": "m1", "method": "test.add", "args": [1, 2], "cron": "@yearly"})
assert overlord.pause_schedule("sums")["next"] is None and overlord.schedules()[0]["paused"]
assert overlord.resume_schedule("sums")["next"] and not overlord.schedule("sums")["paused"]
assert overlord.status(overlord.run_schedule("sums"))["submitter"].startswith("schedule:sums by ")
overlord.remove_schedule("sums")
assert overlord.schedules() == []
for wrong in [{"batches": 1}, {"target": "m1"}]:
    try:
        overlord.submit("*", "test", "add", [1, 2], wrong)
        raise SystemExit("no fault")
    except xmlrpc.client.Fault as fault:
        assert list(wrong)[0] in fault.faultString, fault
try:
    overlord.call("nobody", "test", "add")
    raise SystemExit("no fault")
except xmlrpc.client.Fault as fault:
    assert "nobody" in fault.faultString, fault
"#;
    let script = script.replace("/var/lib/func/overlord.sock", daemon.socket.to_str().unwrap());
    assert!(script.contains(daemon.socket.to_str().unwrap()), "{script}");
    let output = Command::new("python3").args(["-c", &format!("{script}{checks}")]).output().unwrap();
    assert!(output.status.success(), "{}\n{script}", String::from_utf8_lossy(&output.stderr));
}
