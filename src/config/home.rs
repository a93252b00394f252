//! Where state and configuration lie.

use std::env;
use std::path::{Path, PathBuf};

/// The two folders of one installation: state that programs write, configuration that people write.
///
/// `FUNC_HOME` puts both in one folder. Without it root uses `/var/lib/func` and `/etc/func`,
/// anybody else the XDG folders (<https://specifications.freedesktop.org/basedir-spec/>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    state: PathBuf,
    config: PathBuf,
}

impl Home {
    /// State and configuration in one folder.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self { state: folder.clone(), config: folder }
    }

    /// The home of this user, from the environment.
    pub fn of_this_user() -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(folder) = variable("FUNC_HOME") {
            return Self::at(folder);
        }
        let user_home = variable("HOME");
        match user_home {
            Some(home) if !nix::unistd::geteuid().is_root() => Self {
                state: variable("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state")).join("func"),
                config: variable("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")).join("func"),
            },
            _ => Self { state: "/var/lib/func".into(), config: "/etc/func".into() },
        }
    }

    /// The folder for state.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The folder for configuration.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The certificate authority's folder, on the machine that has it.
    pub fn authority(&self) -> PathBuf {
        self.state.join("ca")
    }

    /// The inventory: every minion's name and address.
    pub fn inventory(&self) -> PathBuf {
        self.state.join("inventory.toml")
    }

    /// The folder of this machine's own certificate, key and CA certificate.
    pub fn identity(&self) -> PathBuf {
        self.state.join("identity")
    }

    /// The overlord's job store.
    pub fn store(&self) -> PathBuf {
        self.state.join("store")
    }

    /// The hosts known to be down, one a line.
    pub fn known_down(&self) -> PathBuf {
        self.config.join("down")
    }

    /// The minion's configuration file.
    pub fn minion_toml(&self) -> PathBuf {
        self.config.join("minion.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_folder_holds_everything_when_it_is_named() {
        let home = Home::at("/srv/f");
        assert_eq!(home.store(), Path::new("/srv/f/store"));
        assert_eq!(home.minion_toml(), Path::new("/srv/f/minion.toml"));
    }
}
