//! Reading a TOML file into a structure that refuses unknown keys, and writing one.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Serialize, de::DeserializeOwned};

use crate::sys::durable;

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the configuration file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what the program expects; the message shows the line.
    #[error("`{}` is not a valid configuration:\n{message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, the key and what is wrong with it.
        message: String,
    },
}

/// Reads `path` as TOML. `T` derives `Deserialize` with `deny_unknown_fields`.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    parse(&text, path)
}

/// The same of a file that need not be there.
pub fn load_or_default<T: DeserializeOwned + Default>(path: &Path) -> Result<T, Error> {
    match load(path) {
        Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        other => other,
    }
}

/// Writes a value as TOML below a line that says what it is, whole and durably, into a folder that is made if need be.
pub fn save<T: Serialize>(value: &T, head: &str, path: &Path) -> io::Result<()> {
    let body = toml::to_string(value).map_err(io::Error::other)?;
    durable::create_folder(durable::folder_of(path), 0o700)?;
    durable::write_atomic(path, format!("# {head}\n{body}").as_bytes(), 0o644)
}

/// Reads TOML text that was found at `path`, which is only named in errors.
pub fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, Error> {
    toml::from_str(text)
        .map_err(|error| Error::Invalid { path: path.to_owned(), message: error.to_string().trim_end().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[expect(dead_code, reason = "only its name matters here")]
        listen: String,
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = parse::<Example>("listen = 'a'\nlissten = 'b'\n", Path::new("minion.toml")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("minion.toml") && text.contains("line 2") && text.contains("lissten"), "{text}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = load::<Example>(Path::new("/no/such/minion.toml")).unwrap_err();
        assert!(error.to_string().contains("/no/such/minion.toml"));
    }
}
