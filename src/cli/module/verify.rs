//! `func module verify`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;

use super::super::{
    context::Context,
    exit::Exit,
    failure::{Failure, OrExit},
    render,
    report::{Lines, Report},
};
use super::Steps;
use crate::{
    access::{Provenance, PublicKey, Signature, Signers},
    author::{SigningKey, default_output, project_folder, signature_path},
    minion::MinionConfig,
};

/// Check the signatures of modules
///
/// Looks for FILE.minisig beside each file. Believes the keys that this machine's minion.toml trusts,
/// and this user's own.
#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// The modules [default: what was built of the project here]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Believe only this public key
    #[arg(long, value_name = "RWQ…")]
    key: Option<PublicKey>,
}

impl Verify {
    /// Checks every file; fails at the first that is not signed by one of the keys.
    pub(in crate::cli) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let signers = match self.key {
            Some(key) => Signers::new(&[].into(), [key], false),
            None => known(context)?,
        };
        let files = if self.files.is_empty() { built_here()? } else { self.files };
        let (mut lines, mut data) = (Vec::new(), Vec::new());
        for file in &files {
            let (provenance, signature) = check(&signers, file)?;
            let Provenance::Signed { key, name } = provenance else { continue };
            let comment = render::visible(signature.comment());
            let who = name.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
            lines.push(format!("{}  signed with the key {}{who}  {comment}", file.display(), key.id()));
            data.push(json!({
                "file": file, "key": key.id().to_string(), "public": key, "signer": name, "comment": signature.comment(),
            }));
        }
        Ok(Box::new(Lines { lines, data: data.into() }))
    }
}

/// The components of the project in this folder, or in one above it, as they were built last.
fn built_here() -> Result<Vec<PathBuf>, Failure> {
    let project = project_folder(Path::new("."), &Steps)?;
    let folder = default_output(&project);
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    files.sort();
    if files.is_empty() {
        let why = format!("there is no component in `{}`", folder.display());
        return Err(Failure::new(Exit::Usage, why).hint("make one with `func module build`, or name a file"));
    }
    Ok(files)
}

/// Whom this machine's minion trusts, and this user.
pub(super) fn known(context: &Context) -> Result<Signers, Failure> {
    let config =
        MinionConfig::load_or_default(&context.home.minion_toml(), &context.home).or_exit(Exit::Configuration)?;
    let own = SigningKey::open(&context.home.author_key()).ok().map(|key| key.public());
    Ok(Signers::new(&config.signers, config.modules.trusted.into_iter().chain(own), false))
}

fn check(signers: &Signers, file: &Path) -> Result<(Provenance, Signature), Failure> {
    let unreadable =
        |path: &Path, error| Failure::new(Exit::Configuration, format!("cannot read `{}`: {error}", path.display()));
    let bytes = fs::read(file).map_err(|error| unreadable(file, error))?;
    let path = signature_path(file);
    let text = match fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(&path, error)),
    };
    let judged = signers.judge(&bytes, text.as_deref()).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Failure::new(Exit::Configuration, format!("`{}` is not to be trusted: {error}{cause}", file.display()))
    })?;
    let signature = text.as_deref().unwrap_or_default().parse().or_exit(Exit::Configuration)?;
    Ok((judged, signature))
}
