//! The files behind it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::PathBuf,
    time::Duration,
};

use super::super::{
    Error, ErrorKind,
    denial::{failed, invalid, shown},
    error,
};
use crate::sys::{
    durable,
    lock::{self, Attempt},
};

/// Keys that one module has at most.
pub(super) const KEYS: usize = 256;
const LONGEST_KEY: usize = 100;
/// How long a change waits for others.
const PATIENCE: Duration = Duration::from_secs(2);
/// No key begins with a dot.
const LOCK: &str = ".lock";

/// A key that is also the name of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(String);

impl Key {
    pub(super) fn new(text: &str) -> Result<Self, Error> {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if text.is_empty() || text.len() > LONGEST_KEY || text.starts_with('.') || !text.bytes().all(letters) {
            let rule = "1 to 100 letters, digits and `- _ .`, not beginning with a dot";
            return Err(invalid(format!("`{}` is no key: it is {rule}", shown(text))));
        }
        Ok(Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// One module's data.
pub(super) struct Keep {
    folder: PathBuf,
    most: usize,
    patience: Duration,
}

impl Keep {
    pub(super) fn new(folder: PathBuf, most: usize, remaining: Duration) -> Self {
        Self { folder, most, patience: PATIENCE.min(remaining) }
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Error> {
        match fs::read(self.folder.join(key.as_str())) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(key.as_str(), &error)),
        }
    }

    /// Every key with the size of its value.
    pub(super) fn sizes(&self) -> Result<BTreeMap<String, usize>, Error> {
        let read = || -> io::Result<BTreeMap<String, usize>> {
            let entries = match fs::read_dir(&self.folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
                Err(error) => return Err(error),
            };
            let mut sizes = BTreeMap::new();
            for entry in entries {
                let entry = entry?;
                let Some(key) = entry.file_name().to_str().and_then(|name| Key::new(name).ok()) else { continue };
                match entry.metadata() {
                    Ok(about) => sizes.insert(key.0, usize::try_from(about.len()).unwrap_or(usize::MAX)),
                    // Another call has just deleted it.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                    Err(error) => return Err(error),
                };
            }
            Ok(sizes)
        };
        read().map_err(|error| failed("the module's data", &error))
    }

    pub(super) fn set(&self, key: &Key, value: &[u8]) -> Result<(), Error> {
        let _lock = self.lock()?;
        self.write(key, value)
    }

    pub(super) fn delete(&self, key: &Key) -> Result<bool, Error> {
        let _lock = self.lock()?;
        self.remove(key)
    }

    pub(super) fn swap(&self, key: &Key, expected: Option<&[u8]>, value: Option<&[u8]>) -> Result<bool, Error> {
        let _lock = self.lock()?;
        if self.get(key)?.as_deref() != expected {
            return Ok(false);
        }
        match value {
            Some(value) => self.write(key, value)?,
            None => drop(self.remove(key)?),
        }
        Ok(true)
    }

    /// Whether a value fits beside the others.
    pub(super) fn judge(&self, sizes: &BTreeMap<String, usize>, key: &Key, size: usize) -> Result<(), Error> {
        let others = sizes.iter().filter(|(other, _)| *other != key.as_str());
        let (keys, bytes) =
            others.fold((1_usize, size), |(keys, bytes), (_, size)| (keys + 1, bytes.saturating_add(*size)));
        let why = if keys > KEYS {
            format!("a module keeps no more than {KEYS} keys")
        } else if bytes > self.most {
            format!("a module keeps no more than {} bytes, and this would make it {bytes}", self.most)
        } else {
            return Ok(());
        };
        Err(error(ErrorKind::TooLarge, why, None))
    }

    fn write(&self, key: &Key, value: &[u8]) -> Result<(), Error> {
        self.judge(&self.sizes()?, key, value.len())?;
        durable::write_atomic(&self.folder.join(key.as_str()), value, 0o600)
            .map_err(|error| failed(key.as_str(), &error))
    }

    fn remove(&self, key: &Key) -> Result<bool, Error> {
        match fs::remove_file(self.folder.join(key.as_str())) {
            Ok(()) => durable::sync_folder(&self.folder).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
        .map_err(|error| failed(key.as_str(), &error))
    }

    /// Makes the folder if need be and takes its lock, which ends with the file. Drafts of writers that were
    /// killed are removed: nobody else can be writing now.
    fn lock(&self) -> Result<File, Error> {
        let take = || -> io::Result<(File, Attempt)> {
            // One at a time, so that the name of each is durable: the root, the package, the module.
            let above: Vec<_> = self.folder.ancestors().take(3).filter(|path| path.parent().is_some()).collect();
            for folder in above.into_iter().rev() {
                durable::create_folder(folder, 0o700)?;
            }
            let file = lock::open_lock_file(&self.folder.join(LOCK))?;
            let attempt = lock::exclusive_within(&file, self.patience)?;
            Ok((file, attempt))
        };
        let (file, attempt) = take().map_err(|error| failed("the module's data", &error))?;
        if attempt == Attempt::Busy {
            return Err(error(ErrorKind::Busy, "other calls of the module hold its data", None));
        }
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with('.') && name != LOCK) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(file)
    }
}
