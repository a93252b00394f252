//! `func fetch`: files and folders from many machines.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::confirm::confirm;
use super::context::Context;
use super::delivery::{for_each, moving};
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::fleet_options::{FleetOptions, overlord};
use super::outcomes::Outcomes;
use super::place::Place;
use super::progress::Progress;
use super::report::Report;
use crate::fleet::Request;
use crate::wire::Call;

/// Fetch a file or a directory from every chosen minion
///
/// Each host's goes into a directory of its own, LOCAL/HOST. What was cut off goes on where it stopped.
/// What a minion lets be read is up to its operator: `[grants.getfile] read = ["/var/log/**"]`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  func fetch 'web*:/var/log/app' logs/")]
pub(super) struct Fetch {
    /// What: `TARGET:/PATH`
    #[arg(value_name = "TARGET:PATH")]
    place: Place,
    /// The directory that gets one directory for each host
    local: PathBuf,
    #[command(flatten)]
    fleet: FleetOptions,
}

impl Fetch {
    /// Fetches, and says what became of it on every host.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let selection = self.fleet.select(&overlord, &self.place.target)?;
        let timeout = self.fleet.left_after(Duration::ZERO);
        let (path, local) = (Arc::new(self.place.path), Arc::new(self.local));
        let hosts = Context::block_on(async {
            let offer = "getfile.offer".parse().or_exit(Exit::Internal)?;
            confirm(context, &overlord, &selection, &offer, self.fleet.call_options()).await?;
            let fleet = overlord.fleet()?.clone();
            // How much there is is known only as it comes.
            let progress = Arc::new(Progress::bytes(context, 0));
            Ok(for_each(selection, self.fleet.forks, |host| {
                let (fleet, path, moved) = (fleet.clone(), Arc::clone(&path), moving(&progress));
                let folder = local.join(host.name.as_str());
                async move {
                    let ask = |call: &Call| Request::new(call).timeout(timeout);
                    fleet.fetch_tree(&host, &path, &folder, &ask, &moved).await
                }
            })
            .await)
        })?;
        Ok(Box::new(Outcomes { method: "getfile.offer".to_owned(), hosts }))
    }
}
