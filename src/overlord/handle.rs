//! The way in: calls, jobs, and what is known of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use futures_util::stream::{self, Stream, StreamExt};
use jiff::Timestamp;

use super::{
    CallOptions, Error, FanOut, JobFilter, JobList, JobOptions, JobPlan, JobRecord, JobView, OverlordConfig, Settings,
    identity, ledger::Ledger, transactions::Work,
};
use crate::{
    ca::Inventory,
    config,
    fleet::{Fleet, Outcome, Request, Selection, Stage, Width},
    ids::{HostName, MethodName, OverlordJobId},
    store::SetAside,
    sys::descriptor,
    tls::{CA_FILE, CERTIFICATE_FILE, Identity, Peer},
    wire::{Call, Secrets, Value},
};

/// When a certificate ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateEnd {
    /// `overlord`, `authority` or `minion`.
    pub whose: &'static str,
    /// The name in it.
    pub name: String,
    /// Its last moment.
    pub at: Timestamp,
}

/// For how long a part that may not have arrived is sent again: less than minions remember what they have purged.
const RESUME_WINDOW: Duration = Duration::from_hours(24);

/// An overlord. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Overlord {
    inner: Arc<Inner>,
    /// Who asks, if that is not the user of this process.
    pub(super) asked_by: Option<Arc<str>>,
}

#[derive(Debug)]
struct Inner {
    config: OverlordConfig,
    ledger: Ledger,
    fleet: OnceLock<Fleet>,
    /// What is secret of the jobs that this process has made or goes on with. It is nowhere else.
    secrets: Mutex<HashMap<OverlordJobId, Secrets>>,
}

impl Overlord {
    /// An overlord of this configuration. No connection is opened, and no file but a store that is to be kept open.
    pub fn open(config: OverlordConfig) -> Result<Self, Error> {
        let ledger = if config.keep_store_open { Ledger::kept(&config.store)? } else { Ledger::short(&config.store) };
        let inner = Inner { config, ledger, fleet: OnceLock::new(), secrets: Mutex::default() };
        Ok(Self { inner: Arc::new(inner), asked_by: None })
    }

    /// Calls a method on each host and yields what became of each as it becomes known; skipped hosts come first.
    pub fn call(
        &self,
        selection: Selection,
        method: &MethodName,
        args: Vec<Value>,
        options: CallOptions,
    ) -> Result<impl Stream<Item = (HostName, Outcome)> + Send + use<>, Error> {
        self.send(selection, Request::new(&Call::new(method.to_string(), args)), options)
    }

    /// The same with a request that says more than the call.
    pub fn send(
        &self,
        selection: Selection,
        mut request: Request,
        options: CallOptions,
    ) -> Result<impl Stream<Item = (HostName, Outcome)> + Send + use<>, Error> {
        if let Some(timeout) = options.timeout {
            request = request.timeout(timeout);
        }
        let skipped = selection.skipped.into_iter().map(|(host, reason)| (host.name, Outcome::Skipped(reason)));
        let calls = selection.hosts.into_iter().map(move |host| (host, request.clone()));
        let width = Width { forks: options.forks, rollout: options.rollout };
        Ok(stream::iter(skipped).chain(self.fleet()?.fan_out(calls, width)))
    }

    /// Makes a job of a call: when this returns, the whole map is durable, and nothing has been sent. The job is ours to
    /// hand out, by [`FanOut::run`]; dropped instead, it is interrupted.
    pub async fn submit(
        &self,
        target: &str,
        selection: Selection,
        method: MethodName,
        args: Vec<Value>,
        options: JobOptions,
    ) -> Result<FanOut, Error> {
        self.submit_as(target, selection, method, args, options, None).await
    }

    /// The same, perhaps as another try of a job.
    pub(super) async fn submit_as(
        &self,
        target: &str,
        selection: Selection,
        method: MethodName,
        args: Vec<Value>,
        options: JobOptions,
        retry_of: Option<OverlordJobId>,
    ) -> Result<FanOut, Error> {
        let record = self.new_record(target, method, args, options, selection.len())?;
        let secrets = Secrets::of(&record.args);
        let plan = JobPlan { acceptance: options.acceptance, rollout: options.rollout, retry_of };
        let (id, lock) = self.inner.ledger.plan(record, plan, selection, self.submitter()).await?;
        self.remember(&id, secrets);
        Ok(FanOut::new(self.clone(), id, lock))
    }

    /// The record of a job that is made now. One that could not be sent by anybody is not made at all.
    pub(super) fn new_record(
        &self,
        target: &str,
        method: MethodName,
        args: Vec<Value>,
        options: JobOptions,
        hosts: usize,
    ) -> Result<JobRecord, Error> {
        self.fleet()?;
        Ok(JobRecord {
            target: target.to_owned(),
            method,
            args,
            submitted: Timestamp::now(),
            timeout: options.timeout,
            forks: options.forks.max(1),
            hosts,
            resume_window: RESUME_WINDOW,
            give_up_after: options.give_up_after,
        })
    }

    /// Goes on with a job whose fan-out was interrupted. Nothing is run twice.
    ///
    /// What is secret of its call was not kept and has to be given again, if any host may have been sent nothing.
    pub async fn resume(&self, id: &OverlordJobId, secrets: Secrets) -> Result<FanOut, Error> {
        let mut view = self.inner.ledger.view(id).await?;
        view.record.args = self.with_secrets(id, view.record.args);
        let unsent = view.hosts.values().filter(|host| host.state.may_lack_its_part()).count();
        if !secrets.is_empty() {
            secrets.fill(&mut view.record.args).map_err(|source| Error::WrongSecrets { id: id.clone(), source })?;
        } else if unsent > 0 && !Secrets::of(&view.record.args).are_here() {
            return Err(Error::SecretGone { id: id.clone(), unsent, method: view.record.method });
        }
        self.remember(id, secrets);
        let lock = self.lock(id).await?;
        Ok(FanOut::new(self.clone(), id.clone(), lock))
    }

    fn remember(&self, id: &OverlordJobId, secrets: Secrets) {
        if !secrets.is_empty() {
            self.inner.secrets.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), secrets);
        }
    }

    /// The arguments of a job with what this process knows of their secrets.
    pub(super) fn with_secrets(&self, id: &OverlordJobId, mut args: Vec<Value>) -> Vec<Value> {
        if let Some(secrets) = self.inner.secrets.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            // They were counted when they were remembered.
            let _ = secrets.fill(&mut args);
        }
        args
    }

    /// What the store knows of a job. No connection is opened.
    pub async fn status(&self, id: &OverlordJobId) -> Result<JobView, Error> {
        self.inner.ledger.view(id).await
    }

    /// Every job, oldest first, as the store knows them.
    pub async fn list(&self) -> Result<JobList, Error> {
        self.inner.ledger.list(None).await
    }

    /// The same of those that are wanted. What cannot be read may be one of them.
    pub async fn list_only(&self, wanted: &JobFilter) -> Result<JobList, Error> {
        let mut list = self.inner.ledger.list(wanted.host.clone()).await?;
        wanted.narrow(&mut list.jobs, Timestamp::now());
        Ok(list)
    }

    /// The damaged stores that were set aside since the last call, for the operator to be told, loudly and once.
    pub fn take_set_aside(&self) -> Vec<SetAside> {
        self.inner.ledger.take_set_aside()
    }

    /// Whether our identity could be used now. Nothing is renewed by this.
    pub fn check_identity(&self) -> Result<(), Error> {
        let identity = Identity::in_folder(&self.inner.config.identity)?;
        Ok(identity.peer().check(Timestamp::now(), identity.revoked())?)
    }

    /// Answers when the store has, whatever that says.
    pub async fn knock(&self) -> Result<(), Error> {
        self.inner.ledger.transact(|_| Ok(())).await
    }

    /// The store's folder.
    pub(super) fn store_folder(&self) -> &std::path::Path {
        &self.inner.config.store
    }

    /// The folder of the identity that it calls as.
    pub fn identity_folder(&self) -> &std::path::Path {
        &self.inner.config.identity
    }

    /// How many connections were tried so far.
    pub fn connections_opened(&self) -> u64 {
        self.inner.fleet.get().map_or(0, Fleet::connections_opened)
    }

    /// When certificates end, as far as is known: our own, the authority's, and those that hosts have shown.
    pub fn certificates_end(&self) -> Vec<CertificateEnd> {
        let read = |whose, file| {
            let peer = Peer::from_pem_file(&self.inner.config.identity.join(file)).ok()?;
            Some(CertificateEnd { whose, name: peer.name, at: peer.not_after })
        };
        let own = [read("overlord", CERTIFICATE_FILE), read("authority", CA_FILE)].into_iter().flatten();
        let hosts = self.inner.fleet.get().map(Fleet::certificates_end).unwrap_or_default();
        let hosts = hosts.into_iter().map(|(name, at)| CertificateEnd { whose: "minion", name: name.to_string(), at });
        own.chain(hosts).collect()
    }

    pub(super) fn config(&self) -> &OverlordConfig {
        &self.inner.config
    }

    /// The fleet, called as who we are; the identity is read when it is first needed.
    pub fn fleet(&self) -> Result<&Fleet, Error> {
        if let Some(fleet) = self.inner.fleet.get() {
            return Ok(fleet);
        }
        let (folder, authority) = (&self.inner.config.identity, &self.inner.config.authority);
        identity::renew(folder, authority);
        let identity = Identity::in_folder(folder)?;
        // Minions would refuse it one by one, and less clearly.
        identity.peer().check(Timestamp::now(), identity.revoked())?;
        let mut options = self.inner.config.fleet.clone();
        options.sessions = options.sessions.max(self.hosts()?.len());
        // A fleet is more connections than the usual 1,024 open files; half are for those in use.
        if let Ok((_, files)) = descriptor::raise_open_files_limit() {
            options.keep = options.keep.max(usize::try_from(files / 2).unwrap_or(usize::MAX));
        }
        let fleet = Fleet::new(&identity, options)?;
        Ok(self.inner.fleet.get_or_init(|| {
            identity::follow(&fleet, folder.clone(), authority.clone(), identity);
            fleet
        }))
    }

    /// A job to be worked on, with each host where the inventory has it now: it may have moved since the job was submitted.
    pub(super) async fn work(&self, id: &OverlordJobId) -> Result<Work, Error> {
        let work = self.inner.ledger.work(id).await?;
        Ok(self.at_present_addresses(work))
    }

    /// The same, after its fan-out was moved on as far as it goes.
    pub(super) async fn advance(&self, id: &OverlordJobId) -> Result<(Stage, Work), Error> {
        let (stage, work) = self.inner.ledger.advance(id).await?;
        Ok((stage, self.at_present_addresses(work)))
    }

    fn at_present_addresses(&self, mut work: Work) -> Work {
        if work.view.is_finished() {
            return work;
        }
        // Without an inventory the map's addresses are as good as any.
        let inventory = Inventory::load(&self.inner.config.inventory).unwrap_or_default();
        for part in &mut work.parts {
            // A part that was sent through others is known by them alone, so the way stays.
            let via = part.host.address.via().to_vec();
            if let Some(address) = inventory.address(via.first().unwrap_or(&part.host.name)) {
                part.host.address = address.clone().through(via);
            }
        }
        work
    }

    /// The settings as they are now.
    pub(super) fn settings(&self) -> Result<Settings, config::Error> {
        Settings::load(&self.inner.config.settings)
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// Takes the lock of a job on a thread that may sleep.
    pub(super) async fn lock(&self, id: &OverlordJobId) -> Result<super::lock::JobLock, Error> {
        let (ledger, wanted) = (self.inner.ledger.clone(), id.clone());
        let taken = tokio::task::spawn_blocking(move || ledger.lock(&wanted)).await;
        taken.unwrap_or_else(|_| Err(Error::BeingHandedOut { id: id.clone(), pid: None }))
    }
}
