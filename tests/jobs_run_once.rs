//! A job is made once, whoever asks how often, and each crash window is closed.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    path::PathBuf,
    pin::Pin,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use func::{
    ids::{Digest, MinionJobId},
    jobs::{
        CompiledCode, FORK_SERVER_WORD, ForkServerCommand, JobState, JobsConfig, Retention, Submission, SubmitError,
    },
    plugin::{Cache, Engine},
    sys::seqpacket::{Packet, SeqPacket},
    wire::Value,
};

use nix::sys::resource::{Resource, setrlimit};

use crate::jobs::{
    Module, PATIENCE, Place, code, compiled, end, in_the_guest, kill_at_once, no_code, records, script_in, status,
    submission, until,
};

/// How often guest code began: each begin of `work.wat` logs one line.
async fn begins(jobs: &func::jobs::Jobs, id: &MinionJobId) -> usize {
    jobs.tail_output(id, "alice").await.unwrap().unwrap().0.matches("in the guest").count()
}

#[tokio::test]
async fn a_result_is_what_the_method_returned() {
    let place = Place::new();
    let jobs = place.open().await;
    let id = jobs.submit(submission("add", &[1, 2])).await.unwrap();
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(3)));
}

#[tokio::test]
async fn the_same_call_again_is_the_same_job() {
    let place = Place::new();
    let jobs = place.open().await;
    let call = submission("hold", &[200]);
    let submissions = (0..20).map(|_| jobs.submit(call.clone()));
    for submitted in futures_util::future::join_all(submissions).await {
        assert_eq!(submitted.unwrap(), call.id.clone().unwrap());
    }
    let id = call.id.clone().unwrap();
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(200)));
    assert_eq!(jobs.submit(call).await.unwrap(), id);
    assert_eq!(begins(&jobs, &id).await, 1);
}

#[tokio::test]
async fn an_id_belongs_to_its_caller_and_its_call_and_says_no_more() {
    let place = Place::new();
    let jobs = place.open().await;
    let call = submission("add", &[1, 2]);
    let id = jobs.submit(call.clone()).await.unwrap();
    let stranger = Submission { owner: "mallory".to_owned(), ..call.clone() };
    let other = Submission { args: vec![Value::Int(1), Value::Int(3)], ..call };
    for foreign in [stranger, other] {
        let refused = jobs.submit(foreign).await.unwrap_err();
        assert!(matches!(&refused, SubmitError::Mismatch { .. }), "{refused}");
        assert_eq!(refused.to_string(), format!("the job id `{id}` is not free"));
    }
    end(&jobs, &id).await;
    assert_eq!(jobs.status(&id, "mallory").await.unwrap(), None);
    assert_eq!(jobs.tail_output(&id, "mallory").await.unwrap(), None);
    assert_eq!(jobs.wait(&id, "mallory", PATIENCE).await.unwrap(), None);
    assert_eq!(jobs.list("mallory").await.unwrap(), []);
    assert_eq!(jobs.list("alice").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_job_that_was_accepted_but_not_spawned_runs_after_a_restart() {
    let place = Place::new();
    // Its code is not there, so it stays between acceptance and hand-over.
    let jobs = func::jobs::Jobs::open(place.config(), no_code()).await.unwrap();
    let call = submission("add", &[20, 22]);
    let id = jobs.submit(call.clone()).await.unwrap();
    assert_eq!(jobs.digests_in_use().await.unwrap(), [call.digest]);
    assert_eq!(status(&jobs, &id).await.unwrap().state, JobState::Running);
    jobs.shutdown().await;
    drop(jobs);
    let jobs = place.reopen().await;
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(42)));
    assert_eq!(begins(&jobs, &id).await, 1);
    assert_eq!(jobs.digests_in_use().await.unwrap(), []);
}

#[tokio::test]
async fn a_job_that_was_handed_over_but_not_begun_is_spawned_again() {
    let place = Place::new();
    // Takes the request, and the journal's lock with it, and does nothing.
    let script = format!("#!/bin/sh\necho $$ > '{}/idle.pid'\nexec sleep 600\n", place.path().display());
    let mut config = place.config();
    config.fork_server = script_in(place.path(), "idle", &script);
    let jobs = place.open_with(config).await;
    let id = jobs.submit(submission("add", &[1, 1])).await.unwrap();
    let idle = || fs::read_to_string(place.path().join("idle.pid")).ok()?.trim().parse().ok();
    until("the idle fork server runs", || async { idle().is_some() }).await;
    jobs.shutdown().await;
    drop(jobs);
    // A job that merely waited would have left its lock free.
    let probe = fs::File::open(place.file_of(&id)).unwrap();
    assert!(matches!(probe.try_lock_shared(), Err(fs::TryLockError::WouldBlock)), "it was not handed over");
    drop(probe);

    let jobs = place.reopen().await;
    assert_eq!(status(&jobs, &id).await.unwrap().state, JobState::Running, "the lock is still held");
    kill_at_once(nix::unistd::Pid::from_raw(idle().unwrap()));
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(2)));
    assert_eq!(begins(&jobs, &id).await, 1);
}

/// The records of an attempt and of STARTED have about as many bytes each.
const RECORD: u64 = 65;
/// How large the first fork server, the second and so on may let files become; those after them, as they like.
const FILE_LIMITS: &str = "FUNC_TEST_FILE_LIMITS";
const STARTS: &str = "FUNC_TEST_STARTS";

/// Not a test of its own: becomes a fork server. The system kills whoever writes a file beyond its limit.
#[test]
#[ignore = "run by other tests in a process of its own"]
fn a_fork_server_with_a_limit() {
    let starts = std::env::var_os(STARTS).unwrap();
    writeln!(fs::File::options().create(true).append(true).open(&starts).unwrap(), "started").unwrap();
    let start = fs::read_to_string(&starts).unwrap().lines().count();
    if let Some(limit) = std::env::var(FILE_LIMITS).unwrap().split(',').nth(start - 1) {
        setrlimit(Resource::RLIMIT_CORE, 0, 0).unwrap();
        let limit = limit.parse().unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, limit, limit).unwrap();
    }
    become_the_fork_server();
}

fn become_the_fork_server() -> ! {
    let failed = Command::new(env!("CARGO_BIN_EXE_func")).arg(FORK_SERVER_WORD).arg("-".repeat(80)).exec();
    panic!("{failed}");
}

/// Fork servers that stop this job's worker right before it has recorded STARTED: at its first attempt, at its
/// second and so on, so many times.
async fn stopping_before_started(place: &Place, times: u64) -> (Submission, ForkServerCommand) {
    let mut call = submission("add", &[1, 1]);
    // Longer than those of other jobs, which have room.
    call.settings = [("padding".to_owned(), "x".repeat(1000))].into();
    let apart = Place::new();
    let jobs = func::jobs::Jobs::open(apart.config(), no_code()).await.unwrap();
    let id = jobs.submit(call.clone()).await.unwrap();
    let length = fs::metadata(apart.file_of(&id)).unwrap().len();
    // For so many attempts, and not for STARTED behind the last.
    let limits: Vec<_> = (1..=times).map(|attempts| (length + attempts * RECORD + RECORD / 2).to_string()).collect();
    let script = format!(
        "#!/bin/sh\nexport {FILE_LIMITS}='{}' {STARTS}='{}'\nexec '{}' --exact jobs_run_once::a_fork_server_with_a_limit --ignored\n",
        limits.join(","),
        place.path().join("starts").display(),
        std::env::current_exe().unwrap().display(),
    );
    (call, script_in(place.path(), "limited", &script))
}

#[tokio::test]
async fn a_worker_that_dies_between_its_fork_and_started_costs_an_attempt_and_no_job() {
    let place = Place::new();
    let (call, fork_server) = stopping_before_started(&place, 1).await;
    let jobs = place.open_with(JobsConfig { fork_server, ..place.config() }).await;
    let id = jobs.submit(call).await.unwrap();
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(2)));
    assert_eq!((begins(&jobs, &id).await, records(&place.file_of(&id), 3)), (1, 1));
    assert_eq!(records(&place.file_of(&id), 2), 2, "one attempt failed, the next did not");
}

#[tokio::test]
async fn a_job_that_brings_its_workers_and_fork_servers_down_is_given_up_and_its_neighbours_lose_nothing() {
    let place = Place::new();
    let (call, fork_server) = stopping_before_started(&place, 3).await;
    let jobs = place.open_with(JobsConfig { fork_server, ..place.config() }).await;
    let guilty = jobs.submit(call).await.unwrap();
    let mut neighbours = Vec::new();
    for starts in 1..=3 {
        let started = || fs::read_to_string(place.path().join("starts")).unwrap_or_default().lines().count();
        until("a fork server more", || async { started() >= starts }).await;
        for number in 0..4 {
            neighbours.push(jobs.submit(submission("add", &[number, 0])).await.unwrap());
        }
    }
    let ended = end(&jobs, &guilty).await;
    assert!(matches!(&ended, JobState::Lost { why } if why.contains("3 attempts")), "{ended:?}");
    assert_eq!(begins(&jobs, &guilty).await, 0);
    for id in &neighbours {
        assert!(matches!(end(&jobs, id).await, JobState::Finished(_)));
        assert_eq!(records(&place.file_of(id), 2), 1, "it was begun once");
    }
}

#[tokio::test]
async fn a_fork_server_that_never_lives_is_started_ever_more_seldom_until_the_deadline() {
    let place = Place::new();
    let mut config = place.config();
    let script = format!("#!/bin/sh\necho started >> '{}/starts'\nexit 1\n", place.path().display());
    config.fork_server = script_in(place.path(), "broken", &script);
    let jobs = place.open_with(config).await;
    let deadline = Duration::from_secs(4);
    let id = jobs.submit(Submission { deadline, ..submission("add", &[1, 1]) }).await.unwrap();
    assert_eq!(end(&jobs, &id).await, JobState::TimedOut { after: deadline });
    let starts = fs::read_to_string(place.path().join("starts")).unwrap().lines().count();
    assert!((3..=12).contains(&starts), "{starts} starts");
    assert_eq!(records(&place.file_of(&id), 2), 0, "nothing was begun");
}

const REFUSALS: usize = 4;

/// Not a test of its own: a fork server for which the system makes no process a few times.
#[test]
#[ignore = "run by other tests in a process of its own"]
fn a_fork_server_without_room_for_a_process() {
    let daemon = SeqPacket::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    for _ in 0..REFUSALS {
        let Some(Packet { bytes, descriptors }) = daemon.receive().unwrap() else { return };
        let (id, _): (MinionJobId, PathBuf) = postcard::from_bytes(&bytes).unwrap();
        // As `jobs::request` writes it: the first kind of error, with its text.
        let refusal = postcard::to_stdvec(&(id, Err::<u32, _>((0_u8, "no room")))).unwrap();
        let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        daemon.send(&refusal, &descriptors).unwrap();
    }
    become_the_fork_server();
}

#[tokio::test]
async fn a_fork_that_never_happened_is_not_an_attempt() {
    let place = Place::new();
    let script = format!(
        "#!/bin/sh\nexec '{}' --exact jobs_run_once::a_fork_server_without_room_for_a_process --ignored\n",
        std::env::current_exe().unwrap().display(),
    );
    let mut config = place.config();
    config.fork_server = script_in(place.path(), "full", &script);
    let jobs = place.open_with(config).await;
    let ids = [1, 2].map(|number| submission("add", &[number, 0])).map(|call| jobs.submit(call));
    for id in futures_util::future::join_all(ids).await {
        assert!(matches!(end(&jobs, &id.unwrap()).await, JobState::Finished(_)));
    }
}

/// Not a test of its own: a fork server whose first worker is never told that its job is durable.
#[test]
#[ignore = "run by other tests in a process of its own"]
fn a_fork_server_that_keeps_the_word() {
    let daemon = SeqPacket::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    let Some(Packet { bytes, descriptors }) = daemon.receive().unwrap() else { return };
    let (here, there) = SeqPacket::pair().unwrap();
    let mut real = Command::new(env!("CARGO_BIN_EXE_func"));
    let mut real = real.args([FORK_SERVER_WORD, &"-".repeat(80)]).stdin(OwnedFd::from(there)).spawn().unwrap();
    let (mut word, worker) = UnixStream::pair().unwrap();
    here.send(&bytes, &[descriptors[0].as_fd(), worker.as_fd()]).unwrap();
    drop(worker);
    assert!(here.receive().unwrap().is_some(), "it has a worker");
    let journal = fs::File::from(descriptors[0].try_clone().unwrap());
    let length = || journal.metadata().unwrap().len();
    let attempted = length();
    word.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(word.read_exact(&mut [0]).is_err(), "it waits");
    word.shutdown(std::net::Shutdown::Write).unwrap();
    word.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!((word.read(&mut [0]).unwrap(), length()), (0, attempted), "it ended, and has written nothing");
    drop(here);
    real.wait().unwrap();
    drop((descriptors, journal));
    become_the_fork_server();
}

#[tokio::test]
async fn a_worker_that_is_not_told_that_its_job_is_durable_begins_nothing() {
    let place = Place::new();
    let script = format!(
        "#!/bin/sh\nexec '{}' --exact jobs_run_once::a_fork_server_that_keeps_the_word --ignored\n",
        std::env::current_exe().unwrap().display(),
    );
    let mut config = place.config();
    config.fork_server = script_in(place.path(), "silent", &script);
    let jobs = place.open_with(config).await;
    let id = jobs.submit(submission("add", &[3, 4])).await.unwrap();
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(7)));
    assert_eq!(begins(&jobs, &id).await, 1);
    assert_eq!(records(&place.file_of(&id), 2), 2, "an attempt that came to nothing, and one that did not");
}

/// Code in a folder of this test alone, which is made again when somebody asks.
struct Renewable {
    folder: PathBuf,
    component: Vec<u8>,
    renewals: Arc<AtomicUsize>,
}

impl CompiledCode for Renewable {
    fn path(&self, digest: &Digest) -> Option<PathBuf> {
        let cache = Cache::open(&self.folder).unwrap();
        Some(cache.path(&Engine::serving().unwrap(), digest)).filter(|path| path.exists())
    }

    fn renew(&self, _: Digest) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (cache, component) = (Cache::open(&self.folder).unwrap(), self.component.clone());
        self.renewals.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { drop(cache.load(&Engine::serving().unwrap(), &component).unwrap()) })
    }
}

#[tokio::test]
async fn code_that_is_gone_or_does_not_load_is_made_again_and_the_job_runs() {
    let place = Place::new();
    let renewals = Arc::default();
    let renewable =
        Renewable { folder: place.path().join("cache"), component: Module::bytes(), renewals: Arc::clone(&renewals) };
    renewable.renew(Module::get().digest).await;
    let compiled = renewable.path(&Module::get().digest).unwrap();
    let jobs = func::jobs::Jobs::open(place.config(), Arc::new(renewable)).await.unwrap();
    let run = async || end(&jobs, &jobs.submit(submission("add", &[1, 1])).await.unwrap()).await;
    let made = || renewals.load(Ordering::Relaxed);
    fs::remove_file(&compiled).unwrap();
    assert_eq!((run().await, made()), (JobState::Finished(Value::Int(2)), 2));
    // What the fork server has loaded it keeps; the next one has to load it.
    kill_at_once(place.ready_fork_server().await);
    fs::write(place.path().join("junk"), "no code").unwrap();
    fs::rename(place.path().join("junk"), &compiled).unwrap();
    assert_eq!((run().await, made()), (JobState::Finished(Value::Int(2)), 3));
}

#[tokio::test]
async fn code_that_does_not_load_after_all_attempts_is_the_jobs_failure() {
    let place = Place::new();
    let junk = place.path().join(Module::get().compiled.file_name().unwrap());
    fs::write(&junk, "no code").unwrap();
    let jobs = func::jobs::Jobs::open(place.config(), code(move |_| Some(junk.clone()))).await.unwrap();
    let id = jobs.submit(submission("add", &[1, 1])).await.unwrap();
    let JobState::Failed(failure) = end(&jobs, &id).await else { panic!("it must fail") };
    assert_eq!(failure.kind, "ModuleNotLoaded");
    assert!(failure.message.contains("cannot load the compiled module"), "{failure}");
    assert_eq!(records(&place.file_of(&id), 2), 3);
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_the_job_goes_on() {
    let place = Place::new();
    let jobs = func::jobs::Jobs::open(place.config(), no_code()).await.unwrap();
    let id = jobs.submit(submission("add", &[3, 4])).await.unwrap();
    jobs.shutdown().await;
    drop(jobs);
    // A record of 40 bytes of which 5 were written.
    let mut file = fs::File::options().append(true).open(place.file_of(&id)).unwrap();
    file.write_all(&[40, 0, 0, 0, 7, 1, 2, 3, 4, b'h', b'a', b'l', b'f', b'!']).unwrap();
    drop(file);
    let jobs = place.reopen().await;
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(7)));
}

#[tokio::test]
async fn beyond_the_queue_the_answer_is_busy() {
    let place = Place::new();
    let mut config = place.config();
    (config.workers_max, config.queue_max) = (1, 2);
    let jobs = place.open_with(config).await;
    let first = jobs.submit(submission("hold", &[600_000])).await.unwrap();
    in_the_guest(&jobs, &first).await;
    for _ in 0..2 {
        jobs.submit(submission("add", &[1, 1])).await.unwrap();
    }
    let refused = jobs.submit(submission("add", &[1, 1])).await.unwrap_err();
    assert!(matches!(refused, SubmitError::Busy { waiting: 2 }), "{refused}");
    kill_at_once(crate::jobs::worker_of(&first).unwrap());
    until("there is room again", || async { jobs.submit(submission("add", &[1, 1])).await.is_ok() }).await;
}

#[tokio::test]
async fn a_purged_job_is_not_run_again() {
    let place = Place::new();
    let jobs = place.open().await;
    let call = submission("add", &[1, 2]);
    let id = jobs.submit(call.clone()).await.unwrap();
    end(&jobs, &id).await;
    jobs.shutdown().await;
    drop(jobs);

    let mut config = place.config();
    config.retention = Retention { acknowledged: Duration::ZERO, ..Retention::default() };
    let jobs = place.open_with(config).await;
    until("the job is purged", || async { status(&jobs, &id).await.is_none() }).await;
    let again = jobs.submit(call.clone()).await.unwrap_err();
    assert!(matches!(again, SubmitError::Purged { .. }), "{again}");
    let stranger = jobs.submit(Submission { owner: "mallory".to_owned(), ..call.clone() }).await.unwrap_err();
    assert!(matches!(stranger, SubmitError::Mismatch { .. }), "{stranger}");
    jobs.shutdown().await;
    drop(jobs);

    // The tombstone is on the disk, too.
    let jobs = place.reopen().await;
    assert!(matches!(jobs.submit(call).await.unwrap_err(), SubmitError::Purged { .. }));
}

#[tokio::test]
async fn one_folder_has_one_daemon() {
    let place = Place::new();
    let _jobs = place.open().await;
    let second = func::jobs::Jobs::open(place.config(), compiled()).await.unwrap_err();
    assert!(matches!(second, func::jobs::Error::InUse { .. }), "{second}");
}
