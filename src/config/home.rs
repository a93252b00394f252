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
        Self::of(nix::unistd::geteuid().is_root(), |name| env::var_os(name).map(PathBuf::from))
    }

    /// The home of root, or of somebody else, in an environment. A variable without a value counts as unset.
    fn of(root: bool, variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let variable = |name| variable(name).filter(|value| !value.as_os_str().is_empty());
        if let Some(folder) = variable("FUNC_HOME") {
            return Self::at(folder);
        }
        match variable("HOME") {
            Some(home) if !root => Self {
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

    /// The socket of the overlord's daemon.
    pub fn overlord_socket(&self) -> PathBuf {
        self.state.join("overlord.sock")
    }

    /// The certificate authority's folder, on the machine that has it.
    pub fn authority(&self) -> PathBuf {
        self.state.join("ca")
    }

    /// The inventory: every minion's name and address.
    pub fn inventory(&self) -> PathBuf {
        self.state.join("inventory.toml")
    }

    /// Who is reached through whom.
    pub fn map(&self) -> PathBuf {
        self.state.join("map.toml")
    }

    /// The folder of this machine's own certificate, key and CA certificate.
    pub fn identity(&self) -> PathBuf {
        self.state.join("identity")
    }

    /// The folder of the certificate and key that the overlord's daemon shows on the network.
    pub fn daemon_identity(&self) -> PathBuf {
        self.state.join("daemon-identity")
    }

    /// The overlord's job store.
    pub fn store(&self) -> PathBuf {
        self.state.join("store")
    }

    /// The groups of hosts.
    pub fn groups(&self) -> PathBuf {
        self.config.join("groups.toml")
    }

    /// What the sources of groups have told.
    pub fn told_groups(&self) -> PathBuf {
        self.state.join("groups.json")
    }

    /// What hosts have said of themselves.
    pub fn facts(&self) -> PathBuf {
        self.state.join("facts.json")
    }

    /// The hosts known to be down, one a line.
    pub fn known_down(&self) -> PathBuf {
        self.config.join("down")
    }

    /// The key that this user signs modules with.
    pub fn author_key(&self) -> PathBuf {
        self.config.join("author.key")
    }

    /// The minion's configuration file.
    pub fn minion_toml(&self) -> PathBuf {
        self.config.join("minion.toml")
    }

    /// The overlord's configuration.
    pub fn overlord_toml(&self) -> PathBuf {
        self.config.join("overlord.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(root: bool, variables: &[(&str, &str)]) -> Home {
        Home::of(root, |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn root_and_others_have_their_usual_places() {
        let root = of(true, &[("HOME", "/root"), ("FUNC_HOME", "")]);
        assert_eq!((root.state(), root.config()), (Path::new("/var/lib/func"), Path::new("/etc/func")));
        let user = of(false, &[("HOME", "/home/u")]);
        let places = (Path::new("/home/u/.local/state/func"), Path::new("/home/u/.config/func"));
        assert_eq!((user.state(), user.config()), places);
        let moved = of(false, &[("HOME", "/home/u"), ("XDG_STATE_HOME", "/s"), ("XDG_CONFIG_HOME", "/c")]);
        assert_eq!((moved.state(), moved.config()), (Path::new("/s/func"), Path::new("/c/func")));
        assert_eq!(of(true, &[("FUNC_HOME", "/srv/f")]), Home::at("/srv/f"));
        assert_eq!(of(false, &[]).state(), Path::new("/var/lib/func"), "somebody without a home");
    }

    #[test]
    fn one_folder_holds_everything_when_it_is_named() {
        let home = Home::at("/srv/f");
        assert_eq!(home.store(), Path::new("/srv/f/store"));
        assert_eq!(home.minion_toml(), Path::new("/srv/f/minion.toml"));
    }
}
