//! The open store: atomic batches, durable commits.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use super::{
    Error, Opening, Tables,
    big::Folder,
    error::panic_text,
    head::{HEAD, Head},
    lock::{self, Lock, PATIENCE},
    open,
    witness::Witness,
};

/// Rows to write; `None` removes.
pub(super) type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// An open store. Dropping it closes it and gives the lock on.
#[derive(Debug)]
pub(super) struct Disk {
    /// Taken on drop, so that sled lets go of its file while our lock is still held.
    db: Option<sled::Db>,
    db_path: PathBuf,
    file: File,
    data: PathBuf,
    big: Folder,
    head: Head,
    witness: Witness,
    dead_files: Vec<String>,
    dirty: bool,
    /// Something contradicted itself: the next opening checks everything.
    suspect: bool,
    _lock: Lock,
}

impl Disk {
    /// Opens the store in `dir`, or sets a damaged one aside and opens a fresh one.
    pub(super) fn open(dir: &Path) -> Result<(Self, Opening), Error> {
        let (parts, lock, opening) = open::open(dir)?;
        let disk = Self {
            db: Some(parts.db),
            db_path: parts.db_path,
            file: parts.file,
            data: parts.data,
            big: parts.big,
            head: parts.head,
            witness: parts.witness,
            dead_files: Vec::new(),
            dirty: false,
            suspect: false,
            _lock: lock,
        };
        Ok((disk, opening))
    }

    /// Runs one transaction. Its writes are applied at once, and durable after [`Disk::commit`].
    pub(super) fn act<R, E: From<Error>>(&mut self, act: impl FnOnce(&mut Tables<'_>) -> Result<R, E>) -> Result<R, E> {
        let mut tables = Tables::new(self);
        let result = catch_unwind(AssertUnwindSafe(|| act(&mut tables)));
        let end = tables.end();
        self.suspect |= end.damaged || result.is_err();
        let result = result.unwrap_or_else(|panic| Err(Error::Panicked { why: panic_text(&*panic) }.into()));
        let result = match result {
            Ok(value) => self.apply(end.writes, !end.born.is_empty()).map(|()| value).map_err(E::from),
            Err(error) => Err(error),
        };
        match result {
            Ok(_) => self.dead_files.extend(end.dead),
            Err(_) => end.born.iter().for_each(|name| self.big.remove(name)),
        }
        result
    }

    fn apply(&mut self, writes: Writes, new_files: bool) -> Result<(), Error> {
        if writes.is_empty() {
            return Ok(());
        }
        if new_files {
            self.big.sync()?;
        }
        let mut head = self.head.clone();
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            let was = self.sled().contains_key(&key).map_err(|error| self.failed(&error))?;
            if let Some(value) = value {
                head.rows += u64::from(!was);
                batch.insert(key, value);
            } else {
                head.rows -= u64::from(was);
                batch.remove(key);
            }
        }
        head.commits += 1;
        batch.insert(HEAD, head.encode()?);
        self.sled().apply_batch(batch).map_err(|error| self.failed(&error))?;
        self.head = head;
        self.dirty = true;
        Ok(())
    }

    /// Makes everything applied so far durable. After a failure nothing that was written since is certain.
    pub(super) fn commit(&mut self) -> Result<(), Error> {
        if !self.dirty {
            return Ok(());
        }
        let flushed = self.sled().flush().map_err(|error| io::Error::other(error.to_string()));
        if let Err(error) = flushed.and_then(|_| self.file.sync_data()) {
            self.suspect = true;
            return Err(Error::Commit { path: self.data.clone(), source: error.into() });
        }
        self.dirty = false;
        self.witness.commit(self.head.commits)?;
        self.dead_files.drain(..).for_each(|name| self.big.remove(&name));
        Ok(())
    }

    /// Whether something contradicted itself, so that the store should be opened anew.
    pub(super) fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// The row of a key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let row = self.sled().get(key).map_err(|error| self.failed(&error))?;
        Ok(row.map(|row| row.to_vec()))
    }

    /// Reads every row whose key begins with `prefix`, in order.
    pub(super) fn scan<R>(
        &self,
        prefix: &[u8],
        mut read: impl FnMut(&[u8], &[u8]) -> Result<R, Error>,
    ) -> Result<Vec<R>, Error> {
        let rows = self.sled().scan_prefix(prefix);
        rows.map(|row| row.map_err(|error| self.failed(&error)).and_then(|(key, value)| read(&key, &value))).collect()
    }

    /// The folder of big values.
    pub(super) fn big(&self) -> &Folder {
        &self.big
    }

    fn sled(&self) -> &sled::Db {
        self.db.as_ref().expect("the database is taken only on drop")
    }

    fn failed(&self, error: &sled::Error) -> Error {
        classify(&self.data, error)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unsaved = self.dirty;
        drop(catch_unwind(AssertUnwindSafe(|| drop(self.db.take()))));
        // sled tidies up as it goes; what it wrote then is durable before the witness says that all is well.
        let unsaved = unsaved || self.file.sync_data().is_err();
        let freed = lock::wait_until_free(&self.db_path, PATIENCE).is_ok();
        if freed && !self.suspect && !unsaved {
            drop(self.witness.close(self.head.commits, &self.db_path));
        }
    }
}

/// Damage, or the system around it? A full disk or a missing permission must never set a good store aside.
pub(super) fn classify(data: &Path, error: &sled::Error) -> Error {
    let sled::Error::Io(source) = error else {
        return Error::Broken { path: data.to_owned(), why: error.to_string() };
    };
    let shape = [io::ErrorKind::NotADirectory, io::ErrorKind::IsADirectory, io::ErrorKind::AlreadyExists];
    let content = [io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput];
    if shape.contains(&source.kind()) || content.contains(&source.kind()) {
        return Error::Broken { path: data.to_owned(), why: source.to_string() };
    }
    Error::io("use", data)(io::Error::new(source.kind(), source.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_or_a_missing_permission_never_sets_a_good_store_aside() {
        let classified = |error: sled::Error| classify(Path::new("/s"), &error).is_damage();
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::StorageFull, io::ErrorKind::Other] {
            assert!(!classified(sled::Error::Io(kind.into())), "{kind:?}");
        }
        for kind in [io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidData, io::ErrorKind::IsADirectory] {
            assert!(classified(sled::Error::Io(kind.into())), "{kind:?}");
        }
        assert!(classified(sled::Error::Corruption { at: None, bt: () }));
        assert!(classified(sled::Error::Unsupported("another version".into())));
    }
}
