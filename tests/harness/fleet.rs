//! The overlord's side: its home, its certificate authority, its command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::minion::Minion;
use super::modules::shipped_modules;

/// A certificate authority, an overlord's home and minions.
pub struct Fleet {
    /// In the order in which they were named.
    pub minions: Vec<Minion>,
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
    /// An authority and an overlord, no minions yet.
    pub fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("func-test-").tempdir().unwrap();
        let fleet = Self { minions: Vec::new(), folder };
        fleet.func(["ca", "init"]).expect(0);
        fleet
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
        let home = self.folder.path().join(name);
        fs::create_dir_all(home.join("modules")).unwrap();
        for module in modules {
            fs::copy(module, home.join("modules").join(module.file_name().unwrap())).unwrap();
        }
        let out = home.join("identity");
        self.func(["ca", "issue", name, "--role", "minion", "--out", out.to_str().unwrap()]).expect(0);
        let minion = Minion::start(name, &home, &compiled_cache(), extra);
        // Only now is the port known.
        self.func(["hosts", "set", name, &minion.address.to_string()]).expect(0);
        self.minions.push(minion);
        self.minions.last_mut().unwrap()
    }

    /// The minion of this name.
    pub fn minion(&mut self, name: &str) -> &mut Minion {
        self.minions.iter_mut().find(|minion| minion.name == name).expect("a minion of this fleet")
    }

    /// The overlord's `FUNC_HOME`.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("overlord")
    }

    /// The folder that holds everything of this fleet.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A `func` command of the overlord, not yet started.
    pub fn command<I: AsRef<str>>(&self, arguments: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_func"));
        command.args(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        command.env("FUNC_HOME", self.home()).stdin(Stdio::null());
        command
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
