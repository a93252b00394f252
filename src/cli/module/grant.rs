//! `func module grant`.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use serde_json::json;

use super::grants;
use super::rights::Rights;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::report::{Lines, Report};
use crate::config;
use crate::ids::ModuleName;
use crate::minion::MinionConfig;
use crate::sys::{durable, lock};

/// A change takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Grant something to a module, in this minion's configuration
///
/// Adds to the lists of the module's table and leaves the rest of the file as it is, comments too. A
/// running minion takes the change by itself; a new version that was held for it is served then.
#[derive(Debug, Args)]
pub(in crate::cli) struct Grant {
    /// The module, by its short or full name
    module: ModuleName,
    #[command(flatten)]
    rights: Rights,
    /// Change this configuration instead of the usual one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Grant {
    /// Changes the file, if what comes of it is a configuration.
    pub(in crate::cli) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        if self.rights.values().next().is_none() {
            return Err(Failure::new(Exit::Usage, format!("nothing to grant to `{}`", self.module))
                .hint("say what: --read PATH, --run PROGRAM, …; see `func module grant --help`"));
        }
        let path = self.config.clone().unwrap_or_else(|| context.home.minion_toml());
        let failed = |what: &str, error: &io::Error| {
            Failure::new(Exit::Configuration, format!("cannot {what} `{}`: {error}", path.display()))
        };
        let folder = durable::folder_of(&path);
        let known = grants::knows(&path, context, &self.module);
        if !known && !folder.is_dir() {
            let why = format!("there is no folder `{}`, and no module `{}` here", folder.display(), self.module);
            return Err(Failure::new(Exit::Configuration, why).hint(grants::ELSEWHERE));
        }
        durable::create_folder(folder, 0o755).map_err(|error| failed("make the folder of", &error))?;
        // One change at a time; the file itself is replaced.
        let held = File::open(folder).map_err(|error| failed("open the folder of", &error))?;
        let locked = lock::exclusive_within(&held, PATIENCE).map_err(|error| failed("lock the folder of", &error))?;
        if locked == lock::Attempt::Busy {
            return Err(Failure::new(Exit::Configuration, format!("somebody else is changing `{}`", path.display())));
        }
        let (before, mode) = match fs::read_to_string(&path) {
            Ok(text) => (text, fs::metadata(&path).map_or(0o644, |meta| meta.permissions().mode() & 0o777)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (String::new(), 0o644),
            Err(error) => return Err(failed("read", &error)),
        };
        let mut text = before.clone();
        let (mut shown, mut data) = (String::new(), Vec::new());
        for (key, value) in self.rights.values() {
            let table = ["grants", self.module.as_str()];
            text = config::add_to_list(&text, &table, key, &value)
                .map_err(|error| Failure::new(Exit::Configuration, format!("`{}`: {error}", path.display())))?;
            let lines = config::lines(&table, key, &value);
            data.push(json!({ "module": self.module, "right": key, "lines": lines }));
            shown = config::add_to_list(&shown, &table, key, &value).or_exit(Exit::Internal)?;
        }
        MinionConfig::check_text(&text, &path, &context.home).or_exit(Exit::Configuration)?;
        if text == before {
            Context::say(format!("`{}` grants this to {} already", path.display(), self.module));
        } else {
            Context::say(format!("in `{}`:", path.display()));
            durable::write_atomic(&real(&path), text.as_bytes(), mode).map_err(|error| failed("write", &error))?;
        }
        if !known {
            Context::warn(format!(
                "no module `{}` is in the plugin folder of this minion: the grant waits for one of that name \
                 (`func module grants` lists those that are there)",
                self.module
            ));
        }
        let lines = shown.trim().lines().map(str::to_owned).collect();
        Ok(Box::new(Lines { lines, data: data.into() }))
    }
}

/// Where the file is: a link to it stays a link.
fn real(path: &std::path::Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
