//! Services that systemd starts.

use super::{
    super::{Error, ErrorKind, denial::shown, error},
    Action, Service,
    bus::{BUS, Bus, BusError, Kind, Patience, Peer, Place, Value, Written},
    unit::Unit,
};

const NAME: &str = "org.freedesktop.systemd1";
const MANAGER: Peer<'_> = Peer { name: NAME, path: "/org/freedesktop/systemd1" };
const MANAGER_INTERFACE: &str = "org.freedesktop.systemd1.Manager";
const UNIT_INTERFACE: &str = "org.freedesktop.systemd1.Unit";
const SERVICE_INTERFACE: &str = "org.freedesktop.systemd1.Service";
const JOB_REMOVED: &str = "JobRemoved";

/// systemd, over a bus of this call's own.
pub(super) struct Systemd {
    bus: Bus,
    /// systemd's own name on the bus, from which alone its signals are believed.
    owner: String,
}

impl Systemd {
    /// Nothing where there is no bus, or no systemd on it.
    pub(super) fn find(place: &Place, patience: Patience) -> Result<Option<Self>, Error> {
        let mut bus = match Bus::connect(place, patience) {
            Ok(bus) => bus,
            Err(BusError::NoBus(why)) => {
                tracing::debug!(why, "no bus");
                return Ok(None);
            }
            Err(error) => return Err(told("the bus", &error)),
        };
        match bus.call(BUS, BUS.name, "GetNameOwner", &Written::default().text(NAME)) {
            Ok(answer) => match answer.first().and_then(Value::text) {
                Some(owner) => Ok(Some(Self { owner: owner.to_owned(), bus })),
                None => Err(told("the bus", &BusError::Malformed)),
            },
            Err(BusError::Refused { .. }) => Ok(None),
            Err(error) => Err(told("the bus", &error)),
        }
    }

    /// The services that are loaded and for which `wanted` holds.
    pub(super) fn list(&mut self, wanted: impl Fn(&Unit) -> bool) -> Result<Vec<Service>, Error> {
        let answer = self.manager("ListUnits", &Written::default()).map_err(|error| told("the services", &error))?;
        let text = |unit: &Value, field: usize| unit.list().get(field).and_then(Value::text).unwrap_or("").to_owned();
        let units = answer.first().map_or(&[][..], Value::list).iter().filter_map(|unit| {
            let name = text(unit, 0);
            (name.ends_with(".service") && wanted(&Unit::new(&name).ok()?)).then(|| Service {
                description: text(unit, 1),
                load: text(unit, 2),
                active: text(unit, 3),
                sub: text(unit, 4),
                enabled: None,
                main_pid: None,
                name,
            })
        });
        let mut found: Vec<Service> = units.collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    pub(super) fn status(&mut self, unit: &Unit) -> Result<Service, Error> {
        let wrong = |error| told(unit.short(), &error);
        let answer = self.manager("LoadUnit", &Written::default().text(unit.as_str())).map_err(wrong)?;
        let path = answer.first().and_then(Value::text).ok_or(BusError::Malformed).map_err(wrong)?.to_owned();
        let about = self.properties(&path, UNIT_INTERFACE).map_err(wrong)?;
        let text = |key: &str| property(&about, key).and_then(Value::text).unwrap_or("").to_owned();
        if text("LoadState") == "not-found" {
            return Err(missing(unit));
        }
        let main_pid = if unit.as_str().ends_with(".service") {
            let service = self.properties(&path, SERVICE_INTERFACE).map_err(wrong)?;
            match property(&service, "MainPID") {
                Some(Value::Number(pid)) => u32::try_from(*pid).ok().filter(|pid| *pid > 0),
                _ => None,
            }
        } else {
            None
        };
        Ok(Service {
            name: Some(text("Id")).filter(|id| !id.is_empty()).unwrap_or_else(|| unit.as_str().to_owned()),
            description: text("Description"),
            load: text("LoadState"),
            active: text("ActiveState"),
            sub: text("SubState"),
            enabled: Some(text("UnitFileState")).filter(|state| !state.is_empty()),
            main_pid,
        })
    }

    /// Does it, and says whether anything is different.
    pub(super) fn change(&mut self, unit: &Unit, action: Action) -> Result<bool, Error> {
        match action {
            Action::Start => {
                let before = self.status(unit)?;
                self.job("StartUnit", unit)?;
                Ok(before.active != "active")
            }
            Action::Stop => {
                let before = self.status(unit)?;
                self.job("StopUnit", unit)?;
                Ok(before.active != "inactive")
            }
            Action::Restart => self.job("RestartUnit", unit).map(|()| true),
            Action::Reload => self.job("ReloadUnit", unit).map(|()| true),
            Action::Enable => self.files("EnableUnitFiles", unit, &[false, false]),
            Action::Disable => self.files("DisableUnitFiles", unit, &[false]),
            Action::Mask => self.files("MaskUnitFiles", unit, &[false, false]),
            Action::Unmask => self.files("UnmaskUnitFiles", unit, &[false]),
        }
    }

    /// Has systemd do something that takes time, and waits until it says what came of it.
    fn job(&mut self, member: &str, unit: &Unit) -> Result<(), Error> {
        let wrong = |error| told(unit.short(), &error);
        let rule = format!("type='signal',sender='{NAME}',interface='{MANAGER_INTERFACE}',member='{JOB_REMOVED}'");
        // Listened to before anything is begun, so that no end is missed.
        self.bus.call(BUS, BUS.name, "AddMatch", &Written::default().text(&rule)).map_err(wrong)?;
        self.manager("Subscribe", &Written::default()).map_err(wrong)?;
        let body = Written::default().text(unit.as_str()).text("replace");
        let answer = self.manager(member, &body).map_err(wrong)?;
        let job = answer.first().and_then(Value::text).ok_or(BusError::Malformed).map_err(wrong)?.to_owned();
        loop {
            let signal = self.bus.signal().map_err(wrong)?;
            debug_assert_eq!(signal.kind, Kind::Signal);
            if signal.sender.as_deref() != Some(&self.owner) || signal.member.as_deref() != Some(JOB_REMOVED) {
                continue;
            }
            let [_, ended, _, result] = &signal.body[..] else { continue };
            if ended.text() == Some(&job) {
                return match result.text().unwrap_or_default() {
                    "done" | "skipped" => Ok(()),
                    "timeout" => {
                        let message = format!("`{}` did not do it within systemd's own time", unit.short());
                        Err(error(ErrorKind::TimedOut, message, None))
                    }
                    other => {
                        let message = format!("`{}` did not do it: systemd says `{}`", unit.short(), shown(other));
                        let hint = format!("`journalctl -u {}` on the machine says why", unit.as_str());
                        Err(error(ErrorKind::Failed, message, Some(hint)))
                    }
                };
            }
        }
    }

    /// Changes links to the unit's file, and has systemd read them.
    fn files(&mut self, member: &str, unit: &Unit, flags: &[bool]) -> Result<bool, Error> {
        let wrong = |error| told(unit.short(), &error);
        let body = flags.iter().fold(Written::default().texts(&[unit.as_str()]), |body, flag| body.truth(*flag));
        let answer = self.manager(member, &body).map_err(wrong)?;
        let changed = answer.last().is_some_and(|changes| !changes.list().is_empty());
        if changed {
            self.manager("Reload", &Written::default()).map_err(wrong)?;
        }
        Ok(changed)
    }

    fn manager(&mut self, member: &str, body: &Written) -> Result<Vec<Value>, BusError> {
        self.bus.call(MANAGER, MANAGER_INTERFACE, member, body)
    }

    fn properties(&mut self, path: &str, interface: &str) -> Result<Value, BusError> {
        let body = Written::default().text(interface);
        let peer = Peer { name: NAME, path };
        let answer = self.bus.call(peer, "org.freedesktop.DBus.Properties", "GetAll", &body)?;
        answer.into_iter().next().ok_or(BusError::Malformed)
    }
}

/// One of the properties that systemd told.
fn property<'a>(all: &'a Value, key: &str) -> Option<&'a Value> {
    all.list().iter().find_map(|entry| match entry.list() {
        [name, value] if name.text() == Some(key) => Some(value),
        _ => None,
    })
}

fn missing(unit: &Unit) -> Error {
    error(ErrorKind::NotFound, format!("there is no service `{}`", unit.short()), None)
}

fn told(what: &str, wrong: &BusError) -> Error {
    let (kind, hint) = match wrong {
        BusError::TimedOut => (ErrorKind::TimedOut, None),
        BusError::Cancelled => return super::super::call::cancelled(),
        BusError::Refused { name, .. } => match name.strip_prefix("org.freedesktop.").unwrap_or(name) {
            "systemd1.NoSuchUnit" | "DBus.Error.FileNotFound" => (ErrorKind::NotFound, None),
            "DBus.Error.AccessDenied" | "DBus.Error.InteractiveAuthorizationRequired" => {
                (ErrorKind::Failed, Some("only root, and whom polkit allows it, may change services".to_owned()))
            }
            _ => (ErrorKind::Failed, None),
        },
        _ => (ErrorKind::Failed, None),
    };
    error(kind, format!("`{}`: {}", shown(what), shown(&wrong.to_string())), hint)
}
