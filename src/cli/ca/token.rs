//! `func ca token`: one line that lets one machine in.

use clap::Args;
use nix::unistd::gethostname;
use serde_json::json;

use crate::ca::{Address, Authority, NameGlob};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::join::door_address;
use crate::cli::report::{Lines, Report};
use crate::config::Period;

/// Print one line that lets one new machine in
///
/// Run the line on the new machine while `func ca serve` runs here. The token says where to ask and which authority must be
/// there, works once, and only for a name that it is for. Whoever has it can be that machine: hand it over with care.
#[derive(Debug, Args)]
pub(in crate::cli) struct Token {
    /// The new machine's name, or a glob that it must match
    #[arg(long = "for", value_name = "NAME-GLOB")]
    names: NameGlob,
    /// How long it can be used
    #[arg(long, value_name = "TIME", default_value = "1h")]
    ttl: Period,
    /// Where the new machine reaches `func ca serve` [default: this machine's name, port 51235]
    #[arg(long, value_name = "HOST[:PORT]", value_parser = door_address)]
    address: Option<Address>,
}

impl Token {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let authority = Authority::open(&context.home.authority()).or_exit(Exit::Configuration)?;
        let address = self.address.map_or_else(own_address, Ok)?;
        let token = authority.token(&self.names, address.clone(), self.ttl.duration()).or_exit(Exit::Configuration)?;
        let line = format!("funcd join {token}");
        Ok(Box::new(Lines {
            data: json!({
                "token": token.to_string(), "command": line, "for": self.names, "address": address,
                "authority": token.authority,
            }),
            lines: vec![line],
        }))
    }
}

fn own_address() -> Result<Address, Failure> {
    let name = gethostname().ok().and_then(|name| name.into_string().ok());
    let address = name.and_then(|name| door_address(&name).ok());
    address.ok_or_else(|| {
        Failure::new(Exit::Configuration, "this machine's own name cannot be used as an address")
            .hint("say where new machines reach it, with --address HOST[:PORT]")
    })
}
