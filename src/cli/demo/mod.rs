//! `func demo`: the whole of Func on one machine.

mod fleet;
mod interruption;
mod story;
mod strays;

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::report::{Report, Silent};
use super::stop::stop_signal;
use fleet::DemoFleet;
use interruption::Interruption;

/// Start a small fleet on this machine and show what Func does
///
/// Builds the shipped modules, makes an authority in a temporary folder, starts minions on
/// 127.0.0.1, and shows the life of a job. Ctrl-C or SIGTERM ends all of it (exit code 130 or 143).
#[derive(Debug, Args)]
pub(in crate::cli) struct Demo {
    /// Keep the fleet up until Ctrl-C instead of telling the story, and describe it in fleet.json
    #[arg(long)]
    serve: bool,
    /// How many minions
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=200))]
    minions: u32,
    /// Where everything of the fleet lies [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Demo {
    /// Tells the story, or keeps the fleet up.
    pub(in crate::cli) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let temporary = match &self.dir {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("func-demo-").tempdir().or_exit(Exit::Internal)?),
        };
        let folder = match (self.dir, &temporary) {
            (Some(folder), _) => folder,
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => return Err(Failure::new(Exit::Internal, "no folder for the demo")),
        };
        let names = fleet::names(self.minions);
        let interruption = Interruption::watch(folder.clone(), temporary.is_some())?;
        let shown = DemoFleet::start(context, &folder, &names, &interruption).and_then(|(fleet, shipped)| {
            if self.serve { serve(fleet, &interruption) } else { story::tell(fleet, &shipped) }
        });
        drop(interruption.permit());
        shown.map(|()| Box::new(Silent(Exit::Ok)) as Box<dyn Report>)
    }
}

/// Keeps the fleet up until the first signal, then stops it.
fn serve(mut fleet: DemoFleet, interruption: &Interruption) -> Result<(), Failure> {
    let stopped = Context::block_on(async {
        let stop = stop_signal()?;
        interruption.leave_next();
        // The file comes last: whoever waits for it finds everything else in place.
        let described = fleet.describe()?;
        println!("{} minions are up; {} describes them", fleet.minions().len(), described.display());
        println!("try: FUNC_HOME={} func ping '*'", fleet.home().state().display());
        println!("stop with Ctrl-C");
        stop.await;
        Ok(())
    });
    fleet.stop()?;
    stopped
}
