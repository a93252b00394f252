//! Every stage, every crash between two moves, and who believes whom meanwhile.

use std::{collections::BTreeSet, fs, path::Path};

use super::{stages::moves, *};
use crate::{
    access::verify_audit,
    ca::{
        AUDIT_FILE, Authority, IssueRequest, Left, Passphrase, SigningRequest, authority::fingerprint, promises::shake,
    },
    tls::{self, Identity, IdentityFiles, Role},
};

fn made(folder: &Path) -> Authority {
    Authority::init(folder, "Func CA").unwrap()
}

fn issued(authority: &Authority, name: &str, role: Role) -> Identity {
    authority.issue(&IssueRequest::new(name.parse().unwrap(), role)).unwrap().identity().unwrap()
}

fn nobody() -> BTreeSet<HostName> {
    BTreeSet::new()
}

fn switched(authority: Authority) -> Authority {
    authority.begin_rotation().unwrap().switch(&[], &nobody()).unwrap()
}

fn statements(authority: &Authority) -> String {
    authority.trust().unwrap().unwrap().to_pem()
}

fn told(identity: &Identity, authority: &Authority) -> Identity {
    identity.convinced_by(statements(authority).as_bytes()).unwrap().unwrap()
}

#[test]
fn a_step_leads_on_only_from_the_stage_before_it() {
    use Stage::{Abandoning, Finishing, Settled, Spreading, Switched, Switching};
    let all = [Spreading, Switching, Switched, Finishing, Abandoning, Settled];
    let legal = |step: Step| all.into_iter().filter_map(|stage| Some((stage, stage.after(step)?))).collect::<Vec<_>>();
    assert_eq!(legal(Step::Begin), [(Settled, Spreading)]);
    assert_eq!(legal(Step::Switch), [(Spreading, Switching)]);
    assert_eq!(legal(Step::Finish), [(Switched, Finishing)]);
    assert_eq!(legal(Step::Abandon), [(Spreading, Abandoning)]);
    assert!(all.iter().all(|stage| stage.settled().settled() == stage.settled()));
    assert!(all.iter().all(|stage| (stage.settled() == *stage) == moves(*stage).is_empty()));

    let home = tempfile::tempdir().unwrap();
    let open = || Authority::open(home.path()).unwrap();
    made(home.path());
    for refused in [open().switch(&[], &nobody()), open().finish(&[], &nobody()), open().abandon()] {
        assert!(matches!(refused, Err(Error::NoSuchStep { .. })), "{refused:?}");
    }
    let switched = switched(open());
    for refused in [open().switch(&[], &nobody()), open().abandon()] {
        assert!(matches!(refused, Err(Error::NoSuchStep { .. })), "{refused:?}");
    }
    assert_eq!(
        open().begin_rotation().unwrap().fingerprint(),
        switched.fingerprint(),
        "it goes on with the one that is"
    );
}

/// What a stage was decided with, and the authority that must come of it.
fn decided(folder: &Path, stage: Stage) -> Digest {
    let authority = made(folder);
    let old = issued(&authority, "ann", Role::Overlord).peer().serial.clone();
    authority.revoke(&[old]).unwrap();
    let (authority, expected) = match stage {
        Stage::Finishing => {
            let authority = switched(authority);
            let own = issued(&authority, "bob", Role::Overlord).peer().serial.clone();
            authority.revoke(&[own]).unwrap();
            let expected = authority.fingerprint();
            (authority, expected)
        }
        stage => {
            let before = authority.fingerprint();
            let authority = authority.begin_rotation().unwrap();
            let next = fs::read_to_string(folder.join(NEXT_CERTIFICATE)).unwrap();
            let next = fingerprint(&next);
            (authority, if stage == Stage::Switching { next } else { before })
        }
    };
    Rotation { stage, ..authority.rotation().unwrap().clone() }.save(folder).unwrap();
    expected
}

#[test]
fn a_crash_between_any_two_moves_is_mended_by_whoever_opens_the_authority_next() {
    for stage in [Stage::Switching, Stage::Finishing, Stage::Abandoning] {
        for done in 0..=moves(stage).len() {
            let home = tempfile::tempdir().unwrap();
            let expected = decided(home.path(), stage);
            moves(stage)[..done].iter().for_each(|one| one.make(home.path()).unwrap());
            // And the last of them twice.
            if let Some(last) = done.checked_sub(1) {
                moves(stage)[last].make(home.path()).unwrap();
            }
            let authority = Authority::open(home.path()).unwrap();
            let reached = authority.rotation().unwrap().stage;
            assert_eq!((reached, authority.fingerprint()), (stage.settled(), expected), "{stage:?} after {done}");
            let (minion, boss) = (issued(&authority, "web1", Role::Minion), issued(&authority, "boss", Role::Overlord));
            shake(&minion, &boss, "web1").unwrap();
            let names: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            let left = |prefix: &str| names.iter().any(|name| name.to_str().unwrap().starts_with(prefix));
            assert_eq!((left("next-"), left("old-")), (false, stage == Stage::Switching), "{names:?}");
            // Of two lists the old authority's goes.
            assert_eq!(authority.revoked().unwrap().len(), 1);
            verify_audit(&home.path().join(AUDIT_FILE), None).unwrap();
        }
    }
}

#[test]
fn a_beginning_that_broke_off_goes_on_with_the_same_key() {
    let home = tempfile::tempdir().unwrap();
    made(home.path()).begin_rotation().unwrap();
    let key = fs::read(home.path().join(NEXT_KEY)).unwrap();
    for lost in [&[FILE][..], &[FILE, CROSS], &[FILE, CROSS, NEXT_CERTIFICATE]] {
        for name in lost {
            fs::remove_file(home.path().join(name)).unwrap();
        }
        let authority = Authority::open(home.path()).unwrap();
        assert!(authority.rotation().is_none());
        let old = authority.fingerprint();
        let begun = authority.begin_rotation().unwrap();
        assert_eq!((begun.fingerprint(), begun.rotation().unwrap().stage), (old, Stage::Spreading));
        assert_eq!(fs::read(home.path().join(NEXT_KEY)).unwrap(), key);
    }
    switched(Authority::open(home.path()).unwrap());
    assert_eq!(fs::read(home.path().join("ca-key.pem")).unwrap(), key);
}

#[test]
fn nobody_refuses_anybody_until_the_old_authority_is_given_up() {
    let home = tempfile::tempdir().unwrap();
    let authority = made(home.path());
    let old = (issued(&authority, "web1", Role::Minion), issued(&authority, "boss", Role::Overlord));
    let authority = authority.begin_rotation().unwrap();
    let told_old = (told(&old.0, &authority), told(&old.1, &authority));
    let authority = authority.switch(&[], &nobody()).unwrap();
    let new = (issued(&authority, "web1", Role::Minion), issued(&authority, "boss", Role::Overlord));
    // Who has not heard of the change believes whoever has, in both directions.
    for minion in [&old.0, &told_old.0, &new.0] {
        for boss in [&old.1, &told_old.1, &new.1] {
            shake(minion, boss, "web1").unwrap();
        }
    }
    let authority = authority.finish(&[], &["web1".parse().unwrap(), "boss".parse().unwrap()].into()).unwrap();
    let last = (told(&new.0, &authority), told(&new.1, &authority));
    shake(&last.0, &last.1, "web1").unwrap();
    for (minion, boss) in [(&last.0, &old.1), (&last.0, &told_old.1), (&old.0, &last.1), (&told_old.0, &last.1)] {
        shake(minion, boss, "web1").unwrap_err();
    }
    // A machine that joins now believes the new one alone.
    let late = issued(&authority, "web2", Role::Minion);
    shake(&late, &last.1, "web2").unwrap();
    shake(&late, &old.1, "web2").unwrap_err();
}

#[test]
fn a_stolen_old_key_is_worth_nothing_when_it_was_given_up() {
    let home = tempfile::tempdir().unwrap();
    let (folder, stolen) = (home.path().join("ca"), home.path().join("stolen"));
    let authority = made(&folder);
    let minion = issued(&authority, "web1", Role::Minion);
    fs::create_dir(&stolen).unwrap();
    for name in ["ca-key.pem", "ca.pem", "issued.jsonl"] {
        fs::copy(folder.join(name), stolen.join(name)).unwrap();
    }
    let thief = Authority::open(&stolen).unwrap();
    let authority = authority.begin_rotation().unwrap();
    let minion = told(&minion, &authority);
    let evil = issued(&thief, "boss", Role::Overlord);
    shake(&minion, &evil, "web1").unwrap();
    // Whom to believe is the next authority's word, as soon as it is known.
    let own = thief.begin_rotation().unwrap();
    let own = statements(&own);
    assert!(matches!(minion.convinced_by(own.as_bytes()), Err(tls::Error::ForeignTrust) | Ok(None)));
    let later = Authority::open(&stolen).unwrap().abandon().unwrap().begin_rotation().unwrap();
    let refused = minion.convinced_by(statements(&later).as_bytes());
    assert!(matches!(refused, Err(tls::Error::ForeignTrust)), "{refused:?}");

    let authority = authority.switch(&[], &nobody()).unwrap();
    let csr = SigningRequest::make_with(&"web1".parse().unwrap(), &SigningRequest::new_key().unwrap()).unwrap();
    authority.renew(&SigningRequest::from_pem(csr.as_bytes()).unwrap(), Role::Minion, &[], 10).unwrap();
    let minion = issued(&authority, "web1", Role::Minion);
    let authority = authority.finish(&[], &nobody()).unwrap();
    let minion = told(&minion, &authority);
    shake(&minion, &evil, "web1").unwrap_err();
    let thief = Authority::open(&stolen).unwrap();
    shake(&minion, &issued(&thief, "boss", Role::Overlord), "web1").unwrap_err();
    // Its lists revoke nobody, and are recognised so that they harm nobody where they lie still.
    let serial = minion.peer().serial.clone();
    let list = thief.revoke(&[issued(&thief, "x", Role::Minion).peer().serial.clone()]).unwrap();
    let aside = minion.clone().with_revocations(&list).unwrap();
    assert!(aside.revoked().is_empty() && !aside.revoked().contains(&serial));
    let refused = minion.convinced_by(statements(&thief).as_bytes());
    assert!(matches!(refused, Err(tls::Error::ForeignTrust) | Ok(None)), "{refused:?}");
}

#[test]
fn statements_of_strangers_and_older_ones_are_not_taken() {
    let home = tempfile::tempdir().unwrap();
    let authority = made(&home.path().join("ca"));
    let minion = issued(&authority, "web1", Role::Minion);
    let authority = authority.begin_rotation().unwrap();
    let first = statements(&authority);
    let stranger = made(&home.path().join("stranger")).begin_rotation().unwrap();
    let refused = minion.convinced_by(statements(&stranger).as_bytes());
    assert!(matches!(refused, Err(tls::Error::ForeignTrust)), "{refused:?}");
    let authority = authority.abandon().unwrap();
    let minion = told(&minion, &authority);
    assert!(minion.convinced_by(first.as_bytes()).unwrap().is_none(), "older");
    for junk in ["", "junk", authority.certificate(), "-----BEGIN FUNC TRUST-----\nAAAA\n-----END FUNC TRUST-----\n"] {
        assert!(matches!(minion.convinced_by(junk.as_bytes()), Err(tls::Error::Trust { .. })), "{junk}");
    }
    // Every byte of one counts.
    let authority = authority.begin_rotation().unwrap();
    let good = statements(&authority);
    assert!(minion.convinced_by(good.as_bytes()).unwrap().is_some());
    let lines: Vec<&str> = good.lines().collect();
    let from = lines.iter().rposition(|line| line.contains("BEGIN")).unwrap() + 1;
    // But for those of the second signature: one is enough.
    for at in from..lines.len() - 4 {
        let mut changed: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let with = if changed[at].starts_with('A') { "B" } else { "A" };
        changed[at].replace_range(..1, with);
        assert!(minion.convinced_by(changed.join("\n").as_bytes()).is_err(), "line {at}");
    }
}

#[test]
fn who_missed_statements_is_brought_along_by_the_last_text() {
    let home = tempfile::tempdir().unwrap();
    let authority = made(home.path());
    let never_told = issued(&authority, "web1", Role::Minion);
    let authority = authority.begin_rotation().unwrap();
    let told_once = told(&never_told, &authority);
    // The next authority of the second attempt is another one, and the first one's key is gone.
    let authority = authority.abandon().unwrap().begin_rotation().unwrap();
    let number = authority.trust().unwrap().unwrap().number();
    for minion in [&never_told, &told_once] {
        assert_eq!(told(minion, &authority).trust_number(), number);
    }
    let authority = authority.switch(&[], &nobody()).unwrap();
    let late = issued(&authority, "web2", Role::Minion);
    assert_eq!(late.trust_number(), number, "what is issued says so at once");
    let bare = Identity::from_pem(
        &authority.issue(&IssueRequest::new("web3".parse().unwrap(), Role::Minion)).unwrap().cert_pem,
        "",
        authority.certificate(),
    );
    bare.unwrap_err();
}

#[test]
fn each_authority_revokes_its_own_and_both_lists_are_heeded() {
    let home = tempfile::tempdir().unwrap();
    let authority = made(home.path());
    let (minion, boss) = (issued(&authority, "web1", Role::Minion), issued(&authority, "boss", Role::Overlord));
    let ann = issued(&authority, "ann", Role::Overlord);
    let authority = switched(authority);
    let bob = issued(&authority, "bob", Role::Overlord);
    let minion = told(&minion, &authority);
    let list = authority.revoke(&[ann.peer().serial.clone()]).unwrap();
    assert_eq!(minion.clone().with_revocations(&list).unwrap().revoked().len(), 1);
    authority.revoke(&[bob.peer().serial.clone()]).unwrap();
    let before = fs::read(&list).unwrap();
    authority.revoke(&[bob.peer().serial.clone()]).unwrap();
    assert_eq!(fs::read(&list).unwrap(), before, "nothing new is nothing written");
    let minion = minion.with_revocations(&list).unwrap();
    assert_eq!((minion.revoked().len(), authority.revoked().unwrap().len()), (2, 2));
    for gone in [&ann, &bob] {
        shake(&minion, gone, "web1").unwrap_err();
    }
    shake(&minion, &boss, "web1").unwrap();

    // A list of the old authority lies there still when the statement without it is taken.
    let fresh = issued(&authority, "web1", Role::Minion).with_revocations(&list).unwrap();
    let everybody = ["boss", "web1"].map(|name| name.parse().unwrap()).into();
    let authority = authority.finish(&[], &everybody).unwrap();
    let fresh = told(&fresh, &authority);
    assert_eq!(fresh.revoked().len(), 1);
    fs::write(home.path().join("crl.pem"), before).unwrap();
    let again = fresh.clone().with_revocations(&list).unwrap();
    assert_eq!(again.revoked().numbers(), fresh.revoked().numbers());
    shake(&again, &bob, "web1").unwrap_err();
    let folder = home.path().join("identity");
    authority.issue(&IssueRequest::new("web1".parse().unwrap(), Role::Minion)).unwrap().save(&folder).unwrap();
    let files = IdentityFiles { revoked: list, ..IdentityFiles::in_folder(&folder) };
    let renewed = fresh.reread(&files, |_| Ok(()));
    assert!(renewed.changed && renewed.wrong.is_none(), "{:?}", renewed.wrong);
    assert_eq!(renewed.identity.revoked().numbers(), fresh.revoked().numbers());
}

#[test]
fn nobody_is_left_behind_but_those_who_are_named() {
    let home = tempfile::tempdir().unwrap();
    let authority = made(home.path());
    let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<HostName>>();
    let (web, old) = (names(&["web1", "web2"]), issued(&authority, "ann", Role::Overlord));
    let serials = |authority: &Authority| {
        ["web1", "web2"].map(|name| issued(authority, name, Role::Minion).peer().serial.clone())
    };
    let first = serials(&authority);
    let authority = authority.begin_rotation().unwrap();
    let number = authority.trust().unwrap().unwrap().number();
    let authority = authority.note_held([(web[0].clone(), number, first[0].clone())]).unwrap();
    assert_eq!(authority.not_told(&web).unwrap(), names(&["web2"]));
    let refused = authority.reopened().unwrap().switch(&web, &nobody());
    assert!(matches!(refused, Err(Error::NotTold { hosts }) if hosts == names(&["web2"])));
    let authority = authority.switch(&web, &names(&["web2"]).into_iter().collect()).unwrap();

    let second = serials(&authority);
    let authority = authority.note_held([(web[0].clone(), number, second[0].clone())]).unwrap();
    let left = |authority: &Authority| {
        let left = authority.stragglers(&web).unwrap();
        left.into_iter().map(|left| (left.name.to_string(), left.why)).collect::<Vec<_>>()
    };
    assert_eq!(left(&authority), [("ann".to_owned(), Left::Certificate), ("web2".to_owned(), Left::Statement)]);
    // One that was signed and never arrived is not what the host shows.
    let authority = authority.note_held([(web[1].clone(), number, first[1].clone())]).unwrap();
    assert_eq!(left(&authority)[1], ("web2".to_owned(), Left::Certificate));
    let refused = authority.reopened().unwrap().finish(&web, &names(&["ann"]).into_iter().collect());
    assert!(matches!(refused, Err(Error::LeftBehind { names: left }) if left == names(&["web2"])));
    let authority = authority.note_held([(web[1].clone(), number, second[1].clone())]).unwrap();
    authority.revoke(&[old.peer().serial.clone()]).unwrap();
    assert_eq!(left(&authority), []);
    let authority = authority.finish(&web, &nobody()).unwrap();
    assert!(!home.path().join(OLD_KEY).exists() && !authority.rotation().unwrap().is_open());
    // And once more, with names that differ again.
    let again = switched(authority);
    assert!(again.certificate() != "" && again.stragglers(&[]).unwrap().len() == 2);
}

#[test]
fn keys_that_are_sealed_stay_sealed_with_one_passphrase() {
    let home = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|text| Passphrase::new(text).unwrap());
    Authority::init_with(home.path(), "Func CA", Some(&one)).unwrap();
    assert!(matches!(Authority::open(home.path()).unwrap().begin_rotation(), Err(Error::Sealed { .. })));
    let sealed = |name: &str| fs::read_to_string(home.path().join(name)).unwrap().contains("ENCRYPTED");
    let authority = Authority::open_with(home.path(), &one).unwrap().begin_rotation().unwrap();
    assert!(sealed(NEXT_KEY) && !authority.is_sealed());
    authority.set_passphrase(Some(&two)).unwrap();
    let authority = Authority::open_with(home.path(), &two).unwrap().switch(&[], &nobody()).unwrap();
    assert!(sealed(OLD_KEY) && sealed("ca-key.pem"));
    // A change that broke off after the first of the keys is made whole by the next.
    super::super::key::seal_anew(&home.path().join(OLD_KEY), Some(&two), Some(&one)).unwrap();
    authority.set_passphrase(Some(&one)).unwrap();
    let authority = Authority::open_with(home.path(), &one).unwrap();
    let serial = issued(&authority, "ann", Role::Overlord).peer().serial.clone();
    authority.revoke(&[serial]).unwrap();
    // What only looks needs no passphrase.
    assert!(Authority::open(home.path()).unwrap().rotation().unwrap().is_open());
}

#[test]
fn an_authority_that_was_opened_before_the_switch_signs_nothing_after_it() {
    let home = tempfile::tempdir().unwrap();
    let before = made(home.path());
    assert!(before.successor().unwrap().is_none());
    let after = switched(Authority::open(home.path()).unwrap());
    let refused = before.issue(&IssueRequest::new("web1".parse().unwrap(), Role::Minion));
    assert!(matches!(refused, Err(Error::Replaced { .. })), "{refused:?}");
    assert!(before.revoke(&[]).is_err());
    assert_eq!(before.successor().unwrap().unwrap().fingerprint(), after.fingerprint());
}
