//! Services that `OpenRC` or scripts in /etc/init.d start, by their own programs.

use std::path::Path;

use super::{
    super::{Access, Error, ErrorKind, command, denial::shown, error},
    Action, Service,
    unit::Unit,
};

/// What starts services here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scripts {
    OpenRc,
    /// `service NAME ACTION`.
    Service,
}

/// Where the scripts are.
const FOLDER: &str = "/etc/init.d";

impl Scripts {
    /// Nothing where neither is.
    pub(super) fn find() -> Option<Self> {
        let is = |program: &str| command::find(program).is_some();
        if is("rc-service") {
            Some(Self::OpenRc)
        } else {
            (is("service") && Path::new(FOLDER).is_dir()).then_some(Self::Service)
        }
    }

    fn check(unit: &Unit) -> Result<&str, Error> {
        let name = unit.plain().filter(|name| Path::new(FOLDER).join(name).is_file());
        name.ok_or_else(|| {
            error(ErrorKind::NotFound, format!("there is no service `{}` in {FOLDER}", unit.short()), None)
        })
    }

    /// Both exit with 0 for a service that runs, and with 3 (or, of `OpenRC`, also 16 and 32) for one that does not.
    pub(super) async fn status(self, unit: &Unit, access: &Access) -> Result<Service, Error> {
        let name = Self::check(unit)?;
        let code = self.run(name, "status", access).await?.0;
        let active = match code {
            0 => "active",
            1 | 2 => "failed",
            3 | 16 | 32 => "inactive",
            _ => "unknown",
        };
        Ok(Service {
            name: name.to_owned(),
            description: String::new(),
            load: "loaded".to_owned(),
            active: active.to_owned(),
            sub: String::new(),
            enabled: None,
            main_pid: None,
        })
    }

    pub(super) async fn change(self, unit: &Unit, action: Action, access: &Access) -> Result<bool, Error> {
        let name = Self::check(unit)?;
        let word = match action {
            Action::Start => "start",
            Action::Stop => "stop",
            Action::Restart => "restart",
            Action::Reload => "reload",
            _ => {
                return Err(unsupported(
                    "a service is made to start with the machine, or not, only where systemd runs",
                ));
            }
        };
        let before = self.status(unit, access).await?.active;
        let (code, said) = self.run(name, word, access).await?;
        match (code, action) {
            (0, Action::Start) => Ok(before != "active"),
            (0, Action::Stop) => Ok(before != "inactive"),
            (0, _) => Ok(true),
            (code, _) => {
                let message = format!("`{name}` did not do it: `{word}` ended with {code}{said}");
                Err(error(ErrorKind::Failed, message, None))
            }
        }
    }

    async fn run(self, name: &str, word: &str, access: &Access) -> Result<(i32, String), Error> {
        let program = if self == Self::OpenRc { "rc-service" } else { "service" };
        let output = command::run_for_host(program, &[name, word], access).await?;
        let said = String::from_utf8_lossy(&output.stderr).trim().lines().last().map(shown).unwrap_or_default();
        let said = if said.is_empty() { said } else { format!(": {said}") };
        match output.status {
            command::Status::Exited(code) => Ok((code, said)),
            command::Status::Signalled(signal) => Ok((128 + signal, said)),
            command::Status::TimedOut => {
                Err(error(ErrorKind::TimedOut, format!("`{program} {name} {word}` took too long"), None))
            }
        }
    }
}

pub(super) fn unsupported(why: &str) -> Error {
    error(ErrorKind::Unsupported, why, None)
}
