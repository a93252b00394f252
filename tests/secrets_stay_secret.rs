//! A secret is in no file of the fleet and in no output, whatever is called with it and however that ends.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::{fs, iter};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use func::fleet::Outcome;
use func::ids::Digest;
use func::wire::Value;
use nix::sys::signal::{Signal, kill};

use crate::harness::{Answer, Daemon, Fleet, guest, until};

/// What would be found of it as it is, as XML and as JSON.
const CORE: &str = "Tr0ub4dor-zebra";
/// With characters that XML and JSON write otherwise.
pub(crate) const SECRET: &str = "Tr0ub4dor-zebra<&>\"'\u{e9}";

/// Everything that the secret would look like.
fn forms() -> Vec<Vec<u8>> {
    let digest = Digest::of(SECRET.as_bytes()).to_string();
    let digest = digest.trim_start_matches("sha256:").as_bytes().to_vec();
    // Where a text begins decides how its base64 looks: the characters that depend on its neighbours are left out.
    let base64 = (0..3).map(|before| {
        let text = STANDARD_NO_PAD.encode([&vec![b'x'; before][..], CORE.as_bytes()].concat());
        text.as_bytes()[(before * 4).div_ceil(3)..text.len() - 2].to_vec()
    });
    base64.chain([CORE.as_bytes().to_vec(), digest]).collect()
}

fn found_in(bytes: &[u8]) -> bool {
    forms().iter().any(|form| bytes.windows(form.len()).any(|piece| piece == form))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files(&entry.path(), found);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
}

/// The files below a folder that have the secret in them.
pub(crate) fn leaking(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    files(folder, &mut all);
    all.retain(|path| found_in(&fs::read(path).unwrap()));
    all
}

/// A fleet whose every output is looked at.
struct Watched {
    fleet: Fleet,
    /// Outside of the fleet: what holds the secret, and where modules write it.
    outside: tempfile::TempDir,
    grants: String,
}

impl Watched {
    fn new() -> Self {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), format!("{SECRET}\n")).unwrap();
        let written = outside.path().canonicalize().unwrap().join("written");
        let grants = format!("[grants.keeper]\nrun = [\"cat\"]\nwrite = [{:?}]\n", written.to_str().unwrap());
        let mut fleet = Fleet::empty();
        for name in ["web1", "web2"] {
            fleet.add_with(name, &grants, &[&guest("keeper")]);
        }
        Self { fleet, outside, grants }
    }

    fn word(&self) -> String {
        format!("@secret:{}", self.outside.path().join("secret").display())
    }

    fn written(&self) -> String {
        self.outside.path().canonicalize().unwrap().join("written").to_str().unwrap().to_owned()
    }

    /// Runs a command, in which `SECRET` stands for the word that refers to it.
    #[track_caller]
    fn func(&self, words: &[&str]) -> Answer {
        let word = self.word();
        let words: Vec<&str> = words.iter().map(|given| if *given == "SECRET" { &word } else { *given }).collect();
        let answer: Answer = self.fleet.command(&words).env("FUNC_LOG", "trace").output().unwrap().into();
        assert!(
            !found_in(format!("{}\n{}", answer.out, answer.err).as_bytes()),
            "{words:?}: {}{}",
            answer.out,
            answer.err
        );
        answer
    }

    /// Calls a minion with the secret as a stock client would.
    #[track_caller]
    fn ask(&self, method: &str, params: Vec<Value>) -> Outcome {
        let outcome = self.fleet.ask("web1", method, params);
        assert!(!found_in(format!("{outcome:?}").as_bytes()), "{method}: {outcome:?}");
        outcome
    }

    /// Asserts that the secret is nowhere.
    #[track_caller]
    fn look_everywhere(&self) {
        let mut all = Vec::new();
        files(self.fleet.folder(), &mut all);
        let has = |name: &str| all.iter().any(|path| path.to_string_lossy().contains(name));
        assert!(has("audit.jsonl") && has("/jobs/") && has("/store/"), "{all:?}");
        let leaking = leaking(self.fleet.folder());
        assert!(leaking.is_empty(), "{leaking:?}");
        for minion in &self.fleet.minions {
            let log = minion.log();
            let line = log.lines().find(|line| found_in(line.as_bytes()));
            assert!(line.is_none(), "{}: {line:?}", minion.name);
        }
    }
}

fn secret() -> Value {
    SECRET.into()
}

#[test]
fn what_is_called_with_a_secret_leaves_none_behind() {
    let mut watched = Watched::new();
    let (written, length) = (watched.written(), SECRET.chars().count());
    assert!(forms().iter().all(|form| form.len() > 12) && found_in(STANDARD_NO_PAD.encode(SECRET).as_bytes()));

    // It arrives: as a result, in a file, through standard input.
    let kept = watched.func(&["call", "web*", "keeper.keep", "ann", "SECRET", &written, "--json"]).expect(0).json();
    assert_eq!(kept["hosts"]["web2"]["value"], length);
    assert_eq!(fs::read_to_string(&written).unwrap(), SECRET);
    let mut call = watched.fleet.command(["call", "web1", "keeper.hold", "@secret:-", "0", "--json"]);
    let mut call = call.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    call.stdin.take().unwrap().write_all(SECRET.as_bytes()).unwrap();
    let held = Answer::from(call.wait_with_output().unwrap()).expect(0);
    assert_eq!(held.json()["hosts"]["web1"]["value"], length);
    let accounts = format!("[{{\"name\": \"ann\", \"password\": {:?}}}, {{\"name\": \"bob\"}}]", watched.word());
    let counted = watched.func(&["call", "web1", "keeper.count", &accounts, "--json"]).expect(0).json();
    assert_eq!(counted["hosts"]["web1"]["value"], serde_json::json!([length, 0]));
    let answered = watched.func(&["call", "web1", "keeper.answer", "SECRET", "--json"]).expect(0).json();
    assert_eq!(answered["hosts"]["web1"]["value"], "[secret]");

    // Checked, measured, as a job, listened to.
    let plan = watched.func(&["call", "web1", "keeper.keep", "ann", "SECRET", &written, "--check"]).expect(0);
    assert!(plan.out.contains("command.run cat") && plan.out.contains("files.write"), "{}", plan.out);
    watched.func(&["call", "web1", "keeper.keep", "ann", "SECRET", "--budget"]).expect(0);
    let job = watched.func(&["call", "web*", "keeper.keep", "ann", "SECRET", &written, "--async", "--json"]).expect(0);
    let job = job.json()["id"].as_str().unwrap().to_owned();
    let status = watched.func(&["job", "status", &job, "--json"]).expect(0).json();
    assert_eq!(status["args"], serde_json::json!(["ann", "[secret]", written]));
    assert_eq!(status["hosts"]["web1"]["result"]["value"], length);
    let log = watched.fleet.job_log("web1", status["hosts"]["web1"]["minion_job"].as_str().unwrap());
    assert!(log.contains("it is [secret]") && log.contains("field=<[secret]>") && !found_in(log.as_bytes()), "{log}");
    watched.func(&["call", "web1", "keeper.keep", "ann", "SECRET", "--follow"]).expect(0);
    watched.func(&["call", "web1", "keeper.keep", "ann", "SECRET", &written, "--check", "--async"]).expect(0);
    for background in [&[][..], &["--async"]] {
        for panics in ["false", "true"] {
            let failed = watched.func(&[&["call", "web1", "keeper.blurt", "SECRET", panics], background].concat());
            assert!(failed.expect(1).out.contains("it is [secret]"));
        }
    }
    watched.func(&["job", "list"]).expect(0);

    // Refused: by the overlord, and by the minion for every slip that a client can make.
    let refused = watched.fleet.func(["call", "web1", "keeper.hold", SECRET, "0"]).expect(2);
    assert!(refused.err.contains("@secret:?") && !found_in(refused.err.as_bytes()), "{}", refused.err);
    let open = watched.func(&["call", "web1", "keeper.keep", "SECRET", "SECRET"]).expect(2);
    assert!(open.err.contains("(`name`) is no secret"), "{}", open.err);
    let account = |key: &str| Value::structure([("name", "ann".into()), (key, secret())]);
    for (method, params) in [
        ("keeper.kep", vec!["ann".into(), secret()]),
        ("keper.keep", vec!["ann".into(), secret()]),
        ("async.keper.keep", vec!["ann".into(), secret()]),
        ("system.kep", vec![secret()]),
        ("keeper.keep", vec![secret()]),
        ("keeper.keep", vec!["ann".into(), vec![secret()].into()]),
        ("keeper.hold", vec![0.into(), secret()]),
        ("keeper.hold", vec!["ann".into(), secret()]),
        ("async.keeper.hold", vec![secret(), secret()]),
        ("keeper.count", vec![secret()]),
        ("keeper.count", vec![vec![account("pasword")].into()]),
        ("keeper.count", vec![account("password")]),
        ("check.keeper.hold", vec![secret(), secret()]),
    ] {
        assert!(matches!(watched.ask(method, params), Outcome::Failed(_)), "{method}");
    }
    let call = |method: &str| {
        let params = Value::Array(vec![secret(), 0.into()]);
        Value::structure([("methodName", method.into()), ("params", params)])
    };
    watched.ask("system.multicall", vec![vec![call("keeper.hold"), call("keeper.hol")].into()]);
    watched.ask("system.multicall", vec![secret()]);

    // Recorded by its author, and played back.
    let case = watched.fleet.folder().join("case.toml");
    let config = watched.fleet.folder().join("grants.toml");
    fs::write(&config, &watched.grants).unwrap();
    let (module, case, config) = (guest("keeper"), case.to_str().unwrap(), config.to_str().unwrap());
    let run = ["module", "run", module.to_str().unwrap(), "keeper.keep", "ann", "SECRET", &written];
    watched.func(&[&run[..], &["--grant-file", config, "--record", case]].concat()).expect(0);
    let text = fs::read_to_string(case).unwrap();
    assert!(text.contains("ann:[secret]") && text.contains("\"[secret]\""), "{text}");

    let audit = watched.fleet.whole_audit("web1", "keeper.keep");
    assert!(
        audit.iter().any(|line| line["outcome"] == "begun" && line["args"] == r#"["ann","[secret]"]"#),
        "{audit:?}"
    );
    watched.look_everywhere();
    watched.fleet.minion("web1").stop();
    watched.look_everywhere();
}

#[test]
fn a_program_s_secret_is_kept_out_of_the_store_however_it_is_written() {
    let watched = Watched::new();
    let daemon = Daemon::start(&watched.fleet);
    for word in [serde_json::json!(SECRET), serde_json::json!({ "$secret": SECRET })] {
        let body = serde_json::json!({ "target": "web1", "method": "keeper.hold", "args": [word, 0] });
        let job = daemon.post("/v1/jobs", &body, 201);
        let id = job["id"].as_str().unwrap();
        let job = until("the job's end", || Some(watched.fleet.stored(id)).filter(|job| job["status"] == "FINISHED"));
        assert_eq!(job["args"], serde_json::json!(["[secret]", 0]));
        assert_eq!(job["hosts"]["web1"]["result"]["value"], SECRET.chars().count());
    }
    watched.look_everywhere();
}

#[test]
fn a_job_that_lost_its_secret_says_so_and_runs_nothing() {
    let mut watched = Watched::new();

    // The overlord is killed while one host hangs and the other waits for its turn.
    watched.fleet.minion("web1").freeze();
    let call = ["call", "web*", "keeper.hold", "SECRET", "0", "--async", "--no-wait", "--forks", "1"];
    let job = watched.func(&call).expect(0).out;
    until("the first host's turn", || (watched.fleet.stored(&job)["hosts"]["web1"]["state"] == "SENT").then_some(()));
    watched.fleet.kill_background();
    watched.fleet.minion("web1").thaw();
    let shown = watched.func(&["job", "status", &job]);
    assert!(shown.out.contains("--secret @secret:?"), "{}", shown.out);
    let refused = watched.func(&["job", "resume", &job]).expect(2);
    assert!(refused.err.contains("takes a secret") && refused.err.contains("--secret @secret:?"), "{}", refused.err);
    watched.func(&["job", "resume", &job, "--secret", "SECRET", "--secret", "SECRET"]).expect(2);
    let resumed = watched.func(&["job", "resume", &job, "--secret", "SECRET", "--json"]).expect(0).json();
    assert_eq!(resumed["summary"]["ok"], 2, "{resumed}");

    // The minion is killed after it has accepted a job and before a worker has it.
    let fork_servers = watched.fleet.minion("web1").fork_servers();
    for pid in &fork_servers {
        kill(*pid, Signal::SIGSTOP).unwrap();
    }
    let Outcome::Ok(Value::String(id)) = watched.ask("async.keeper.hold", vec![secret(), 0.into()]) else { panic!() };
    watched.fleet.minion("web1").kill();
    for pid in &fork_servers {
        kill(*pid, Signal::SIGKILL).unwrap();
    }
    watched.fleet.minion("web1").launch();
    let status = format!("{:?}", watched.ask("jobs.wait", vec![id.as_str().into(), 10.into()]));
    assert!(status.contains("\"Lost\"") && status.contains("submit it again"), "{status}");
    watched.look_everywhere();
}

#[test]
fn a_repeated_submission_is_known_again_by_all_but_its_secret() {
    let watched = Watched::new();
    let word = watched.word();
    let calls = iter::repeat_n(["call", "web1", "keeper.hold", &word, "0", "--async", "--json"], 2);
    let jobs: Vec<_> = calls.map(|call| watched.fleet.func(call).expect(0).json()["id"].clone()).collect();
    assert_ne!(jobs[0], jobs[1], "each call is a job of its own");
    watched.look_everywhere();
}
