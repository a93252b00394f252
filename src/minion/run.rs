//! Putting a minion together, and taking it apart.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Error, MinionConfig, check, config,
    connection::{Choose, Door, connections_at_once},
    delegation::SubOverlord,
    dispatch::Dispatcher,
    identity,
    live::Live,
    modules::{self, Modules},
    rest,
    rules::RulesInForce,
    server,
    transfers::Transfers,
};
use crate::{
    access::{AuditLog, Event, Rotation},
    jobs::{Cgroups, ForkServerCommand, Jobs, JobsConfig, Retention},
    plugin::Registry,
    sys::{adopted, cgroup::Delegated, durable, supervisor::Supervisor},
};

/// The unit with which systemd runs a minion.
pub const UNIT: &str = include_str!("funcd.service");

/// How long after a change of modules compiled code that nobody needs is removed: no call that began
/// before the change may still become a job.
const SETTLE: Duration = Duration::from_mins(2);

/// Serves until `shutdown`, then lets calls end. Jobs are left to their workers.
///
/// The workers' parent is this very program, so its `main` must begin with
/// [`fork_server_main`](crate::jobs::fork_server_main).
pub async fn run(listener: TcpListener, config: MinionConfig, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    run_with(listener, config, ForkServerCommand::default(), shutdown).await
}

/// The same with another program as the workers' parent.
pub async fn run_with(
    listener: TcpListener,
    config: MinionConfig,
    fork_server: ForkServerCommand,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let files = server::make_room_for_files();
    identity::finish(&config.identity).map_err(|source| Error::Renewal { source })?;
    let identity = check::identity(&config.identity)?;
    let audit = audit_log(&config)?;
    let folders = &config.folders;
    let registry =
        modules::open_registry(&folders.modules, &folders.cache, config.trust(), config.grants.clone()).await?;
    let catalog = registry.catalog();
    for warning in check::unused_tables(&config, |module| catalog.module(module).is_some()) {
        tracing::warn!("{warning}");
    }
    let jobs = jobs(&config, fork_server, &registry).await?;
    let stopping = CancellationToken::new();
    // As the first process of a container, it is the parent of all that programs and workers leave behind.
    if std::process::id() == 1 {
        tokio::spawn(adopted::reap_as_they_end());
    }
    tokio::spawn(collect_unused_code(registry.clone(), jobs.clone(), stopping.clone()));
    tokio::spawn(rest::when_idle(stopping.clone()));
    let calls = TaskTracker::new();
    let audit = Arc::new(audit);
    let started = Event::Started { version: env!("CARGO_PKG_VERSION"), config: config.digest() };
    audit.event(&started).done().await;
    let rules = RulesInForce::following(&config, registry.clone(), Arc::clone(&audit));
    let transfers = Arc::new(Transfers::open(&config, &registry, &rules)?);
    tokio::spawn(Arc::clone(&transfers).upkeep(stopping.clone()));
    let in_force = identity::following(identity.clone(), &config.identity)?;
    let overlord = SubOverlord::open(&config, &in_force, &stopping)?;
    let dispatcher = Arc::new(Dispatcher {
        backend: Live {
            modules: Modules {
                rules: rules.clone(),
                registry,
                limits: config.limits.for_plugins(),
                state: Some(config.folders.state.as_path().into()),
            },
            jobs: jobs.clone(),
        },
        name: None,
        audit: Arc::clone(&audit),
        rules,
        identity: in_force.clone(),
        call_time: config.calls.timeout.duration(),
        job_time: config.jobs.timeout.duration(),
        places: Arc::new(Semaphore::new(config.calls.at_once.clamp(1, Semaphore::MAX_PERMITS))),
        transfers: Some(transfers),
        overlord,
        stopping: stopping.clone(),
        calls: calls.clone(),
    });
    let address = listener.local_addr().map_err(Error::Listener)?;
    tracing::info!(%address, name = identity.peer().name, "serving");
    let choose: Choose<Live> = Arc::new(move |_| Some(Arc::clone(&dispatcher)));
    let at_once = connections_at_once(config.connections.at_once, files);
    let acceptor = Arc::new(move || in_force.acceptor());
    let door = Door::new(acceptor, choose, &config.connections, &config.calls, at_once, stopping);
    let patience = config.calls.timeout.duration();
    let supervisor = Supervisor::from_environment();
    supervisor.ready();
    let shutdown = async {
        shutdown.await;
        supervisor.stopping();
    };
    tokio::select! {
        () = server::serve(listener, door, &calls, patience, shutdown) => {}
        () = supervisor.keep_alive(async || jobs.digests_in_use().await.is_ok()) => {}
    }
    audit.event(&Event::Stopped).done().await;
    jobs.shutdown().await;
    Ok(())
}

fn audit_log(config: &MinionConfig) -> Result<AuditLog, Error> {
    let path = &config.folders.audit;
    let open = || {
        durable::create_folder(durable::folder_of(path), 0o700)?;
        let config::Audit { file_bytes, file_age, keep_files } = &config.audit;
        AuditLog::open(path, Rotation { bytes: file_bytes.bytes(), age: file_age.duration(), keep: *keep_files })
    };
    open().map_err(|source| Error::Audit { path: path.clone(), source })
}

async fn jobs(config: &MinionConfig, fork_server: ForkServerCommand, registry: &Registry) -> Result<Jobs, Error> {
    let bounds = &config.jobs;
    let retention = Retention {
        acknowledged: bounds.keep.duration(),
        unacknowledged: bounds.keep_unfetched.duration(),
        total_bytes: bounds.keep_bytes.bytes(),
        ..Retention::default()
    };
    let cgroups = Delegated::to_self().ok().map(|delegated| Cgroups::below(&delegated, bounds.bounds()));
    let jobs = JobsConfig {
        folder: config.folders.jobs.clone(),
        state: Some(config.folders.state.clone()),
        cgroups,
        workers_max: bounds.workers,
        queue_max: bounds.queue,
        retention,
        fork_server,
    };
    Ok(Jobs::open(jobs, Arc::new(registry.clone())).await?)
}

/// Compiled code goes when neither the catalog nor a job that has not started needs it.
async fn collect_unused_code(mut registry: Registry, jobs: Jobs, stopping: CancellationToken) {
    let collect = async {
        loop {
            registry.changed().await;
            tokio::time::sleep(SETTLE).await;
            if let Ok(needed) = jobs.digests_in_use().await {
                registry.collect(needed.into_iter().collect()).await;
            }
        }
    };
    tokio::select! {
        () = collect => {}
        () = stopping.cancelled() => {}
    }
}
