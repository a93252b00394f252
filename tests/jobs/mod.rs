//! A minion's jobs without the minion: a folder, a module, real fork servers and real workers.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use func::{
    access::Grant,
    ids::{Digest, MinionJobId},
    jobs::{CompiledCode, ForkServerCommand, JobReport, JobState, Jobs, JobsConfig, Submission},
    plugin::{Cache, Engine, Limits},
    wire::Value,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

/// Long enough for a slow machine, and never waited for on a quick one.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The compiled module of `work.wat`.
pub(crate) struct Module {
    pub(crate) digest: Digest,
    pub(crate) compiled: PathBuf,
    _cache: TempDir,
}

impl Module {
    /// The component.
    pub(crate) fn bytes() -> Vec<u8> {
        wat::parse_str(include_str!("work.wat")).unwrap()
    }

    /// Compiled once for each process.
    pub(crate) fn get() -> &'static Self {
        static MODULE: OnceLock<Module> = OnceLock::new();
        MODULE.get_or_init(|| {
            let bytes = Self::bytes();
            let folder = tempfile::tempdir().unwrap();
            let cache = Cache::open(folder.path()).unwrap();
            let engine = Engine::serving().unwrap();
            cache.load(&engine, &bytes).unwrap();
            let digest = Digest::of(&bytes);
            Self { digest, compiled: cache.path(&engine, &digest), _cache: folder }
        })
    }
}

/// A folder of jobs and how to open it.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file_of(&self, id: &MinionJobId) -> PathBuf {
        self.path().join("jobs").join(id.as_str())
    }

    /// The usual configuration. The fork server's process number is written to a file whenever one
    /// starts.
    pub(crate) fn config(&self) -> JobsConfig {
        config_in(self.path())
    }

    pub(crate) async fn open(&self) -> Jobs {
        self.open_with(self.config()).await
    }

    pub(crate) async fn open_with(&self, config: JobsConfig) -> Jobs {
        Jobs::open(config, compiled()).await.unwrap()
    }

    /// Opens the jobs once the last to have them has let go.
    pub(crate) async fn reopen(&self) -> Jobs {
        let start = Instant::now();
        loop {
            match Jobs::open(self.config(), compiled()).await {
                Ok(jobs) => return jobs,
                Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The process number of the fork server that was started last.
    pub(crate) fn fork_server(&self) -> Option<Pid> {
        fs::read_to_string(self.path().join("fork-server.pid")).ok()?.trim().parse().ok().map(Pid::from_raw)
    }

    /// The same, once that process is the fork server and not the script that becomes it.
    pub(crate) async fn ready_fork_server(&self) -> Pid {
        let ready = || {
            let pid = self.fork_server()?;
            let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            command.starts_with(b"funcd: fork server").then_some(pid)
        };
        until("the fork server is ready", || async { ready().is_some() }).await;
        ready().unwrap()
    }
}

/// The code of the module, and of no other.
pub(crate) fn compiled() -> Arc<dyn CompiledCode> {
    code(|digest| (*digest == Module::get().digest).then(|| Module::get().compiled.clone()))
}

/// Code that lies nowhere, so that no job is handed over.
pub(crate) fn no_code() -> Arc<dyn CompiledCode> {
    code(|_| None)
}

/// Code that lies where a function says, and is never made again.
pub(crate) fn code(path: impl Fn(&Digest) -> Option<PathBuf> + Send + Sync + 'static) -> Arc<dyn CompiledCode> {
    struct At<F>(F);
    impl<F: Fn(&Digest) -> Option<PathBuf> + Send + Sync> CompiledCode for At<F> {
        fn path(&self, digest: &Digest) -> Option<PathBuf> {
            self.0(digest)
        }

        fn renew(&self, _: Digest) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(async {})
        }
    }
    Arc::new(At(path))
}

/// How many records of a kind are in a journal: 1 for the call, 2 for each attempt, 3 for STARTED.
pub(crate) fn records(journal: &Path, kind: u8) -> usize {
    let bytes = fs::read(journal).unwrap();
    let (mut at, mut count) = (0, 0);
    while let Some(head) = bytes.get(at..at + 5) {
        let length = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
        at += 9 + length;
        count += usize::from(head[4] == kind && at <= bytes.len());
    }
    count
}

pub(crate) fn config_in(folder: &Path) -> JobsConfig {
    let script = format!(
        "#!/bin/sh\nexport FUNC_HOME='{0}'\necho $$ > '{0}/pid.new' && mv '{0}/pid.new' '{0}/fork-server.pid'\nexec '{1}' \"$@\"\n",
        folder.display(),
        env!("CARGO_BIN_EXE_func"),
    );
    JobsConfig {
        fork_server: script_in(folder, "fork-server", &script),
        workers_max: 8,
        ..JobsConfig::new(folder.join("jobs"))
    }
}

/// A script that takes the fork server's place.
pub(crate) fn script_in(folder: &Path, name: &str, script: &str) -> ForkServerCommand {
    let path = folder.join(name);
    if !path.exists() {
        // Written under another name: a file that is open for writing somewhere cannot be run.
        let unfinished = folder.join(format!("{name}.new"));
        fs::write(&unfinished, script).unwrap();
        fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(unfinished, &path).unwrap();
    }
    ForkServerCommand { program: path, ..ForkServerCommand::default() }
}

/// A call of the module by `alice`, with a minute to run.
pub(crate) fn submission(method: &str, args: &[i64]) -> Submission {
    Submission {
        id: Some(MinionJobId::fresh()),
        owner: "alice".to_owned(),
        overlord_job: None,
        method: format!("work.{method}").parse().unwrap(),
        args: args.iter().copied().map(Value::Int).collect(),
        digest: Module::get().digest,
        grant: Grant::default(),
        settings: BTreeMap::new(),
        limits: Limits::default(),
        deadline: PATIENCE,
    }
}

/// How the job ended.
pub(crate) async fn end(jobs: &Jobs, id: &MinionJobId) -> JobState {
    let report = jobs.wait(id, "alice", PATIENCE).await.unwrap().expect("the job is known");
    assert!(report.state.has_ended(), "{id} still runs after {PATIENCE:?}");
    report.state
}

pub(crate) async fn status(jobs: &Jobs, id: &MinionJobId) -> Option<JobReport> {
    jobs.status(id, "alice").await.unwrap()
}

/// Waits until guest code of the job runs.
pub(crate) async fn in_the_guest(jobs: &Jobs, id: &MinionJobId) {
    until("the guest runs", || async {
        jobs.tail_output(id, "alice").await.unwrap().unwrap().0.contains("in the guest")
    })
    .await;
}

/// Waits for a condition.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < PATIENCE, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The worker of a job, found by what `ps` shows.
pub(crate) fn worker_of(id: &MinionJobId) -> Option<Pid> {
    let title = format!("funcd: job {id}");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find_map(|pid: i32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        command.starts_with(title.as_bytes()).then(|| Pid::from_raw(pid))
    })
}

pub(crate) fn kill_at_once(pid: Pid) {
    kill(pid, Signal::SIGKILL).unwrap();
}
