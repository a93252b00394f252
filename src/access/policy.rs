//! Who may call.

use crate::tls::{Peer, Role};

/// Why somebody may not call. The text is meant for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The certificate was issued for something else.
    #[error(
        "access denied: the certificate of `{name}` was issued for the role `{role}`; only overlords and sub-overlords may call"
    )]
    Role {
        /// Who called.
        name: String,
        /// As what.
        role: Role,
    },
    /// The certificate carries no role.
    #[error("access denied: the certificate of `{name}` carries no role; only overlords and sub-overlords may call")]
    NoRole {
        /// Who called.
        name: String,
    },
}

/// What a minion lets callers do: overlords and sub-overlords may call everything, others nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policy;

impl Policy {
    /// Whether `peer` may call at all.
    pub fn may_call(self, peer: &Peer) -> Result<(), Denied> {
        match peer.role {
            Some(Role::Overlord | Role::SubOverlord) => Ok(()),
            Some(role) => Err(Denied::Role { name: peer.name.clone(), role }),
            None => Err(Denied::NoRole { name: peer.name.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::ids::Digest;

    #[test]
    fn only_overlords_may_call() {
        let may = |role| {
            let now = Timestamp::UNIX_EPOCH;
            let peer = Peer {
                name: "web1".into(),
                role,
                serial: "1".parse().unwrap(),
                not_before: now,
                not_after: now,
                fingerprint: Digest::of(b""),
            };
            Policy.may_call(&peer).map_err(|denied| denied.to_string())
        };
        assert_eq!(may(Some(Role::Overlord)), Ok(()));
        assert_eq!(may(Some(Role::SubOverlord)), Ok(()));
        for role in [Some(Role::Minion), Some(Role::Reader), Some(Role::Author), None] {
            assert!(may(role).unwrap_err().contains("`web1`"));
        }
    }
}
