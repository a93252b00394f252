//! Connections kept for the next call.
//!
//! There is a bound on all of them together, and what lies beyond its time is swept out now and then, whoever it belonged
//! to: hosts that are never called again do not take the room of those that are.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::connection::Connection;
use crate::ca::{Address, Host};

/// As many idle connections are kept to one host.
const PER_HOST: usize = 2;
/// The room is swept so often within the time for which a connection may be idle.
const SWEEPS: u32 = 4;

/// Idle connections. The lock is held for a moment at a time and never across an await.
#[derive(Debug)]
pub(super) struct Pool {
    kept: Mutex<Kept>,
    /// As many are kept to all hosts together: each is an open file.
    most: usize,
    /// None is used after it was idle for so long.
    longest: Duration,
    lots: RandomState,
}

#[derive(Debug)]
struct Kept {
    by_host: HashMap<String, Vec<Idle>>,
    count: usize,
    swept: Instant,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    address: Address,
    until: Instant,
}

impl Idle {
    fn is_usable(&self, now: Instant) -> bool {
        now < self.until && !self.connection.sender.is_closed()
    }
}

impl Kept {
    /// Keeps those that `keep` wants, and of hosts nothing but those.
    fn retain(&mut self, keep: impl Fn(&Idle) -> bool) {
        self.by_host.retain(|_, idle| {
            idle.retain(&keep);
            !idle.is_empty()
        });
        self.count = self.by_host.values().map(Vec::len).sum();
    }
}

impl Pool {
    pub(super) fn new(most: usize, longest: Duration) -> Self {
        let kept = Kept { by_host: HashMap::new(), count: 0, swept: Instant::now() };
        Self { kept: Mutex::new(kept), most, longest, lots: RandomState::new() }
    }

    /// Takes a connection to a host that was not idle for too long and is not known to be closed.
    pub(super) fn take(&self, host: &Host) -> Option<Connection> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { by_host, count, .. } = &mut *kept;
        let idle = by_host.get_mut(host.name.as_str())?;
        let now = Instant::now();
        while let Some(last) = idle.pop() {
            *count -= 1;
            if last.address == host.address && last.is_usable(now) {
                return Some(last.connection);
            }
        }
        None
    }

    /// Closes those that `keep` does not want.
    pub(super) fn retain(&self, keep: impl Fn(&Connection) -> bool) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).retain(|idle| keep(&idle.connection));
    }

    /// Keeps a connection whose last answer was read to its end, if there is room.
    pub(super) fn put(&self, host: &Host, connection: Connection) {
        if connection.sender.is_closed() {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if now.duration_since(kept.swept) >= self.longest / SWEEPS {
            kept.retain(|idle| idle.is_usable(now));
            kept.swept = now;
        }
        if kept.count >= self.most {
            return;
        }
        let Kept { by_host, count, .. } = &mut *kept;
        // An entry without a connection is a host that is being called; the next sweep takes it.
        let idle = match by_host.get_mut(host.name.as_str()) {
            Some(idle) => idle,
            None => by_host.entry(host.name.to_string()).or_default(),
        };
        if idle.len() < PER_HOST {
            idle.push(Idle { connection, address: host.address.clone(), until: now + self.time_of(host) });
            *count += 1;
        }
    }

    /// For how long a connection to a host is kept: the last quarter by lot, so that those of a whole fleet, opened in one
    /// moment, do not all have to be opened anew in one moment.
    fn time_of(&self, host: &Host) -> Duration {
        let lot = u32::try_from(self.lots.hash_one(host.name.as_str()) % 256).unwrap_or_default();
        self.longest * (768 + lot) / 1024
    }
}
