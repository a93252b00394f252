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

/// Idle connections. The lock is held for a moment at a time and never across an await.
#[derive(Debug)]
pub(super) struct Pool {
    kept: Mutex<Kept>,
    /// As many are kept to all hosts together: each is an open file.
    most: usize,
}

#[derive(Debug, Default)]
struct Kept {
    by_host: HashMap<String, Vec<Idle>>,
    count: usize,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    address: Address,
    since: Instant,
}

impl Pool {
    pub(super) fn new(most: usize) -> Self {
        Self { kept: Mutex::default(), most }
    }

    /// Takes a connection to a host that was idle for less than `longest` and is not known to be closed.
    pub(super) fn take(&self, host: &Host, longest: Duration) -> Option<Connection> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { by_host, count } = &mut *kept;
        let idle = by_host.get_mut(host.name.as_str())?;
        while let Some(last) = idle.pop() {
            *count -= 1;
            let usable = last.address == host.address && !last.connection.sender.is_closed();
            if usable && last.since.elapsed() < longest {
                return Some(last.connection);
            }
        }
        None
    }

    /// Closes those that `keep` does not want.
    pub(super) fn retain(&self, keep: impl Fn(&Connection) -> bool) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { by_host, count } = &mut *kept;
        for idle in by_host.values_mut() {
            idle.retain(|idle| keep(&idle.connection));
        }
        *count = by_host.values().map(Vec::len).sum();
    }

    /// Keeps a connection whose last answer was read to its end, if there is room.
    pub(super) fn put(&self, host: &Host, connection: Connection) {
        if connection.sender.is_closed() {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { by_host, count } = &mut *kept;
        let idle = by_host.entry(host.name.to_string()).or_default();
        if idle.len() < PER_HOST && *count < self.most {
            idle.push(Idle { connection, address: host.address.clone(), since: Instant::now() });
            *count += 1;
        }
    }
}
