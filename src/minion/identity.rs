//! Who this minion is and whom it believes, at every moment: taken anew while it serves.
//!
//! ```text
//! cert.pem, key.pem, ca.pem, crl.pem ──changed──▶ read, checked ──▶ shown and enforced from the next handshake and request on
//! identity.crl ──signed by our CA, not older──▶ crl.pem ─────────┘  └── broken, or older ──▶ the last good ones stay
//! identity.csr ──▶ next-key.pem           a new key, which never leaves this machine
//! identity.install ──▶ next-cert.pem      decided: from here on a crash ends with the new identity
//!                  ──▶ key.pem, cert.pem  by two renames, finished at the next start if need be
//! ```
//!
//! A caller whose certificate is revoked loses the connections that it has open, with whatever it waits for on them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::{Mutex, watch};
use tokio_rustls::TlsAcceptor;

use super::{IdentityFiles, builtin::Builtin, check};
use crate::{
    ca::SigningRequest,
    ids::HostName,
    sys::durable,
    tls::{self, Identity, Peer, RevocationList, Role, Stamp, server_config},
    wire::{RemoteError, Value},
};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The longest text that is read as a certificate or a list.
const MOST_BYTES: usize = 4 << 20;

/// The identity in force. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct IdentityInForce {
    now: watch::Receiver<Arc<Now>>,
    /// Where it lies; nothing where it does not change.
    kept: Option<Arc<Kept>>,
}

#[derive(Debug)]
struct Kept {
    files: IdentityFiles,
    sender: watch::Sender<Arc<Now>>,
    /// One change at a time.
    turn: Mutex<()>,
}

struct Now {
    identity: Identity,
    acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Now {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Now").field("peer", self.identity.peer()).finish_non_exhaustive()
    }
}

impl Now {
    fn of(identity: Identity) -> Result<Arc<Self>, tls::Error> {
        let acceptor = TlsAcceptor::from(server_config(&identity)?);
        Ok(Arc::new(Self { identity, acceptor }))
    }
}

impl IdentityInForce {
    /// This one, for good.
    pub(super) fn fixed(identity: &Identity) -> Result<Self, tls::Error> {
        Ok(Self { now: watch::channel(Now::of(identity.clone())?).1, kept: None })
    }

    /// This one, kept up with its files for as long as somebody asks.
    pub(super) fn following(identity: Identity, files: &IdentityFiles) -> Result<Self, tls::Error> {
        let (sender, now) = watch::channel(Now::of(identity)?);
        let kept = Arc::new(Kept { files: files.clone(), sender, turn: Mutex::default() });
        tokio::spawn(follow(Arc::downgrade(&kept), files.clone()));
        Ok(Self { now, kept: Some(kept) })
    }

    /// What is revoked at present.
    pub(super) fn revoked(&self) -> Arc<RevocationList> {
        Arc::clone(self.now.borrow().identity.revoked())
    }

    /// Who this minion is at present.
    pub(super) fn identity(&self) -> Identity {
        self.now.borrow().identity.clone()
    }

    /// For the next handshake.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.now.borrow().acceptor.clone()
    }

    /// What the header of every answer says of our lists; nothing where nobody can bring a newer one.
    pub(super) fn numbers(&self) -> Option<String> {
        self.kept.as_ref().map(|_| self.now.borrow().identity.revoked().numbers())
    }

    /// Ends when `peer` is revoked.
    pub(super) async fn revokes(&self, peer: &Peer) {
        let mut now = self.now.clone();
        if now.wait_for(|now| now.identity.revoked().contains(&peer.serial)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Answers a built-in method.
    pub(super) async fn answer(
        &self,
        caller: &Peer,
        builtin: &'static Builtin,
        params: Vec<Value>,
    ) -> Result<Value, RemoteError> {
        let Some(kept) = &self.kept else {
            return Err(RemoteError::new("NotCallable", "a simulated minion keeps its identity"));
        };
        if builtin.name != "identity.crl" && caller.role != Some(Role::Overlord) {
            return Err(refused("only an overlord renews identities"));
        }
        let _turn = kept.turn.lock().await;
        match builtin.name {
            "identity.crl" => {
                let [text] = builtin.args(params)?;
                kept.take_list(builtin.text(0, text)?.as_bytes())
            }
            "identity.csr" => {
                let [] = builtin.args(params)?;
                kept.request().map(Value::from)
            }
            _ => {
                let [text] = builtin.args(params)?;
                kept.install(&builtin.text(0, text)?)
            }
        }
    }
}

impl Kept {
    fn now(&self) -> Arc<Now> {
        Arc::clone(&self.sender.borrow())
    }

    /// Takes the newer list of each authority.
    fn take_list(&self, text: &[u8]) -> Result<Value, RemoteError> {
        let now = self.now();
        let path = &self.files.revoked;
        let fresh = read_list(&now.identity, text, path)?;
        let in_force = now.identity.revoked();
        let news = fresh.is_news_for(&in_force.numbers());
        if news {
            let newest = fresh.newest_of(in_force);
            durable::write_atomic(path, newest.to_pem().as_bytes(), 0o644).map_err(|error| internal(path, &error))?;
            let identity = now.identity.clone().with_revoked(Arc::new(newest));
            self.sender.send_replace(Now::of(identity).map_err(|error| refused(error.to_string()))?);
            tracing::info!("took a newer revocation list");
        }
        Ok(Value::structure([
            ("taken", Value::Bool(news)),
            ("numbers", self.now().identity.revoked().numbers().into()),
        ]))
    }

    /// A request for another certificate, with a new key.
    fn request(&self) -> Result<String, RemoteError> {
        let path = beside(&self.files.key, "next-key.pem");
        let name: HostName =
            self.now().identity.peer().name.parse().map_err(|_| refused("this minion's name is no host's"))?;
        let failed = |error: crate::ca::Error| RemoteError::new("Internal", error.to_string());
        let key = SigningRequest::new_key().map_err(failed)?;
        durable::write_atomic(&path, key.as_bytes(), 0o600).map_err(|error| internal(&path, &error))?;
        SigningRequest::make_with(&name, &key).map_err(failed)
    }

    /// Serves with another certificate for the key of the last request.
    fn install(&self, certificate: &str) -> Result<Value, RemoteError> {
        if certificate.len() > MOST_BYTES {
            return Err(refused("the certificate is too long"));
        }
        let now = self.now();
        let (next_key, next) =
            (beside(&self.files.key, "next-key.pem"), beside(&self.files.certificate, "next-cert.pem"));
        let read = |path: &Path| fs::read_to_string(path).map_err(|error| internal(path, &error));
        let (key, ca) = (read(&next_key)?, read(&self.files.authority)?);
        let unfit = |error: tls::Error| refused(chain(&error));
        let fresh = Identity::from_pem(certificate, &key, &ca).map_err(unfit)?;
        fresh.check_as_server(Timestamp::now()).map_err(unfit)?;
        let (old, new) = (now.identity.peer(), fresh.peer());
        if (&old.name, old.role) != (&new.name, new.role) {
            return Err(refused(format!("the certificate is of `{}`, not of `{}` in its role", new.name, old.name)));
        }
        durable::write_atomic(&next, certificate.as_bytes(), 0o644).map_err(|error| internal(&next, &error))?;
        finish(&self.files).map_err(|error| internal(&next, &error))?;
        let until = new.not_after.to_string();
        let identity = fresh.with_revoked(Arc::clone(now.identity.revoked()));
        tracing::info!(until, "serving with a new certificate");
        let serial = identity.peer().serial.to_string();
        self.sender.send_replace(Now::of(identity).map_err(unfit)?);
        Ok(Value::structure([("serial", serial.into()), ("until", until.into())]))
    }
}

/// Ends what an installation that broke off had decided: a certificate lies ready, and its key beside it or in its place.
pub(super) fn finish(files: &IdentityFiles) -> io::Result<()> {
    tls::finish_installation(&files.certificate, &files.key)
}

fn beside(path: &Path, name: &str) -> PathBuf {
    durable::folder_of(path).join(name)
}

fn read_list(identity: &Identity, text: &[u8], called: &Path) -> Result<RevocationList, RemoteError> {
    if text.len() > MOST_BYTES {
        return Err(refused("the revocation list is too long"));
    }
    identity
        .read_revocations(text, called)
        .map_err(|error| refused(format!("what was sent is no list of our CA: {error}")))
}

fn refused(why: impl Into<String>) -> RemoteError {
    RemoteError::new("Refused", why.into())
}

fn internal(path: &Path, error: &dyn std::error::Error) -> RemoteError {
    RemoteError::new("Internal", format!("`{}`: {error}", path.display()))
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

async fn follow(kept: std::sync::Weak<Kept>, files: IdentityFiles) {
    // Not what they are like now: they may have changed since the identity was read.
    let mut seen = None;
    let mut complaint = None;
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(kept) = kept.upgrade() else { return };
        let _turn = kept.turn.lock().await;
        let stamp = stamp(&files);
        if Some(&stamp) == seen.as_ref() {
            continue;
        }
        match reread(&kept) {
            Ok(changed) => {
                // Only now: what could not be read for a passing reason is read again.
                (seen, complaint) = (Some(stamp), None);
                if let Some(changed) = changed {
                    tracing::info!(
                        revoked = changed.identity.revoked().len(),
                        "read the identity and the revocation list again"
                    );
                    kept.sender.send_replace(changed);
                }
            }
            Err(why) => {
                // It is tried again and again, but said once of each version of the files and each reason.
                let this = Some((stamp, why));
                if complaint != this {
                    if let Some((_, why)) = &this {
                        tracing::error!(
                            why,
                            "cannot use the new revocation list or identity; the last one stays in force"
                        );
                    }
                    complaint = this;
                }
            }
        }
    }
}

/// What the files say, if that is not what is in force.
fn reread(kept: &Kept) -> Result<Option<Arc<Now>>, String> {
    let now = kept.now();
    let fresh = check::identity(&kept.files).map_err(|error| chain(&error))?;
    let fresh = now.identity.succeeded_by(fresh, &kept.files.revoked).map_err(|error| chain(&error))?;
    Now::of(fresh).map(Some).map_err(|error| error.to_string())
}

fn stamp(files: &IdentityFiles) -> Stamp {
    Stamp::of([&files.certificate, &files.key, &files.authority, &files.revoked].map(PathBuf::as_path))
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex as Lock, PoisonError};

    use super::*;
    use crate::ca::{Authority, IssueRequest};

    /// What this thread logs.
    #[derive(Clone, Default)]
    struct Said(Arc<Lock<Vec<u8>>>);

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
        in_force: IdentityInForce,
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
            let in_force = IdentityInForce::following(check::identity(&files).unwrap(), &files).unwrap();
            Self { home, authority, files, in_force, boss }
        }

        fn revoke(&self, name: &str) -> (crate::ids::Serial, String) {
            let serial = issue(&self.authority, name, Role::Overlord).serial;
            let path = self.authority.revoke(std::slice::from_ref(&serial)).unwrap();
            (serial, fs::read_to_string(path).unwrap())
        }

        async fn ask(&self, method: &str, params: Vec<Value>) -> Result<Value, RemoteError> {
            self.in_force.answer(&self.boss, Builtin::find(method).unwrap(), params).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_list_comes_into_force_and_neither_a_broken_one_nor_an_older_one_does() {
        let stand = Stand::new();
        let [(_, first), (ann, second)] = ["bob", "ann"].map(|name| stand.revoke(name));
        fs::write(&stand.files.revoked, &second).unwrap();
        let mut now = stand.in_force.now.clone();
        now.wait_for(|now| now.identity.revoked().contains(&ann)).await.unwrap();
        for text in ["junk", &first] {
            fs::write(&stand.files.revoked, text).unwrap();
            tokio::time::sleep(EVERY * 3).await;
            assert_eq!(stand.in_force.revoked().len(), 2);
        }
        fs::remove_file(&stand.files.revoked).unwrap();
        tokio::time::sleep(EVERY * 3).await;
        assert_eq!(stand.in_force.revoked().len(), 2);
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
            tokio::time::sleep(EVERY * 10).await;
            assert_eq!(said.count("cannot use the new revocation list"), times + 1);
        }
        assert!(stand.in_force.revoked().is_empty());
    }

    #[tokio::test]
    async fn a_list_that_is_brought_is_enforced_at_once_and_an_old_one_cannot_be_replayed() {
        let stand = Stand::new();
        let [(_, first), (ann, second)] = ["bob", "ann"].map(|name| stand.revoke(name));
        let taken = |answer: Value| answer.to_json()["taken"].clone();
        assert_eq!(taken(stand.ask("identity.crl", vec![second.into()]).await.unwrap()), true);
        assert!(stand.in_force.revoked().contains(&ann));
        assert_eq!(taken(stand.ask("identity.crl", vec![first.into()]).await.unwrap()), false);
        assert!(stand.in_force.revoked().contains(&ann));
        // Also after a restart.
        assert_eq!(check::identity(&stand.files).unwrap().revoked().len(), 2);
        let stranger = Authority::init(&stand.home.path().join("forger"), "Func CA").unwrap();
        let serial = issue(&stranger, "x", Role::Overlord).serial;
        let forged = fs::read_to_string(stranger.revoke(&[serial]).unwrap()).unwrap();
        for text in [forged, "junk".to_owned(), String::new()] {
            assert_eq!(stand.ask("identity.crl", vec![text.into()]).await.unwrap_err().kind, "Refused");
        }
        assert_eq!(stand.in_force.revoked().len(), 2);
    }

    #[tokio::test]
    async fn a_revoked_caller_is_told_from_others_while_it_waits() {
        let stand = Stand::new();
        let list = stand.authority.revoke(std::slice::from_ref(&stand.boss.serial)).unwrap();
        let waiting = stand.in_force.revokes(&stand.boss);
        let list = fs::read_to_string(list).unwrap();
        let (brought, ()) = tokio::join!(stand.ask("identity.crl", vec![list.into()]), waiting);
        brought.unwrap();
        let other = issue(&stand.authority, "eve", Role::Overlord).identity().unwrap().peer().clone();
        let waits = tokio::time::timeout(Duration::from_millis(20), stand.in_force.revokes(&other)).await;
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
        let (on_disk, served) =
            (check::identity(&stand.files).unwrap(), stand.in_force.now.borrow().identity.peer().clone());
        assert_eq!(*on_disk.peer(), served);
        assert_ne!(fs::read(&stand.files.key).unwrap(), before);
        let sub = Peer { role: Some(Role::SubOverlord), ..stand.boss.clone() };
        let refused = stand.in_force.answer(&sub, Builtin::find("identity.csr").unwrap(), vec![]).await;
        assert_eq!(refused.unwrap_err().kind, "Refused");
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
}
