//! Who has no certificate of the fleet's authority gets no connection; who has one that is not an
//! overlord's is told so; and the minion serves on.

use std::sync::Arc;

use func::ca::{Authority, IssueRequest};
use func::tls::{Identity, Role};
use func::wire::{Answer, Call, Value, encode_call};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};

use crate::client::{Client, authority, identity};
use crate::harness::{Daemon, Door, Fleet, until};

fn ping() -> String {
    encode_call(&Call::new("system.ping", vec![]))
}

/// Without a single answer, and the reason in the minion's log.
#[track_caller]
fn gets_no_connection(fleet: &Fleet, client: &Client, reason: &str) {
    let before = fleet.minions[0].log().len();
    let error = client.post(ping().as_bytes()).expect_err("no connection");
    assert_ne!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{error}");
    until(&format!("the refusal for `{reason}`"), || {
        let log = fleet.minions[0].log();
        log[before..].lines().any(|line| line.contains("refused") && line.contains(reason)).then_some(())
    });
}

#[test]
fn strangers_get_no_connection_and_the_minion_serves_on() {
    let fleet = Fleet::start(["web1"]);
    let boss = Client::of(&fleet, &identity(&fleet, Role::Overlord));
    assert_eq!(boss.call("system.ping", vec![]), Value::Int(1));

    // No certificate at all.
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority(&fleet).certificate().as_bytes()).unwrap()).unwrap();
    let bare = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    gets_no_connection(&fleet, &Client::with(&fleet, Arc::new(bare)), "peer sent no certificates");

    // A certificate of another authority, of the same name or not, though its holder trusts ours.
    for (name, reason) in [("Func CA", "BadSignature"), ("Somebody's CA", "UnknownIssuer")] {
        let other = Authority::in_memory(name).unwrap();
        let issued = other.issue(&IssueRequest::new("caller".parse().unwrap(), Role::Overlord)).unwrap();
        let stranger = Identity::from_pem(&issued.cert_pem, &issued.key_pem, authority(&fleet).certificate()).unwrap();
        gets_no_connection(&fleet, &Client::of(&fleet, &stranger), &format!("invalid peer certificate: {reason}"));
    }

    // One that was ours, and has expired.
    let long_ago = time::OffsetDateTime::now_utc() - time::Duration::days(9);
    let request = IssueRequest {
        days: 7,
        not_before: Some(long_ago),
        ..IssueRequest::new("caller".parse().unwrap(), Role::Overlord)
    };
    let expired = authority(&fleet).issue(&request).unwrap().identity().unwrap();
    gets_no_connection(&fleet, &Client::of(&fleet, &expired), "invalid peer certificate: certificate expired");

    assert_eq!(boss.call("system.ping", vec![]), Value::Int(1));
}

#[test]
fn who_is_not_an_overlord_is_told_so_and_written_down() {
    let fleet = Fleet::start(["web1"]);
    for role in [Role::Minion, Role::Reader] {
        let reply = Client::of(&fleet, &identity(&fleet, role)).post(ping().as_bytes()).unwrap();
        let Answer::Fault(fault) = reply.answer else { panic!("{reply:?}") };
        assert_eq!((fault.code, reply.status), (1, 200));
        assert!(
            fault.message.contains(role.word())
                && fault.message.contains("nothing in this minion's policy lets it call"),
            "{fault}"
        );
    }
    let audit = std::fs::read_to_string(fleet.minions[0].home.join("audit.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lines: Vec<_> = lines.into_iter().filter(|line| line["event"].is_null()).collect();
    assert_eq!(lines.len(), 2, "{audit}");
    assert_eq!((&lines[0]["outcome"], &lines[0]["role"]), (&"denied".into(), &"minion".into()));
    assert_eq!(lines[0]["caller"], "caller");
}

#[test]
fn a_revoked_overlord_is_refused_by_a_running_minion() {
    let fleet = Fleet::start(["web1"]);
    let identity = identity(&fleet, Role::Overlord);
    let caller = Client::of(&fleet, &identity);
    assert_eq!(caller.call("system.ping", vec![]), Value::Int(1));
    let list = authority(&fleet).revoke(std::slice::from_ref(&identity.peer().serial)).unwrap();
    std::fs::copy(list, fleet.minions[0].home.join("identity/crl.pem")).unwrap();
    until("the revocation to be enforced", || {
        let why = match caller.post(ping().as_bytes()) {
            Ok(reply) => match reply.answer {
                Answer::Fault(fault) => fault.message,
                Answer::Value(_) => return None,
            },
            // A connection that was open when the list came was cut; the next one is told why.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return None,
            // Most likely the handshake has ended with this alert.
            Err(error) => error.to_string(),
        };
        assert!(why.to_ascii_lowercase().contains("revoked"), "{why}");
        Some(())
    });
}

/// What `openssl s_client` says when it connects to the minion as an overlord, with these arguments and this input.
fn openssl(fleet: &Fleet, arguments: &[&str], input: &[u8]) -> Option<String> {
    openssl_at(fleet, &fleet.minions[0].address.to_string(), "web1", arguments, input)
}

/// The same to whoever listens there under this name.
fn openssl_at(fleet: &Fleet, address: &str, name: &str, arguments: &[&str], input: &[u8]) -> Option<String> {
    use std::{io::Write as _, process::Stdio};
    let folder = fleet.home().join("identity");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut client = std::process::Command::new("openssl")
        .args(["s_client", "-connect", address, "-servername", name])
        .args(["-cert", &file("cert.pem"), "-key", &file("key.pem"), "-CAfile", &file("ca.pem")])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = client.stdin.take().unwrap();
    stdin.write_all(input).unwrap();
    // Its own end of the input would end it before it has heard the answer.
    let waiting = std::thread::spawn(move || client.wait_with_output().unwrap());
    if input.is_empty() {
        drop(stdin);
        let output = waiting.join().unwrap();
        return Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned());
    }
    until("the end of openssl", || waiting.is_finished().then_some(()));
    drop(stdin);
    let output = waiting.join().unwrap();
    Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn only_tls_1_2_and_1_3_are_spoken_and_nothing_is_negotiated_anew() {
    let mut fleet = Fleet::empty();
    fleet.add_with("web1", "", &[]);
    let Some(new) = openssl(&fleet, &["-tls1_3"], b"") else {
        return crate::harness::skip("only_tls_1_2_and_1_3_are_spoken", "there is no `openssl` here");
    };
    assert!(new.contains("TLSv1.3") && new.contains("Verify return code: 0"), "{new}");
    let old = openssl(&fleet, &["-tls1_2"], b"").unwrap();
    assert!(old.contains("TLSv1.2") && old.contains("Verify return code: 0"), "{old}");
    for version in ["-tls1", "-tls1_1"] {
        let told = openssl(&fleet, &[version, "-cipher", "ALL:@SECLEVEL=0"], b"").unwrap();
        assert!(!told.contains("Verify return code: 0 (ok)") || told.contains("Cipher is (NONE)"), "{told}");
    }
    let again = openssl(&fleet, &["-tls1_2"], b"R\n").unwrap();
    assert!(again.contains("RENEGOTIATING") && !again.contains("read R BLOCK"), "{again}");
    let boss = Client::of(&fleet, &identity(&fleet, Role::Overlord));
    assert_eq!(boss.call("system.ping", vec![]), Value::Int(1));
}

#[test]
fn neither_the_overlord_s_daemon_nor_the_door_negotiates_anew() {
    let fleet = Fleet::empty();
    std::fs::write(fleet.home().join("overlord.toml"), "[daemon]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    let own = fleet.home().join("daemon-identity");
    fleet.func(["ca", "issue", "boss.example", "--role", "minion", "--out", own.to_str().unwrap()]).expect(0);
    let mut daemon = Daemon::start(&fleet);
    let address = daemon.address().to_string();
    let Some(again) = openssl_at(&fleet, &address, "boss.example", &["-tls1_2"], b"R\n") else {
        return crate::harness::skip("neither_the_overlord_s_daemon_nor_the_door", "there is no `openssl` here");
    };
    assert!(again.contains("RENEGOTIATING") && !again.contains("read R BLOCK"), "{again}");
    let old = openssl_at(&fleet, &address, "boss.example", &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], b"").unwrap();
    assert!(old.contains("Cipher is (NONE)"), "{old}");
    assert_eq!(daemon.ask("GET /v1/jobs", "").0, 200, "it serves on");

    // Whoever comes to the door is of today, and TLS 1.3 knows no renegotiation.
    let door = Door::open(&fleet);
    let said = |version: &str| openssl_at(&fleet, &door.address, "enrolment", &[version], b"").unwrap();
    assert!(said("-tls1_3").contains("Cipher is TLS_"), "{}", said("-tls1_3"));
    assert!(said("-tls1_2").contains("alert protocol version"), "{}", said("-tls1_2"));
}
