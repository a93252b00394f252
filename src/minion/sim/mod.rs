//! Many minions in one process, for trying out and measuring overlords.
//!
//! One listener serves them all: the name that a client asks for (SNI) chooses the simulated host and
//! its certificate. Server, checks and bounds are those of a real minion; only what stands behind them
//! is not: a native module `test` (or a folder of plugins, the same for all hosts, without grants), and
//! jobs that live and die with the process.

mod jobs;
mod native;
mod site;

use std::{collections::HashMap, future::Future, net::SocketAddr, path::PathBuf, sync::Arc};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::site::Site;
use super::{
    Calls, Connections, Error,
    connection::{Choose, Door},
    dispatch::Dispatcher,
    modules::{self, Modules},
    rules::{Rules, RulesInForce},
    server,
};
use crate::{
    access::{AuditLog, Grants, Signers},
    ca::{self, Authority, Host, Inventory, IssueRequest, Issued},
    config::{Home, Period},
    ids::HostName,
    plugin::Limits,
    tls::{self, InForce, Role, server_config_with},
};

/// What a simulation opens besides its connections.
const OTHER_FILES: u64 = 200;

/// A fleet to simulate, in a folder of its own.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// How many minions: `sim1`, `sim2`, …
    pub minions: u32,
    /// Where the authority, the overlord's identity and the inventory are kept.
    pub home: Home,
}

/// Makes, or goes on with, the authority and the overlord's identity of a simulation, and writes an
/// inventory of minions that all listen on `address`.
pub fn prepare(config: &SimConfig, address: SocketAddr) -> Result<SimFleet, Error> {
    let home = &config.home;
    let authority = match Authority::open(&home.authority()) {
        Err(ca::Error::Missing { .. }) => Authority::init(&home.authority(), "Func simulation CA")?,
        other => other?,
    };
    if !home.identity().join(tls::CERTIFICATE_FILE).exists() {
        authority.issue(&IssueRequest::new(name("overlord")?, Role::Overlord))?.save(&home.identity())?;
    }
    let names: Vec<_> = (1..=config.minions).map(|number| name(&format!("sim{number}"))).collect::<Result<_, _>>()?;
    let fleet = SimFleet::new(&authority, &names)?;
    fleet.inventory(address).save(&home.inventory())?;
    Ok(fleet)
}

fn name(text: &str) -> Result<HostName, Error> {
    text.parse().map_err(Error::Name)
}

/// A simulated fleet, not yet serving.
#[derive(Debug)]
pub struct SimFleet {
    hosts: Vec<(HostName, Issued)>,
    /// Bounds on calls, for each host.
    pub calls: Calls,
    /// Bounds on connections, for all hosts together.
    pub connections: Connections,
    /// How long a job may take.
    pub job_time: Period,
    /// Plugins to serve in place of the native module.
    pub plugins: Option<SimPlugins>,
}

/// Where a simulation's plugins come from, and where their compiled code goes.
#[derive(Debug, Clone)]
pub struct SimPlugins {
    /// The folder of `.wasm` files.
    pub folder: PathBuf,
    /// The folder for compiled code.
    pub cache: PathBuf,
}

impl SimFleet {
    /// Hosts of these names, with certificates that `authority` issues now.
    pub fn new(authority: &Authority, names: &[HostName]) -> Result<Self, ca::Error> {
        let requests: Vec<_> = names.iter().map(|name| IssueRequest::new(name.clone(), Role::Minion)).collect();
        let hosts = names.iter().cloned().zip(authority.issue_all(&requests)?).collect();
        // Every host may have connections of several overlords open.
        let at_once = 1024 + 4 * names.len();
        let connections = Connections { at_once, per_caller: at_once, ..Connections::default() };
        Ok(Self {
            hosts,
            calls: Calls::default(),
            connections,
            job_time: super::JobsConfig::default().timeout,
            plugins: None,
        })
    }

    /// All the hosts at the one address.
    pub fn inventory(&self, address: SocketAddr) -> Inventory {
        self.hosts.iter().map(|(name, _)| Host { name: name.clone(), address: address.into() }).collect()
    }
}

/// Serves a simulated fleet until `shutdown`.
pub async fn serve(listener: TcpListener, fleet: SimFleet, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let files = server::make_room_for_files();
    let SimFleet { hosts: names, calls: call_bounds, connections, job_time, plugins } = fleet;
    let Some((_, first)) = names.first() else {
        shutdown.await;
        return Ok(());
    };
    // They all trust the same CA, so one of them says whom to let in.
    let trust = first.identity()?;
    let stopping = CancellationToken::new();
    let calls = TaskTracker::new();
    let rules = RulesInForce::fixed(Rules::default());
    let plugins = match plugins {
        None => None,
        Some(SimPlugins { folder, cache }) => Some(Arc::new(Modules {
            registry: modules::open_registry(&folder, &cache, Signers::anybody(), Grants::default()).await?,
            rules: rules.clone(),
            limits: Limits::default(),
            state: None,
        })),
    };
    let identity = InForce::fixed(&trust)?;
    let mut hosts = HashMap::with_capacity(names.len());
    for (name, issued) in &names {
        let site = Dispatcher {
            backend: Site::new(plugins.clone()),
            name: Some(name.clone()),
            audit: Arc::new(AuditLog::none()),
            rules: rules.clone(),
            identity: identity.clone(),
            call_time: call_bounds.timeout.duration(),
            job_time: job_time.duration(),
            places: Arc::new(Semaphore::new(call_bounds.at_once)),
            transfers: None,
            overlord: None,
            stopping: stopping.clone(),
            calls: calls.clone(),
        };
        let key = Arc::clone(issued.identity()?.certified_key());
        hosts.insert(name.as_str().to_owned(), (key, Arc::new(site)));
    }
    let hosts = Arc::new(Hosts(hosts));
    let choose: Choose<Site> = {
        let hosts = Arc::clone(&hosts);
        Arc::new(move |name| hosts.0.get(name?).map(|(_, site)| Arc::clone(site)))
    };
    let acceptor = TlsAcceptor::from(server_config_with(&trust, hosts)?);
    let authorities = trust.authorities().clone();
    let accept = Arc::new(move || (acceptor.clone(), authorities.clone()));
    let at_once = connections_at_once(connections.at_once, files);
    let door = Door::new(accept, choose, &connections, &call_bounds, at_once, stopping);
    server::serve(listener, door, &calls, call_bounds.timeout.duration(), shutdown).await;
    Ok(())
}

/// How many connections all the hosts have together: all the files but a few. Who simulates a fleet has no strangers at
/// the door, and no jobs or modules that need files.
fn connections_at_once(wanted: usize, files: u64) -> usize {
    let most = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX).max(1);
    if wanted > most {
        tracing::info!(wanted, most, files, "fewer connections than hosts could have: the limit of open files");
    }
    wanted.min(most)
}

/// Every host's certificate and what answers for it, by name.
struct Hosts(HashMap<String, (Arc<CertifiedKey>, Arc<Dispatcher<Site>>)>);

impl std::fmt::Debug for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hosts").field("count", &self.0.len()).finish()
    }
}

impl ResolvesServerCert for Hosts {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.get(hello.server_name()?).map(|(key, _)| Arc::clone(key))
    }
}
