//! Connections kept for the next call.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::connection::Connection;
use crate::ca::{Address, Host};

/// As many idle connections are kept to one host.
const PER_HOST: usize = 2;

/// Idle connections by host. The lock is held for a moment at a time and never across an await.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<HashMap<String, Vec<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    address: Address,
    since: Instant,
}

impl Pool {
    /// Takes a connection to a host that was idle for less than `longest` and is not known to be closed.
    pub(super) fn take(&self, host: &Host, longest: Duration) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.get_mut(host.name.as_str())?;
        while let Some(last) = kept.pop() {
            let usable = last.address == host.address && !last.connection.sender.is_closed();
            if usable && last.since.elapsed() < longest {
                return Some(last.connection);
            }
        }
        None
    }

    /// Keeps a connection whose last answer was read to its end.
    pub(super) fn put(&self, host: &Host, connection: Connection) {
        if connection.sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry(host.name.to_string()).or_default();
        if kept.len() < PER_HOST {
            kept.push(Idle { connection, address: host.address.clone(), since: Instant::now() });
        }
    }
}
