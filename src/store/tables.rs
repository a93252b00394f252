//! One transaction's view of the tables: what it wrote lies over what is on disk.

use std::{cell::Cell, collections::BTreeMap};

use super::{
    Error, Key, Table,
    big::{LIMIT, Pointer},
    disk::{Disk, Writes},
    table::{decode, encode, prefix, read_key, row_key},
};

const INLINE: u8 = 0;
const IN_FILE: u8 = 1;

/// Rows in the order of their keys.
pub type Rows<K, V> = Vec<(K, V)>;

/// The rows that can be read, and the others.
pub type Sorted<K, V> = (Rows<K, V>, Vec<Unreadable>);

/// The rows of a table that can be read, and the others.
pub type Readable<T> = Sorted<<T as Table>::Key, <T as Table>::Value>;

/// A row that cannot be read.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// Its key, as far as that is text.
    pub key: String,
    /// What is wrong with it.
    pub error: Error,
}

/// The tables, inside one transaction: all of its writes are kept, or none.
#[derive(Debug)]
pub struct Tables<'a> {
    disk: &'a Disk,
    writes: Writes,
    born: Vec<String>,
    dead: Vec<String>,
    damaged: Cell<bool>,
}

/// What a transaction leaves behind.
pub(super) struct End {
    pub(super) writes: Writes,
    /// Files written for it, to be removed if it is not kept.
    pub(super) born: Vec<String>,
    /// Files whose rows it removed, to be removed once it is durable.
    pub(super) dead: Vec<String>,
    pub(super) damaged: bool,
}

impl<'a> Tables<'a> {
    pub(super) fn new(disk: &'a Disk) -> Self {
        Self { disk, writes: Writes::new(), born: Vec::new(), dead: Vec::new(), damaged: Cell::new(false) }
    }

    pub(super) fn end(self) -> End {
        End { writes: self.writes, born: self.born, dead: self.dead, damaged: self.damaged.get() }
    }

    /// The value of a key.
    pub fn get<T: Table>(&self, key: &T::Key) -> Result<Option<T::Value>, Error> {
        self.raw(&row_key::<T>(key))?.map(|row| self.value::<T>(&row)).transpose()
    }

    /// Whether a key has a value.
    pub fn contains<T: Table>(&self, key: &T::Key) -> Result<bool, Error> {
        Ok(self.raw(&row_key::<T>(key))?.is_some())
    }

    /// All rows of a table, in the order of their keys.
    pub fn all<T: Table>(&self) -> Result<Rows<T::Key, T::Value>, Error> {
        let start = prefix::<T>();
        self.rows::<T, T::Key>(&start)
    }

    /// All rows of a table that can be read, in the order of their keys, and what is wrong with the others.
    pub fn readable<T: Table>(&self) -> Result<Readable<T>, Error> {
        self.readable_rows::<T, T::Key>(&prefix::<T>())
    }

    /// The same of a table of pairs, of the rows that share the first part of their key.
    pub fn under<T, A, B>(&self, first: &A) -> Result<Sorted<B, T::Value>, Error>
    where
        T: Table<Key = (A, B)>,
        A: Key,
        B: Key,
    {
        self.readable_rows::<T, B>(&start_under::<T, A, B>(first))
    }

    /// Sets the value of a key.
    pub fn put<T: Table>(&mut self, key: &T::Key, value: &T::Value) -> Result<(), Error> {
        let bytes = encode::<T>(value)?;
        let key = row_key::<T>(key);
        self.retire(&key)?;
        let mut row = vec![T::VERSION];
        if bytes.len() > LIMIT {
            let pointer = self.disk.big().write(&bytes)?;
            self.born.push(pointer.name.clone());
            self.writes.insert(big_key(&pointer.name), Some(Vec::new()));
            row.push(IN_FILE);
            row.extend(postcard::to_stdvec(&pointer).map_err(|error| unwritable::<T>(&error))?);
        } else {
            row.push(INLINE);
            row.extend(bytes);
        }
        self.writes.insert(key, Some(row));
        Ok(())
    }

    /// Removes a key and its value.
    pub fn remove<T: Table>(&mut self, key: &T::Key) -> Result<(), Error> {
        let key = row_key::<T>(key);
        self.retire(&key)?;
        self.writes.insert(key, None);
        Ok(())
    }

    /// Writes a row as it stands, for tests of what other versions wrote.
    #[cfg(test)]
    pub(super) fn put_raw(&mut self, key: &[u8], row: Vec<u8>) {
        self.writes.insert(key.to_vec(), Some(row));
    }

    /// The file of a value that is about to be replaced goes with it.
    fn retire(&mut self, key: &[u8]) -> Result<(), Error> {
        let Some(row) = self.raw(key)? else { return Ok(()) };
        if let Some(pointer) = pointer(&row) {
            self.writes.insert(big_key(&pointer.name), None);
            self.dead.push(pointer.name);
        }
        Ok(())
    }

    fn rows<T: Table, K: Key>(&self, start: &[u8]) -> Result<Rows<K, T::Value>, Error> {
        let read =
            |key: &[u8], row: &[u8]| Ok((self.seen(read_key(T::NAME, &key[start.len()..]))?, self.value::<T>(row)?));
        if self.written(start).next().is_none() {
            return self.seen(self.disk.scan(start, read));
        }
        self.raw_rows(start)?.iter().map(|(key, row)| read(key, row)).collect()
    }

    fn readable_rows<T: Table, K: Key>(&self, start: &[u8]) -> Result<Sorted<K, T::Value>, Error> {
        let (mut good, mut bad) = (Rows::new(), Vec::new());
        for (key, row) in self.raw_rows(start)? {
            let rest = &key[start.len()..];
            let read = self.seen(read_key(T::NAME, rest)).and_then(|key| Ok((key, self.value::<T>(&row)?)));
            match read {
                Ok(row) => good.push(row),
                Err(error) => bad.push(Unreadable { key: String::from_utf8_lossy(rest).into_owned(), error }),
            }
        }
        Ok((good, bad))
    }

    fn written(&self, start: &[u8]) -> impl Iterator<Item = (&Vec<u8>, &Option<Vec<u8>>)> {
        self.writes.range(start.to_vec()..).take_while(move |(key, _)| key.starts_with(start))
    }

    fn raw_rows(&self, start: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Error> {
        let copied = self.disk.scan(start, |key, row| Ok((key.to_vec(), row.to_vec())));
        let mut rows: BTreeMap<_, _> = self.seen(copied)?.into_iter().collect();
        for (key, value) in self.written(start) {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        Ok(rows)
    }

    fn raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.writes.get(key) {
            Some(row) => Ok(row.clone()),
            None => self.seen(self.disk.get(key)),
        }
    }

    fn value<T: Table>(&self, row: &[u8]) -> Result<T::Value, Error> {
        let Some((version, rest)) = row.split_first() else { return self.seen(Err(unreadable::<T>())) };
        if let Some(pointer) = pointer(row) {
            let bytes = self.seen(self.disk.big().read(&pointer))?;
            return self.seen(decode::<T>(*version, &bytes));
        }
        match rest.split_first() {
            Some((&INLINE, bytes)) => self.seen(decode::<T>(*version, bytes)),
            _ => self.seen(Err(unreadable::<T>())),
        }
    }

    /// Remembers that damage was seen, whatever the transaction makes of the error.
    fn seen<R>(&self, result: Result<R, Error>) -> Result<R, Error> {
        if result.as_ref().is_err_and(Error::is_damage) {
            self.damaged.set(true);
        }
        result
    }
}

/// The key of the row that says a big value's file is in use.
pub(super) fn big_key(name: &str) -> Vec<u8> {
    [b"\0big\0", name.as_bytes()].concat()
}

/// How the keys of a table of pairs begin that share their first part.
fn start_under<T, A, B>(first: &A) -> Vec<u8>
where
    T: Table<Key = (A, B)>,
    A: Key,
    B: Key,
{
    let mut start = prefix::<T>();
    first.write(&mut start);
    start.push(0);
    start
}

fn pointer(row: &[u8]) -> Option<Pointer> {
    let [_, IN_FILE, rest @ ..] = row else { return None };
    postcard::from_bytes(rest).ok()
}

fn unreadable<T: Table>() -> Error {
    Error::Row { table: T::NAME, doing: "read", why: "it has no known form".into() }
}

fn unwritable<T: Table>(error: &postcard::Error) -> Error {
    Error::Row { table: T::NAME, doing: "written", why: error.to_string() }
}
