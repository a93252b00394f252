//! The overlord's daemon on the network: overlords command it, readers look, nobody else is answered.

use std::fs;
use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use func::tls::{Identity, client_config};
use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};
use serde_json::json;

use crate::harness::{Daemon, Fleet, exchange, until};

/// Longer than any answer here takes.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection to the daemon with the identity of this folder.
fn connect(identity: &Path, server: &str, address: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
    let config = client_config(&Identity::in_folder(identity).unwrap(), 0).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from(server.to_owned()).unwrap();
    StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream)
}

struct Served {
    fleet: Fleet,
    address: SocketAddr,
    name: String,
    _daemon: Daemon,
}

impl Served {
    fn start() -> Self {
        let fleet = Fleet::start(["m1"]);
        fs::write(fleet.home().join("overlord.toml"), "[daemon]\nlisten = \"127.0.0.1:0\"\n").unwrap();
        // Without an identity for it there is no listening.
        let refused = fleet.func(["daemon"]).expect(4);
        assert!(refused.err.contains("func ca issue NAME"), "{}", refused.err);
        let name = "boss.example".to_owned();
        let out = fleet.home().join("daemon-identity");
        fleet.func(["ca", "issue", &name, "--role", "minion", "--out", out.to_str().unwrap()]).expect(0);
        let mut daemon = Daemon::start(&fleet);
        let address = daemon.address();
        Self { fleet, address, name, _daemon: daemon }
    }

    fn issue(&self, name: &str, role: &str) -> std::path::PathBuf {
        let out = self.fleet.folder().join(name);
        self.fleet.func(["ca", "issue", name, "--role", role, "--out", out.to_str().unwrap()]).expect(0);
        out
    }

    fn ask(&self, identity: &Path, request: &str, body: &str) -> io::Result<(u16, String, String)> {
        exchange(&mut connect(identity, &self.name, self.address), request, body)
    }
}

#[test]
fn an_overlord_commands_a_reader_looks_and_others_are_refused() {
    let served = Served::start();
    let call = json!({ "target": "*", "method": "test.add", "args": [20, 22] }).to_string();
    let rpc = |method: &str| format!("<methodCall><methodName>{method}</methodName></methodCall>");
    let boss = served.issue("boss2", "overlord");
    let (status, _, answer) = served.ask(&boss, "POST /v1/calls", &call).unwrap();
    assert!(status == 200 && answer.contains("42"), "{answer}");
    // The minion's audit log names the overlord of the daemon, and the daemon's log whoever has asked it.
    assert_eq!(served.fleet.audit("m1", "test.add")[0]["caller"], "overlord");
    let logged = until("the caller in the daemon's log", || {
        let log = fs::read_to_string(served.fleet.folder().join("daemon.log")).unwrap();
        log.lines().find(|line| line.contains("a call is made")).map(str::to_owned)
    });
    for told in ["boss2 (overlord certificate, over TLS)", "test.add", "target=\"*\""] {
        assert!(logged.contains(told), "{told}: {logged}");
    }

    let (status, _, answer) = served.ask(&boss, "POST /v1/jobs", &call).unwrap();
    assert!(status == 201 && answer.contains("\"boss2 (overlord certificate, over TLS)\""), "{answer}");

    let reader = served.issue("watcher", "reader");
    assert_eq!(served.ask(&reader, "GET /v1/jobs", "").unwrap().0, 200);
    let (status, _, answer) = served.ask(&reader, "POST /v1/calls", &call).unwrap();
    assert!(status == 403 && answer.contains("`watcher` is a reader"), "{answer}");
    assert_eq!(served.ask(&reader, "POST /v1/jobs", &call).unwrap().0, 403);
    // Whoever listens asks the job's hosts.
    assert_eq!(served.ask(&reader, "GET /v1/jobs/x/events", "").unwrap().0, 403);
    assert_eq!(served.ask(&reader, "GET /v1/schedules", "").unwrap().0, 200);
    for (method, what) in [("PUT", ""), ("DELETE", ""), ("POST", "/run"), ("POST", "/pause"), ("POST", "/resume")] {
        let request = format!("{method} /v1/schedules/x{what}");
        assert_eq!(served.ask(&reader, &request, "{}").unwrap().0, 403, "{request}");
    }
    assert!(served.ask(&reader, "POST /RPC2", &rpc("overlord.jobs")).unwrap().2.contains("<array>"));
    for method in ["submit", "set_schedule", "pause_schedule"] {
        let refused = served.ask(&reader, "POST /RPC2", &rpc(&format!("overlord.{method}"))).unwrap().2;
        assert!(refused.contains("is a reader"), "{refused}");
    }
    let jobs = served.fleet.func(["job", "list", "--json"]).expect(0).json();
    assert_eq!(
        (jobs.as_array().unwrap().len(), &jobs[0]["submitter"]),
        (1, &json!("boss2 (overlord certificate, over TLS)"))
    );

    // A minion belongs to the fleet, and is nobody here.
    for (role, name) in [("minion", "m9"), ("author", "writer")] {
        let (status, _, answer) = served.ask(&served.issue(name, role), "GET /v1/jobs", "").unwrap();
        assert!(status == 403 && answer.contains(&format!("`{name}` is issued as {role}")), "{answer}");
    }
    // Another authority's overlord is not even heard.
    let elsewhere = Fleet::empty();
    let stranger = elsewhere.folder().join("stranger");
    fs::create_dir(&stranger).unwrap();
    for (from, file) in [(&elsewhere, "cert.pem"), (&elsewhere, "key.pem")] {
        fs::copy(from.home().join("identity").join(file), stranger.join(file)).unwrap();
    }
    fs::copy(served.fleet.home().join("identity/ca.pem"), stranger.join("ca.pem")).unwrap();
    served.ask(&stranger, "GET /v1/jobs", "").unwrap_err();
    let mut plain = TcpStream::connect(served.address).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(exchange(&mut plain, "GET /v1/jobs", "").is_err());
}

#[test]
fn who_is_revoked_is_cut_off_and_not_let_in_again() {
    let served = Served::start();
    let boss = served.issue("boss2", "overlord");
    // A job that does not end, listened to.
    let job = json!({ "target": "*", "method": "test.sleep", "args": [60] }).to_string();
    let (status, _, answer) = served.ask(&boss, "POST /v1/jobs", &job).unwrap();
    assert_eq!(status, 201, "{answer}");
    let job: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let id = job["id"].as_str().unwrap();
    let id = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC);
    let mut listener = connect(&boss, &served.name, served.address);
    io::Write::write_all(&mut listener, format!("GET /v1/jobs/{id}/events HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
    let mut some = [0; 12];
    listener.read_exact(&mut some).unwrap();
    assert_eq!(&some, b"HTTP/1.0 200");
    let mut idle = connect(&boss, &served.name, served.address);
    idle.conn.complete_io(&mut idle.sock).unwrap();

    served.fleet.func(["ca", "revoke", "boss2"]).expect(0);
    // Cut, in mid-stream.
    let mut rest = Vec::new();
    let _ = listener.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("event: end"));
    assert!(exchange(&mut idle, "GET /v1/jobs", "").is_err());
    until("no connection for a revoked certificate", || served.ask(&boss, "GET /v1/jobs", "").is_err().then_some(()));
}

#[test]
fn a_reader_is_told_groups_as_they_are_known_and_runs_no_program() {
    let served = Served::start();
    let (program, asked) = (served.fleet.home().join("cloud"), served.fleet.home().join("asked"));
    fs::write(&program, format!("#!/bin/sh\necho >> {}\necho '{{\"web\": [\"m1\"]}}'\n", asked.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let groups = format!("[groups]\n\n[sources.cloud]\nprogram = \"{}\"\nkeep = \"0s\"\n", program.display());
    fs::write(served.fleet.home().join("groups.toml"), groups).unwrap();
    let times = || fs::read_to_string(&asked).unwrap_or_default().lines().count();
    let (reader, boss) = (served.issue("watcher", "reader"), served.issue("boss2", "overlord"));
    let request = "GET /v1/hosts?target=%40web";
    let (status, _, answer) = served.ask(&reader, request, "").unwrap();
    assert!(status == 400 && answer.contains("whoever only looks does not have it asked"), "{status} {answer}");
    assert_eq!(times(), 0, "nobody asked");

    let (status, _, answer) = served.ask(&boss, request, "").unwrap();
    assert!(status == 200 && answer.contains("\"warnings\":[]") && times() == 1, "{answer}");
    let (status, _, answer) = served.ask(&reader, request, "").unwrap();
    assert!(status == 200 && answer.contains("\"m1\"") && answer.contains("the groups of `cloud` are "), "{answer}");
    assert_eq!(times(), 1, "asked once, by the overlord");

    // What the source told stays, and who calls by it is told that it fails.
    fs::write(&program, "#!/bin/sh\nexit 3\n").unwrap();
    let call = json!({ "target": "@web", "method": "test.add", "args": [1, 2] }).to_string();
    for path in ["POST /v1/calls", "POST /v1/jobs"] {
        let answer = served.ask(&boss, path, &call).unwrap().2;
        assert!(answer.contains("\"warnings\":[\"the groups of `cloud` are "), "{answer}");
    }
}
