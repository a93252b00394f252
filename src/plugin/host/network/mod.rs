//! `minion:host/network`: whether other hosts are there.
//!
//! A name is looked up once; what is judged is an address, and the very address that was judged is
//! reached. So whoever answers for a name cannot lead a module to where it may not go.

mod connect;
mod ping;
mod place;

use serde::{Deserialize, Serialize};

use super::{
    Access, Error,
    bindings::minion::host::network::{Attempt, Echoes, Host, Reached},
    call::{Effect, HostCall},
};
use crate::plugin::state::State;
use place::{Place, Use};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Resolve {
    name: String,
}

impl HostCall for Resolve {
    const NAME: &'static str = "network.resolve";
    const EFFECT: Effect = Effect::Looks;
    type Answer = Vec<String>;

    async fn perform(self, access: Access) -> Result<Vec<String>, Error> {
        let found = Place::new(&self.name)?.addresses(&access, Use::Ask).await?;
        Ok(found.iter().map(ToString::to_string).collect())
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Connect {
    host: String,
    port: u16,
    timeout_ms: Option<u64>,
    banner: Option<u32>,
}

impl HostCall for Connect {
    const NAME: &'static str = "network.connect";
    const EFFECT: Effect = Effect::Looks;
    type Answer = Attempt;

    async fn perform(self, access: Access) -> Result<Attempt, Error> {
        connect::attempt(self, access).await
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ping {
    host: String,
    count: u32,
    timeout_ms: Option<u64>,
}

impl HostCall for Ping {
    const NAME: &'static str = "network.ping";
    const EFFECT: Effect = Effect::Looks;
    type Answer = Echoes;

    async fn perform(self, access: Access) -> Result<Echoes, Error> {
        ping::ask(self, access).await
    }
}

impl Host for State {
    async fn resolve(&mut self, name: String) -> Result<Vec<String>, Error> {
        self.mediate(Resolve { name }).await
    }

    async fn connect(
        &mut self,
        host: String,
        port: u16,
        timeout_ms: Option<u64>,
        banner: Option<u32>,
    ) -> Result<Attempt, Error> {
        self.mediate(Connect { host, port, timeout_ms, banner }).await
    }

    async fn ping(&mut self, host: String, count: u32, timeout_ms: Option<u64>) -> Result<Echoes, Error> {
        self.mediate(Ping { host, count, timeout_ms }).await
    }
}

#[cfg(test)]
mod tests;
