//! What `virsh dominfo` says of a machine: lines of `Name:  value`.

use func_sdk::{size, table};

use crate::exports::base::virt::virt::{GuestMachine, State};

/// The machine; none when it is not told.
pub fn parse(text: &str) -> Option<GuestMachine> {
    let value = |name| table::value(text, ':', name).filter(|value| !value.is_empty());
    let bytes = |name| value(name).and_then(size::parse).unwrap_or(0);
    Some(GuestMachine {
        name: value("Name")?.to_owned(),
        uuid: value("UUID").map(str::to_owned),
        state: state(value("State")?),
        cpus: value("CPU(s)").and_then(|count| count.parse().ok()).unwrap_or(0),
        max_memory: bytes("Max memory"),
        memory: bytes("Used memory"),
        persistent: value("Persistent") == Some("yes"),
        autostart: value("Autostart") == Some("enable"),
    })
}

fn state(text: &str) -> State {
    match text {
        "running" => State::Running,
        "idle" | "blocked" => State::Idle,
        "paused" => State::Paused,
        "in shutdown" => State::Stopping,
        "shut off" => State::Off,
        "crashed" => State::Crashed,
        "pmsuspended" => State::Suspended,
        _ => State::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_told_in_bytes_and_states() {
        let text = "Id:             -\nName:           web: 1\nUUID:           3d7b\nOS Type:        hvm\nState:          shut off
CPU(s):         2\nMax memory:     2097152 KiB\nUsed memory:    1048576 KiB\nPersistent:     yes\nAutostart:      disable\n";
        let told = parse(text).unwrap();
        assert_eq!((told.name.as_str(), told.state, told.cpus), ("web: 1", State::Off, 2));
        assert_eq!((told.max_memory, told.memory, told.persistent, told.autostart), (2 << 30, 1 << 30, true, false));
        assert!(parse("").is_none());
        assert_eq!(state("something new"), State::Unknown);
    }
}
