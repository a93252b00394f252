//! How much is staged, and whether there is room for more.

use std::{collections::BTreeMap, fs, io, path::Path, time::Duration};

use super::{Blob, Refused};

/// How much a minion takes in.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Transfers at a time.
    pub at_once: usize,
    /// Bytes that one caller may have staged.
    pub per_caller: u64,
    /// Bytes of all callers together.
    pub in_all: u64,
    /// How long what nobody uses is kept.
    pub keep: Duration,
    /// After so long without a byte a writer gives way to another.
    pub stall: Duration,
    /// How long the next writer waits for the one before it.
    pub patience: Duration,
}

/// What is staged: by digest and caller, the caller and the bytes.
#[derive(Debug, Clone)]
pub(super) struct Usage(BTreeMap<String, (String, u64)>);

impl Usage {
    /// That of every file in the folder.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let mut usage = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let stem = name.split('.').next().unwrap_or_default();
            let (digest, caller) = stem.split_once('-').unwrap_or_default();
            // A file that goes away now takes no room.
            let bytes = entry.metadata().map_or(0, |meta| meta.len());
            usage.insert(format!("{digest}{caller}"), (caller.to_owned(), bytes));
        }
        Ok(Self(usage))
    }

    /// Counts what is promised as if it were here.
    pub(super) fn promise(&mut self, blob: &Blob, total: u64) {
        let entry = self.0.entry(blob.digest.to_string() + &blob.caller).or_insert((blob.caller.clone(), 0));
        entry.1 = entry.1.max(total);
    }

    /// Whether all of this is within the bounds, as far as they are those of the blob's caller.
    pub(super) fn check(&self, blob: &Blob, bounds: &Bounds) -> Result<(), Refused> {
        let wanted = self.sum(Some(&blob.caller));
        if wanted > bounds.per_caller {
            return Err(Refused::TooMuch { wanted, most: bounds.per_caller });
        }
        if self.sum(None) > bounds.in_all { Err(Refused::NoRoom) } else { Ok(()) }
    }

    /// The bytes of one caller, or of all of them.
    pub(super) fn sum(&self, caller: Option<&str>) -> u64 {
        let of = self.0.values().filter(|(owner, _)| caller.is_none_or(|caller| owner == caller));
        of.fold(0, |sum: u64, (_, bytes)| sum.saturating_add(*bytes))
    }
}
