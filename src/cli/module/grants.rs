//! `func module grants`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;

use crate::access::{Bearer, Grant, Provenance};
use crate::author::signature_path;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::report::{Lines, Report};
use crate::ids::{Digest, ModuleName};
use crate::minion::MinionConfig;
use crate::plugin::{self, Metadata};

/// Show what modules ask for against what this minion's configuration grants
///
/// Asks are what a module's file says about itself. `+` is granted, `-` is asked for and not granted:
/// `func module grant` grants it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Grants {
    /// Only this module
    module: Option<ModuleName>,
    /// Read this configuration instead of the usual one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What somebody has mistaken who finds nothing.
pub(super) const ELSEWHERE: &str = "grants are of a minion: run this on its machine, as the user that it runs as, with \
                                    the FUNC_HOME or --config that it has";

/// Modules that are a part of the minion, and take grants.
const BUILT_IN: [&str; 2] = ["copyfile", "getfile"];

/// Whether the minion of this configuration has a module of that name.
pub(super) fn knows(file: &Path, context: &Context, name: &ModuleName) -> bool {
    let Ok(config) = MinionConfig::load_or_default(file, &context.home) else { return true };
    let modules = found(&config);
    BUILT_IN.contains(&name.as_str())
        || modules.contains_key(name)
        || modules.values().any(|module| module.full == *name)
}

/// A module in the plugin folder.
struct Found {
    full: ModuleName,
    digest: Digest,
    provenance: Provenance,
    asks: Grant,
}

impl Grants {
    /// Reads the configuration and the plugin folder.
    pub(in crate::cli) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let config = match &self.config {
            Some(named) => MinionConfig::load(named, &context.home),
            None => MinionConfig::load_or_default(&context.home.minion_toml(), &context.home),
        };
        let config = config.or_exit(Exit::Configuration)?;
        let found = found(&config);
        let mut names: Vec<ModuleName> = found.keys().cloned().collect();
        let full = |name: &ModuleName| found.values().any(|module| module.full == *name);
        names.extend(config.grants.modules().filter(|name| !found.contains_key(*name) && !full(name)).cloned());
        names.sort();
        if let Some(wanted) = &self.module {
            names.retain(|name| name == wanted || found.get(name).is_some_and(|module| module.full == *wanted));
            if names.is_empty() {
                let folder = config.folders.modules.display();
                let why = format!("no module `{wanted}` is in `{folder}` or in the configuration");
                let failure = Failure::new(Exit::Configuration, why);
                let names: Vec<&str> = found.keys().map(ModuleName::as_str).collect();
                return Err(match plugin::similar(wanted.as_str(), names.iter().copied()) {
                    Some(near) => failure.hint(format!("did you mean `{near}`?")),
                    None if names.is_empty() => failure.hint(ELSEWHERE),
                    None => failure.hint(format!("there are: {}", names.join(", "))),
                });
            }
        }
        if names.is_empty() {
            let folder = &config.folders.modules;
            let state = if folder.is_dir() { "holds no module" } else { "is not there" };
            Context::say(format!(
                "nothing to show: the plugin folder `{}` {state}, and no grants are configured; {ELSEWHERE}",
                folder.display()
            ));
        }
        let (mut lines, mut data) = (Vec::new(), Vec::new());
        for name in &names {
            let module = found.get(name);
            let (granted, withheld) = match module {
                Some(module) => {
                    let (digest, provenance) = (Some(module.digest), &module.provenance);
                    let bearer = Bearer { short: name, full: &module.full, digest, provenance };
                    (config.grants.for_bearer(bearer), config.grants.withheld(bearer))
                }
                None => (config.grants.for_module(name, name), Vec::new()),
            };
            let missing = module.map(|module| module.asks.missing_from(&granted)).unwrap_or_default();
            let signer = module.map(|module| module.provenance.to_string());
            lines.push(match &signer {
                Some(signer) => format!("{name}  ({signer})"),
                None => format!("{name}  (not in the plugin folder)"),
            });
            let show = |grant: &Grant| -> Vec<String> {
                grant.lines().into_iter().map(|(key, value)| format!("{key} = [{value}]")).collect()
            };
            let (granted, missing) = (show(&granted), show(&missing));
            lines.extend(granted.iter().map(|line| format!("  + {line}")));
            lines.extend(missing.iter().map(|line| format!("  - {line}")));
            lines.extend(withheld.iter().map(|why| format!("  ! {why}")));
            data.push(json!({
                "module": name, "signer": signer, "granted": granted, "missing": missing, "withheld": withheld,
            }));
        }
        Ok(Box::new(Lines { lines, data: data.into() }))
    }
}

/// The modules of the plugin folder. A file that is none is not this command's business.
fn found(config: &MinionConfig) -> BTreeMap<ModuleName, Found> {
    let mut all = BTreeMap::new();
    for (file, modules) in plugin::modules_in(&config.folders.modules) {
        let (Ok(modules), Ok(bytes)) = (modules, fs::read(&file)) else { continue };
        let signature = fs::read_to_string(signature_path(&file)).ok();
        let provenance = config.trust().judge(&bytes, signature.as_deref()).unwrap_or(Provenance::Unsigned);
        let asks = Metadata::read(&bytes).manifest.unwrap_or_default().asks;
        for pair in modules.chunks_exact(2) {
            let (digest, provenance) = (Digest::of(&bytes), provenance.clone());
            all.insert(pair[0].clone(), Found { full: pair[1].clone(), digest, provenance, asks: asks.clone() });
        }
    }
    all
}
