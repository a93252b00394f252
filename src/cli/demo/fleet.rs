//! The fleet of the demo: an authority, an overlord's home, minions as processes of their own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::super::context::Context;
use super::super::exit::Exit;
use super::super::failure::{Failure, OrExit};
use super::super::module::{Steps, author_key};
use super::interruption::Interruption;
use super::strays;
use crate::author::{self, Shipped, SigningKey, signature_path};
use crate::ca::{Authority, Inventory, IssueRequest};
use crate::config::Home;
use crate::ids::HostName;
use crate::sys::durable;
use crate::tls::{self, Role};

const GRANTS: &str = include_str!("../../../plugins/grants.toml");

/// One minion of the demo.
pub(in crate::cli) struct DemoMinion {
    name: HostName,
    home: PathBuf,
    address: SocketAddr,
    process: Option<Child>,
}

impl DemoMinion {
    /// Its plugin folder.
    pub(in crate::cli) fn modules(&self) -> PathBuf {
        self.home.join("modules")
    }

    /// Puts a module into its plugin folder under this name: first the signature, then the module, by rename.
    pub(in crate::cli) fn install(&self, key: &SigningKey, module: &Path, name: &str) -> Result<(), Failure> {
        let bytes = fs::read(module).or_exit(Exit::Internal)?;
        let path = self.modules().join(name);
        let signature = key.sign(&bytes, name);
        durable::write_atomic(&signature_path(&path), signature.as_bytes(), 0o644).or_exit(Exit::Internal)?;
        durable::write_atomic(&path, &bytes, 0o644).or_exit(Exit::Internal)
    }

    /// Its name.
    pub(in crate::cli) fn name(&self) -> &HostName {
        &self.name
    }

    /// The process id of its daemon, while it runs.
    pub(in crate::cli) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Starts the daemon, and waits until it listens.
    fn launch(&mut self, interruption: &Interruption) -> Result<(), Failure> {
        let log = fs::File::create(self.home.join("minion.log")).or_exit(Exit::Internal)?;
        let mut command = Command::new(std::env::current_exe().or_exit(Exit::Internal)?);
        command.arg("minion").env("FUNC_HOME", &self.home);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        // A group of its own: Ctrl-C reaches the demo alone, which then stops its minions in order.
        command.process_group(0);
        let permit = interruption.permit();
        let mut child = command.spawn().or_exit(Exit::Internal)?;
        drop(permit);
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).or_exit(Exit::Internal)?;
        }
        self.process = Some(child);
        let Some(address) = line.trim_end().rsplit(' ').next().and_then(|text| text.parse().ok()) else {
            let log = fs::read_to_string(self.home.join("minion.log")).unwrap_or_default();
            return Err(Failure::new(Exit::Internal, format!("the minion `{}` did not start:\n{log}", self.name)));
        };
        self.address = address;
        Ok(())
    }

    /// Asks the daemon to stop; its calls in flight finish.
    fn stop(&mut self) -> Result<(), Failure> {
        let Some(mut child) = self.process.take() else { return Ok(()) };
        if let Ok(pid) = i32::try_from(child.id()) {
            kill(Pid::from_raw(pid), Signal::SIGTERM).or_exit(Exit::Internal)?;
        }
        child.wait().or_exit(Exit::Internal).map(drop)
    }
}

/// All of it. What still runs when it is dropped is ended.
pub(in crate::cli) struct DemoFleet {
    home: Home,
    key: SigningKey,
    minions: Vec<DemoMinion>,
    folder: PathBuf,
    interruption: Interruption,
}

/// `web1`, `web2`, …, and `db1` for the last, slow one.
pub(in crate::cli) fn names(count: u32) -> Vec<String> {
    let mut names: Vec<String> = (1..count).map(|number| format!("web{number}")).collect();
    names.push("db1".to_owned());
    names
}

impl DemoFleet {
    /// Builds the modules, makes the authority and starts the minions.
    pub(in crate::cli) fn start(
        context: &Context,
        folder: &Path,
        names: &[String],
        interruption: &Interruption,
    ) -> Result<(Self, Shipped), Failure> {
        let shipped = author::shipped_modules(&Steps)?;
        // Where this user's configuration cannot be written, a key of the demo's own will do.
        let own = || Ok(SigningKey::open_or_make(&folder.join("author.key"))?.0);
        let key = author_key(context).or_else(|_: Failure| -> Result<_, Failure> { own() })?;
        let home = Home::at(folder.join("overlord"));
        let authority = Authority::init(&home.authority(), "Func demo CA").or_exit(Exit::Configuration)?;
        let overlord: HostName = "overlord".parse().or_exit(Exit::Internal)?;
        let issued = authority.issue(&IssueRequest::new(overlord, Role::Overlord)).or_exit(Exit::Configuration)?;
        issued.save(&home.identity()).or_exit(Exit::Configuration)?;
        let (folder, interruption) = (folder.to_owned(), interruption.clone());
        let mut fleet = Self { home, key, minions: Vec::new(), folder, interruption };
        for name in names {
            let name: HostName = name.parse().or_exit(Exit::Internal)?;
            let minion = prepare(&authority, &fleet.key, &fleet.folder.join("minions"), name, &shipped)?;
            fleet.minions.push(minion);
        }
        fleet.launch()?;
        Ok((fleet, shipped))
    }

    /// Starts every minion that is not running, and enters the addresses into the inventory.
    pub(in crate::cli) fn launch(&mut self) -> Result<(), Failure> {
        for minion in self.minions.iter_mut().filter(|minion| minion.process.is_none()) {
            minion.launch(&self.interruption)?;
        }
        Inventory::update(&self.home.inventory(), |inventory| {
            for minion in &self.minions {
                inventory.add(minion.name.clone(), minion.address.into());
            }
            Ok(())
        })
        .or_exit(Exit::Configuration)
    }

    /// Stops every minion.
    pub(in crate::cli) fn stop(&mut self) -> Result<(), Failure> {
        self.minions.iter_mut().try_for_each(DemoMinion::stop)
    }

    /// The key that the minions trust.
    pub(in crate::cli) fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The overlord's home.
    pub(in crate::cli) fn home(&self) -> &Home {
        &self.home
    }

    /// The minions, in order.
    pub(in crate::cli) fn minions(&self) -> &[DemoMinion] {
        &self.minions
    }

    /// Writes `fleet.json` beside the overlord's home: all that another client needs.
    pub(in crate::cli) fn describe(&self) -> Result<PathBuf, Failure> {
        let identity = self.home.identity();
        let minions: Vec<serde_json::Value> = self
            .minions
            .iter()
            .map(|minion| {
                json!({
                    "name": minion.name,
                    "address": minion.address.ip().to_string(),
                    "port": minion.address.port(),
                    "pid": minion.pid(),
                    "plugins": minion.modules(),
                    "state": minion.home,
                })
            })
            .collect();
        let data = json!({
            "ca": identity.join(tls::CA_FILE),
            "cert": identity.join(tls::CERTIFICATE_FILE),
            "key": identity.join(tls::KEY_FILE),
            "func_home": self.home.state(),
            "minions": minions,
        });
        let path = self.folder.join("fleet.json");
        let text = serde_json::to_vec_pretty(&data).or_exit(Exit::Internal)?;
        durable::write_atomic(&path, &text, 0o644).or_exit(Exit::Configuration)?;
        Ok(path)
    }
}

impl Drop for DemoFleet {
    fn drop(&mut self) {
        for minion in &mut self.minions {
            if let Some(mut child) = minion.process.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        strays::end(&self.folder);
    }
}

/// The home of a minion: identity, modules, configuration. The last one is made slow by its settings.
fn prepare(
    authority: &Authority,
    key: &SigningKey,
    folder: &Path,
    name: HostName,
    shipped: &Shipped,
) -> Result<DemoMinion, Failure> {
    let home = folder.join(name.as_str());
    let request = IssueRequest::new(name.clone(), Role::Minion).at(SocketAddr::from(([127, 0, 0, 1], 0)).into());
    let issued = authority.issue(&request).or_exit(Exit::Configuration)?;
    issued.save(&home.join("identity")).or_exit(Exit::Configuration)?;
    let slow = if name.as_str().starts_with("db") { "\n[settings.test]\ndelay-ms = \"400\"\n" } else { "" };
    let config = format!(
        "listen = \"127.0.0.1:0\"\n\n[folders]\ncache = \"{}\"\n\n[modules]\ntrusted = [\"{}\"]\n\n{GRANTS}{slow}",
        folder.join("compiled").display(),
        key.public(),
    );
    fs::write(home.join("minion.toml"), config).or_exit(Exit::Configuration)?;
    let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
    let minion = DemoMinion { name, home, address: unknown, process: None };
    fs::create_dir_all(minion.modules()).or_exit(Exit::Configuration)?;
    for module in &shipped.modules {
        let name = module.path.file_name().unwrap_or_default().to_string_lossy();
        minion.install(key, &module.path, &name)?;
    }
    Ok(minion)
}
