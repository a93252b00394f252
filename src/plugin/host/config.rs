//! `minion:host/config`: the operator's settings for the module.

use serde::{Deserialize, Serialize};

use super::{bindings::minion::host::config::Host, call::Question};
use crate::plugin::state::State;

#[derive(Debug, Serialize, Deserialize)]
struct Get {
    key: String,
}

impl Question for Get {
    const NAME: &'static str = "config.get";
    type Answer = Option<String>;

    fn answer(&self, state: &State) -> Option<String> {
        state.context.settings.get(&self.key).cloned()
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct All {}

impl Question for All {
    const NAME: &'static str = "config.all";
    type Answer = Vec<(String, String)>;

    fn answer(&self, state: &State) -> Vec<(String, String)> {
        state.context.settings.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

impl Host for State {
    fn get(&mut self, key: String) -> Option<String> {
        self.ask(&Get { key })
    }

    fn all(&mut self) -> Vec<(String, String)> {
        self.ask(&All {})
    }
}
