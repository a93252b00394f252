//! `minion:host/state`: what a module keeps for itself.
//!
//! One file for each key, in a folder of the module's full name, replaced whole and durably. Whoever
//! changes something holds the lock of that folder, so the daemon and any number of workers agree on the
//! quota and on what they swap; whoever only reads needs no lock.

mod keep;
mod planned;

use serde::{Deserialize, Serialize};

use planned::Expected;
pub(in crate::plugin) use planned::Planned;

use super::{
    Access, Error, ErrorKind,
    bindings::minion::host::state::Host,
    blocking,
    call::{Effect, HostCall},
    error,
};
use crate::plugin::{plan::Rehearsal, state::State};
use keep::{Keep, Key};

/// The module's data, if it can have any here.
fn keep(access: &Access) -> Result<Keep, Error> {
    let folder = access.kept.clone().ok_or_else(|| {
        error(ErrorKind::Unsupported, "modules cannot keep anything here: there is no folder for it", None)
    })?;
    Ok(Keep::new(folder, access.limits.state_bytes, access.remaining()))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Get {
    key: String,
}

impl HostCall for Get {
    const NAME: &'static str = "state.get";
    const EFFECT: Effect = Effect::Looks;
    type Answer = Option<Vec<u8>>;

    async fn perform(self, access: Access) -> Result<Option<Vec<u8>>, Error> {
        let (key, keep) = (Key::new(&self.key)?, keep(&access)?);
        blocking(move || keep.get(&key)).await
    }

    async fn rehearse(self, access: Access, rehearsal: &mut Rehearsal) -> Result<Option<Vec<u8>>, Error> {
        match rehearsal.kept.at(&Key::new(&self.key)?) {
            Some(planned) => Ok(planned.clone()),
            None => self.perform(access).await,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Keys {}

impl HostCall for Keys {
    const NAME: &'static str = "state.keys";
    const EFFECT: Effect = Effect::Looks;
    type Answer = Vec<String>;

    async fn perform(self, access: Access) -> Result<Vec<String>, Error> {
        let keep = keep(&access)?;
        blocking(move || Ok(keep.sizes()?.into_keys().collect())).await
    }

    async fn rehearse(self, access: Access, rehearsal: &mut Rehearsal) -> Result<Vec<String>, Error> {
        let keep = keep(&access)?;
        let kept = blocking(move || keep.sizes()).await?;
        Ok(rehearsal.kept.over(kept).into_keys().collect())
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Set {
    key: String,
    value: Vec<u8>,
}

impl HostCall for Set {
    const NAME: &'static str = "state.set";
    const EFFECT: Effect = Effect::Changes;
    type Answer = ();

    async fn perform(self, access: Access) -> Result<(), Error> {
        let (key, keep) = (Key::new(&self.key)?, keep(&access)?);
        blocking(move || keep.set(&key, &self.value)).await
    }

    async fn rehearse(self, access: Access, rehearsal: &mut Rehearsal) -> Result<(), Error> {
        let arguments = Rehearsal::arguments(&self);
        let planned =
            planned::change(&access, &mut rehearsal.kept, &self.key, Expected::Anything, Some(self.value)).await;
        let effect = planned.map(|changed| changed.map(|(_, effect)| effect));
        rehearsal.planned(Self::NAME, arguments, effect)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Delete {
    key: String,
}

impl HostCall for Delete {
    const NAME: &'static str = "state.delete";
    const EFFECT: Effect = Effect::Changes;
    type Answer = bool;

    async fn perform(self, access: Access) -> Result<bool, Error> {
        let (key, keep) = (Key::new(&self.key)?, keep(&access)?);
        blocking(move || keep.delete(&key)).await
    }

    async fn rehearse(self, access: Access, rehearsal: &mut Rehearsal) -> Result<bool, Error> {
        let arguments = Rehearsal::arguments(&self);
        let planned = planned::change(&access, &mut rehearsal.kept, &self.key, Expected::Anything, None).await;
        let was = planned.as_ref().is_ok_and(|changed| matches!(changed, Some((Some(_), _))));
        let effect = planned.map(|changed| changed.filter(|_| was).map(|(_, effect)| effect));
        rehearsal.planned(Self::NAME, arguments, effect).map(|()| was)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Swap {
    key: String,
    expected: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

impl HostCall for Swap {
    const NAME: &'static str = "state.swap";
    const EFFECT: Effect = Effect::Changes;
    type Answer = bool;

    async fn perform(self, access: Access) -> Result<bool, Error> {
        let (key, keep) = (Key::new(&self.key)?, keep(&access)?);
        blocking(move || keep.swap(&key, self.expected.as_deref(), self.value.as_deref())).await
    }

    async fn rehearse(self, access: Access, rehearsal: &mut Rehearsal) -> Result<bool, Error> {
        let arguments = Rehearsal::arguments(&self);
        let planned =
            planned::change(&access, &mut rehearsal.kept, &self.key, Expected::This(self.expected), self.value).await;
        let swapped = matches!(planned, Ok(Some(_)));
        let effect = planned.map(|changed| changed.map(|(_, effect)| effect));
        rehearsal.planned(Self::NAME, arguments, effect).map(|()| swapped)
    }
}

impl Host for State {
    async fn get(&mut self, key: String) -> Result<Option<Vec<u8>>, Error> {
        self.mediate(Get { key }).await
    }

    async fn keys(&mut self) -> Result<Vec<String>, Error> {
        self.mediate(Keys {}).await
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), Error> {
        self.mediate(Set { key, value }).await
    }

    async fn delete(&mut self, key: String) -> Result<bool, Error> {
        self.mediate(Delete { key }).await
    }

    async fn swap(&mut self, key: String, expected: Option<Vec<u8>>, value: Option<Vec<u8>>) -> Result<bool, Error> {
        self.mediate(Swap { key, expected, value }).await
    }
}

#[cfg(test)]
mod tests;
