//! The word of a machine for bytes of its own, for whoever hears of them through others.
//!
//! On a connection the handshake says who speaks. What was passed on says so itself: behind it stand, in PEM form, the
//! certificate of whoever it comes from and a signature (`FUNC VOUCHER`), with that certificate's key, over the bytes
//! behind a text that stands before nothing else that a machine signs.

use rustls::{SignatureScheme, pki_types::CertificateDer, pki_types::pem::PemObject as _};
use x509_parser::{certificate::X509Certificate, pem::Pem, prelude::FromDer};

use super::{Error, Identity, Peer, config::provider, pem};

const LABEL: &str = "FUNC VOUCHER";
const CONTEXT: &[u8] = b"func voucher\0";
/// Of these a key fits one at least.
const SCHEMES: [SignatureScheme; 4] = [
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
];
/// The longest text that is read.
const MOST_BYTES: usize = 64 << 10;

impl Identity {
    /// Says of bytes that they are our own: what is to stand behind them.
    pub fn vouch_for(&self, bytes: &[u8]) -> Result<String, Error> {
        let (key, name) = (self.certified_key(), || self.peer().name.clone());
        let unusable = |source| Error::Unusable { name: name(), source };
        let none = || unusable(rustls::Error::General("its key makes no signatures that are known".to_owned()));
        let signer = key.key.choose_scheme(&SCHEMES).ok_or_else(none)?;
        let signature = signer.sign(&message(bytes)).map_err(unusable)?;
        let certificate = key.cert.first().ok_or(Error::Certificate { why: "there is none" })?;
        Ok(format!("{}{}", pem("CERTIFICATE", certificate), pem(LABEL, &signature)))
    }
}

/// Whose word for `bytes` is in a text. Whether its certificate is to be believed is for the caller to say.
pub fn vouched(text: &[u8], bytes: &[u8]) -> Option<Peer> {
    if text.len() > MOST_BYTES {
        return None;
    }
    let certificate = CertificateDer::from_pem_slice(text).ok()?;
    let signature = Pem::iter_from_buffer(text).filter_map(Result::ok).find(|block| block.label == LABEL)?;
    let (_, parsed) = X509Certificate::from_der(&certificate).ok()?;
    let key = &parsed.public_key().subject_public_key.data;
    let message = message(bytes);
    // A key fits the algorithms of its own kind alone.
    let fits = provider()
        .signature_verification_algorithms
        .all
        .iter()
        .any(|algorithm| algorithm.verify_signature(key, &message, &signature.contents).is_ok());
    if fits { Peer::from_certificate(&certificate).ok() } else { None }
}

fn message(bytes: &[u8]) -> Vec<u8> {
    [CONTEXT, bytes].concat()
}
