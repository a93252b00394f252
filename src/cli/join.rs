//! `funcd join`: this machine asks to belong.

use clap::Args;
use nix::unistd::gethostname;
use serde_json::json;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::report::{Lines, Report};
use crate::ca::{Address, InvalidAddress, Token};
use crate::enrol::{self, Joined, Joiner, State};
use crate::ids::HostName;
use crate::minion::MinionConfig;

/// Ask an authority to let this machine belong to its fleet
///
/// With a token, a line of `func ca token`, at once. Without one this shows a fingerprint and waits until the operator has
/// compared it with that of `func ca list --pending`, and has signed. The key is made here and never leaves this machine.
#[derive(Debug, Args)]
pub(super) struct Join {
    /// The token
    #[arg(required_unless_present = "overlord")]
    token: Option<Token>,
    /// Without a token: where `func ca serve` runs
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with = "token", value_parser = door_address)]
    overlord: Option<Address>,
    /// This machine's name [default: its host name]
    #[arg(long)]
    name: Option<HostName>,
    /// Where overlords will reach it [default: the address from which it asks, and the port in minion.toml]
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<Address>,
}

/// Where a door is, with its usual port.
pub(super) fn door_address(text: &str) -> Result<Address, InvalidAddress> {
    Address::with_usual_port(text, enrol::PORT)
}

impl Join {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let name = self.name.map_or_else(own_name, Ok)?;
        let folder = context.home.identity();
        let config =
            MinionConfig::load_or_default(&context.home.minion_toml(), &context.home).or_exit(Exit::Configuration)?;
        let port = config.listen.as_str().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let joiner = match (&self.token, self.overlord) {
            (Some(token), _) => Joiner::with_token(token, name, &folder),
            (None, Some(overlord)) => Joiner::without_token(overlord, name, &folder),
            (None, None) => return Err(Failure::new(Exit::Usage, "a token, or --overlord HOST, is needed")),
        };
        let joiner = joiner.map_err(refused)?.listens(self.address, port);
        let member = Context::block_on(join(joiner, self.token.is_some()))?;
        Ok(Box::new(Lines {
            lines: vec![
                format!("this machine belongs as `{}`, until {:.0}", member.name, member.until),
                format!("its identity is in {}", folder.display()),
                "next: start funcd, as root, then on the overlord: func ping".to_owned(),
            ],
            data: json!({
                "name": member.name, "until": member.until, "authority": member.authority, "identity": folder,
            }),
        }))
    }
}

async fn join(mut joiner: Joiner, token: bool) -> Result<Joined, Failure> {
    let (mut shown, mut complaint) = (None, String::new());
    loop {
        match joiner.ask().await {
            Ok(State::Joined(member)) => return Ok(member),
            Ok(State::Pending) => {
                let comparison = joiner.comparison();
                if shown != comparison
                    && let Some(fingerprint) = &comparison
                {
                    Context::say(format!("fingerprint: {fingerprint}"));
                    Context::say("waiting for the operator to compare it (func ca list --pending) and to sign");
                }
                shown = comparison;
            }
            // Whoever has a token stands before the machine and wants to know.
            Err(error) if error.passes() && !token => {
                let why = error.to_string();
                if complaint != why {
                    Context::warn(format!("{why}; trying again"));
                    complaint = why;
                }
            }
            Err(error) => return Err(refused(error)),
        }
        tokio::time::sleep(joiner.pause()).await;
    }
}

fn own_name() -> Result<HostName, Failure> {
    let name = gethostname().ok().and_then(|name| name.into_string().ok());
    name.and_then(|name| name.parse().ok()).ok_or_else(|| {
        Failure::new(Exit::Configuration, "this machine's own name cannot be used").hint("choose one with --name")
    })
}

fn refused(error: enrol::Error) -> Failure {
    let hint = match &error {
        enrol::Error::Exists { .. } => "to join another fleet, or anew, move the folder identity/ away first",
        enrol::Error::Unreachable { .. } => "is `func ca serve` running there, and may this machine connect to it?",
        enrol::Error::OtherAuthority { .. } => "ask the operator for another token",
        enrol::Error::Refused { .. } => "the operator finds out more in ca/audit.jsonl and with `func ca show NAME`",
        _ => return Failure::new(Exit::Identity, error),
    };
    let exit = if error.passes() { Exit::NobodyReachable } else { Exit::Identity };
    Failure::new(exit, error).hint(hint)
}
