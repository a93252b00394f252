//! One minion as a process.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU8, Ordering},
};
use std::{fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::processes;

/// A loopback address for one minion, so that its port is still free when it is started again: a port of 127.0.0.1 may
/// meanwhile be the near end of somebody's connection.
fn own_address() -> Ipv4Addr {
    static MINIONS: AtomicU8 = AtomicU8::new(0);
    let process = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, process[2] | 1, process[3], MINIONS.fetch_add(1, Ordering::Relaxed) | 1)
}

/// A minion that runs, or ran, in a folder of its own.
pub struct Minion {
    /// Its name in the inventory.
    pub name: String,
    /// Its `FUNC_HOME`.
    pub home: PathBuf,
    /// Where it listens; the same after a restart.
    pub address: SocketAddr,
    /// What it is run by.
    program: (&'static str, &'static [&'static str]),
    process: Option<Child>,
    log: Arc<Mutex<String>>,
}

impl Minion {
    /// Starts a minion whose identity lies in `home` already. `extra` is appended to its `minion.toml`.
    pub fn start(name: &str, home: &Path, cache: &Path, extra: &str) -> Self {
        Self::start_as((env!("CARGO_BIN_EXE_func"), &["minion"]), name, home, cache, extra)
    }

    /// The same at this address, for a client that looks for it in the certificate.
    pub fn start_at(address: Ipv4Addr, name: &str, home: &Path, cache: &Path) -> Self {
        Self::start_on(address, (env!("CARGO_BIN_EXE_func"), &["minion"]), name, home, cache, "")
    }

    /// The same, run by this program with these arguments.
    pub fn start_as(
        program: (&'static str, &'static [&'static str]),
        name: &str,
        home: &Path,
        cache: &Path,
        extra: &str,
    ) -> Self {
        Self::start_on(own_address(), program, name, home, cache, extra)
    }

    fn start_on(
        address: Ipv4Addr,
        program: (&'static str, &'static [&'static str]),
        name: &str,
        home: &Path,
        cache: &Path,
        extra: &str,
    ) -> Self {
        fs::create_dir_all(home.join("modules")).unwrap();
        let any_port = SocketAddr::from((address, 0));
        let log = Arc::default();
        let mut minion =
            Self { name: name.to_owned(), home: home.to_owned(), address: any_port, program, process: None, log };
        // Most tests are not about signatures; those that are say whom to trust.
        let trust = if extra.contains("[modules]") { "" } else { "[modules]\nunsigned = true\n" };
        let config = format!("listen = \"{any_port}\"\n[folders]\ncache = \"{}\"\n{trust}{extra}", cache.display());
        fs::write(home.join("minion.toml"), config).unwrap();
        minion.launch();
        // Further starts take the port that the system chose, so that the inventory stays true.
        let config = fs::read_to_string(home.join("minion.toml")).unwrap();
        fs::write(home.join("minion.toml"), config.replace(&any_port.to_string(), &minion.address.to_string()))
            .unwrap();
        minion
    }

    /// Starts it again after [`kill`](Self::kill) or [`stop`](Self::stop).
    pub fn launch(&mut self) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        let mut child = Command::new(self.program.0)
            .args(self.program.1)
            .env("FUNC_HOME", &self.home)
            .env("FUNC_LOG", "debug")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        collect(child.stderr.take().unwrap(), Arc::clone(&self.log));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().rsplit(' ').next().and_then(|text| text.parse().ok());
        self.process = Some(child);
        let Some(address) = address else { panic!("{} did not start: {line:?}\n{}", self.name, self.log()) };
        self.address = address;
    }

    /// The process id of the daemon.
    pub fn pid(&self) -> Pid {
        let child = self.process.as_ref().expect("the minion runs");
        Pid::from_raw(child.id().try_into().unwrap())
    }

    /// SIGKILL: what it had not written is gone.
    pub fn kill(&mut self) {
        let mut child = self.process.take().expect("the minion runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM, and the wait for its end.
    pub fn stop(&mut self) {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        let status = self.process.take().expect("the minion runs").wait().unwrap();
        assert!(status.success(), "{} ended with {status}\n{}", self.name, self.log());
    }

    /// The plugin folder.
    pub fn modules(&self) -> PathBuf {
        self.home.join("modules")
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The daemon, its fork server and its workers.
    pub fn processes(&self) -> Vec<Pid> {
        processes::of_home(&self.home)
    }

    /// The worker of a job, found by the name it gives itself.
    pub fn worker(&self, job: &str) -> Option<Pid> {
        self.processes().into_iter().find(|pid| processes::command_line(*pid).contains(job))
    }

    /// All fork servers: one for ordinary calls, and one for the others once there was one.
    pub fn fork_servers(&self) -> Vec<Pid> {
        let all = self.processes().into_iter();
        all.filter(|pid| processes::command_line(*pid).contains("fork server")).collect()
    }

    /// A fork server.
    pub fn fork_server(&self) -> Option<Pid> {
        self.processes().into_iter().find(|pid| processes::command_line(*pid).contains("fork server"))
    }

    /// Freezes the daemon: connections to it hang.
    pub fn freeze(&self) {
        kill(self.pid(), Signal::SIGSTOP).unwrap();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        kill(self.pid(), Signal::SIGCONT).unwrap();
    }
}

impl Drop for Minion {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- log of {}\n{}", self.name, self.log());
        }
        if let Some(mut child) = self.process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // Workers outlive the daemon by design; this test's must not outlive the test.
        for pid in self.processes() {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

fn collect(stderr: ChildStderr, log: Arc<Mutex<String>>) {
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
}
