//! What the daemon shows on the network, and whom it believes there: kept up with the files of its identity while it serves.
//!
//! The certificate is one of a server, and not the overlord's own: that is good for a client alone, so that no overlord can
//! pose as a minion. The revocation list is the overlord's.

use std::path::Path;

use jiff::Timestamp;

use crate::tls::{self, Identity, IdentityFiles, InForce, REVOCATIONS_FILE, Unfit};

/// The identity in this folder, which must be fit for a server, and the revocation list in the overlord's.
pub(super) fn following(folder: &Path, overlord: &Path) -> Result<InForce, tls::Error> {
    let files = IdentityFiles { revoked: overlord.join(REVOCATIONS_FILE), ..IdentityFiles::in_folder(folder) };
    let identity = files.read()?;
    identity.check_as_server(Timestamp::now())?;
    InForce::following(identity, files, fit)
}

fn fit(identity: &Identity) -> Result<(), Unfit> {
    Ok(identity.check_as_server(Timestamp::now())?)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::atomic::{AtomicBool, Ordering},
        time::Duration,
    };

    use super::*;
    use crate::{
        ca::{Authority, IssueRequest},
        ids::Serial,
        tls::{CERTIFICATE_FILE, Role},
    };

    /// Longer than several looks at the files.
    const A_WHILE: Duration = Duration::from_secs(5);

    struct Stand {
        home: tempfile::TempDir,
        authority: Authority,
    }

    impl Stand {
        fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            let authority = Authority::init(&home.path().join("ca"), "Func CA").unwrap();
            let stand = Self { home, authority };
            fs::create_dir(stand.overlord()).unwrap();
            stand.renew();
            stand
        }

        fn folder(&self) -> std::path::PathBuf {
            self.home.path().join("daemon")
        }

        fn overlord(&self) -> std::path::PathBuf {
            self.home.path().join("overlord")
        }

        fn following(&self) -> InForce {
            following(&self.folder(), &self.overlord()).unwrap()
        }

        fn issue(&self, name: &str) -> crate::ca::Issued {
            self.authority.issue(&IssueRequest::new(name.parse().unwrap(), Role::Minion)).unwrap()
        }

        fn renew(&self) {
            self.issue("boss.example").save(&self.folder()).unwrap();
        }

        fn revoke(&self, name: &str) -> Serial {
            let serial = self.issue(name).serial;
            let list = self.authority.revoke(std::slice::from_ref(&serial)).unwrap();
            fs::copy(list, self.overlord().join(REVOCATIONS_FILE)).unwrap();
            serial
        }

        fn write(&self, text: &str) {
            fs::write(self.folder().join(CERTIFICATE_FILE), text).unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn neither_a_broken_certificate_nor_a_broken_list_holds_the_other_up() {
        let stand = Stand::new();
        let in_force = stand.following();
        let first = in_force.identity().peer().serial.clone();
        stand.write("junk");
        let revoked = stand.revoke("eve");
        tokio::time::sleep(A_WHILE).await;
        assert!(in_force.identity().revoked().contains(&revoked) && in_force.identity().peer().serial == first);

        fs::write(stand.overlord().join(REVOCATIONS_FILE), "junk").unwrap();
        stand.renew();
        tokio::time::sleep(A_WHILE).await;
        assert!(in_force.identity().revoked().contains(&revoked) && in_force.identity().peer().serial != first);

        // Somebody else's is not shown, and the list is taken from beside it.
        let second = in_force.identity().peer().serial.clone();
        stand.issue("other.example").save(&stand.folder()).unwrap();
        let another = stand.revoke("mallory");
        tokio::time::sleep(A_WHILE).await;
        assert!(in_force.identity().revoked().contains(&another) && in_force.identity().peer().serial == second);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_unfit_for_a_passing_reason_is_taken_without_another_change_of_the_files() {
        static PASSED: AtomicBool = AtomicBool::new(false);
        let stand = Stand::new();
        let files = IdentityFiles::in_folder(&stand.folder());
        let fit: fn(&Identity) -> Result<(), Unfit> =
            |_| if PASSED.load(Ordering::SeqCst) { Ok(()) } else { Err("too many open files".into()) };
        let in_force = InForce::following(files.read().unwrap(), files, fit).unwrap();
        let first = in_force.identity().peer().serial.clone();
        stand.renew();
        tokio::time::sleep(A_WHILE).await;
        assert_eq!(in_force.identity().peer().serial, first);
        PASSED.store(true, Ordering::SeqCst);
        tokio::time::sleep(A_WHILE).await;
        assert_ne!(in_force.identity().peer().serial, first);
    }
}
