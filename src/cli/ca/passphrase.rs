//! The passphrase of the authority's key: where it comes from, and `func ca passphrase`.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use crate::ca::{Authority, Passphrase};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::report::{Lines, Report};
use crate::cli::secrets::{asked, whole, without_line_end};

/// Where the passphrase comes from, if the authority's key is sealed with one.
#[derive(Debug, Args)]
pub(in crate::cli) struct PassphraseFile {
    /// Read the passphrase of the authority's key from this file, instead of asking for it on the terminal
    #[arg(long, value_name = "FILE", env = "FUNC_CA_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseFile {
    /// Whether there is a file.
    pub(super) fn is_named(&self) -> bool {
        self.passphrase_file.is_some()
    }

    /// The authority, ready to sign. The passphrase is asked for only if its key is sealed.
    pub(in crate::cli) fn authority(&self, context: &Context) -> Result<Authority, Failure> {
        let folder = context.home.authority();
        let authority = Authority::open(&folder).or_exit(Exit::Configuration)?;
        if !authority.is_sealed() {
            return Ok(authority);
        }
        let text = match &self.passphrase_file {
            Some(file) => read(file)?,
            None => ask("passphrase of the authority's key: ")?,
        };
        Authority::open_with(&folder, &made(&text)?).or_exit(Exit::Configuration)
    }

    /// A new passphrase: from the file, or typed twice.
    pub(super) fn chosen(&self) -> Result<Passphrase, Failure> {
        choose(self.passphrase_file.as_deref())
    }
}

/// Seal the authority's key with a passphrase, change it, or take it away
///
/// A key that is sealed is of no use to whoever copies the authority's folder, or a backup of it. From then on every command
/// that signs asks for the passphrase. Whoever forgets it has no authority any more.
#[derive(Debug, Args)]
pub(in crate::cli) struct SetPassphrase {
    /// Leave the key without a passphrase
    #[arg(long, conflicts_with = "new_passphrase_file")]
    remove: bool,
    /// Read the new passphrase from this file, instead of asking for it on the terminal
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    sealed: PassphraseFile,
}

impl SetPassphrase {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let authority = self.sealed.authority(context)?;
        let new = if self.remove { None } else { Some(choose(self.new_passphrase_file.as_deref())?) };
        authority.set_passphrase(new.as_ref()).or_exit(Exit::Configuration)?;
        let line = match new {
            Some(_) => "the authority's key is sealed with the new passphrase; copies of it from before are not",
            None => "the authority's key is not sealed any more",
        };
        Ok(Box::new(Lines { lines: vec![line.to_owned()], data: json!({ "sealed": new.is_some() }) }))
    }
}

fn choose(file: Option<&Path>) -> Result<Passphrase, Failure> {
    let Some(file) = file else {
        let (one, two) = (ask("new passphrase: ")?, ask("the same again: ")?);
        if one != two {
            return Err(Failure::new(Exit::Usage, "the two passphrases differ; nothing was changed"));
        }
        return made(&one);
    };
    made(&read(file)?)
}

fn made(text: &str) -> Result<Passphrase, Failure> {
    Passphrase::new(text).or_exit(Exit::Usage)
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    asked(prompt).map_err(|error: io::Error| {
        Failure::new(Exit::Usage, format!("cannot ask for a passphrase on the terminal: {error}"))
            .hint("name a file that holds it, with --passphrase-file FILE or FUNC_CA_PASSPHRASE_FILE")
    })
}

fn read(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let others_may_read = |meta: fs::Metadata| meta.is_file() && meta.mode() & 0o077 != 0;
    if fs::metadata(file).is_ok_and(others_may_read) {
        let shown = file.display();
        Context::warn(format!("others may read the passphrase in `{shown}`; run `chmod 600 {shown}`"));
    }
    let text = File::open(file).and_then(whole).map_err(|error| {
        Failure::new(Exit::Configuration, format!("cannot read the passphrase from `{}`: {error}", file.display()))
    })?;
    Ok(Zeroizing::new(without_line_end(&text).to_owned()))
}
