//! Tables, keys, and how a row is laid out.
//!
//! A row's key is `TABLE 0x00 KEY`; its value is a version byte, a byte that says where the rest is (0 here, 1 in a file
//! of its own), and the value in postcard's encoding. Names and identifiers never hold a zero byte, so parts joined by one
//! sort and split without escapes.

use serde::{Serialize, de::DeserializeOwned};

use super::Error;
use crate::ids::{HostName, MinionJobId, OverlordJobId, ScheduleName};

/// A table: a name, a version, and the types of its keys and values.
pub trait Table {
    /// The table's name on disk; never changed.
    const NAME: &'static str;
    /// Raised when the value's encoding changes; older versions stay readable through [`Table::upgrade`].
    const VERSION: u8;
    /// What a row is found by.
    type Key: Key;
    /// What it holds.
    type Value: Serialize + DeserializeOwned;

    /// Reads a value that an older version of the program wrote.
    fn upgrade(version: u8, _bytes: &[u8]) -> Option<Self::Value> {
        debug_assert!(version < Self::VERSION, "only older rows need an upgrade");
        None
    }
}

/// Something that rows are found by.
pub trait Key: Sized {
    /// Appends the key's bytes.
    fn write(&self, out: &mut Vec<u8>);
    /// Reads them back.
    fn read(bytes: &[u8]) -> Option<Self>;
}

macro_rules! text_key {
    ($($name:ty),*) => {$(
        impl Key for $name {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.as_str().as_bytes());
            }

            fn read(bytes: &[u8]) -> Option<Self> {
                std::str::from_utf8(bytes).ok()?.parse().ok()
            }
        }
    )*};
}

text_key!(HostName, MinionJobId, OverlordJobId, ScheduleName);

impl<A: Key, B: Key> Key for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        out.push(0);
        self.1.write(out);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let zero = bytes.iter().position(|byte| *byte == 0)?;
        Some((A::read(&bytes[..zero])?, B::read(&bytes[zero + 1..])?))
    }
}

/// The beginning that all rows of a table share.
pub(super) fn prefix<T: Table>() -> Vec<u8> {
    let mut bytes = T::NAME.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// A row's whole key.
pub(super) fn row_key<T: Table>(key: &T::Key) -> Vec<u8> {
    let mut bytes = prefix::<T>();
    key.write(&mut bytes);
    bytes
}

/// The key inside a row's whole key.
pub(super) fn read_key<K: Key>(table: &'static str, bytes: &[u8]) -> Result<K, Error> {
    K::read(bytes).ok_or_else(|| Error::Row { table, doing: "read", why: "its key is not of the table's type".into() })
}

/// A value in postcard's encoding.
pub(super) fn encode<T: Table>(value: &T::Value) -> Result<Vec<u8>, Error> {
    postcard::to_stdvec(value).map_err(|error| Error::Row { table: T::NAME, doing: "written", why: error.to_string() })
}

/// A value from postcard's encoding, of this version or an older one.
pub(super) fn decode<T: Table>(version: u8, bytes: &[u8]) -> Result<T::Value, Error> {
    let unreadable = |why: String| Error::Row { table: T::NAME, doing: "read", why };
    if version > T::VERSION {
        return Err(Error::Version { table: T::NAME, found: version, known: T::VERSION });
    }
    if version < T::VERSION {
        return T::upgrade(version, bytes).ok_or_else(|| unreadable(format!("version {version} is too old")));
    }
    postcard::from_bytes(bytes).map_err(|error| unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_of_names_is_read_back() {
        let job: OverlordJobId = "*-test-add-7".parse().unwrap();
        let pair = (job, "web1.example".parse::<HostName>().unwrap());
        let mut bytes = Vec::new();
        pair.write(&mut bytes);
        assert_eq!(<(OverlordJobId, HostName)>::read(&bytes), Some(pair));
        assert_eq!(<(OverlordJobId, HostName)>::read(b"no-zero-in-7"), None);
    }
}
