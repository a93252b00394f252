//! What stands in a certificate: RFC 5280, as strict verifiers read it.
//!
//! Python 3.13 and OpenSSL's `X509_STRICT` want key identifiers on both sides of a signature, a
//! critical key usage on the CA, and the server's name among the alternative names; all of it is
//! here, in every certificate.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose as Extended, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType, SerialNumber, string::Ia5String,
};
use time::{Duration, OffsetDateTime};

use super::{Error, IssueRequest, address::Place};
use crate::tls::Role;

/// How long a CA lasts.
const CA_DAYS: u32 = 3652;

/// Certificates begin a little in the past, for clocks that run behind.
const BACKDATE: Duration = Duration::minutes(10);

pub(super) fn new_key() -> Result<KeyPair, Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::Sign)
}

/// The CA's own certificate.
pub(super) fn authority(name: &str) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(serial()?);
    params.not_before = OffsetDateTime::now_utc() - BACKDATE;
    params.not_after = OffsetDateTime::now_utc() + Duration::days(CA_DAYS.into());
    // It signs leaves and nothing else.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// A certificate by an authority that ends at `ends` for the key of the next one.
pub(super) fn cross(name: &str, ends: OffsetDateTime) -> Result<CertificateParams, Error> {
    let mut params = authority(name)?;
    params.not_after = params.not_after.min(ends);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// A leaf's certificate, ending no later than `ca_ends`.
pub(super) fn leaf(request: &IssueRequest, ca_ends: OffsetDateTime) -> Result<CertificateParams, Error> {
    let now = OffsetDateTime::now_utc();
    let most = u32::try_from((ca_ends - now).whole_days().max(0)).unwrap_or(u32::MAX);
    if request.days == 0 || request.days > most {
        return Err(Error::Days { days: request.days, most });
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, request.name.as_str());
    params.serial_number = Some(serial()?);
    params.not_before = request.not_before.unwrap_or(now) - BACKDATE;
    params.not_after = request.not_before.unwrap_or(now) + Duration::days(request.days.into());
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = match request.role {
        // A minion shows its certificate as a client too: to renew it, and to be told clearly that it may not call.
        Role::Minion | Role::SubOverlord => vec![Extended::ServerAuth, Extended::ClientAuth],
        Role::Overlord | Role::Reader => vec![Extended::ClientAuth],
        // An author sends modules to minions that allow it.
        Role::Author => vec![Extended::ClientAuth, Extended::CodeSigning],
    };
    params.subject_alt_names = alternatives(request)?;
    Ok(params)
}

fn alternatives(request: &IssueRequest) -> Result<Vec<SanType>, Error> {
    let text = |text: &str| Ia5String::try_from(text).map_err(Error::Sign);
    let mut names = vec![SanType::URI(text(&request.role.uri())?)];
    let own = Place::from(&request.name);
    for place in std::iter::once(&own).chain(request.addresses.iter().map(super::Address::place)) {
        let name = match place {
            Place::Name(name) => SanType::DnsName(text(name.as_str())?),
            Place::Ip(ip) => SanType::IpAddress(IpAddr::to_canonical(ip)),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// 16 random bytes, positive and without leading zeros, so that every tool shows the same number.
fn serial() -> Result<SerialNumber, Error> {
    let mut bytes = [0; 16];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).map_err(|_| Error::Random)?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
