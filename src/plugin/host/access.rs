//! What a host function knows of the call that it serves.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use crate::{access::Grant, ids::ModuleName, plugin::context::Limits};

/// Who asks, what it may, and how long it has.
#[derive(Clone)]
pub(in crate::plugin) struct Access {
    pub(super) module: ModuleName,
    /// The folder of what the module keeps for itself, if it may keep anything here.
    pub(super) kept: Option<PathBuf>,
    pub(super) grant: Arc<Grant>,
    pub(super) limits: Limits,
    pub(super) cancelled: Arc<AtomicBool>,
    ends: Instant,
}

impl Access {
    pub(in crate::plugin) fn new(
        module: ModuleName,
        kept: Option<PathBuf>,
        grant: Arc<Grant>,
        limits: Limits,
        cancelled: Arc<AtomicBool>,
        ends: Instant,
    ) -> Self {
        Self { module, kept, grant, limits, cancelled, ends }
    }

    /// The time left until the call's deadline.
    pub(super) fn remaining(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }
}
