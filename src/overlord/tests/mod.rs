//! The overlord against minions that keep jobs as real ones do, and that misbehave on request.

mod batches;
mod cancelling;
mod census;
mod hand_out;
mod killed;
mod local;
mod minion;
mod polling;
mod retention;
mod rules;
mod status_table;

use std::{path::Path, time::Duration};

use minion::Minion;

use super::{FanOut, HostState, JobOptions, JobView, Overlord, OverlordConfig};
use crate::{
    ca::{Authority, Host, Inventory, IssueRequest},
    config::Home,
    fleet::Selector,
    ids::{HostName, OverlordJobId},
    tls::Role,
    wire::JobStatus,
};

/// A folder with an authority, an overlord's identity and an inventory.
struct World {
    dir: tempfile::TempDir,
    authority: Authority,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::in_memory("test").unwrap();
        let overlord = IssueRequest::new("boss".parse().unwrap(), Role::Overlord);
        authority.issue(&overlord).unwrap().save(&Home::at(dir.path()).identity()).unwrap();
        Self { dir, authority }
    }

    /// Starts a minion and enters it into the inventory.
    async fn minion(&self, name: &str) -> Minion {
        let minion = Minion::start(&self.authority, name).await;
        self.enter(&minion);
        minion
    }

    /// Enters a minion into the inventory, at its present address.
    fn enter(&self, minion: &Minion) {
        let Host { name, address } = minion.host();
        let add = |inventory: &mut Inventory| {
            inventory.add(name, address);
            Ok(())
        };
        Inventory::update(&Home::at(self.dir.path()).inventory(), add).unwrap();
    }

    fn overlord(&self) -> Overlord {
        overlord(self.dir.path())
    }

    /// Submits `test.add(1, 2)` to all minions, one after the other.
    async fn submit(&self, overlord: &Overlord) -> FanOut {
        submit(overlord, JobOptions { forks: 1, ..JobOptions::default() }).await
    }

    /// The same, handed out.
    async fn hand_out(&self, overlord: &Overlord) -> OverlordJobId {
        let fan_out = self.submit(overlord).await;
        let id = fan_out.id().clone();
        fan_out.run().await.unwrap();
        id
    }
}

fn overlord(home: &Path) -> Overlord {
    Overlord::open(OverlordConfig::at(&Home::at(home))).unwrap()
}

async fn submit(overlord: &Overlord, options: JobOptions) -> FanOut {
    let selection = overlord.select(&Selector::new("*".parse().unwrap())).unwrap();
    let method = "test.add".parse().unwrap();
    overlord.submit("*", selection, method, vec![1.into(), 2.into()], options).await.unwrap()
}

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

/// The job's status, and each host's state in a word.
fn words(view: &JobView) -> (JobStatus, Vec<&'static str>) {
    (view.status(), view.hosts.values().map(|host| host.state.word()).collect())
}

/// Waits until the store shows a job in a certain way.
async fn until(overlord: &Overlord, id: &OverlordJobId, shows: impl Fn(&JobView) -> bool) -> JobView {
    let looking = async {
        loop {
            let view = overlord.status(id).await.unwrap();
            if shows(&view) {
                return view;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), looking).await.expect("the store never showed it")
}

fn is_sent(view: &JobView, name: &str) -> bool {
    matches!(view.hosts[&host(name)].state, HostState::Sent { .. })
}
