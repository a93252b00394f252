//! Reading the file, once and again.

use std::path::{Path, PathBuf};

use super::MinionConfig;
use crate::{
    access::{Acl, Policy, Signers},
    config::{self, Home, Listen},
    ids::Digest,
};

/// The file of a configuration, to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    home: Home,
    /// What was said elsewhere in its place.
    listen: Option<Listen>,
}

impl Source {
    /// What it says now.
    pub fn read(&self) -> Result<MinionConfig, config::Error> {
        let mut config = MinionConfig::load(&self.path, &self.home)?;
        if let Some(listen) = &self.listen {
            config.listen_on(listen.clone());
        }
        Ok(config)
    }
}

impl MinionConfig {
    /// Reads `path`. Relative paths in it are taken from the home's state folder.
    pub fn load(path: &Path, home: &Home) -> Result<Self, config::Error> {
        let mut config = config::load::<Self>(path)?.below(home.state());
        config.source = Some(Source { path: path.to_owned(), home: home.clone(), listen: None });
        config.check_names(path)?;
        if let Some(folder) = &config.folders.acl {
            config.acl = Acl::read_folder(folder).map_err(|error| config::Error::Invalid {
                path: folder.clone(),
                message: std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), |source| format!("{error}: {source}")),
            })?;
        }
        Ok(config)
    }

    /// The same, or the defaults when there is no such file.
    pub fn load_or_default(path: &Path, home: &Home) -> Result<Self, config::Error> {
        match Self::load(path, home) {
            Err(config::Error::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                let source = Some(Source { path: path.to_owned(), home: home.clone(), listen: None });
                Ok(Self { source, ..Self::default().below(home.state()) })
            }
            loaded => loaded,
        }
    }

    /// The digest of the file that this was read from, as it is now.
    pub(in crate::minion) fn digest(&self) -> Option<Digest> {
        let source = self.source.as_ref()?;
        std::fs::read(&source.path).ok().map(|bytes| Digest::of(&bytes))
    }

    /// Who may call what.
    pub fn policy(&self) -> Policy {
        Policy::new(self.access.clone(), self.acl.clone())
    }

    /// Whose modules load.
    pub fn trust(&self) -> Signers {
        Signers::new(&self.signers, self.modules.trusted.iter().copied(), self.modules.unsigned)
    }

    /// Whether `text` could stand in `path`.
    pub fn check_text(text: &str, path: &Path, home: &Home) -> Result<(), config::Error> {
        config::parse::<Self>(text, path)?.below(home.state()).check_names(path)
    }

    /// Listens there, whatever the file says now or later.
    pub fn listen_on(&mut self, listen: Listen) {
        if let Some(source) = &mut self.source {
            source.listen = Some(listen.clone());
        }
        self.listen = listen;
    }

    /// Whether more than rules, grants, settings and signers is different, which only a new start takes.
    pub(in crate::minion) fn differs_beyond_rules(&self, other: &Self) -> bool {
        let mut same = other.clone();
        same.grants = self.grants.clone();
        same.settings = self.settings.clone();
        same.access = self.access.clone();
        same.acl = self.acl.clone();
        same.folders.acl.clone_from(&self.folders.acl);
        same.signers = self.signers.clone();
        same.modules = self.modules.clone();
        same != *self
    }

    /// Refuses grants for a signer that nobody is.
    fn check_names(&self, path: &Path) -> Result<(), config::Error> {
        match self.grants.signers().find(|(_, signer)| !self.signers.contains_key(*signer)) {
            None => Ok(()),
            Some((module, signer)) => Err(config::Error::Invalid {
                path: path.to_owned(),
                message: format!("[grants.{module}] is for the signer `{signer}`, who is not in [signers]"),
            }),
        }
    }
}
