//! Looks at services, starts and stops them.

use exports::base::service::service::{Change, Guest, Info};
use func_sdk::{
    Result,
    services::{self, Action, Service as Told},
};

func_sdk::module!(Service);

struct Service;

impl Guest for Service {
    fn inventory(pattern: Option<String>) -> Result<Vec<Info>> {
        let wanted = |info: &Info| pattern.as_deref().is_none_or(|text| mentions(info, text));
        Ok(services::list()?.into_iter().map(info).filter(wanted).collect())
    }

    fn status(name: String) -> Result<Info> {
        services::status(&name).map(info)
    }

    fn start(name: String) -> Result<Change> {
        change(&name, Action::Start)
    }

    fn stop(name: String) -> Result<Change> {
        change(&name, Action::Stop)
    }

    fn restart(name: String) -> Result<Change> {
        change(&name, Action::Restart)
    }

    fn reload(name: String) -> Result<Change> {
        change(&name, Action::Reload)
    }

    fn enable(name: String) -> Result<Change> {
        change(&name, Action::Enable)
    }

    fn disable(name: String) -> Result<Change> {
        change(&name, Action::Disable)
    }
}

fn change(name: &str, action: Action) -> Result<Change> {
    let before = services::status(name).map(info)?;
    let changed = services::change(name, action)?;
    Ok(Change { changed, before, after: services::status(name).map(info)? })
}

fn mentions(info: &Info, text: &str) -> bool {
    info.name.contains(text) || info.description.contains(text)
}

fn info(told: Told) -> Info {
    let Told { name, description, load, active, sub, enabled, main_pid } = told;
    Info { name, description, load, active, sub, enabled, main_pid }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_found_by_its_name_and_by_what_it_is() {
        let told = |name: &str| Told {
            name: name.into(),
            description: "OpenBSD Secure Shell server".into(),
            load: "loaded".into(),
            active: "active".into(),
            sub: "running".into(),
            enabled: None,
            main_pid: Some(1),
        };
        assert!(mentions(&info(told("ssh.service")), "ssh") && mentions(&info(told("ssh.service")), "Shell"));
        assert!(!mentions(&info(told("ssh.service")), "nginx"));
    }
}
