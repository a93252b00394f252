//! `func ca rotate`: another authority in the place of the present one, while the fleet goes on.

mod report;
mod spread;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use clap::Args;

use self::report::RotationReport;
use self::spread::{Answers, spread};
use super::passphrase::PassphraseFile;
use super::renew::{latest, renew_hosts};
use super::revoke::heed;
use crate::ca::{Authority, IssueRequest, Stage};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::render::visible;
use crate::cli::report::Report;
use crate::ids::HostName;
use crate::tls::{CERTIFICATE_FILE, REVOCATIONS_FILE};

/// Put another authority in the place of the present one
///
/// Run it again and again: each time it goes as far as nobody is left behind. It makes the next authority, tells every minion
/// of it, over the identity that the present one vouches for, and when all of them believe both, the next one begins to sign
/// and every minion gets a new certificate of it, all of it while calls go on. `--finish` then gives the old authority up.
#[derive(Debug, Args)]
pub(in crate::cli) struct Rotate {
    /// Show how far it is; what minions hold is asked of them
    #[arg(long, conflicts_with_all = ["finish", "abandon", "leave_behind"])]
    status: bool,
    /// Give the old authority up, everywhere: nobody believes its certificates any more
    #[arg(long, conflicts_with = "abandon")]
    finish: bool,
    /// Give the next authority up, as long as it has signed nothing
    #[arg(long, conflicts_with = "leave_behind")]
    abandon: bool,
    /// Do not wait for these: what they hold ends with the old authority
    #[arg(long, value_name = "NAME")]
    leave_behind: Vec<HostName>,
    /// How long each new certificate is valid, in days
    #[arg(long, default_value_t = IssueRequest::DAYS)]
    days: u32,
    #[command(flatten)]
    sealed: PassphraseFile,
}

impl Rotate {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        if self.status {
            let authority = Authority::open(&context.home.authority()).or_exit(Exit::Configuration)?;
            let (authority, answers) = spread(context, authority)?;
            return Ok(Box::new(RotationReport::of(&authority, &answers)?.status()));
        }
        let authority = self.sealed.authority(context)?;
        let leave: BTreeSet<HostName> = self.leave_behind.iter().cloned().collect();
        let report = match () {
            () if self.finish => finish(context, authority, &leave)?,
            () if self.abandon => {
                let authority = authority.abandon().or_exit(Exit::Configuration)?;
                tell_here(context, &authority)?;
                let (authority, answers) = spread(context, authority)?;
                RotationReport::of(&authority, &answers)?
            }
            () => self.advance(context, authority, &leave)?,
        };
        Ok(Box::new(report))
    }

    /// As far as nobody is left behind.
    fn advance(
        &self,
        context: &Context,
        authority: Authority,
        leave: &BTreeSet<HostName>,
    ) -> Result<RotationReport, Failure> {
        let authority = authority.begin_rotation().or_exit(Exit::Configuration)?;
        tell_here(context, &authority)?;
        let (mut authority, mut answers) = spread(context, authority)?;
        let mut void = 0;
        if stage(&authority) == Stage::Spreading {
            let mut missing = authority.not_told(&answers.hosts).or_exit(Exit::Configuration)?;
            missing.retain(|name| !leave.contains(name));
            if !missing.is_empty() {
                return RotationReport::of(&authority, &answers);
            }
            void = authority.open_tokens().or_exit(Exit::Configuration)?;
            authority = authority.switch(&answers.hosts, leave).or_exit(Exit::Configuration)?;
            tell_here(context, &authority)?;
        }
        if self.renew(context, &authority, &answers)? {
            (authority, answers) = spread(context, authority)?;
        }
        Ok(RotationReport::of(&authority, &answers)?.with_void_tokens(void))
    }

    /// Gives a certificate of the present authority to every minion that answers and has none. Answers whether there were any.
    fn renew(&self, context: &Context, authority: &Authority, answers: &Answers) -> Result<bool, Failure> {
        let Some((overlord, mut selection)) = spread::everybody(context)? else { return Ok(false) };
        let issued = authority.issued().or_exit(Exit::Configuration)?;
        let revoked = authority.revoked().or_exit(Exit::Configuration)?;
        let held = authority.rotation().map(|rotation| &rotation.hosts);
        let is_new = |name: &HostName| {
            let held = held.and_then(|hosts| hosts.get(name));
            held.is_some_and(|held| issued.iter().any(|entry| entry.serial == held.serial && authority.is_own(entry)))
        };
        selection.hosts.retain(|host| !answers.missing.contains_key(&host.name) && !is_new(&host.name));
        selection.skipped.clear();
        let certificates: BTreeMap<_, _> = (selection.hosts.iter())
            .filter_map(|host| Some((host.name.clone(), latest(authority, &issued, &revoked, &host.name)?.clone())))
            .collect();
        selection.hosts.retain(|host| certificates.contains_key(&host.name));
        if selection.hosts.is_empty() {
            return Ok(false);
        }
        let options = spread::options();
        let renewed = renew_hosts(&overlord, authority, selection, certificates, self.days, options);
        for (name, why) in Context::block_on(renewed)?.into_iter().filter_map(|(name, one)| Some((name, one.failed()?)))
        {
            Context::warn(format!("`{name}` has no new certificate: {}", visible(&why)));
        }
        Ok(true)
    }
}

/// Processes on this machine look at their identity every second: so long after it has changed, none shows the one of before.
const GRACE: Duration = Duration::from_secs(3);

/// Waits until no process of this machine shows a certificate of the old authority any more.
fn let_others_follow(context: &Context) {
    let changed = fs::metadata(context.home.identity().join(CERTIFICATE_FILE)).and_then(|meta| meta.modified());
    // A time in the future is a clock that was set.
    let age = changed.ok().and_then(|changed| changed.elapsed().ok()).unwrap_or(GRACE);
    std::thread::sleep(GRACE.saturating_sub(age));
}

fn finish(context: &Context, authority: Authority, leave: &BTreeSet<HostName>) -> Result<RotationReport, Failure> {
    tell_here(context, &authority)?;
    let (authority, answers) = spread(context, authority)?;
    let_others_follow(context);
    let before = fs::read(context.home.authority().join(REVOCATIONS_FILE)).ok();
    let finished = authority.finish(&answers.hosts, leave).map_err(|error| {
        let hint =
            "run `func ca rotate` again for minions, `func ca issue` for others, or name them with --leave-behind";
        let left = matches!(error, crate::ca::Error::LeftBehind { .. });
        let failure = Failure::new(Exit::Configuration, error);
        if left { failure.hint(hint) } else { failure }
    })?;
    tell_here(context, &finished)?;
    let list = context.home.authority().join(REVOCATIONS_FILE);
    if list.exists() {
        heed(&list, &context.home.identity(), &finished, before.as_deref())?;
    }
    let (authority, answers) = spread(context, finished)?;
    RotationReport::of(&authority, &answers)
}

fn stage(authority: &Authority) -> Stage {
    authority.rotation().map_or(Stage::Settled, |rotation| rotation.stage)
}

/// This machine's own identities believe what the authority says, and the overlord's own certificate is of the one that
/// signs.
fn tell_here(context: &Context, authority: &Authority) -> Result<(), Failure> {
    for folder in [context.home.identity(), context.home.daemon_identity()] {
        authority.tell(&folder).or_exit(Exit::Configuration)?;
    }
    authority.renew_own(&context.home.identity()).or_exit(Exit::Configuration)?;
    Ok(())
}
