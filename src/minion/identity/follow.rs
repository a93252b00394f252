//! Keeping up with the files.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{IdentityFiles, Kept, Now};
use crate::{minion::check, telemetry::chain, tls::Stamp};

/// How often the files are looked at.
pub(super) const EVERY: Duration = Duration::from_secs(1);

pub(super) async fn follow(kept: std::sync::Weak<Kept>, files: IdentityFiles) {
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
