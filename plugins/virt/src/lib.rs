//! Lists and steers virtual machines.

mod dominfo;

use exports::base::virt::virt::{Change, Guest, GuestMachine, State};
use func_sdk::{Error, ErrorKind, Result, checked, config, file, program::Program};

func_sdk::module!(Virt);

struct Virt;

impl Guest for Virt {
    fn list() -> Result<Vec<GuestMachine>> {
        let text = virsh()?.args(["list", "--all", "--name"]).text()?;
        let mut found = Vec::new();
        for name in text.lines().map(str::trim).filter(|name| !name.is_empty()) {
            // One that is not persistent may be gone meanwhile.
            match look(name) {
                Err(Error { kind: ErrorKind::NotFound, .. }) => {}
                other => found.push(other?),
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn info(name: String) -> Result<GuestMachine> {
        look(&name)
    }

    fn start(name: String) -> Result<Change> {
        change(&name, |machine| match machine.state {
            State::Running | State::Idle => None,
            State::Paused => Some("resume"),
            State::Suspended => Some("dompmwakeup"),
            _ => Some("start"),
        })
    }

    fn shutdown(name: String) -> Result<Change> {
        change(&name, |machine| (!matches!(machine.state, State::Off | State::Stopping)).then_some("shutdown"))
    }

    fn destroy(name: String) -> Result<Change> {
        change(&name, |machine| (machine.state != State::Off).then_some("destroy"))
    }

    fn set_autostart(name: String, enabled: bool) -> Result<Change> {
        let before = look(&name)?;
        if before.autostart == enabled {
            return Ok(Change { after: Some(before.clone()), before, changed: false });
        }
        let program = virsh()?.args(["autostart", "--domain", &name]);
        let program = if enabled { program } else { program.arg("--disable") };
        program.change()?;
        changed(before)
    }
}

fn virsh() -> Result<Program> {
    let program = Program::new("virsh").arg("-q");
    match config::get("uri") {
        Some(uri) => Ok(program.args(["-c", checked::argument("setting `uri`", &uri)?])),
        None => Ok(program),
    }
}

fn look(name: &str) -> Result<GuestMachine> {
    let name = checked::argument("machine", name)?;
    let text = virsh()?.args(["dominfo", "--domain", name]).look().map_err(|error| {
        let unknown = ["failed to get domain", "Domain not found"].iter().any(|words| error.message.contains(words));
        if unknown { Error::no_such("machine", name, "virt.list") } else { error }
    })?;
    dominfo::parse(&text).ok_or_else(|| Error::failed("`virsh dominfo` did not tell the machine"))
}

/// Has `virsh` do what the machine's state calls for, if it calls for anything.
fn change(name: &str, verb: impl FnOnce(&GuestMachine) -> Option<&'static str>) -> Result<Change> {
    let before = look(name)?;
    let Some(verb) = verb(&before) else {
        return Ok(Change { after: Some(before.clone()), before, changed: false });
    };
    virsh()?.args([verb, "--domain", name]).change()?;
    changed(before)
}

fn changed(before: GuestMachine) -> Result<Change> {
    Ok(Change { after: file::if_there(look(&before.name))?, before, changed: true })
}
