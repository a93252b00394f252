//! Revoking: a signed list in place of the old one.

use std::{fs, io, path::Path};

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use time::{Duration, OffsetDateTime};
use x509_parser::{
    pem::parse_x509_pem,
    prelude::FromDer,
    revocation_list::{CertificateRevocationList, RevokedCertificate},
};

use super::{Authority, Entry, Error, audit, authority::make_folder, lock};
use crate::{ids::Serial, sys::durable, tls};

/// The list is replaced whenever something is revoked; until then it does not go stale.
const LIST_DAYS: i64 = 3652;

impl Authority {
    /// What was revoked so far.
    pub fn revoked(&self) -> Result<Vec<Serial>, Error> {
        let Some(folder) = self.folder.as_deref() else { return Ok(Vec::new()) };
        let (revoked, _) = read(&folder.join(tls::REVOCATIONS_FILE))?;
        Ok(revoked.iter().map(|entry| Serial::from_bytes(entry.serial_number.as_ref())).collect())
    }

    /// Revokes certificates that were issued here, and returns the path of the new list. Minions and
    /// overlords enforce the list that lies beside their certificate under the same name.
    pub fn revoke(&self, serials: &[Serial]) -> Result<std::path::PathBuf, Error> {
        let folder = self.folder()?;
        make_folder(folder)?;
        let issued = self.issued()?;
        if let Some(serial) = serials.iter().find(|serial| !issued.iter().any(|entry| entry.serial == **serial)) {
            return Err(Error::NoSuchSerial { serial: serial.clone() });
        }
        let path = folder.join(tls::REVOCATIONS_FILE);
        // Of two who revoke at once, the second adds to what the first has written.
        let _lock = lock::hold(&path)?;
        let (mut revoked, last) = read(&path)?;
        let now = OffsetDateTime::now_utc();
        let mut fresh = Vec::new();
        for serial in serials {
            let number = SerialNumber::from_slice(&bytes_of(serial));
            if !revoked.iter().any(|entry: &RevokedCertParams| entry.serial_number == number) {
                revoked.push(RevokedCertParams {
                    serial_number: number,
                    revocation_time: now,
                    reason_code: None,
                    invalidity_date: None,
                });
                fresh.extend(issued.iter().find(|entry| entry.serial == *serial));
            }
        }
        if fresh.is_empty() && !serials.is_empty() && path.exists() {
            return Ok(path);
        }
        // The clock may have been turned back; the number must not.
        let number = u64::try_from(now.unix_timestamp()).unwrap_or_default().max(last.saturating_add(1));
        let params = CertificateRevocationListParams {
            this_update: now,
            next_update: now + Duration::days(LIST_DAYS),
            crl_number: SerialNumber::from_slice(&number.to_be_bytes()),
            issuing_distribution_point: None,
            revoked_certs: revoked,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let pem = params.signed_by(self.issuer()?).and_then(|list| list.pem()).map_err(Error::Sign)?;
        durable::write_atomic(&path, pem.as_bytes(), 0o644)
            .map_err(|source| Error::Write { path: path.clone(), source })?;
        audit::write(folder, &fresh.into_iter().map(line).collect::<Vec<_>>())?;
        Ok(path)
    }
}

fn line(entry: &Entry) -> audit::Change<'_> {
    audit::Change::new(audit::Event::Revoked).of(&entry.name).serial(&entry.serial)
}

/// What the list in a file revokes, and its number; nothing if there is no file.
fn read(path: &Path) -> Result<(Vec<RevokedCertParams>, u64), Error> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((Vec::new(), 0)),
        Err(source) => Err(Error::Read { path: path.to_owned(), source }),
        Ok(pem) => earlier(&pem)
            .ok_or_else(|| Error::Damaged { path: path.to_owned(), why: "it is not a revocation list".into() }),
    }
}

/// What a list revokes, and its number.
fn earlier(pem: &[u8]) -> Option<(Vec<RevokedCertParams>, u64)> {
    let (_, pem) = parse_x509_pem(pem).ok()?;
    let (_, list) = CertificateRevocationList::from_der(&pem.contents).ok()?;
    let entry = |entry: &RevokedCertificate<'_>| {
        Some(RevokedCertParams {
            serial_number: SerialNumber::from_slice(entry.raw_serial()),
            revocation_time: OffsetDateTime::from_unix_timestamp(entry.revocation_date.timestamp()).ok()?,
            reason_code: None,
            invalidity_date: None,
        })
    };
    let number = list.crl_number().and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
    Some((list.iter_revoked_certificates().map(entry).collect::<Option<_>>()?, number))
}

/// A serial number is hexadecimal text that has been checked, so every pair of digits is a byte.
fn bytes_of(serial: &Serial) -> Vec<u8> {
    let digits = serial.as_str();
    let start = digits.len() % 2;
    let pair = |at: usize| u8::from_str_radix(&digits[at.saturating_sub(2)..at], 16).unwrap_or_default();
    (start + 2 * usize::from(start == 0)..=digits.len()).step_by(2).map(pair).collect()
}
