//! Where an overlord finds what it needs, and how calls and jobs are made.

use std::{path::PathBuf, time::Duration};

use super::fan_out::ACCEPTANCE;
use crate::{
    config::Home,
    fleet::{FleetOptions, Rollout},
};

/// Where an overlord finds what it needs. Each is read when it is first needed: a finished job needs the store alone.
#[derive(Debug, Clone)]
pub struct OverlordConfig {
    /// The folder of our certificate, key and CA certificate.
    pub identity: PathBuf,
    /// The authority's folder; it need not be on this machine. If it is, our own certificate renews itself.
    pub authority: PathBuf,
    /// The inventory of minions.
    pub inventory: PathBuf,
    /// Who is reached through whom; need not exist.
    pub map: PathBuf,
    /// The groups of hosts; need not exist.
    pub groups: PathBuf,
    /// What the sources of groups have told; need not exist.
    pub told_groups: PathBuf,
    /// The hosts known to be down; need not exist.
    pub known_down: PathBuf,
    /// What hosts have said of themselves; need not exist.
    pub facts: PathBuf,
    /// The store's folder.
    pub store: PathBuf,
    /// The settings, `overlord.toml`; need not exist.
    pub settings: PathBuf,
    /// Keep the store open (a daemon), instead of opening it for each transaction (a command).
    pub keep_store_open: bool,
    /// How hosts are called.
    pub fleet: FleetOptions,
}

impl OverlordConfig {
    /// The usual places, for a command.
    pub fn at(home: &Home) -> Self {
        Self {
            identity: home.identity(),
            authority: home.authority(),
            inventory: home.inventory(),
            map: home.map(),
            groups: home.groups(),
            told_groups: home.told_groups(),
            known_down: home.known_down(),
            facts: home.facts(),
            store: home.store(),
            settings: home.overlord_toml(),
            keep_store_open: false,
            fleet: FleetOptions::default(),
        }
    }
}

/// How a call is made.
#[derive(Debug, Clone, Copy)]
pub struct CallOptions {
    /// At most this many hosts are called at a time.
    pub forks: usize,
    /// Each host's deadline; the fleet's usual one if `None`.
    pub timeout: Option<Duration>,
    /// In which steps.
    pub rollout: Rollout,
}

/// How a job is made.
#[derive(Debug, Clone, Copy)]
pub struct JobOptions {
    /// At most this many submissions are in flight at a time.
    pub forks: usize,
    /// How long each host has to accept its part.
    pub acceptance: Duration,
    /// How long the method may run on each host; the minion's own limit if `None`.
    pub timeout: Option<Duration>,
    /// How long after submission the hosts that still have no result are given up.
    pub give_up_after: Duration,
    /// In which steps hosts are sent their parts.
    pub rollout: Rollout,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self { forks: 64, timeout: None, rollout: Rollout::default() }
    }
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            forks: 64,
            acceptance: ACCEPTANCE,
            timeout: None,
            give_up_after: Duration::from_hours(7 * 24),
            rollout: Rollout::default(),
        }
    }
}
