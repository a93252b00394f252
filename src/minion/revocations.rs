//! The revocation list, read again when its file changes.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::sync::watch;

use crate::tls::{Identity, RevocationList};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// What is revoked at present. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Revocations(watch::Receiver<Arc<RevocationList>>);

impl Revocations {
    /// The list of `identity`, for good.
    pub(super) fn fixed(identity: &Identity) -> Self {
        Self(watch::channel(Arc::clone(identity.revoked())).1)
    }

    /// The list of `identity`, kept up with the file at `path` for as long as somebody asks. A list
    /// that cannot be used leaves the last good one in force.
    pub(super) fn following(identity: &Identity, path: &Path) -> Self {
        let (sender, receiver) = watch::channel(Arc::clone(identity.revoked()));
        tokio::spawn(follow(identity.clone(), path.to_owned(), sender));
        Self(receiver)
    }

    /// The list in force.
    pub(super) fn now(&self) -> Arc<RevocationList> {
        Arc::clone(&self.0.borrow())
    }
}

async fn follow(identity: Identity, path: PathBuf, sender: watch::Sender<Arc<RevocationList>>) {
    // Not what it is like now: it may have changed since the identity was read.
    let mut seen = None;
    let mut complaint = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = sender.closed() => return,
        }
        let now = changed(&path);
        // A list that vanishes is more likely a mistake than an amnesty.
        if now == seen || now.is_none() {
            continue;
        }
        match identity.clone().with_revocations(&path) {
            Ok(fresh) => {
                // Only now: what could not be read for a passing reason is read again.
                (seen, complaint) = (now, None);
                tracing::info!(revoked = fresh.revoked().len(), "read the revocation list again");
                sender.send_replace(Arc::clone(fresh.revoked()));
            }
            Err(error) => {
                // It is tried again and again, but said once of each version of the file and each reason.
                let this = Some((now, error.to_string()));
                if complaint != this {
                    complaint = this;
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "cannot use the new revocation list; the last one stays in force"
                    );
                }
            }
        }
    }
}

fn changed(path: &Path) -> Option<(SystemTime, u64)> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Mutex, PoisonError},
    };

    use super::*;
    use crate::{
        ca::{Authority, IssueRequest},
        tls::Role,
    };

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

    #[tokio::test(start_paused = true)]
    async fn a_new_list_comes_into_force_and_a_broken_one_does_not() {
        let home = tempfile::tempdir().unwrap();
        let authority = Authority::init(home.path(), "Func CA").unwrap();
        let issue = |name: &str| authority.issue(&IssueRequest::new(name.parse().unwrap(), Role::Overlord)).unwrap();
        let (us, boss) = (issue("web1").identity().unwrap(), issue("boss"));
        let path = home.path().join("crl.pem");
        let revocations = Revocations::following(&us.with_revocations(&path).unwrap(), &path);
        assert!(revocations.now().is_empty());
        authority.revoke(std::slice::from_ref(&boss.serial)).unwrap();
        let mut receiver = revocations.0.clone();
        receiver.wait_for(|list| list.contains(&boss.serial)).await.unwrap();
        std::fs::write(&path, "junk").unwrap();
        tokio::time::sleep(EVERY * 3).await;
        assert_eq!(revocations.now().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_list_is_told_of_once() {
        let said = Said::default();
        let writer = said.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let _here = tracing::subscriber::set_default(subscriber);
        let home = tempfile::tempdir().unwrap();
        let authority = Authority::init(home.path(), "Func CA").unwrap();
        let us = authority.issue(&IssueRequest::new("web1".parse().unwrap(), Role::Minion)).unwrap();
        let path = home.path().join("crl.pem");
        let revocations = Revocations::following(&us.identity().unwrap(), &path);
        for (times, text) in ["junk", "other junk"].into_iter().enumerate() {
            std::fs::write(&path, text).unwrap();
            tokio::time::sleep(EVERY * 10).await;
            assert_eq!(said.count("cannot use the new revocation list"), times + 1);
        }
        assert!(revocations.now().is_empty());
    }
}
