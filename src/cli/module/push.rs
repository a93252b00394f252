//! `func module push` and `func module rollback`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt as _;

use super::super::{
    context::Context,
    delivery::{for_each, moving},
    exit::Exit,
    failure::{Failure, OrExit},
    fleet_options::{FleetOptions, overlord},
    outcomes::Outcomes,
    progress::Progress,
    report::Report,
};
use crate::access::SIGNATURE_SUFFIX;
use crate::fleet::{Request, Source, Target};
use crate::ids::MethodName;
use crate::wire::{Call, Value};

/// Send a module to minions, which load it if they trust who signed it
///
/// Its signature FILE.minisig goes with it. A minion that has the module already gets no bytes; the version
/// that it replaces is kept for `func module rollback`. Minions take modules when their minion.toml says
/// [modules] push = true.
#[derive(Debug, Args)]
pub(in crate::cli) struct Push {
    /// The module
    file: PathBuf,
    /// To whom: like `web*;db1`, `web{1..20}` or `@web and not (web1 or @old)`
    target: Target,
    #[command(flatten)]
    fleet: FleetOptions,
}

/// Put the version of a module back that the last push has replaced
#[derive(Debug, Args)]
pub(in crate::cli) struct Rollback {
    /// The name of the module's file, with or without `.wasm`
    name: String,
    /// Where: like `web*;db1`, `web{1..20}` or `@web and not (web1 or @old)`
    target: Target,
    #[command(flatten)]
    fleet: FleetOptions,
}

impl Push {
    /// Sends it, and says what became of it on every host.
    pub(in crate::cli) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let shown = self.file.display().to_string();
        let unreadable = |error| Failure::new(Exit::Configuration, format!("cannot read `{shown}`: {error}"));
        let source = Arc::new(Source::open(&self.file).map_err(unreadable)?);
        let name = self.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut signature = self.file.clone().into_os_string();
        signature.push(SIGNATURE_SUFFIX);
        let signature = match std::fs::read_to_string(signature) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Context::warn(format!("`{shown}` has no signature beside it; `func module sign` makes one"));
                String::new()
            }
            Err(error) => return Err(unreadable(error)),
        };
        let size = i64::try_from(source.size).unwrap_or(i64::MAX);
        let params = vec![name.into(), format!("sha256:{}", source.digest).into(), size.into(), signature.into()];
        let call = Request::new(&Call::new("modules.install", params)).timeout(self.fleet.left_after(Duration::ZERO));
        let overlord = overlord(context)?;
        let selection = self.fleet.select(&overlord, &self.target)?;
        let hosts = Context::block_on(async {
            let fleet = overlord.fleet()?.clone();
            let progress = Arc::new(Progress::bytes(context, source.size * selection.hosts.len() as u64));
            Ok(for_each(selection, self.fleet.forks, |host| {
                let (fleet, call, source, moved) =
                    (fleet.clone(), call.clone(), Arc::clone(&source), moving(&progress));
                async move { fleet.deliver(&host, &call, &source, &moved).await }
            })
            .await)
        })?;
        Ok(Box::new(Outcomes { method: "modules.install".to_owned(), hosts }))
    }
}

impl Rollback {
    /// Asks for it, and says what became of it on every host.
    pub(in crate::cli) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let selection = self.fleet.select(&overlord, &self.target)?;
        let method: MethodName = "modules.rollback".parse().or_exit(Exit::Internal)?;
        let hosts = Context::block_on(async {
            let params = vec![Value::from(self.name)];
            let answers = overlord.call(selection, &method, params, self.fleet.call_options())?;
            Ok(answers.collect().await)
        })?;
        Ok(Box::new(Outcomes { method: method.to_string(), hosts }))
    }
}
