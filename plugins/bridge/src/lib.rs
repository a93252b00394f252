//! Lists and changes network bridges.

use exports::base::bridge::bridge::{Change, Guest, NetworkBridge};
use func_sdk::{Error, ErrorKind, Result, checked, file, files, program::Program};

func_sdk::module!(Bridge);

const DEVICES: &str = "/sys/class/net";
/// The flag of an interface that is switched on.
const IFF_UP: u32 = 1;

struct Bridge;

impl Guest for Bridge {
    fn list() -> Result<Vec<NetworkBridge>> {
        let mut found = Vec::new();
        for name in file::names(DEVICES)? {
            found.extend(look(&name)?);
        }
        Ok(found)
    }

    fn add(name: String) -> Result<Change> {
        let name = checked::interface("bridge", &name)?;
        let before = look(name)?;
        if before.is_some() {
            return Ok(Change { after: before.clone(), before, changed: false });
        }
        if is_there(name)? {
            let message = format!("the interface {} is no bridge", checked::shown(name));
            return Err(Error::new(ErrorKind::AlreadyExists, message));
        }
        change(name, None, &["link", "add", "name", name, "type", "bridge"])
    }

    fn delete(name: String) -> Result<Change> {
        let name = checked::interface("bridge", &name)?;
        match look(name)? {
            None if is_there(name)? => {
                Err(Error::invalid(format!("the interface {} is no bridge", checked::shown(name))))
            }
            None => Ok(Change { before: None, after: None, changed: false }),
            before => change(name, before, &["link", "delete", "dev", name, "type", "bridge"]),
        }
    }

    fn add_port(name: String, device: String) -> Result<Change> {
        let (before, name, device) = (existing(&name)?, &name, checked::interface("interface", &device)?);
        if before.ports.iter().any(|port| port == device) {
            return Ok(unchanged(before));
        }
        if !is_there(device)? {
            return Err(Error::no_such("interface", device, "network.interfaces"));
        }
        if let Some(other) = file::link_name(&format!("{DEVICES}/{device}/master"))? {
            let message = format!("the interface {} is in {}", checked::shown(device), checked::shown(&other));
            return Err(Error::new(ErrorKind::Busy, message).hint("take it out there first"));
        }
        change(name, Some(before), &["link", "set", "dev", device, "master", name])
    }

    fn remove_port(name: String, device: String) -> Result<Change> {
        let (before, name, device) = (existing(&name)?, &name, checked::interface("interface", &device)?);
        if !before.ports.iter().any(|port| port == device) {
            return Ok(unchanged(before));
        }
        change(name, Some(before), &["link", "set", "dev", device, "nomaster"])
    }

    fn set_up(name: String, up: bool) -> Result<Change> {
        let before = existing(&name)?;
        let flags = file::attribute(&format!("{DEVICES}/{name}/flags"))?;
        if flags.as_deref().and_then(is_up) == Some(up) {
            return Ok(unchanged(before));
        }
        change(&name, Some(before), &["link", "set", "dev", &name, if up { "up" } else { "down" }])
    }
}

/// The bridge of this name; none where there is no such interface or it is another kind of one.
fn look(name: &str) -> Result<Option<NetworkBridge>> {
    let folder = format!("{DEVICES}/{name}");
    if file::if_there(files::stat(&format!("{folder}/bridge")))?.is_none() {
        return Ok(None);
    }
    let stp = file::attribute(&format!("{folder}/bridge/stp_state"))?;
    Ok(Some(NetworkBridge {
        name: name.to_owned(),
        ports: file::names(&format!("{folder}/brif"))?,
        id: file::attribute(&format!("{folder}/bridge/bridge_id"))?,
        stp: stp.is_some_and(|stp| stp != "0"),
        state: file::attribute(&format!("{folder}/operstate"))?.unwrap_or_else(|| "unknown".to_owned()),
    }))
}

fn existing(name: &str) -> Result<NetworkBridge> {
    let name = checked::interface("bridge", name)?;
    look(name)?.ok_or_else(|| Error::no_such("bridge", name, "bridge.list"))
}

fn is_there(device: &str) -> Result<bool> {
    Ok(file::attribute(&format!("{DEVICES}/{device}/ifindex"))?.is_some())
}

fn unchanged(bridge: NetworkBridge) -> Change {
    Change { before: Some(bridge.clone()), after: Some(bridge), changed: false }
}

fn change(name: &str, before: Option<NetworkBridge>, args: &[&str]) -> Result<Change> {
    Program::new("ip").args(args.iter().copied()).change()?;
    Ok(Change { before, after: look(name)?, changed: true })
}

/// Whether the flags, which the kernel writes as `0x1003`, say that an interface is on.
fn is_up(flags: &str) -> Option<bool> {
    let flags = u32::from_str_radix(flags.strip_prefix("0x")?, 16).ok()?;
    Some(flags & IFF_UP != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_tell_whether_an_interface_is_on() {
        assert_eq!((is_up("0x1003"), is_up("0x1002"), is_up("1003")), (Some(true), Some(false), None));
    }

    #[test]
    fn a_change_that_is_none_says_so() {
        let bridge = NetworkBridge { name: "br0".into(), ports: vec![], id: None, stp: false, state: "up".into() };
        let change = unchanged(bridge);
        assert!(!change.changed && change.before == change.after);
    }
}
