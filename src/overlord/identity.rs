//! The overlord's identity and revocation list, kept up with their files while calls and jobs go on, and renewed by the
//! authority where that is on the same machine.
//!
//! A revocation holds for what is open as well: whoever waits for a host that is revoked is told so at once. Files that make
//! no sense, or an older list, leave what is in force as it is.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    ca::{self, Authority},
    fleet::{Fleet, WeakFleet},
    telemetry::chain,
    tls::{CA_FILE, CERTIFICATE_FILE, Error, Identity, KEY_FILE, REVOCATIONS_FILE, Stamp},
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
    let files = [CERTIFICATE_FILE, KEY_FILE, CA_FILE, REVOCATIONS_FILE].map(|name| folder.join(name));
    // Not what they are like now: they may have changed since the identity was read.
    let mut seen = None;
    let mut complaint = None;
    let mut looked = Instant::now();
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(fleet) = fleet.upgrade() else { return };
        let stamp = Stamp::of(files.each_ref().map(PathBuf::as_path));
        let changed = seen.as_ref() != Some(&stamp);
        if changed || looked.elapsed() >= DUE_EVERY {
            looked = Instant::now();
            let (folder, authority) = (folder.clone(), authority.clone());
            // It writes to the disk and waits for locks.
            let _ = tokio::task::spawn_blocking(move || renew(&folder, &authority)).await;
        }
        if !changed {
            continue;
        }
        match reread(&fleet, &folder, &in_force) {
            Ok(fresh) => {
                if fresh.peer() != in_force.peer() || fresh.revoked().numbers() != in_force.revoked().numbers() {
                    let (serial, revoked) = (&fresh.peer().serial, fresh.revoked().len());
                    tracing::info!(%serial, revoked, "read the identity and the revocation list again");
                }
                (seen, complaint, in_force) = (Some(stamp), None, fresh);
            }
            Err(error) => {
                // It is tried again and again, but said once of each version of the files and each reason.
                let this = Some((stamp, chain(&error)));
                if complaint != this {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "cannot use the new revocation list or identity; the last one stays in force"
                    );
                    complaint = this;
                }
            }
        }
    }
}

fn reread(fleet: &Fleet, folder: &Path, in_force: &Identity) -> Result<Identity, Error> {
    let fresh = in_force.succeeded_by(Identity::in_folder(folder)?, &folder.join(REVOCATIONS_FILE))?;
    fleet.call_as(&fresh)?;
    Ok(fresh)
}
