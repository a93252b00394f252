//! When the certificates of hosts end, as they showed them last.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

use crate::ids::HostName;

/// What was seen since the start; of hosts that nobody called nothing is known.
#[derive(Debug, Default)]
pub(super) struct Ends(Mutex<BTreeMap<HostName, Timestamp>>);

impl Ends {
    /// A host has shown a certificate.
    pub(super) fn note(&self, host: &HostName, end: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone(), end);
    }

    /// All of them.
    pub(super) fn all(&self) -> BTreeMap<HostName, Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
