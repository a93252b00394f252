//! Whoever is reached through others hears of revocations and of another authority, and gets new certificates: all that the
//! others do is pass on what is signed.

use std::fs;
use std::path::Path;

use func::tls::{Authorities, Identity, Role};
use serde_json::json;

use crate::harness::{Answer, Fleet, SUB_OVERLORD};

/// `top` reaches `mid`, which reaches `leaf`.
fn chain() -> Fleet {
    let mut fleet = Fleet::start(["leaf"]);
    fleet.add_sub("mid", SUB_OVERLORD);
    fleet.add_sub("top", SUB_OVERLORD);
    let whole = fs::read(fleet.home().join("inventory.toml")).unwrap();
    fs::write(fleet.folder().join("whole.toml"), whole).unwrap();
    fleet.reach(&["top"], &[("top", &["mid"]), ("mid", &["leaf"])]);
    let map = fleet.func(["map", "build", "--json"]).expect(0).json();
    assert_eq!(map["ways"]["leaf"], json!(["top", "mid"]), "{map}");
    fleet
}

fn identity(fleet: &Fleet, name: &str) -> Identity {
    Identity::in_folder(&fleet.folder().join(name).join("identity")).unwrap()
}

fn authorities(fleet: &Fleet, name: &str) -> Authorities {
    identity(fleet, name).authorities().clone()
}

/// Calls the leaf directly, as the overlord in a folder.
fn ping(fleet: &Fleet, home: &Path) -> Answer {
    fs::copy(fleet.folder().join("whole.toml"), home.join("inventory.toml")).unwrap();
    fleet.command(["ping", "leaf"]).env("FUNC_HOME", home).output().unwrap().into()
}

#[test]
fn a_list_of_what_is_revoked_is_heeded_at_once_by_who_is_behind_others() {
    let fleet = chain();
    let ann = fleet.folder().join("ann");
    let out = ann.join("identity");
    fleet.func(["ca", "issue", "ann", "--role", "overlord", "--out", out.to_str().unwrap()]).expect(0);
    ping(&fleet, &ann).expect(0);
    let told = fleet.func(["ca", "revoke", "ann", "--json"]).expect(0).json();
    assert_eq!((&told["delivered"], &told["missing"]), (&json!(["leaf", "mid", "top"]), &json!({})), "{told}");
    let refused = ping(&fleet, &ann).expect(1);
    assert!(refused.out.contains("revoked"), "{}", refused.out);
    fleet.func(["call", "leaf", "test.add", "1", "2"]).expect(0);
}

#[test]
fn a_list_reaches_whoever_was_down_with_the_next_call_through_others() {
    let mut fleet = chain();
    let ann = fleet.folder().join("ann");
    let out = ann.join("identity");
    fleet.func(["ca", "issue", "ann", "--role", "overlord", "--out", out.to_str().unwrap()]).expect(0);
    fleet.minion("leaf").stop();
    let told = fleet.func(["ca", "revoke", "ann", "--json"]).expect(0).json();
    assert_eq!(told["delivered"], json!(["mid", "top"]), "{told}");
    fleet.minion("leaf").launch();
    fleet.func(["call", "leaf", "test.add", "1", "2"]).expect(0);
    assert!(ping(&fleet, &ann).expect(1).out.contains("revoked"));
}

#[test]
fn whoever_is_behind_others_gets_a_new_key_and_certificate_while_calls_go_on() {
    let fleet = chain();
    let names = ["leaf", "mid", "top"];
    let before = names.map(|name| identity(&fleet, name));
    let renewed = fleet.func(["ca", "renew", "--now", "--days", "99", "--json"]).expect(0).json();
    for (name, before) in names.into_iter().zip(&before) {
        assert_eq!(renewed[name]["state"], "renewed", "{renewed}");
        let now = identity(&fleet, name);
        assert!(now.peer().serial != before.peer().serial && now.peer().role == before.peer().role);
        let days = now.peer().not_after.duration_since(jiff::Timestamp::now()).as_hours() / 24;
        assert!((97..=99).contains(&days), "{days}");
    }
    assert_eq!(identity(&fleet, "mid").peer().role, Some(Role::SubOverlord));
    fleet.func(["call", "*", "test.add", "1", "2"]).expect(0);
    let asked = &fleet.audit("leaf", "identity.csr")[0];
    assert_eq!((&asked["caller"], &asked["says_on_behalf_of"]), (&json!("mid"), &json!("overlord, top")), "{asked}");
}

#[test]
fn another_authority_takes_the_place_of_theirs() {
    let fleet = chain();
    let before = authorities(&fleet, "leaf");
    let rotate = |words: &[&str]| fleet.func([&["ca", "rotate", "--json"], words].concat()).expect(0).json();
    assert_eq!(rotate(&[])["stage"], "switched");
    fleet.func(["call", "*", "test.add", "1", "2"]).expect(0);
    let finished = rotate(&["--finish"]);
    assert_eq!(finished["stage"], "settled", "{finished}");
    let now = authorities(&fleet, "leaf");
    assert!(now != before && ["mid", "top"].iter().all(|name| authorities(&fleet, name) == now));
    fleet.func(["call", "*", "test.add", "1", "2"]).expect(0);
}
