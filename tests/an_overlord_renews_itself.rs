//! The overlord's own certificate renews itself where the authority is, for commands and for a daemon that runs.

use func::ca::{Authority, IssueRequest, own_is_due};
use func::config::Home;
use func::tls::{Identity, Peer, Role};
use jiff::Timestamp;
use serde_json::json;

use crate::harness::{Daemon, Fleet, until};

/// Gives the overlord a certificate of which 25 days of 30 have passed.
fn make_due(fleet: &Fleet) {
    let home = Home::at(fleet.home());
    let begun = time::OffsetDateTime::now_utc() - time::Duration::days(25);
    let request = IssueRequest {
        not_before: Some(begun),
        days: 30,
        ..IssueRequest::new("overlord".parse().unwrap(), Role::Overlord)
    };
    Authority::open(&home.authority()).unwrap().issue(&request).unwrap().save(&home.identity()).unwrap();
    assert!(is_due(fleet));
}

fn is_due(fleet: &Fleet) -> bool {
    let identity = Identity::in_folder(&Home::at(fleet.home()).identity());
    identity.is_ok_and(|identity| identity.peer().is_due(Timestamp::now()))
}

#[test]
fn before_a_command_calls_and_while_the_daemon_serves() {
    let fleet = Fleet::start(["web1"]);
    make_due(&fleet);
    fleet.func(["ping"]).expect(0);
    assert!(!is_due(&fleet));

    let daemon = Daemon::start(&fleet);
    make_due(&fleet);
    until("the daemon to renew it", || (!is_due(&fleet)).then_some(()));
    let call = json!({ "target": "*", "method": "test.ping" });
    assert_eq!(daemon.post("/v1/calls", &call, 200)["hosts"]["web1"]["outcome"], "ok");
    let renewed = fleet.func(["audit", "show", "--ca", "--outcome", "renewed", "--json"]).expect(0).json();
    assert_eq!(renewed.as_array().unwrap().len(), 2);
}

#[test]
fn not_while_the_key_is_sealed_which_the_doctor_tells() {
    // A daemon would have renewed it before it is sealed.
    let fleet = Fleet::alone();
    make_due(&fleet);
    let file = fleet.folder().join("passphrase");
    std::fs::write(&file, "correct horse").unwrap();
    let file = file.to_str().unwrap();
    fleet.func(["ca", "passphrase", "--new-passphrase-file", file]).expect(0);
    let told = fleet.func(["doctor", "--offline"]).expect(0).out;
    assert!(told.contains("does not renew itself") && is_due(&fleet), "{told}");
    fleet.func(["ca", "renew", "--passphrase-file", file]);
    assert!(!is_due(&fleet));
}

#[test]
fn once_with_a_new_key_and_never_when_it_is_revoked_or_another_authority_s() {
    let home = tempfile::tempdir().unwrap();
    let (folder, own) = (home.path().join("ca"), home.path().join("identity"));
    let authority = Authority::init(&folder, "Func CA").unwrap();
    let due = |authority: &Authority| -> Peer {
        let begun = time::OffsetDateTime::now_utc() - time::Duration::days(25);
        let request = IssueRequest {
            not_before: Some(begun),
            days: 30,
            ..IssueRequest::new("boss".parse().unwrap(), Role::Overlord)
        };
        authority.issue(&request).unwrap().save(&own).unwrap();
        Identity::in_folder(&own).unwrap().peer().clone()
    };
    let key = || std::fs::read(own.join("key.pem")).unwrap();
    let (old, before) = (due(&authority), key());
    assert!(own_is_due(&own));
    let fresh = authority.renew_own(&own).unwrap().unwrap();
    assert_eq!((Identity::in_folder(&own).unwrap().peer(), &fresh.name, fresh.role), (&fresh, &old.name, old.role));
    assert!(!own_is_due(&own) && key() != before);
    assert_eq!(authority.issued().unwrap().last().unwrap().serial, fresh.serial);
    assert_eq!(authority.renew_own(&own).unwrap(), None);

    let revoked = due(&authority);
    authority.revoke(&[revoked.serial]).unwrap();
    assert_eq!(authority.renew_own(&own).unwrap(), None);
    due(&Authority::init(&home.path().join("other"), "Func CA").unwrap());
    assert_eq!(authority.renew_own(&own).unwrap(), None);
}
