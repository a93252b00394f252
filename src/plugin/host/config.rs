//! `minion:host/config`: the operator's settings for the module.

use super::bindings::minion::host::config::Host;
use crate::plugin::state::State;

impl Host for State {
    fn get(&mut self, key: String) -> Option<String> {
        self.context.settings.get(&key).cloned()
    }

    fn all(&mut self) -> Vec<(String, String)> {
        self.context.settings.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}
