//! Async jobs: how soon a worker runs guest code, how many jobs a second, and what a worker weighs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use func::access::Grant;
use func::ids::Digest;
use func::jobs::{CompiledCode, ForkServerCommand, JobState, Jobs, JobsConfig, Submission};
use func::plugin::{Cache, Engine, Limits};
use func::sys::descriptor;
use func::sys::fence::{Calls, Capability, Modes, Reach, keep_capabilities, know_capabilities, limit};
use func::sys::fork::{Forked, double_fork, exit_now};
use func::sys::process::private_memory;
use func::wire::Value;
use futures_util::StreamExt as _;

use crate::harness::shipped_modules;
use crate::table::{Table, quantile, time};

const FORKS: usize = 1000;
const JOBS: usize = 600;
const OWNER: &str = "bench";

/// What can be measured only while this process has one thread.
pub struct BareForks {
    /// Double forks a second that do nothing but end, one after the other: of this process as it started.
    empty: f64,
    /// With an engine for workers in it, as the fork server has one.
    with_engine: f64,
    /// What it takes to raise each fence of a worker that may run no programs.
    fences: Vec<(&'static str, Duration)>,
}

/// Must run while this process has one thread.
pub fn bare_double_forks() -> BareForks {
    let empty = forks_a_second();
    let _engine = Engine::forking().unwrap();
    BareForks { empty, with_engine: forks_a_second(), fences: fences() }
}

fn fences() -> Vec<(&'static str, Duration)> {
    know_capabilities();
    let calls = Calls::compile();
    let read = [
        "/etc/passwd",
        "/etc/group",
        "/etc/localtime",
        "/lib",
        "/usr/lib",
        "/usr/share/zoneinfo",
        "/dev/null",
        "/proc",
    ];
    let reach = Reach { read: read.map(PathBuf::from).to_vec(), ..Reach::default() };
    let raise: [(&str, &dyn Fn()); 4] = [
        ("limits", &|| limit(3600).unwrap()),
        ("landlock", &|| assert!(reach.raise().is_ok())),
        ("capabilities", &|| keep_capabilities(&Capability::FILES).unwrap()),
        ("seccomp", &|| calls.iter().for_each(|calls| calls.raise(Modes::Stay).unwrap())),
    ];
    let mut samples: Vec<Vec<Duration>> = vec![Vec::new(); raise.len()];
    for _ in 0..200 {
        let (read, write) = descriptor::pipe().unwrap();
        match double_fork().unwrap() {
            Forked::Grandchild => {
                let mut to = File::from(write);
                for (_, raise) in raise {
                    let began = Instant::now();
                    raise();
                    let took = u64::try_from(began.elapsed().as_nanos()).unwrap();
                    to.write_all(&took.to_le_bytes()).unwrap();
                }
                exit_now(0)
            }
            Forked::Caller => {
                drop(write);
                let mut told = Vec::new();
                File::from(read).read_to_end(&mut told).unwrap();
                let (each, _) = told.as_chunks::<8>();
                for (samples, nanos) in samples.iter_mut().zip(each) {
                    samples.push(Duration::from_nanos(u64::from_le_bytes(*nanos)));
                }
            }
        }
    }
    raise.iter().zip(&mut samples).map(|((name, _), samples)| (*name, quantile(samples, 0.5))).collect()
}

/// The pipe's end says that the grandchild is gone.
fn forks_a_second() -> f64 {
    let began = Instant::now();
    for _ in 0..FORKS {
        let (read, write) = descriptor::pipe().unwrap();
        match double_fork().unwrap() {
            Forked::Grandchild => exit_now(0),
            Forked::Caller => {
                drop(write);
                let mut rest = Vec::new();
                File::from(read).read_to_end(&mut rest).unwrap();
            }
        }
    }
    FORKS as f64 / began.elapsed().as_secs_f64()
}

/// The one module's code.
struct Compiled(PathBuf);

impl CompiledCode for Compiled {
    fn path(&self, _: &Digest) -> Option<PathBuf> {
        Some(self.0.clone())
    }

    fn renew(&self, _: Digest) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async {})
    }
}

struct Bench {
    jobs: Jobs,
    digest: Digest,
}

impl Bench {
    fn submission(&self, method: &str, args: Vec<Value>) -> Submission {
        Submission {
            id: None,
            owner: OWNER.to_owned(),
            overlord_job: None,
            method: method.parse().unwrap(),
            args,
            digest: self.digest,
            grant: Grant::default(),
            settings: BTreeMap::new(),
            limits: Limits::default(),
            deadline: Duration::from_mins(1),
        }
    }

    async fn run(&self, method: &str, args: Vec<Value>) -> Value {
        let id = self.jobs.submit(self.submission(method, args)).await.unwrap();
        let report = self.jobs.wait(&id, OWNER, Duration::from_mins(1)).await.unwrap().unwrap();
        match report.state {
            JobState::Finished(value) => value,
            other => panic!("{other:?}"),
        }
    }
}

pub fn run(bare: &BareForks) {
    let mut table = Table::new("what a worker's fences take, in a process that only raises them", ["fence", "p50"]);
    for (name, took) in &bare.fences {
        table.row([(*name).to_owned(), time(*took)]);
    }
    table.print();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // A job costs a few fsyncs, which cost what the disk makes of them; on memory they cost nothing.
    let memory = Path::new("/dev/shm");
    let mut places = vec![("disk", std::env::temp_dir())];
    if memory.is_dir() {
        places.push(("memory", memory.to_owned()));
    } else {
        println!("\nno /dev/shm here: jobs are measured on the disk only");
    }
    for (name, place) in places {
        runtime.block_on(at(name, &place, bare));
    }
}

async fn at(name: &str, place: &Path, bare: &BareForks) {
    let folder = tempfile::Builder::new().prefix("func-bench-").tempdir_in(place).unwrap();
    let built = shipped_modules().modules.iter().find(|built| built.name == "test").unwrap();
    let engine = Engine::serving().unwrap();
    let cache = Cache::open(folder.path().join("cache")).unwrap();
    cache.load(&engine, &std::fs::read(&built.path).unwrap()).unwrap();
    let compiled = cache.path(&engine, &built.digest);
    let config = JobsConfig {
        fork_server: ForkServerCommand { program: env!("CARGO_BIN_EXE_func").into(), ..ForkServerCommand::default() },
        ..JobsConfig::new(folder.path().join("jobs"))
    };
    let jobs = Jobs::open(config, Arc::new(Compiled(compiled))).await.unwrap();
    let bench = Bench { jobs, digest: built.digest };
    bench.run("test.ping", vec![]).await;
    latency(&bench, name, &folder.path().join("floor")).await;
    throughput(&bench, name, bare).await;
    weight(&bench).await;
    bench.jobs.shutdown().await;
}

/// What a durable birth and a durable STARTED cost without anything else: a file written, fsynced and
/// linked, its folder fsynced, a record appended and fsynced.
fn bare_durability(folder: &Path) -> Duration {
    std::fs::create_dir_all(folder).unwrap();
    let directory = File::open(folder).unwrap();
    let mut samples: Vec<Duration> = (0..100)
        .map(|number| {
            let began = Instant::now();
            let (temporary, path) = (folder.join(format!(".{number}")), folder.join(number.to_string()));
            let mut file = File::create(&temporary).unwrap();
            file.write_all(&[7; 512]).unwrap();
            file.sync_all().unwrap();
            std::fs::hard_link(&temporary, &path).unwrap();
            std::fs::remove_file(&temporary).unwrap();
            directory.sync_all().unwrap();
            file.write_all(&[7; 32]).unwrap();
            file.sync_data().unwrap();
            began.elapsed()
        })
        .collect();
    quantile(&mut samples, 0.5)
}

/// `test.sleep 0` answers the time of day at which the guest ran.
async fn latency(bench: &Bench, place: &str, folder: &Path) {
    let floor = bare_durability(folder);
    let (mut to_wasm, mut to_answer) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        let (asked, began) = (SystemTime::now().duration_since(UNIX_EPOCH).unwrap(), Instant::now());
        let Value::Double(ran) = bench.run("test.sleep", vec![Value::Double(0.0)]).await else { panic!() };
        to_answer.push(began.elapsed());
        to_wasm.push(Duration::from_secs_f64((ran - asked.as_secs_f64()).max(0.0)));
    }
    let mut table = Table::new(
        &format!("one async job at a time, its journal in {place}"),
        ["from the request to", "p50", "p99", "of it bare fsyncs (p50)"],
    );
    for (name, samples) in [("running WASM", &mut to_wasm), ("the result known to a waiter", &mut to_answer)] {
        table.row([name.to_owned(), time(quantile(samples, 0.5)), time(quantile(samples, 0.99)), time(floor)]);
    }
    table.print();
    println!("  goal: p50 to running WASM under 2 ms.");
}

async fn throughput(bench: &Bench, place: &str, bare: &BareForks) {
    let mut table = Table::new(
        &format!(
            "{JOBS} async jobs of test.ping in {place}, against {:.0} bare double forks a second ({:.0} with an engine)",
            bare.empty, bare.with_engine
        ),
        ["in flight", "jobs a second", "bare / jobs", "with an engine / jobs"],
    );
    for width in [1, 16, 48] {
        let began = Instant::now();
        let jobs = (0..JOBS).map(|_| bench.run("test.ping", vec![]));
        let done = futures_util::stream::iter(jobs).buffer_unordered(width).count().await;
        let rate = done as f64 / began.elapsed().as_secs_f64();
        let ratios = [bare.empty, bare.with_engine].map(|bare| format!("{:.2}×", bare / rate));
        let [empty, with_engine] = ratios;
        table.row([width.to_string(), format!("{rate:.0}"), empty, with_engine]);
    }
    table.print();
    println!("  goal: within 2×.");
}

/// Memory that only one worker has, while twenty wait.
async fn weight(bench: &Bench) {
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(bench.jobs.submit(bench.submission("test.sleep", vec![Value::Double(2.0)])).await.unwrap());
    }
    let mut weights: Vec<u64> = Vec::new();
    for id in &ids {
        let pid = loop {
            if let Some(pid) = worker_of(id.as_str()) {
                break pid;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        weights.push(private_memory(pid).unwrap());
    }
    weights.sort_unstable();
    let mut table = Table::new("private memory of a worker that waits in a call", ["median of 20", "largest"]);
    let kilobytes = |bytes: u64| format!("{} kB", bytes / 1024);
    table.row([kilobytes(weights[weights.len() / 2]), kilobytes(weights[weights.len() - 1])]);
    table.print();
    println!("  goal: under 1 MB.");
    for id in ids {
        bench.jobs.wait(&id, OWNER, Duration::from_mins(1)).await.unwrap();
    }
}

fn worker_of(job: &str) -> Option<u32> {
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&command).contains(job).then_some(pid)
    })
}
