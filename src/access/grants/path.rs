//! Files and folders in grants.

use std::path::{Path, PathBuf};

use globset::GlobMatcher;
use serde::{Deserialize, Serialize};

use super::{
    InvalidGrant,
    pattern::{compile, fixed_part},
};

/// Files and folders: an absolute path or a glob over absolute paths.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathGrant {
    text: String,
    /// Nothing for a plain path, which is compared as it stands.
    glob: Option<GlobMatcher>,
}

impl PathGrant {
    /// Whether this grant covers `path`, compared without looking at the disk.
    pub fn covers(&self, path: &Path) -> bool {
        let itself = self.text.strip_suffix("/**").unwrap_or(&self.text);
        path == Path::new(itself) || self.glob.as_ref().is_some_and(|glob| glob.is_match(path))
    }

    /// Whether this grant covers `path`, which is free of symbolic links, although it may be written
    /// with some: `/proc/mounts` is `/proc/self/mounts`, and what `/bin/*` covers is in `/usr/bin`.
    pub(super) fn leads_to(&self, path: &Path, resolve: impl Fn(&Path) -> Option<PathBuf>) -> bool {
        if self.covers(path) {
            return true;
        }
        let fixed = fixed_part(&self.text, self.glob.is_some());
        let Some(real) = resolve(fixed) else { return false };
        match (&self.glob, path.strip_prefix(&real)) {
            (None, _) => path == real,
            (Some(_), Ok(rest)) => {
                self.covers(&if rest.as_os_str().is_empty() { fixed.to_owned() } else { fixed.join(rest) })
            }
            (Some(_), Err(_)) => false,
        }
    }

    /// The path, or the folder below which everything lies that the pattern fits.
    pub fn beginning(&self) -> &Path {
        fixed_part(&self.text, self.is_pattern())
    }

    /// Whether this is for more than one path.
    pub fn is_pattern(&self) -> bool {
        self.glob.is_some()
    }

    /// The text as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for PathGrant {
    type Error = InvalidGrant;

    fn try_from(text: String) -> Result<Self, InvalidGrant> {
        if !text.starts_with('/') {
            return Err(InvalidGrant::new(&text, "a path begins with `/`"));
        }
        if text.split('/').any(|part| part == "..") {
            return Err(InvalidGrant::new(&text, "`..` has no place in a grant"));
        }
        let glob = compile(&text)?;
        Ok(Self { text, glob })
    }
}

impl From<PathGrant> for String {
    fn from(grant: PathGrant) -> Self {
        grant.text
    }
}

impl PartialEq for PathGrant {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
