//! The overlord's identity and revocation list, kept up with their files while calls and jobs go on.
//!
//! A revocation holds for what is open as well: whoever waits for a host that is revoked is told so at once. Files that make
//! no sense, or an older list, leave what is in force as it is.

use std::{path::PathBuf, time::Duration};

use crate::{
    fleet::{Fleet, WeakFleet},
    telemetry::chain,
    tls::{CA_FILE, CERTIFICATE_FILE, Error, Identity, KEY_FILE, REVOCATIONS_FILE, Stamp},
};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Keeps `fleet` up with `folder` for as long as somebody has it. Nothing happens outside of a runtime: who calls nobody
/// need not know.
pub(super) fn follow(fleet: &Fleet, folder: PathBuf, identity: Identity) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(keep_up(fleet.downgrade(), folder, identity));
    }
}

async fn keep_up(fleet: WeakFleet, folder: PathBuf, mut in_force: Identity) {
    let files = [CERTIFICATE_FILE, KEY_FILE, CA_FILE, REVOCATIONS_FILE].map(|name| folder.join(name));
    // Not what they are like now: they may have changed since the identity was read.
    let mut seen = None;
    let mut complaint = None;
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(fleet) = fleet.upgrade() else { return };
        let stamp = Stamp::of(files.each_ref().map(PathBuf::as_path));
        if seen.as_ref() == Some(&stamp) {
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

fn reread(fleet: &Fleet, folder: &std::path::Path, in_force: &Identity) -> Result<Identity, Error> {
    let fresh = in_force.succeeded_by(Identity::in_folder(folder)?, &folder.join(REVOCATIONS_FILE))?;
    fleet.call_as(&fresh)?;
    Ok(fresh)
}
