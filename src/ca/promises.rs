//! What the authority promises, tried on real handshakes in memory.

use std::{fs, io::Cursor, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use jiff::Timestamp;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection, pki_types::ServerName};

use super::*;
use crate::access::verify_audit;
use crate::tls::{self, Identity, RevocationList, Role, client_config, server_config};

fn request(name: &str, role: Role) -> IssueRequest {
    IssueRequest::new(name.parse().unwrap(), role)
}

fn identity(authority: &Authority, name: &str, role: Role) -> Identity {
    authority.issue(&request(name, role)).unwrap().identity().unwrap()
}

/// Shakes hands in memory; the error is the side's that stopped.
pub(super) fn shake(server: &Identity, client: &Identity, name: &str) -> Result<(), rustls::Error> {
    connect(server_config(server).unwrap(), client_config(client, 0).unwrap(), name).map(|_| ())
}

fn connect(
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    name: &str,
) -> Result<Option<HandshakeKind>, rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(client, name).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() || server.wants_write() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut Cursor::new(bytes)).unwrap();
        server.process_new_packets()?;
        let mut bytes = Vec::new();
        server.write_tls(&mut bytes).unwrap();
        client.read_tls(&mut Cursor::new(bytes)).unwrap();
        client.process_new_packets()?;
    }
    Ok(client.handshake_kind())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn an_authority_survives_being_closed_and_is_never_replaced() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("ca");
    assert!(matches!(Authority::open(&folder), Err(Error::Missing { .. })));
    let first = Authority::init(&folder, "Func CA").unwrap();
    let overlord = identity(&first, "boss", Role::Overlord);
    assert!(matches!(Authority::init(&folder, "Func CA"), Err(Error::Exists { .. })));
    fs::remove_file(folder.join("ca.pem")).unwrap();
    assert!(matches!(Authority::init(&folder, "Func CA"), Err(Error::Exists { .. })), "it has issued something");
    fs::write(folder.join("ca.pem"), first.certificate()).unwrap();
    assert_eq!((mode(&folder), mode(&folder.join("ca-key.pem"))), (0o700, 0o600));

    let again = Authority::open(&folder).unwrap();
    let minion = identity(&again, "web1", Role::Minion);
    shake(&minion, &overlord, "web1").unwrap();
}

#[test]
fn an_authority_that_broke_off_before_its_certificate_is_finished_with_the_same_key() {
    let home = tempfile::tempdir().unwrap();
    Authority::init(home.path(), "Func CA").unwrap();
    let key = fs::read(home.path().join("ca-key.pem")).unwrap();
    fs::remove_file(home.path().join("ca.pem")).unwrap();
    Authority::init(home.path(), "Func CA").unwrap();
    assert_eq!(fs::read(home.path().join("ca-key.pem")).unwrap(), key);
    let again = Authority::open(home.path()).unwrap();
    shake(&identity(&again, "web1", Role::Minion), &identity(&again, "boss", Role::Overlord), "web1").unwrap();
}

#[test]
fn of_two_who_revoke_at_once_neither_is_forgotten() {
    let home = tempfile::tempdir().unwrap();
    let authority = Authority::init(home.path(), "Func CA").unwrap();
    let names = (0..8).map(|n| request(&format!("m{n}"), Role::Minion)).collect::<Vec<_>>();
    let issued = authority.issue_all(&names).unwrap();
    std::thread::scope(|scope| {
        for one in &issued {
            scope.spawn(|| Authority::open(home.path()).unwrap().revoke(std::slice::from_ref(&one.serial)).unwrap());
        }
    });
    let aware = identity(&authority, "web1", Role::Minion).with_revocations(&home.path().join("crl.pem")).unwrap();
    assert_eq!(aware.revoked().len(), 8);
}

#[test]
fn everything_issued_is_in_the_index() {
    let home = tempfile::tempdir().unwrap();
    let authority = Authority::init(home.path(), "Func CA").unwrap();
    let many: Vec<_> = (0..50).map(|n| request(&format!("m{n}"), Role::Minion)).collect();
    let issued = authority.issue_all(&many).unwrap();
    let last = authority.issue(&request("boss", Role::Overlord)).unwrap();
    let entries = authority.issued().unwrap();
    assert_eq!(entries.len(), 51);
    assert_eq!(entries[7].serial, issued[7].serial);
    assert_eq!(
        (entries[50].name.as_str(), entries[50].role, &entries[50].serial),
        ("boss", Role::Overlord, &last.serial)
    );
    assert!(entries.iter().all(|entry| entry.serial.as_str().len() == 32));

    // A power cut in the middle of a line loses that line only.
    let path = home.path().join("issued.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 20]).unwrap();
    assert_eq!(authority.issued().unwrap().len(), 50);
    // The next certificate is not written behind the rest of it.
    authority.issue(&request("late", Role::Minion)).unwrap();
    let entries = authority.issued().unwrap();
    assert_eq!((entries.len(), entries[50].name.as_str()), (51, "late"));
    fs::write(&path, format!("junk\n{text}")).unwrap();
    assert!(matches!(authority.issued(), Err(Error::Damaged { .. })));
}

#[test]
fn a_certificate_says_who_and_what_and_where() {
    let authority = Authority::in_memory("Func CA").unwrap();
    let wish = request("web1.example", Role::Minion).at("10.0.0.7:5000".parse().unwrap()).at("www".parse().unwrap());
    let issued = authority.issue(&wish).unwrap();
    let minion = issued.identity().unwrap();
    let peer = minion.peer();
    assert_eq!((peer.name.as_str(), peer.role, &peer.serial), ("web1.example", Some(Role::Minion), &issued.serial));
    assert!(peer.not_before < Timestamp::now() && Timestamp::now() < peer.not_after);
    let boss = identity(&authority, "boss", Role::Overlord);
    for name in ["web1.example", "10.0.0.7", "www"] {
        shake(&minion, &boss, name).unwrap();
    }
    shake(&minion, &boss, "web2.example").unwrap_err();

    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("identity");
    issued.save(&folder).unwrap();
    assert_eq!((mode(&folder), mode(&folder.join("key.pem"))), (0o700, 0o600));
    assert_eq!(Identity::in_folder(&folder).unwrap().peer(), peer);
}

#[test]
fn strangers_do_not_get_through_the_handshake() {
    let authority = Authority::in_memory("Func CA").unwrap();
    let minion = identity(&authority, "web1", Role::Minion);
    let stranger = identity(&Authority::in_memory("Func CA").unwrap(), "boss", Role::Overlord);
    shake(&minion, &stranger, "web1").unwrap_err();
    let boss = identity(&authority, "boss", Role::Overlord);
    let impostor = identity(&Authority::in_memory("Func CA").unwrap(), "web1", Role::Minion);
    shake(&impostor, &boss, "web1").unwrap_err();
    // Neither can an overlord pose as a minion. What an author may do is for the minion's policy to say.
    shake(&boss, &boss, "boss").unwrap_err();
    shake(&minion, &identity(&authority, "ann", Role::Author), "web1").unwrap();
}

#[test]
fn an_expired_certificate_is_refused_by_the_handshake_and_by_the_check() {
    let authority = Authority::in_memory("Func CA").unwrap();
    let long_ago = Some(time::OffsetDateTime::now_utc() - time::Duration::days(3));
    let wish = IssueRequest { not_before: long_ago, days: 1, ..request("boss", Role::Overlord) };
    let expired = authority.issue(&wish).unwrap().identity().unwrap();
    shake(&identity(&authority, "web1", Role::Minion), &expired, "web1").unwrap_err();
    let check = |at: Timestamp| expired.peer().check(at, &RevocationList::none());
    assert!(matches!(check(Timestamp::now()), Err(tls::Error::Expired { .. })));
    assert!(matches!(check(Timestamp::UNIX_EPOCH), Err(tls::Error::NotYetValid { .. })));
    check(expired.peer().not_after).unwrap();
}

#[test]
fn a_revoked_certificate_is_refused_by_both_sides() {
    let home = tempfile::tempdir().unwrap();
    let authority = Authority::init(home.path(), "Func CA").unwrap();
    let (minion, boss) = (identity(&authority, "web1", Role::Minion), identity(&authority, "boss", Role::Overlord));
    let other = identity(&authority, "other", Role::Overlord);
    let list = authority.revoke(&[minion.peer().serial.clone()]).unwrap();
    let list =
        authority.revoke(&[boss.peer().serial.clone()]).map(|again| assert_eq!(again, list)).map(|()| list).unwrap();
    let aware = |identity: &Identity| identity.clone().with_revocations(&list).unwrap();
    assert_eq!(aware(&minion).revoked().len(), 2);
    shake(&minion, &boss, "web1").unwrap();
    shake(&aware(&minion), &boss, "web1").unwrap_err();
    shake(&minion, &aware(&other), "web1").unwrap_err();
    shake(&aware(&minion), &other, "web1").unwrap();
    let checked = boss.peer().check(Timestamp::now(), aware(&minion).revoked());
    assert!(matches!(checked, Err(tls::Error::Revoked { .. })));

    let unknown = authority.revoke(&["abc".parse().unwrap()]).unwrap_err();
    assert!(unknown.to_string().contains("abc"), "{unknown}");
}

#[test]
fn a_revocation_list_of_another_authority_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let foreign = Authority::init(&home.path().join("foreign"), "Func CA").unwrap();
    let list = foreign.revoke(&[identity(&foreign, "web1", Role::Minion).peer().serial.clone()]).unwrap();
    let ours = identity(&Authority::in_memory("Func CA").unwrap(), "web1", Role::Minion);
    let refused = ours.clone().with_revocations(&list);
    assert!(matches!(refused, Err(tls::Error::ForeignRevocations { .. })), "{refused:?}");
    fs::write(&list, "junk").unwrap();
    assert!(matches!(ours.clone().with_revocations(&list), Err(tls::Error::Pem { .. })));
    assert!(ours.with_revocations(Path::new("/nonexistent")).unwrap().revoked().is_empty());
}

#[test]
fn a_forged_revocation_list_is_refused_also_when_our_own_certificate_has_expired() {
    let home = tempfile::tempdir().unwrap();
    let stranger = Authority::init(&home.path().join("forger"), "Func CA").unwrap();
    let forged = stranger.revoke(&[identity(&stranger, "web1", Role::Minion).peer().serial.clone()]).unwrap();
    let authority = Authority::init(&home.path().join("ours"), "Func CA").unwrap();
    let long_ago = Some(time::OffsetDateTime::now_utc() - time::Duration::days(3));
    let wish = IssueRequest { not_before: long_ago, days: 1, ..request("web1", Role::Minion) };
    let expired = authority.issue(&wish).unwrap().identity().unwrap();
    let refused = expired.clone().with_revocations(&forged);
    assert!(matches!(refused, Err(tls::Error::ForeignRevocations { .. })), "{refused:?}");
    let ours = authority.revoke(&[expired.peer().serial.clone()]).unwrap();
    assert_eq!(expired.with_revocations(&ours).unwrap().revoked().len(), 1);
}

#[test]
fn the_revocation_lists_of_several_authorities_lie_in_one_file() {
    let home = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| Authority::init(&home.path().join(name), name).unwrap());
    let both = format!("{}{}", old.certificate(), new.certificate());
    let of = |authority: &Authority, name: &str, role| {
        let issued = authority.issue(&request(name, role)).unwrap();
        Identity::from_pem(&issued.cert_pem, &issued.key_pem, &both).unwrap()
    };
    let minion = of(&old, "web1", Role::Minion);
    let revoked = [of(&old, "ann", Role::Overlord), of(&new, "bob", Role::Overlord)];
    let lists = [&old, &new].into_iter().zip(&revoked).map(|(authority, identity)| {
        fs::read_to_string(authority.revoke(&[identity.peer().serial.clone()]).unwrap()).unwrap()
    });
    let path = home.path().join("crl.pem");
    fs::write(&path, lists.collect::<String>()).unwrap();
    let aware = minion.clone().with_revocations(&path).unwrap();
    assert_eq!(aware.revoked().len(), 2);
    for overlord in &revoked {
        shake(&minion, overlord, "web1").unwrap();
        shake(&aware, overlord, "web1").unwrap_err();
    }
    shake(&aware, &of(&new, "cat", Role::Overlord), "web1").unwrap();
    let only_old = identity(&old, "web1", Role::Minion).with_revocations(&path);
    assert!(matches!(only_old, Err(tls::Error::ForeignRevocations { .. })), "{only_old:?}");
}

#[test]
fn an_identity_that_does_not_fit_together_is_refused() {
    let authority = Authority::in_memory("Func CA").unwrap();
    let (one, two) = (request("a", Role::Minion), request("b", Role::Minion));
    let (one, two) = (authority.issue(&one).unwrap(), authority.issue(&two).unwrap());
    let mixed = Identity::from_pem(&one.cert_pem, &two.key_pem, &one.ca_pem);
    assert!(matches!(mixed, Err(tls::Error::Unusable { .. })), "{mixed:?}");
    assert!(matches!(Identity::from_pem("", &two.key_pem, &one.ca_pem), Err(tls::Error::Pem { .. })));
    let days = IssueRequest { days: 100_000, ..request("a", Role::Minion) };
    assert!(matches!(authority.issue(&days), Err(Error::Days { .. })));
}

#[test]
fn a_session_is_resumed_when_it_is_remembered() {
    let authority = Authority::in_memory("Func CA").unwrap();
    let server = server_config(&identity(&authority, "web1", Role::Minion)).unwrap();
    let client = client_config(&identity(&authority, "boss", Role::Overlord), 1).unwrap();
    let connect = || connect(Arc::clone(&server), Arc::clone(&client), "web1").unwrap();
    assert_eq!(connect(), Some(HandshakeKind::Full));
    assert_eq!(connect(), Some(HandshakeKind::Resumed));
}

#[test]
fn what_was_done_at_the_authority_is_a_chain() {
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join(AUDIT_FILE);
    // What was written before there was a chain is kept beside it.
    fs::write(&log, "{\"event\":\"authority-made\"}\n").unwrap();
    let authority = Authority::init(home.path(), "Func CA").unwrap();
    std::thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            let authority = &authority;
            scope.spawn(move || authority.issue(&request(name, Role::Minion)).unwrap());
        }
    });
    let checked = verify_audit(&log, None).unwrap();
    assert_eq!((checked.findings, checked.lines), (vec![], 6));
    assert!(checked.notes.concat().contains("`audit.jsonl.unchained-1` is of no chain"), "{:?}", checked.notes);

    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&log, [&lines[..3], &lines[4..]].concat().join("\n") + "\n").unwrap();
    assert!(verify_audit(&log, None).unwrap().findings[0].contains("1 lines before"));
    fs::write(&log, lines[..5].join("\n") + "\n").unwrap();
    assert!(verify_audit(&log, None).unwrap().findings[0].contains("the end is cut off: 1 lines"));
    // The authority goes on, and the gap stays visible.
    authority.issue(&request("e", Role::Minion)).unwrap();
    assert!(verify_audit(&log, None).unwrap().findings[0].contains("1 lines were missing"));
}

#[test]
fn a_key_that_is_sealed_signs_for_whoever_knows_the_passphrase() {
    let home = tempfile::tempdir().unwrap();
    let [good, other] = ["correct horse", "battery staple"].map(|text| Passphrase::new(text).unwrap());
    let key = home.path().join("ca-key.pem");
    let minion = identity(&Authority::init_with(home.path(), "Func CA", Some(&good)).unwrap(), "web1", Role::Minion);
    assert!(fs::read_to_string(&key).unwrap().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    assert_eq!(mode(&key), 0o600);

    // Without it the authority tells what it knows, and nothing is signed or revoked.
    let sealed = Authority::open(home.path()).unwrap();
    assert!(sealed.is_sealed() && sealed.issued().unwrap().len() == 1 && sealed.days_left() > 3000);
    assert!(matches!(sealed.issue(&request("web2", Role::Minion)), Err(Error::Sealed { .. })));
    assert!(matches!(sealed.revoke(&[minion.peer().serial.clone()]), Err(Error::Sealed { .. })));
    assert!(matches!(sealed.set_passphrase(None), Err(Error::Sealed { .. })));
    assert!(matches!(Authority::open_with(home.path(), &other), Err(Error::WrongPassphrase { .. })));
    assert_eq!(sealed.issued().unwrap().len(), 1);

    // Changed, and taken away, it is the same authority.
    Authority::open_with(home.path(), &good).unwrap().set_passphrase(Some(&other)).unwrap();
    assert!(matches!(Authority::open_with(home.path(), &good), Err(Error::WrongPassphrase { .. })));
    let opened = Authority::open_with(home.path(), &other).unwrap();
    shake(&minion, &identity(&opened, "boss", Role::Overlord), "web1").unwrap();
    opened.set_passphrase(None).unwrap();
    shake(&minion, &identity(&Authority::open(home.path()).unwrap(), "boss", Role::Overlord), "web1").unwrap();
    assert!(Passphrase::new("").is_err());
    assert!(verify_audit(&home.path().join(AUDIT_FILE), None).unwrap().findings.is_empty());
}

#[test]
fn a_sealed_key_that_is_damaged_is_told_from_a_wrong_passphrase() {
    let home = tempfile::tempdir().unwrap();
    let good = Passphrase::new("correct horse").unwrap();
    Authority::init_with(home.path(), "Func CA", Some(&good)).unwrap();
    let key = home.path().join("ca-key.pem");
    fs::write(&key, tls::pem("ENCRYPTED PRIVATE KEY", b"junk")).unwrap();
    assert!(matches!(Authority::open_with(home.path(), &good), Err(Error::Damaged { .. })));
    fs::write(&key, "junk").unwrap();
    assert!(matches!(Authority::open(home.path()), Err(Error::Damaged { .. })));
}
