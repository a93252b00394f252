//! What is taken into use, and what is not.

use std::{
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{brought::beside, *};
use crate::{
    ca::{Authority, IssueRequest, SigningRequest},
    minion::{caller::Caller, check},
    tls::{Chain, Peer, RevocationList},
};

/// Longer than between two looks at the files.
const A_LOOK: Duration = Duration::from_secs(1);

/// What this thread logs.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn count(&self, words: &str) -> usize {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&said).matches(words).count()
    }
}

impl io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Stand {
    home: tempfile::TempDir,
    authority: Authority,
    files: IdentityFiles,
    in_force: InForce,
    boss: Peer,
}

fn issue(authority: &Authority, name: &str, role: Role) -> crate::ca::Issued {
    authority.issue(&IssueRequest::new(name.parse().unwrap(), role)).unwrap()
}

impl Stand {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let authority = Authority::init(&home.path().join("ca"), "Func CA").unwrap();
        let folder = home.path().join("identity");
        issue(&authority, "web1", Role::Minion).save(&folder).unwrap();
        let files = IdentityFiles {
            certificate: folder.join("cert.pem"),
            key: folder.join("key.pem"),
            authority: folder.join("ca.pem"),
            revoked: folder.join("crl.pem"),
        };
        let boss = issue(&authority, "boss", Role::Overlord).identity().unwrap().peer().clone();
        let in_force = following(check::identity(&files).unwrap(), &files).unwrap();
        Self { home, authority, files, in_force, boss }
    }

    fn revoke(&self, name: &str) -> (crate::ids::Serial, String) {
        let serial = issue(&self.authority, name, Role::Overlord).serial;
        let path = self.authority.revoke(std::slice::from_ref(&serial)).unwrap();
        (serial, fs::read_to_string(path).unwrap())
    }

    fn revoked(&self) -> Arc<RevocationList> {
        Arc::clone(self.in_force.identity().revoked())
    }

    /// Somebody who has been let in.
    fn caller(&self, peer: Peer) -> Caller {
        let chain = Chain::of_client(&[], self.in_force.identity().authorities());
        Caller { peer, chain, from: "127.0.0.1:1".parse().unwrap(), subject: None }
    }

    async fn ask(&self, method: &str, params: Vec<Value>) -> Result<Value, RemoteError> {
        answer(&self.in_force, self.boss.role, Builtin::find(method).unwrap(), params).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_list_comes_into_force_and_neither_a_broken_one_nor_an_older_one_does() {
    let stand = Stand::new();
    let [(_, first), (ann, second)] = ["bob", "ann"].map(|name| stand.revoke(name));
    fs::write(&stand.files.revoked, &second).unwrap();
    tokio::time::sleep(A_LOOK * 3).await;
    assert!(stand.revoked().contains(&ann));
    for text in ["junk", &first] {
        fs::write(&stand.files.revoked, text).unwrap();
        tokio::time::sleep(A_LOOK * 3).await;
        assert_eq!(stand.revoked().len(), 2);
    }
    fs::remove_file(&stand.files.revoked).unwrap();
    tokio::time::sleep(A_LOOK * 3).await;
    assert_eq!(stand.revoked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_in_another_role_is_not_taken() {
    let stand = Stand::new();
    let before = stand.in_force.identity().peer().clone();
    let folder = stand.home.path().join("identity");
    issue(&stand.authority, "web1", Role::Reader).save(&folder).unwrap();
    tokio::time::sleep(A_LOOK * 3).await;
    assert_eq!(*stand.in_force.identity().peer(), before);
    issue(&stand.authority, "web1", Role::Minion).save(&folder).unwrap();
    tokio::time::sleep(A_LOOK * 3).await;
    assert_ne!(*stand.in_force.identity().peer(), before);
}

#[tokio::test(start_paused = true)]
async fn a_broken_list_is_told_of_once() {
    let said = Said::default();
    let writer = said.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let stand = Stand::new();
    for (times, text) in ["junk", "other junk"].into_iter().enumerate() {
        fs::write(&stand.files.revoked, text).unwrap();
        tokio::time::sleep(A_LOOK * 10).await;
        assert_eq!(said.count("cannot use the new revocation list"), times + 1);
    }
    assert!(stand.revoked().is_empty());
}

#[tokio::test]
async fn a_list_that_is_brought_is_enforced_at_once_and_an_old_one_cannot_be_replayed() {
    let stand = Stand::new();
    let [(_, first), (ann, second)] = ["bob", "ann"].map(|name| stand.revoke(name));
    let taken = |answer: Value| answer.to_json()["taken"].clone();
    assert_eq!(taken(stand.ask("identity.crl", vec![second.into()]).await.unwrap()), true);
    assert!(stand.revoked().contains(&ann));
    assert_eq!(taken(stand.ask("identity.crl", vec![first.into()]).await.unwrap()), false);
    assert!(stand.revoked().contains(&ann));
    // Also after a restart.
    assert_eq!(check::identity(&stand.files).unwrap().revoked().len(), 2);
    let stranger = Authority::init(&stand.home.path().join("forger"), "Func CA").unwrap();
    let serial = issue(&stranger, "x", Role::Overlord).serial;
    let forged = fs::read_to_string(stranger.revoke(&[serial]).unwrap()).unwrap();
    for text in [forged, "junk".to_owned(), String::new()] {
        assert_eq!(stand.ask("identity.crl", vec![text.into()]).await.unwrap_err().kind, "Refused");
    }
    assert_eq!(stand.revoked().len(), 2);
}

#[tokio::test]
async fn a_revoked_caller_is_told_from_others_while_it_waits() {
    let stand = Stand::new();
    let list = stand.authority.revoke(std::slice::from_ref(&stand.boss.serial)).unwrap();
    let boss = stand.caller(stand.boss.clone());
    let waiting = stand.in_force.gives_up(&boss.peer, &boss.chain);
    let list = fs::read_to_string(list).unwrap();
    let (brought, why) = tokio::join!(stand.ask("identity.crl", vec![list.into()]), waiting);
    brought.unwrap();
    assert!(why.to_string().contains("revoked"), "{why}");
    let other = issue(&stand.authority, "eve", Role::Overlord).identity().unwrap().peer().clone();
    let other = stand.caller(other);
    let waits =
        tokio::time::timeout(Duration::from_millis(20), stand.in_force.gives_up(&other.peer, &other.chain)).await;
    waits.unwrap_err();
}

#[tokio::test]
async fn an_identity_is_renewed_with_a_new_key_and_nobody_else_s_is_taken() {
    let stand = Stand::new();
    let before = fs::read(&stand.files.key).unwrap();
    let csr = || async {
        let Value::String(csr) = stand.ask("identity.csr", vec![]).await.unwrap() else { panic!("no text") };
        SigningRequest::from_pem(csr.as_bytes()).unwrap()
    };
    let other = issue(&stand.authority, "web1", Role::Minion).cert_pem;
    let request = csr().await;
    assert_eq!(stand.ask("identity.install", vec![other.into()]).await.unwrap_err().kind, "Refused");
    let stranger = Authority::init(&stand.home.path().join("forger"), "Func CA").unwrap();
    let forged = stranger.renew(&request, Role::Minion, &[], 10).unwrap();
    assert_eq!(stand.ask("identity.install", vec![forged.into()]).await.unwrap_err().kind, "Refused");
    let wrong = stand.authority.renew(&request, Role::SubOverlord, &[], 10).unwrap();
    assert_eq!(stand.ask("identity.install", vec![wrong.into()]).await.unwrap_err().kind, "Refused");
    assert_eq!(fs::read(&stand.files.key).unwrap(), before);
    let fresh = stand.authority.renew(&request, Role::Minion, &[], 10).unwrap();
    stand.ask("identity.install", vec![fresh.into()]).await.unwrap();
    let (on_disk, served) = (check::identity(&stand.files).unwrap(), stand.in_force.identity().peer().clone());
    assert_eq!(*on_disk.peer(), served);
    assert_ne!(fs::read(&stand.files.key).unwrap(), before);
    // Whoever passes calls on brings it as well; the word behind the request is for the authority, who else asks is nobody.
    for (role, may) in [(Role::SubOverlord, true), (Role::Minion, false), (Role::Reader, false), (Role::Author, false)]
    {
        let asked = answer(&stand.in_force, Some(role), Builtin::find("identity.csr").unwrap(), vec![]).await;
        assert_eq!(asked.map_err(|error| error.kind).err(), (!may).then(|| "Refused".to_owned()), "{role}");
    }
    let Value::String(text) = stand.ask("identity.csr", vec![]).await.unwrap() else { panic!("no text") };
    let request = SigningRequest::from_pem(text.as_bytes()).unwrap();
    stand.authority.check_own_word(text.as_bytes(), &request).unwrap();
}

#[tokio::test]
async fn an_installation_that_broke_off_is_finished_at_the_next_start() {
    for key_moved in [false, true] {
        let stand = Stand::new();
        let Value::String(csr) = stand.ask("identity.csr", vec![]).await.unwrap() else { panic!("no text") };
        let request = SigningRequest::from_pem(csr.as_bytes()).unwrap();
        let fresh = stand.authority.renew(&request, Role::Minion, &[], 10).unwrap();
        fs::write(beside(&stand.files.certificate, "next-cert.pem"), &fresh).unwrap();
        if key_moved {
            fs::rename(beside(&stand.files.key, "next-key.pem"), &stand.files.key).unwrap();
            check::identity(&stand.files).unwrap_err();
        }
        finish(&stand.files).unwrap();
        check::identity(&stand.files).unwrap();
        assert_eq!(fs::read_to_string(&stand.files.certificate).unwrap(), fresh);
    }
}

/// A client's certificates, as a handshake leaves them.
fn presented(stand: &Stand, issued: &crate::ca::Issued) -> Caller {
    let identity = issued.identity().unwrap();
    let chain = Chain::of_client(&identity.certified_key().cert, stand.in_force.identity().authorities());
    Caller { chain, ..stand.caller(identity.peer().clone()) }
}

#[tokio::test]
async fn whose_authority_is_given_up_is_cut_off() {
    let stand = Stand::new();
    let nobody = std::collections::BTreeSet::new();
    let old = presented(&stand, &issue(&stand.authority, "boss", Role::Overlord));
    let folder = stand.home.path().join("ca");
    let told = |authority: &Authority| Value::from(authority.trust().unwrap().unwrap().to_pem());
    let authority = Authority::open(&folder).unwrap().begin_rotation().unwrap();
    stand.ask("identity.trust", vec![told(&authority)]).await.unwrap();
    let authority = authority.switch(&[], &nobody).unwrap();
    stand.in_force.check(&old.peer, &old.chain).unwrap();

    // By the statement alone its own certificate would be good for nothing.
    let finished = Authority::open(&folder).unwrap();
    let new = presented(&stand, &issue(&authority, "boss", Role::Overlord));
    let Value::String(csr) = stand.ask("identity.csr", vec![]).await.unwrap() else { panic!("no text") };
    let request = SigningRequest::from_pem(csr.as_bytes()).unwrap();
    let fresh = authority.renew(&request, Role::Minion, &[], 10).unwrap();
    let finished = finished.finish(&[], &nobody).unwrap();
    let refused = stand.ask("identity.trust", vec![told(&finished)]).await.unwrap_err();
    assert!(refused.message.contains("own certificate"), "{refused:?}");
    stand.ask("identity.install", vec![fresh.into()]).await.unwrap();

    let waiting = stand.in_force.gives_up(&old.peer, &old.chain);
    let (taken, why) = tokio::join!(stand.ask("identity.trust", vec![told(&finished)]), waiting);
    assert_eq!(taken.unwrap().to_json()["taken"], true);
    assert!(why.to_string().contains("not believed any more"), "{why}");
    stand.in_force.check(&old.peer, &old.chain).unwrap_err();
    stand.in_force.check(&new.peer, &new.chain).unwrap();
    // Also after a restart.
    let again = check::identity(&stand.files).unwrap();
    assert_eq!(again.trust_number(), finished.trust().unwrap().unwrap().number());
    assert!(again.gives_up(&old.peer, &old.chain).is_some());
}
