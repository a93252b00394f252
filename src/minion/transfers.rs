//! What a minion keeps of transfers: what arrives, and what may be fetched.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{Error, MinionConfig};
use crate::transfer::{Bounds, Offers, Staging};

/// A writer that is silent for so long gives way to another.
const STALL: Duration = Duration::from_secs(5);
/// The next writer of the same waits so long for its turn.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often leftovers are looked for.
const SWEEP: Duration = Duration::from_mins(10);

/// Staged blobs and offered files, of all callers.
#[derive(Debug)]
pub(super) struct Transfers {
    pub(super) staging: Staging,
    pub(super) offers: Offers,
}

impl Transfers {
    pub(super) fn open(config: &MinionConfig) -> Result<Self, Error> {
        let bounds = &config.transfers;
        let bounds = Bounds {
            at_once: bounds.at_once,
            per_caller: bounds.per_caller.bytes(),
            in_all: bounds.in_all.bytes(),
            keep: bounds.keep.duration(),
            stall: STALL,
            patience: PATIENCE,
        };
        let path = &config.folders.incoming;
        let staging = Staging::open(path, bounds).map_err(|source| Error::Incoming { path: path.clone(), source })?;
        Ok(Self { staging, offers: Offers::default() })
    }

    /// Removes what nobody finished, now and then.
    pub(super) async fn upkeep(self: Arc<Self>, stopping: CancellationToken) {
        loop {
            let staging = self.staging.clone();
            match tokio::task::spawn_blocking(move || staging.sweep()).await {
                Ok(Ok(0)) | Err(_) => {}
                Ok(Ok(removed)) => tracing::info!(removed, "removed what nobody finished sending"),
                Ok(Err(error)) => tracing::warn!(%error, "cannot look through what is being sent"),
            }
            tokio::select! {
                () = tokio::time::sleep(SWEEP) => {}
                () = stopping.cancelled() => return,
            }
        }
    }
}
