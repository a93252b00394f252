//! Opening a store: every check that tells a good one from a damaged one.

use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use super::{
    Error, Opening,
    big::Folder,
    disk::classify,
    error::panic_text,
    head::{HEAD, Head, read_format, write_format},
    lock::{self, Lock, PATIENCE},
    opening::set_aside,
    tables::big_key,
    witness::{self, Witness},
};
use crate::sys::durable;

/// A store that passed.
pub(super) struct Parts {
    pub(super) db: sled::Db,
    pub(super) db_path: PathBuf,
    /// Sled's file, to be synced at each commit.
    pub(super) file: File,
    pub(super) data: PathBuf,
    pub(super) big: Folder,
    pub(super) head: Head,
    pub(super) witness: Witness,
}

/// Whether there is a store in `dir`, or anything else: one that is not there is made by whoever opens it.
pub fn exists(dir: &Path) -> bool {
    !fs::symlink_metadata(dir).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Opens the store in `dir`, or sets a damaged one aside and opens a fresh one.
pub(super) fn open(dir: &Path) -> Result<(Parts, Lock, Opening), Error> {
    make_folder(dir)?;
    let lock = Lock::take(dir, PATIENCE)?;
    let data = dir.join("data");
    let mut opening = Opening::default();
    let opened = match attempt(&data) {
        Err(error) if error.is_damage() => {
            let why = if let Error::Broken { why, .. } = error { why } else { error.to_string() };
            let aside = set_aside(dir, &data, why)?;
            let fresh = attempt(&data).inspect_err(|_| restore(&aside.path, &data));
            opening.set_aside = Some(aside);
            fresh
        }
        other => other,
    };
    let (parts, collected) = opened?;
    opening.collected = collected;
    Ok((parts, lock, opening))
}

/// Opens `data`, with a panic of sled's taken for damage.
fn attempt(data: &Path) -> Result<(Parts, usize), Error> {
    catch_unwind(AssertUnwindSafe(|| open_checked(data)))
        .unwrap_or_else(|panic| Err(Error::Broken { path: data.to_owned(), why: panic_text(&*panic) }))
}

fn open_checked(data: &Path) -> Result<(Parts, usize), Error> {
    let broken = |why: &str| Error::Broken { path: data.to_owned(), why: why.to_owned() };
    if fs::symlink_metadata(data).is_ok_and(|meta| !meta.is_dir()) {
        return Err(broken("it is not a folder"));
    }
    make_folder(data)?;
    let (format_path, sled_path) = (data.join("format"), data.join("sled"));
    let id_outside = read_format(data, &format_path)?;
    let db_path = sled_path.join("db");
    if id_outside.is_some() && !db_path.is_file() {
        return Err(broken("sled's file `db` is missing"));
    }
    let stamp = witness::stamp(&db_path);
    let (mut witness, seen) = Witness::open(&data.join("witness"))?;
    lock::wait_until_free(&db_path, PATIENCE)?;
    remove_unfinished_snapshots(&sled_path)?;
    let as_found = data.join("db.as-found");
    if seen.closed.is_some() && seen.closed != stamp {
        // Somebody changed the file since it was closed, and sled writes over what it does not understand.
        copy_whole(&db_path, &as_found)?;
    }
    // No flushing thread: every commit flushes, and a second writer would only cost time.
    let config = sled::Config::new().path(&sled_path).flush_every_ms(None).cache_capacity(64 << 20);
    let db = config.open().map_err(|error| classify(data, &error))?;
    let inside: Option<Head> = match db.get(HEAD).map_err(|error| classify(data, &error))? {
        Some(bytes) => Some(postcard::from_bytes(&bytes).map_err(|_| broken("its head row cannot be read"))?),
        None => None,
    };
    let head = match (id_outside, inside) {
        (Some(id), Some(head)) if head.id == id => head,
        (Some(_), Some(_)) => return Err(broken("sled's folder belongs to another store")),
        (Some(_), None) => return Err(broken("all its rows are gone: the file was cut short or overwritten")),
        (None, Some(head)) => {
            write_format(&format_path, &head.id)?;
            head
        }
        (None, None) if !db.is_empty() => return Err(broken("it holds rows that are not ours")),
        (None, None) if seen.commits > 0 => return Err(broken("all its rows are gone")),
        (None, None) => {
            let head = Head::fresh();
            create(data, &db, &head)?;
            head
        }
    };
    if head.commits < seen.commits {
        return Err(broken(&format!("its last {} commits are gone", seen.commits - head.commits)));
    }
    let file = File::open(&db_path).map_err(Error::io("open", &db_path))?;
    if seen.closed.is_none() || seen.closed != stamp {
        check_rows(data, &db, &head)?;
        // A killed process may have left rows that were never synced; the witness must not get ahead of them.
        file.sync_data().map_err(Error::io("sync", &db_path))?;
    }
    drop(fs::remove_file(&as_found));
    let big = Folder::open(&data.join("big"))?;
    let index = |name: &str| db.contains_key(big_key(name)).map_err(|error| classify(data, &error));
    let collected = big.collect(index)?;
    witness.commit(head.commits)?;
    Ok((Parts { db, db_path, file, data: data.to_owned(), big, head, witness }, collected))
}

/// sled writes a snapshot as `snap.N.generating` and renames it, but reads one that a killed process left half written as if
/// it were whole, and takes the store for damaged. The snapshot before it is still there, and the log behind that one.
fn remove_unfinished_snapshots(sled_path: &Path) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(sled_path) else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Copies a file, all of it or nothing. A copy that is there already is of an opening that did not get to its end, and older
/// than what sled may have written since: it stays.
fn copy_whole(from: &Path, to: &Path) -> Result<(), Error> {
    if to.exists() {
        return Ok(());
    }
    let part = to.with_extension("part");
    fs::copy(from, &part).and_then(|_| fs::rename(&part, to)).map_err(|error| {
        drop(fs::remove_file(&part));
        Error::io("copy", from)(error)
    })
}

/// Reads every row, and counts them: sled forgets torn ones without a word.
fn check_rows(data: &Path, db: &sled::Db, head: &Head) -> Result<(), Error> {
    let mut rows = 0;
    for row in db.iter() {
        let (key, _) = row.map_err(|error| classify(data, &error))?;
        rows += u64::from(&*key != HEAD);
    }
    if rows == head.rows {
        return Ok(());
    }
    Err(Error::Broken { path: data.to_owned(), why: format!("it holds {rows} rows and should hold {}", head.rows) })
}

/// A new store: the identity inside first, then outside, so that a crash in between leaves a store that opens.
fn create(data: &Path, db: &sled::Db, head: &Head) -> Result<(), Error> {
    db.insert(HEAD, head.encode()?).map_err(|error| classify(data, &error))?;
    db.flush().map_err(|error| classify(data, &error))?;
    let sled_path = data.join("sled");
    for path in [&sled_path.join("db"), &sled_path] {
        File::open(path).and_then(|file| file.sync_all()).map_err(Error::io("sync", path))?;
    }
    write_format(&data.join("format"), &head.id)
}

/// Puts a set-aside store back: the fresh one could not be opened either, so the fault lies elsewhere.
fn restore(aside: &Path, data: &Path) {
    drop(fs::remove_dir_all(data).and_then(|()| fs::rename(aside, data)));
}

fn make_folder(path: &Path) -> Result<(), Error> {
    durable::create_folder(path, 0o700).map_err(Error::io("create", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_breaks_off_leaves_nothing_and_one_that_is_there_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (to, good) = (dir.path().join("db.as-found"), dir.path().join("db"));
        // Its first page is not mapped, so it opens and cannot be read.
        assert!(copy_whole(Path::new("/proc/self/mem"), &to).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        fs::write(&good, "as found").unwrap();
        copy_whole(&good, &to).unwrap();
        fs::write(&good, "written over since").unwrap();
        copy_whole(&good, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "as found");
    }
}
