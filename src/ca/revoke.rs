//! Revoking: a signed list in place of the old one, of each authority whose certificates are believed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rcgen::{CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber};
use time::{Duration, OffsetDateTime};
use x509_parser::{
    pem::{Pem, parse_x509_pem},
    prelude::FromDer,
    revocation_list::{CertificateRevocationList, RevokedCertificate},
    x509::X509Name,
};

use super::{Authority, Entry, Error, audit, authority::make_folder, lock};
use crate::{ids::Serial, sys::durable, tls};

/// The list is replaced whenever something is revoked; until then it does not go stale.
const LIST_DAYS: i64 = 3652;

/// The list of one authority.
struct List {
    /// The authority's name.
    issuer: String,
    number: u64,
    revoked: Vec<RevokedCertParams>,
    pem: String,
}

/// Who signs a list.
struct Signer<'a> {
    name: String,
    issuer: &'a Issuer<'static, KeyPair>,
    /// Whether it is the one before.
    earlier: bool,
}

impl Authority {
    /// What was revoked so far.
    pub fn revoked(&self) -> Result<Vec<Serial>, Error> {
        let Some(folder) = self.folder.as_deref() else { return Ok(Vec::new()) };
        let lists = read(&folder.join(tls::REVOCATIONS_FILE))?;
        let revoked = lists.iter().flat_map(|list| &list.revoked);
        Ok(revoked.map(|entry| Serial::from_bytes(entry.serial_number.as_ref())).collect())
    }

    /// Revokes certificates that were issued here, and returns the path of the new lists. Minions and
    /// overlords enforce the lists that lie beside their certificate under the same name.
    pub fn revoke(&self, serials: &[Serial]) -> Result<PathBuf, Error> {
        let folder = self.folder()?;
        make_folder(folder)?;
        let issued = self.issued()?;
        let mut wanted = Vec::new();
        for serial in serials {
            let entry = issued.iter().find(|entry| entry.serial == *serial);
            wanted.push(entry.ok_or_else(|| Error::NoSuchSerial { serial: serial.clone() })?);
        }
        let signers = self.signers()?;
        let path = folder.join(tls::REVOCATIONS_FILE);
        // Of two who revoke at once, the second adds to what the first has written.
        let _lock = lock::hold(&path)?;
        self.check_in_office()?;
        let before = read(&path)?;
        let (mut text, mut fresh) = (String::new(), Vec::new());
        for signer in signers {
            // Before there was a second authority, nobody asked whose a list is.
            let own = before.iter().find(|list| list.issuer == signer.name || self.earlier.is_none());
            let of_it = |entry: &&&Entry| {
                (self.issuer_of(entry) != self.fingerprint() && self.earlier.is_some()) == signer.earlier
            };
            let (list, new) =
                signer.list(own, wanted.iter().filter(of_it).copied(), before.is_empty() || serials.is_empty())?;
            text.push_str(&list);
            fresh.extend(new);
        }
        if fresh.is_empty() && !serials.is_empty() && path.exists() {
            return Ok(path);
        }
        durable::write_atomic(&path, text.as_bytes(), 0o644)
            .map_err(|source| Error::Write { path: path.clone(), source })?;
        audit::write(folder, &fresh.into_iter().map(line).collect::<Vec<_>>())?;
        Ok(path)
    }

    fn signers(&self) -> Result<Vec<Signer<'_>>, Error> {
        let mut signers = vec![Signer { name: named(&self.certificate), issuer: self.issuer()?, earlier: false }];
        if let Some(earlier) = &self.earlier {
            let path = || self.folder.clone().unwrap_or_default().join(super::rotation::OLD_KEY);
            let issuer = earlier.issuer.as_ref().ok_or_else(|| Error::Sealed { path: path() })?;
            signers.push(Signer { name: named(&earlier.certificate), issuer, earlier: true });
        }
        Ok(signers)
    }
}

impl Signer<'_> {
    /// The list with these besides, and which of them are new in it. One that would say the same is not signed again, unless
    /// the present authority's is wanted `anyhow`.
    fn list<'a>(
        &self,
        own: Option<&List>,
        wanted: impl Iterator<Item = &'a Entry>,
        anyhow: bool,
    ) -> Result<(String, Vec<&'a Entry>), Error> {
        let now = OffsetDateTime::now_utc();
        let mut revoked = own.map_or_else(Vec::new, |list| list.revoked.clone());
        let mut fresh = Vec::new();
        for entry in wanted {
            let serial_number = SerialNumber::from_slice(&bytes_of(&entry.serial));
            if !revoked.iter().any(|entry: &RevokedCertParams| entry.serial_number == serial_number) {
                let (reason_code, invalidity_date) = (None, None);
                revoked.push(RevokedCertParams { serial_number, revocation_time: now, reason_code, invalidity_date });
                fresh.push(entry);
            }
        }
        if fresh.is_empty() && (self.earlier || !anyhow) {
            return Ok((own.map(|list| list.pem.clone()).unwrap_or_default(), fresh));
        }
        // The clock may have been turned back; the number must not.
        let last = own.map_or(0, |list| list.number);
        let number = u64::try_from(now.unix_timestamp()).unwrap_or_default().max(last.saturating_add(1));
        let params = CertificateRevocationListParams {
            this_update: now,
            next_update: now + Duration::days(LIST_DAYS),
            crl_number: SerialNumber::from_slice(&number.to_be_bytes()),
            issuing_distribution_point: None,
            revoked_certs: revoked,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let pem = params.signed_by(self.issuer).and_then(|list| list.pem()).map_err(Error::Sign)?;
        Ok((pem, fresh))
    }
}

/// Takes the list of the authority in this file out of the others.
pub(super) fn drop_list(folder: &Path, certificate: &str) -> Result<(), Error> {
    let Ok(certificate) = fs::read_to_string(folder.join(certificate)) else { return Ok(()) };
    let path = folder.join(tls::REVOCATIONS_FILE);
    let _lock = lock::hold(&path)?;
    let (name, lists) = (named(&certificate), read(&path)?);
    if !lists.iter().any(|list| list.issuer == name) {
        return Ok(());
    }
    let text: String = lists.into_iter().filter(|list| list.issuer != name).map(|list| list.pem).collect();
    let written = if text.is_empty() {
        fs::remove_file(&path).and_then(|()| durable::sync_folder(folder))
    } else {
        durable::write_atomic(&path, text.as_bytes(), 0o644)
    };
    written.map_err(|source| Error::Write { path, source })
}

fn line(entry: &Entry) -> audit::Change<'_> {
    audit::Change::new(audit::Event::Revoked).of(&entry.name).serial(&entry.serial)
}

/// The lists in a file; none if there is no file.
fn read(path: &Path) -> Result<Vec<List>, Error> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|source| Error::Read { path: path.to_owned(), source })?,
    };
    let lists: Option<Vec<List>> = Pem::iter_from_buffer(&text).map(|pem| List::of(&pem.ok()?)).collect();
    lists
        .filter(|lists| !lists.is_empty())
        .ok_or_else(|| Error::Damaged { path: path.to_owned(), why: "it is not a revocation list".into() })
}

impl List {
    fn of(pem: &Pem) -> Option<Self> {
        let (_, list) = CertificateRevocationList::from_der(&pem.contents).ok()?;
        let entry = |entry: &RevokedCertificate<'_>| {
            Some(RevokedCertParams {
                serial_number: SerialNumber::from_slice(entry.raw_serial()),
                revocation_time: OffsetDateTime::from_unix_timestamp(entry.revocation_date.timestamp()).ok()?,
                reason_code: None,
                invalidity_date: None,
            })
        };
        Some(Self {
            issuer: common_name(list.issuer()),
            number: list.crl_number().and_then(|number| u64::try_from(number).ok()).unwrap_or_default(),
            revoked: list.iter_revoked_certificates().map(entry).collect::<Option<_>>()?,
            pem: tls::pem(&pem.label, &pem.contents),
        })
    }
}

/// The name in an authority's certificate.
fn named(certificate: &str) -> String {
    let name = parse_x509_pem(certificate.as_bytes()).ok().and_then(|(_, pem)| {
        let certificate = pem.parse_x509().ok()?;
        Some(common_name(certificate.subject()))
    });
    name.unwrap_or_default()
}

fn common_name(name: &X509Name<'_>) -> String {
    name.iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned()
}

/// A serial number is hexadecimal text that has been checked, so every pair of digits is a byte.
fn bytes_of(serial: &Serial) -> Vec<u8> {
    let digits = serial.as_str();
    let start = digits.len() % 2;
    let pair = |at: usize| u8::from_str_radix(&digits[at.saturating_sub(2)..at], 16).unwrap_or_default();
    (start + 2 * usize::from(start == 0)..=digits.len()).step_by(2).map(pair).collect()
}
