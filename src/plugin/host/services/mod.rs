//! `minion:host/services`: what the machine runs by itself.
//!
//! systemd is asked over D-Bus, on a connection made for the call: nothing outlives it, so workers, which
//! are forked, have nothing to inherit. Without systemd the programs of `OpenRC` or of /etc/init.d do what
//! they can.

mod bus;
mod scripts;
mod systemd;
mod unit;

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{
    Access, Error,
    bindings::minion::host::services::{Action, Host, Service},
    blocking,
    call::{Effect, HostCall},
};
use crate::plugin::{
    plan::{self, Rehearsal},
    state::State,
};
use bus::{Patience, Place};
use scripts::{Scripts, unsupported};
use systemd::Systemd;
use unit::Unit;

/// Asks systemd, on a thread that may block; nothing where there is none.
async fn systemd<T: Send + 'static>(
    access: &Access,
    ask: impl FnOnce(&mut Systemd) -> Result<T, Error> + Send + 'static,
) -> Result<Option<T>, Error> {
    let patience = Patience { ends: Instant::now() + access.remaining(), cancelled: access.cancelled.clone() };
    blocking(move || {
        let Some(place) = Place::of_the_machine() else { return Ok(None) };
        Systemd::find(&place, patience)?.map(|mut systemd| ask(&mut systemd)).transpose()
    })
    .await
}

fn scripts() -> Result<Scripts, Error> {
    Scripts::find().ok_or_else(|| unsupported("neither systemd nor OpenRC nor /etc/init.d starts services here"))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct List {}

impl HostCall for List {
    const NAME: &'static str = "services.list";
    const EFFECT: Effect = Effect::Looks;
    type Answer = Vec<Service>;

    async fn perform(self, access: Access) -> Result<Vec<Service>, Error> {
        if access.grant.services.is_empty() && access.grant.services_read.is_empty() {
            let what = "look at services";
            return Err(super::denial::denied_entry(&access.module, what, "services-read", "*"));
        }
        let judge = access.clone();
        let listed = systemd(&access, move |systemd| systemd.list(|unit| unit.may_look(&judge)));
        listed.await?.ok_or_else(|| unsupported("services are listed only where systemd runs"))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Status {
    name: String,
}

impl HostCall for Status {
    const NAME: &'static str = "services.status";
    const EFFECT: Effect = Effect::Looks;
    type Answer = Service;

    async fn perform(self, access: Access) -> Result<Service, Error> {
        let unit = Unit::new(&self.name)?;
        unit.to_look(&access)?;
        status(&unit, &access).await
    }
}

async fn status(unit: &Unit, access: &Access) -> Result<Service, Error> {
    let asked = unit.clone();
    match systemd(access, move |systemd| systemd.status(&asked)).await? {
        Some(service) => Ok(service),
        None => scripts()?.status(unit, access).await,
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Change {
    name: String,
    action: Action,
}

impl HostCall for Change {
    const NAME: &'static str = "services.change";
    const EFFECT: Effect = Effect::Changes;
    type Answer = bool;

    async fn perform(self, access: Access) -> Result<bool, Error> {
        let unit = Unit::new(&self.name)?;
        unit.to_change(&access)?;
        let (asked, action) = (unit.clone(), self.action);
        match systemd(&access, move |systemd| systemd.change(&asked, action)).await? {
            Some(changed) => Ok(changed),
            None => scripts()?.change(&unit, action, &access).await,
        }
    }

    async fn rehearse(self, access: Access, rehearsal: &mut Rehearsal) -> Result<bool, Error> {
        let arguments = Rehearsal::arguments(&self);
        let looked = async {
            let unit = Unit::new(&self.name)?;
            unit.to_change(&access)?;
            status(&unit, &access).await
        };
        let planned = looked.await.map(|service| planned(&service, self.action));
        let would = planned.as_ref().is_ok_and(Option::is_some);
        rehearsal.planned(Self::NAME, arguments, planned).map(|()| would)
    }
}

/// What would be done to a service that is as it is; nothing if that is so already.
fn planned(service: &Service, action: Action) -> Option<plan::Effect> {
    let enabled = service.enabled.as_deref().unwrap_or("unknown");
    let (done, would) = match action {
        Action::Start => (service.active == "active", "started"),
        Action::Stop => (service.active == "inactive", "stopped"),
        Action::Restart => (false, "restarted"),
        Action::Reload => (false, "told to read its configuration again"),
        Action::Enable => (enabled == "enabled", "enabled"),
        Action::Disable => (enabled == "disabled", "disabled"),
        Action::Mask => (enabled == "masked", "masked"),
        Action::Unmask => (enabled != "masked" && service.load != "masked", "unmasked"),
    };
    let what = format!("`{}` ({}, {enabled}) would be {would}", service.name, service.active);
    (!done).then_some(plan::Effect::Other { what })
}

impl Host for State {
    async fn list(&mut self) -> Result<Vec<Service>, Error> {
        self.mediate(List {}).await
    }

    async fn status(&mut self, name: String) -> Result<Service, Error> {
        self.mediate(Status { name }).await
    }

    async fn change(&mut self, name: String, action: Action) -> Result<bool, Error> {
        self.mediate(Change { name, action }).await
    }
}

#[cfg(test)]
mod tests;
