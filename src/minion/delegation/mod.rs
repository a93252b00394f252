//! A minion that is an overlord too: `overlord.…`.
//!
//! ```text
//!            overlord.delegate([…, leaf], method, args)                       method(args)
//! caller ──────────────────────────────────────────────▶ here ──inventory──▶ next of the way, or the leaf
//!        ◀──{outcome, …}: what became of it at the leaf──     ◀── answer ───
//!
//! async.M ─▶ order kept ─▶ passed on ─▶ its result is fetched, by whoever is here, and held
//!             (durably)                  jobs.job_status, jobs.wait, jobs.cancel of it ─▶ from what is held, else passed on
//! ```
//!
//! With `[overlord]` in its configuration a minion passes calls on to the minions of an inventory, as itself: its own
//! certificate, in the role sub-overlord, is what they see and judge. In a header it says for whom; the leaf's audit log has that as `says_on_behalf_of`. So it judges first: *the method that is passed on is
//! judged here by the rules for the original caller*, as if it were called here. What these rules cannot see into
//! (`system.multicall`) and what is about more than one job of a caller (`jobs.open_ids`) is not passed on.
//!
//! The caller chooses the way, so there is nothing to agree about: each who passes a call on takes one name off, none is
//! asked twice, and a way has at most [`MOST_HOPS`](crate::fleet::MOST_HOPS) who do.
//!
//! A job's id is chosen at the top and reaches the leaf, where it is this minion's job. Whose it is up here is kept, durably,
//! before the call is passed on; the same id from another caller is refused. So a call that is sent again, after whatever
//! broke, runs once: the leaf knows the id, or its result is here. A question about a job is answered or passed on only if the
//! job is the caller's: to the leaf all of them are ours. Cancelling one that is not known here keeps it from being passed on
//! later. From then on the result is waited for, as the head of [`fetch`] has it, and held here, over restarts, until it is a
//! week old, bounded and shared among callers as the head of [`held`] has it; the caller fetches it when there is a way again,
//! also when there is none to the leaf any more. A log is not held: `jobs.follow` is passed on, and the leaf keeps it.
//!
//! How many calls are passed on at a time is bounded, for one caller and in all (the head of [`places`]). Who asks whom is reached
//! from here is told the names of the inventory, and an error where it cannot be read: never that there is nobody.

mod fetch;
mod held;
mod places;
mod relay;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use self::{fetch::Fetching, held::Held, places::Places};
use super::{Error, MinionConfig, job_methods};
use crate::{
    ca::{Host, Inventory},
    fleet::{DELEGATE, Fleet, FleetOptions},
    ids::HostName,
    telemetry::chain,
    tls::{Identity, InForce},
    wire::{Call, RemoteError, Value},
};
use tokio_util::sync::CancellationToken;

/// This minion as an overlord.
pub(super) struct SubOverlord {
    identity: InForce,
    inventory: PathBuf,
    /// Its connections, as long as its certificate, its authorities and the revocations are the same.
    fleet: Mutex<Option<(Identity, Fleet)>>,
    held: Held,
    fetching: Fetching,
    /// For calls, and for those that only wait for a job.
    calling: Places,
    waiting: Places,
    stopping: CancellationToken,
}

impl SubOverlord {
    /// If the configuration makes it one. What it waits for from earlier is waited for again.
    pub(super) fn open(
        config: &MinionConfig,
        identity: &InForce,
        stopping: &CancellationToken,
    ) -> Result<Option<Arc<Self>>, Error> {
        let Some(inventory) = config.overlord.inventory.clone() else { return Ok(None) };
        let folder = config.overlord.results.clone();
        let held = Held::open(&folder).map_err(|source| Error::Delegated { path: folder, source })?;
        let places = || Places::new(config.overlord.per_caller, config.overlord.at_once);
        let sub = Arc::new(Self {
            identity: identity.clone(),
            inventory,
            fleet: Mutex::default(),
            held,
            fetching: Fetching::default(),
            calling: places(),
            waiting: places(),
            stopping: stopping.clone(),
        });
        for id in sub.held.waited_for() {
            sub.fetch(id);
        }
        Ok(Some(sub))
    }

    /// The fleet, called as who we are now.
    fn fleet(&self) -> Result<Fleet, RemoteError> {
        let now = self.identity.identity();
        let mut known = self.fleet.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((identity, fleet)) = &*known
            && Arc::ptr_eq(identity.revoked(), now.revoked())
            && identity.authorities() == now.authorities()
            && identity.trust_number() == now.trust_number()
            && identity.peer().serial == now.peer().serial
        {
            return Ok(fleet.clone());
        }
        let fleet = Fleet::new(&now, FleetOptions::default())
            .map_err(|error| unavailable(format!("this minion cannot call others: {}", chain(&error))))?;
        *known = Some((now, fleet.clone()));
        Ok(fleet)
    }

    /// One that is not there has nobody silently left out: it is an error like one that makes no sense.
    fn inventory(&self) -> Result<Inventory, RemoteError> {
        let path = self.inventory.display();
        if !self.inventory.exists() {
            return Err(unavailable(format!("this minion's inventory: there is no `{path}`")));
        }
        Inventory::load(&self.inventory)
            .map_err(|error| unavailable(format!("this minion's inventory: {}", chain(&error))))
    }

    /// The first of a way, and through it its end.
    fn host(&self, mut way: Vec<HostName>) -> Result<Host, RemoteError> {
        let unknown = |name: &HostName| {
            RemoteError::new(
                "NoSuchHost",
                format!("`{}` has no `{name}` in its inventory", self.identity.identity().peer().name),
            )
        };
        let inventory = self.inventory()?;
        let Some(name) = way.pop() else { return Err(RemoteError::new("InvalidArguments", "the way is empty")) };
        let first = way.first().unwrap_or(&name);
        let address = inventory.address(first).ok_or_else(|| unknown(first))?.clone().through(way);
        Ok(Host { name, address })
    }

    /// `overlord.map`: whom it reaches.
    pub(super) fn map(&self) -> Result<Value, RemoteError> {
        let names = self.inventory()?.hosts().into_iter().map(|host| host.name.as_str().into());
        Ok(Value::structure([("hosts", Value::Array(names.collect()))]))
    }
}

/// It is an overlord, but for now it cannot be one.
fn unavailable(why: String) -> RemoteError {
    RemoteError::new("Unavailable", why)
}

/// The way of `overlord.delegate`.
fn way(list: &Value) -> Option<Vec<HostName>> {
    let Value::Array(list) = list else { return None };
    list.iter().map(|name| name.as_str()?.parse().ok()).collect()
}

/// Whether it waits for a job, and ends with its connection.
pub(super) fn waits(call: &Call) -> bool {
    call.method == DELEGATE && matches!(&call.params[..], [_, Value::String(method), _] if job_methods::waits(method))
}

/// The call that is to be passed on.
pub(super) fn inner(call: &Call) -> Option<Call> {
    let [_, Value::String(method), Value::Array(args)] = &call.params[..] else { return None };
    Some(Call::new(method.clone(), args.clone()))
}
