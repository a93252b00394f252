//! `func module`: the tools of module authors, one file a command.

mod build;
mod check;
mod docs;
mod grant;
mod grants;
mod inspect;
mod load;
mod new;
mod push;
mod rights;
mod run;
mod sdk;
mod sign;
mod steps;
mod suggest;
mod test;
mod verify;

pub(in crate::cli) use suggest::merged;

use clap::Subcommand;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::report::Report;
use crate::author;

pub(super) use sign::author_key;
pub(super) use steps::Steps;

/// Begin, build, check, try out, test, sign and send modules
#[derive(Debug, Subcommand)]
pub(super) enum Module {
    New(new::New),
    Build(build::Build),
    Check(check::Check),
    Run(run::Run),
    Test(test::Test),
    Docs(docs::Docs),
    Inspect(inspect::Inspect),
    Sign(sign::Sign),
    Verify(verify::Verify),
    Push(push::Push),
    Rollback(push::Rollback),
    Grants(grants::Grants),
    Grant(grant::Grant),
    Suggest(suggest::Suggest),
    Sdk(sdk::Sdk),
}

impl Module {
    /// Does what the subcommand says.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        match self {
            Self::New(command) => command.run(context),
            Self::Build(command) => command.run(context),
            Self::Check(command) => command.run(context),
            Self::Run(command) => command.run(context),
            Self::Test(command) => command.run(context),
            Self::Docs(command) => command.run(context),
            Self::Inspect(command) => command.run(context),
            Self::Sign(command) => command.run(context),
            Self::Verify(command) => command.run(context),
            Self::Push(command) => command.run(context),
            Self::Rollback(command) => command.run(context),
            Self::Grants(command) => command.run(context),
            Self::Grant(command) => command.run(context),
            Self::Suggest(command) => command.run(context),
            Self::Sdk(command) => command.run(context),
        }
    }
}

impl From<author::Error> for Failure {
    fn from(error: author::Error) -> Self {
        let hint = error.hint();
        let failure = Self::new(Exit::Configuration, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
