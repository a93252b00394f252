//! The overlord's identity and revocation list, kept up with their files while calls and jobs go on, and renewed by the
//! authority where that is on the same machine.
//!
//! A revocation holds for what is open as well: whoever waits for a host that is revoked is told so at once. A file that makes
//! no sense, or an older list, leaves what is in force as it is, and holds up no other.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    ca::{self, Authority},
    fleet::{Fleet, WeakFleet},
    telemetry::chain,
    tls::{Identity, IdentityFiles, Looks, Succession},
};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// How often it is looked whether our certificate should be renewed, besides whenever it changes.
const DUE_EVERY: Duration = Duration::from_hours(1);

/// Keeps `fleet` up with `folder` for as long as somebody has it. Nothing happens outside of a runtime: who calls nobody
/// need not know.
pub(super) fn follow(fleet: &Fleet, folder: PathBuf, authority: PathBuf, identity: Identity) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(keep_up(fleet.downgrade(), folder, authority, identity));
    }
}

/// Renews the identity in `folder`, if it is due and the authority is here and can sign without being asked. What fails is
/// said: the certificate holds for some time yet, and `func doctor` tells of its end.
pub(super) fn renew(folder: &Path, authority: &Path) {
    if let Err(error) = ca::finish_own(folder) {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "cannot finish a renewal of this overlord's own certificate that broke off");
    }
    if !ca::own_is_due(folder) || !authority.exists() {
        return;
    }
    let renewed = Authority::open(authority)
        .and_then(|authority| if authority.is_sealed() { Ok(None) } else { authority.renew_own(folder) });
    match renewed {
        Ok(Some(peer)) => tracing::info!(until = %peer.not_after, "renewed this overlord's own certificate"),
        Ok(None) => tracing::debug!("this overlord's own certificate is due, and is not renewed by itself"),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "cannot renew this overlord's own certificate");
        }
    }
}

async fn keep_up(fleet: WeakFleet, folder: PathBuf, authority: PathBuf, mut in_force: Identity) {
    let files = IdentityFiles::in_folder(&folder);
    // Not what they are like now: they may have changed since the identity was read.
    let mut looks = Looks::default();
    let mut looked = Instant::now();
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(fleet) = fleet.upgrade() else { return };
        let stamp = files.stamp();
        let wanted = looks.want(&stamp);
        if wanted || looked.elapsed() >= DUE_EVERY {
            looked = Instant::now();
            let (folder, authority) = (folder.clone(), authority.clone());
            // It writes to the disk and waits for locks.
            let _ = tokio::task::spawn_blocking(move || renew(&folder, &authority)).await;
        }
        if !wanted {
            continue;
        }
        // One that is not valid is told of by each call; there is nothing else to call with.
        let Succession { identity, changed, mut wrong } = in_force.reread(&files, |_| Ok(()));
        if changed {
            match fleet.call_as(&identity) {
                Ok(()) => {
                    let (serial, revoked) = (&identity.peer().serial, identity.revoked().len());
                    tracing::info!(%serial, revoked, "read the identity and the revocation list again");
                    in_force = identity;
                }
                Err(error) => wrong = Some(chain(&error)),
            }
        }
        if let Some(why) = looks.note(stamp, wrong) {
            tracing::error!(why, "cannot use the new revocation list or identity; the last one stays in force");
        }
    }
}
