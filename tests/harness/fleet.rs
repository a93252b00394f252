//! The overlord's side: its home, its certificate authority, its command line.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use func::ca::{Host, Inventory};
use func::config::Home;
use func::fleet::{Fleet as Client, FleetOptions, Outcome, Request};
use func::overlord::{Overlord, OverlordConfig};
use func::tls::Identity;
use func::wire::{Call, JobStatus, RemoteError, Value};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::daemon::Daemon;
use super::minion::Minion;
use super::modules::shipped_modules;
use super::processes;
use super::wait::until;

/// A certificate authority, an overlord's home and minions.
pub struct Fleet {
    /// In the order in which they were named.
    pub minions: Vec<Minion>,
    /// A daemon that runs beside the commands, if the whole suite is run so.
    companion: Mutex<Option<Daemon>>,
    folder: TempDir,
}

/// What a command answered.
pub struct Answer {
    /// Its exit code.
    pub code: i32,
    /// Its standard output, without the final line end.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Answer {
    /// The output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Fleet {
    /// An authority and an overlord, no minions yet. With `FUNC_TESTS_DAEMON` set, a daemon serves it beside every command,
    /// until the test starts one of its own.
    pub fn empty() -> Self {
        let fleet = Self::alone();
        if std::env::var_os("FUNC_TESTS_DAEMON").is_some() {
            fleet.accompany();
        }
        fleet
    }

    /// The same without a daemon, however the suite is run.
    pub fn alone() -> Self {
        let folder = tempfile::Builder::new().prefix("func-test-").tempdir().unwrap();
        let fleet = Self { minions: Vec::new(), companion: Mutex::default(), folder };
        fleet.func(["ca", "init"]).expect(0);
        fleet
    }

    /// A daemon serves this overlord from now on.
    pub fn accompany(&self) {
        let mut command = self.bare(["daemon"]);
        *self.companion.lock().unwrap() = Some(Daemon::run(&mut command));
    }

    /// Whether that daemon lives.
    pub fn is_accompanied(&self) -> bool {
        self.companion.lock().unwrap().as_mut().is_some_and(|daemon| matches!(daemon.process.try_wait(), Ok(None)))
    }

    /// Minions of these names with the shipped modules and no grants.
    pub fn start<const N: usize>(names: [&str; N]) -> Self {
        Self::with(names, "")
    }

    /// The same, with `extra` appended to every minion's `minion.toml`.
    pub fn with<const N: usize>(names: [&str; N], extra: &str) -> Self {
        let mut fleet = Self::empty();
        for name in names {
            fleet.add(name, extra);
        }
        fleet
    }

    /// Adds a minion with the shipped modules.
    pub fn add(&mut self, name: &str, extra: &str) -> &mut Minion {
        let modules: Vec<&Path> = shipped_modules().modules.iter().map(|built| built.path.as_path()).collect();
        self.add_with(name, extra, &modules)
    }

    /// Adds a minion with these module files.
    pub fn add_with(&mut self, name: &str, extra: &str, modules: &[&Path]) -> &mut Minion {
        self.add_as(env!("CARGO_BIN_EXE_func"), &["minion"], name, extra, modules)
    }

    /// Adds a minion that may call others: its certificate says that it is a sub-overlord.
    pub fn add_sub(&mut self, name: &str, extra: &str) -> &mut Minion {
        let modules: Vec<&Path> = shipped_modules().modules.iter().map(|built| built.path.as_path()).collect();
        self.add_in_role("sub-overlord", (env!("CARGO_BIN_EXE_func"), &["minion"]), name, extra, &modules)
    }

    /// The same, run by this program with these arguments.
    pub fn add_as(
        &mut self,
        program: &'static str,
        arguments: &'static [&'static str],
        name: &str,
        extra: &str,
        modules: &[&Path],
    ) -> &mut Minion {
        self.add_in_role("minion", (program, arguments), name, extra, modules)
    }

    fn add_in_role(
        &mut self,
        role: &str,
        program: (&'static str, &'static [&'static str]),
        name: &str,
        extra: &str,
        modules: &[&Path],
    ) -> &mut Minion {
        let home = self.folder.path().join(name);
        fs::create_dir_all(home.join("modules")).unwrap();
        for module in modules {
            fs::copy(module, home.join("modules").join(module.file_name().unwrap())).unwrap();
        }
        let out = home.join("identity");
        self.func(["ca", "issue", name, "--role", role, "--out", out.to_str().unwrap()]).expect(0);
        let minion = Minion::start_as(program, name, &home, &compiled_cache(), extra);
        // Only now is the port known.
        self.func(["hosts", "set", name, &minion.address.to_string()]).expect(0);
        self.minions.push(minion);
        self.minions.last_mut().unwrap()
    }

    /// The minion of this name.
    pub fn minion(&mut self, name: &str) -> &mut Minion {
        self.minions.iter_mut().find(|minion| minion.name == name).expect("a minion of this fleet")
    }

    /// Calls one minion directly, as an overlord, with values as they are.
    pub fn ask(&self, minion: &str, method: &str, params: Vec<Value>) -> Outcome {
        let name = minion.parse().unwrap();
        let inventory = Inventory::load(&Home::at(self.home()).inventory()).unwrap();
        let address = inventory.address(&name).unwrap().clone();
        let identity = Identity::in_folder(&Home::at(self.home()).identity()).unwrap();
        let request = Request::new(&Call { method: method.to_owned(), params });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = Client::new(&identity, FleetOptions::default()).unwrap();
            client.call(&Host { name, address }, &request).await
        })
    }

    /// The same as a job, to its end.
    #[track_caller]
    pub fn ask_as_job(&self, minion: &str, method: &str, params: Vec<Value>) -> Outcome {
        let id = match self.ask(minion, &format!("async.{method}"), params) {
            Outcome::Ok(id) => id,
            other => return other,
        };
        // A minion waits no longer than a plain call may take.
        let (status, result) = until("the job's end", || {
            let answer = self.ask(minion, "jobs.wait", vec![id.clone(), 60.into()]);
            let Outcome::Ok(Value::Array(pair)) = answer else { panic!("{method}: {answer:?}") };
            let [status, result] = <[Value; 2]>::try_from(pair).unwrap();
            (status != Value::Int(JobStatus::Running.code())).then_some((status, result))
        });
        assert_eq!(status, Value::Int(JobStatus::Finished.code()), "{method}: {result:?}");
        match RemoteError::from_value(&result) {
            Some(error) => Outcome::of_error(error, None),
            None => Outcome::Ok(result),
        }
    }

    /// The error that a method answers when it is called directly.
    #[track_caller]
    pub fn failure(&self, minion: &str, method: &str, params: Vec<Value>) -> RemoteError {
        match self.ask(minion, method, params) {
            Outcome::Failed(error) => error,
            other => panic!("{method} answered {other:?}"),
        }
    }

    /// Runs a job on one minion to its end, which must be FINISHED, and answers the minion's part of it.
    #[track_caller]
    pub fn job(&self, minion: &str, call: &[&str], code: i32) -> serde_json::Value {
        let words = ["call", minion].into_iter().chain(call.iter().copied()).chain(["--async", "--json"]);
        let ended = self.func(words).expect(code).json();
        let status = self.status(ended["id"].as_str().unwrap());
        assert_eq!(status["status"], "FINISHED", "{call:?}: {status}");
        ended["hosts"][minion].clone()
    }

    /// The whole log of a minion's job.
    #[track_caller]
    pub fn job_log(&self, minion: &str, job: &str) -> String {
        let (mut log, mut offset) = (Vec::new(), Value::Int(0));
        loop {
            let answer = self.ask(minion, "jobs.log", vec![job.into(), offset]);
            let Outcome::Ok(Value::Array(parts)) = answer else { panic!("{answer:?}") };
            let [Value::Bytes(piece), next, _] = <[Value; 3]>::try_from(parts).unwrap() else { panic!("no bytes") };
            if piece.is_empty() {
                return String::from_utf8(log).unwrap();
            }
            log.extend(piece);
            offset = next;
        }
    }

    /// The lines of a minion's audit log that say what came of the calls of one method.
    pub fn audit(&self, minion: &str, method: &str) -> Vec<serde_json::Value> {
        self.whole_audit(minion, method).into_iter().filter(|line| line["outcome"] != "begun").collect()
    }

    /// All lines of a minion's audit log about one method.
    pub fn whole_audit(&self, minion: &str, method: &str) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.folder.path().join(minion).join("audit.jsonl")).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| line["method"] == method).collect()
    }

    /// The overlord's `FUNC_HOME`.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("overlord")
    }

    /// The folder that holds everything of this fleet.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A `func` command of the overlord, not yet started. The test's own daemon takes the companion's place.
    pub fn command<I: AsRef<str>>(&self, arguments: impl IntoIterator<Item = I>) -> Command {
        let arguments: Vec<String> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        if arguments.first().is_some_and(|word| word == "daemon") {
            self.companion.lock().unwrap().take();
        }
        self.bare(arguments)
    }

    fn bare<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_func"));
        command.args(arguments).env("FUNC_HOME", self.home()).stdin(Stdio::null());
        command
    }

    /// The overlord's processes that go on in the background.
    pub fn background(&self) -> Vec<Pid> {
        let companion = self.companion.lock().unwrap().as_ref().map(|daemon| daemon.process.id());
        let of_home = processes::of_home(&self.home()).into_iter();
        of_home.filter(|pid| u32::try_from(pid.as_raw()).ok() != companion).collect()
    }

    /// The background processes are killed, and gone.
    pub fn kill_background(&self) {
        for pid in self.background() {
            let _ = kill(pid, Signal::SIGKILL);
        }
        until("the overlord's end", || self.background().is_empty().then_some(()));
    }

    /// A job as `func job status` shows it.
    pub fn status(&self, job: &str) -> serde_json::Value {
        self.func(["job", "status", job, "--json"]).json()
    }

    /// The same from the overlord's store alone: no minion is asked.
    pub fn stored(&self, job: &str) -> serde_json::Value {
        let overlord = Overlord::open(OverlordConfig::at(&Home::at(self.home()))).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let view = runtime.block_on(overlord.status(&job.parse().unwrap()));
        let store = || {
            let names = |folder: PathBuf| {
                let entries = fs::read_dir(folder).into_iter().flatten().flatten();
                entries.map(|entry| entry.file_name()).collect::<Vec<_>>()
            };
            let aside = overlord.take_set_aside();
            (names(self.home().join("store")), aside, self.func(["job", "list"]).out)
        };
        view.unwrap_or_else(|error| panic!("{error}: {:?}", store())).to_json()
    }

    /// Runs a `func` command to its end.
    pub fn func<I: AsRef<str>>(&self, arguments: impl IntoIterator<Item = I>) -> Answer {
        self.command(arguments).output().unwrap().into()
    }
}

/// Compiled modules, shared by all tests: they are keyed by content and replaced by rename only.
fn compiled_cache() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    fs::create_dir_all(&folder).unwrap();
    folder
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for pid in self.background() {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}
