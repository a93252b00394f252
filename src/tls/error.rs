//! What can be wrong with an identity, or with somebody's.

use std::{io, path::PathBuf};

use jiff::Timestamp;

use crate::ids::Serial;

/// Why an identity cannot be used, or a peer is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the identity cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or text holds no PEM of the kind that is needed.
    #[error("{place} holds no {kind} in PEM form")]
    Pem {
        /// The file, or what the text is.
        place: String,
        /// What was looked for.
        kind: &'static str,
    },
    /// A certificate that cannot be decoded.
    #[error("a certificate cannot be decoded: {why}")]
    Certificate {
        /// Why.
        why: &'static str,
    },
    /// rustls refuses the identity, for example because key and certificate do not belong together.
    #[error("the certificate of `{name}` cannot be used")]
    Unusable {
        /// Whose certificate.
        name: String,
        /// Why.
        source: rustls::Error,
    },
    /// Another CA than ours issued the certificate.
    #[error("the certificate of `{name}` was not issued by the authority whose certificate lies beside it")]
    NotIssued {
        /// Whose certificate.
        name: String,
    },
    /// The CA's certificates cannot be used to verify others.
    #[error("the CA's certificate or revocation list cannot be used: {why}")]
    Verifier {
        /// Why.
        why: String,
    },
    /// A revocation list that this CA did not sign.
    #[error("the revocation list `{}` is not of our CA", path.display())]
    ForeignRevocations {
        /// The file.
        path: PathBuf,
    },
    /// What lies there or was sent says nothing of authorities.
    #[error("the statement of authorities in {place} cannot be used")]
    Trust {
        /// The file, or what the text is.
        place: String,
        /// Why.
        source: super::InvalidTrust,
    },
    /// Nobody vouches for a statement of authorities.
    #[error("the statement of authorities is not signed by the newest authority that is believed here")]
    ForeignTrust,
    /// The file of authorities would take back what a statement said.
    #[error(
        "the authorities are of the statement {number}, older than {was}, which is in force; going back needs a restart"
    )]
    OlderTrust {
        /// Its number.
        number: u64,
        /// The number of what is in force.
        was: u64,
    },
    /// The authority that issued the certificate is not believed any more.
    #[error("the certificate of `{name}` is of an authority that is not believed any more")]
    Disowned {
        /// Whose certificate.
        name: String,
    },
    /// The files are somebody else's now.
    #[error("the certificate is of `{name}` now, and was of `{was}`; another name needs a restart")]
    OtherName {
        /// Who.
        name: String,
        /// Who it was.
        was: String,
    },
    /// A revocation list would take back what was revoked.
    #[error("the revocation list `{}` is older than the one in force", path.display())]
    OlderRevocations {
        /// The file.
        path: PathBuf,
    },
    /// The certificate is not valid any more.
    #[error("the certificate of `{name}` expired at {at}")]
    Expired {
        /// Whose certificate.
        name: String,
        /// When.
        at: Timestamp,
    },
    /// The certificate is not valid yet.
    #[error("the certificate of `{name}` is not valid before {at}; is this clock right?")]
    NotYetValid {
        /// Whose certificate.
        name: String,
        /// From when.
        at: Timestamp,
    },
    /// The certificate was revoked.
    #[error("the certificate of `{name}` (serial {serial}) is revoked")]
    Revoked {
        /// Whose certificate.
        name: String,
        /// Which.
        serial: Serial,
    },
}
