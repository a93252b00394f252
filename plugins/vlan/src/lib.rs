//! Lists and changes VLAN interfaces.

mod config;

use exports::base::vlan::vlan::{Change, Guest, VlanInterface};
use func_sdk::{Error, ErrorKind, Result, checked, file, program::Program};

func_sdk::module!(Vlan);

const CONFIG: &str = "/proc/net/vlan/config";

struct Vlan;

impl Guest for Vlan {
    fn list() -> Result<Vec<VlanInterface>> {
        // There is no such file before the first VLAN is made.
        Ok(config::parse(&file::optional(CONFIG)?.unwrap_or_default()))
    }

    fn add(device: String, id: u16, name: Option<String>) -> Result<Change> {
        let device = checked::interface("device", &device)?;
        if !(1..=4094).contains(&id) {
            return Err(Error::invalid(format!("a VLAN has a number of 1 to 4094, not {id}")));
        }
        let name = name.unwrap_or_else(|| format!("{device}.{id}"));
        let name = checked::interface("name", &name)?;
        let before = find(name)?;
        if let Some(there) = &before {
            return if there.id == id && there.device == device {
                Ok(Change { after: before.clone(), before, changed: false })
            } else {
                let message = format!("{} is VLAN {} on {} already", checked::shown(name), there.id, there.device);
                Err(Error::new(ErrorKind::AlreadyExists, message))
            };
        }
        if is_there(name)? {
            let message = format!("the interface {} is no VLAN", checked::shown(name));
            return Err(Error::new(ErrorKind::AlreadyExists, message));
        }
        if !is_there(device)? {
            return Err(Error::no_such("interface", device, "network.interfaces"));
        }
        ip(&["link", "add", "link", device, "name", name, "type", "vlan", "id", &id.to_string()])?;
        ip(&["link", "set", "dev", name, "up"])?;
        changed(name, None)
    }

    fn delete(name: String) -> Result<Change> {
        let name = checked::interface("name", &name)?;
        match find(name)? {
            None if is_there(name)? => {
                Err(Error::invalid(format!("the interface {} is no VLAN", checked::shown(name))))
            }
            None => Ok(Change { before: None, after: None, changed: false }),
            before => {
                ip(&["link", "delete", "dev", name, "type", "vlan"])?;
                changed(name, before)
            }
        }
    }
}

fn find(name: &str) -> Result<Option<VlanInterface>> {
    Ok(Vlan::list()?.into_iter().find(|vlan| vlan.name == name))
}

fn is_there(device: &str) -> Result<bool> {
    Ok(file::attribute(&format!("/sys/class/net/{device}/ifindex"))?.is_some())
}

fn ip(args: &[&str]) -> Result<()> {
    Program::new("ip").args(args.iter().copied()).change()
}

fn changed(name: &str, before: Option<VlanInterface>) -> Result<Change> {
    Ok(Change { before, after: find(name)?, changed: true })
}
