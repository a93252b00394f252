//! A module's table: what is granted, and for whose file it holds.

use serde::{Deserialize, Serialize};

use super::{
    Bearer, CommandGrant, Grant, InvalidGrant, NetworkGrant, PathGrant, ServiceGrant, SignalGrant, SignerName,
    VariableGrant,
};
use crate::ids::Digest;

/// A module's table: grants, and for whom they hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Bound {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signer: Option<SignerName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<BoundDigest>,
    run: Vec<CommandGrant>,
    read: Vec<PathGrant>,
    write: Vec<PathGrant>,
    env: Vec<VariableGrant>,
    services: Vec<ServiceGrant>,
    #[serde(rename = "services-read")]
    services_read: Vec<ServiceGrant>,
    network: Vec<NetworkGrant>,
    signal: Vec<SignalGrant>,
}

impl Bound {
    pub(super) fn holds_for(&self, bearer: Bearer<'_>) -> bool {
        self.unmet(bearer).is_none()
    }

    /// What the module would have to be and is not.
    pub(super) fn unmet(&self, bearer: Bearer<'_>) -> Option<String> {
        if let Some(signer) = self.signer.as_ref().filter(|signer| bearer.provenance.name() != Some(*signer)) {
            return Some(format!("its grants hold only if `{signer}` signed it, and that is {}", bearer.provenance));
        }
        let digest = self.digest.as_ref().filter(|digest| Some(digest.0) != bearer.digest)?;
        let is = bearer.digest.map_or("not known".to_owned(), |digest| digest.short());
        Some(format!("its grants hold only for the file {}, and it is {is}", digest.0.short()))
    }

    pub(super) fn grant(&self) -> Grant {
        let Self { run, read, write, env, services, services_read, network, signal, .. } = self.clone();
        Grant { run, read, write, env, services, services_read, network, signal }
    }

    pub(super) fn extend(&mut self, more: Grant) {
        let mut grant = self.grant();
        grant.extend(more);
        let Grant { run, read, write, env, services, services_read, network, signal } = grant;
        let (signer, digest) = (self.signer.take(), self.digest.take());
        *self = Self { signer, digest, run, read, write, env, services, services_read, network, signal };
    }
}

/// `sha256:` and 64 digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct BoundDigest(Digest);

impl TryFrom<String> for BoundDigest {
    type Error = InvalidGrant;

    fn try_from(text: String) -> Result<Self, InvalidGrant> {
        let digest = text.strip_prefix("sha256:").and_then(|digits| digits.parse().ok());
        digest.map(Self).ok_or_else(|| InvalidGrant::new(&text, "a digest is `sha256:` and 64 hexadecimal digits"))
    }
}

impl From<BoundDigest> for String {
    fn from(digest: BoundDigest) -> Self {
        format!("sha256:{}", digest.0)
    }
}
