//! The list of everything that was ever issued: one JSON line a certificate, only appended to.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Address, Error, IssueRequest, lock};
use crate::{
    ids::{Digest, HostName, Serial},
    sys::durable,
    tls::{Peer, Role},
};

/// One issued certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was issued.
    pub issued: Timestamp,
    /// To whom.
    pub name: HostName,
    /// For what.
    pub role: Role,
    /// Its serial number.
    pub serial: Serial,
    /// Until when it is valid.
    pub not_after: Timestamp,
    /// Its SHA-256.
    pub fingerprint: Digest,
    /// SHA-256 of its public key; not known of those that were issued before it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Digest>,
    /// SHA-256 of the authority's certificate; not known of those that were issued before it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Digest>,
    /// The addresses in it, for the next one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
}

impl Entry {
    pub(super) fn new(request: &IssueRequest, peer: &Peer, key: Digest, issuer: Digest) -> Self {
        Self {
            issued: Timestamp::now(),
            name: request.name.clone(),
            role: request.role,
            serial: peer.serial.clone(),
            not_after: peer.not_after,
            fingerprint: peer.fingerprint,
            key: Some(key),
            issuer: Some(issuer),
            addresses: request.addresses.clone(),
        }
    }
}

/// Appends entries in one write, durably, behind the last whole line.
pub(super) fn append(path: &Path, entries: &[Entry]) -> Result<(), Error> {
    let mut lines = Vec::new();
    for entry in entries {
        // Writing JSON of plain data into memory cannot fail.
        let _ = serde_json::to_writer(&mut lines, entry);
        lines.push(b'\n');
    }
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        cut_torn_line(&mut file)?;
        file.write_all(&lines)?;
        file.sync_all()?;
        durable::sync_folder(durable::folder_of(path))
    };
    let _lock = lock::hold(path)?;
    write().map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Removes what a write that never finished left behind the last line: more behind that would be a line of nonsense.
fn cut_torn_line(file: &mut File) -> io::Result<()> {
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last == [b'\n'] {
        return Ok(());
    }
    let mut all = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut all)?;
    let whole = all.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    file.set_len(u64::try_from(whole).unwrap_or_default())
}

/// Every entry, oldest first. A last line without its end is a write that never finished, whose
/// certificate nobody got.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, Error> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|source| Error::Read { path: path.to_owned(), source })?,
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| Error::Damaged { path: path.to_owned(), why: format!("line {}: {error}", number + 1) })
    };
    whole.lines().enumerate().map(parse).collect()
}
