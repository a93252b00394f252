//! `func module sign`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::super::{
    context::Context,
    failure::Failure,
    report::{Lines, Report},
};
use crate::author::SigningKey;

/// Sign modules, so that minions that trust the key load them
///
/// Writes FILE.minisig beside each file, in minisign's format. The key is made when it is first
/// needed; the public key to trust is shown.
#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// The modules
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The key to sign with [default: author.key in the configuration folder]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Sign {
    /// Signs the files.
    pub(in crate::cli) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let key = match &self.key {
            Some(path) => SigningKey::open(path)?,
            None => author_key(context)?,
        };
        let public = key.public();
        let (mut lines, mut data) = (Vec::new(), Vec::new());
        for file in &self.files {
            let signature = key.sign_file(file)?;
            lines.push(format!("{}  signed with the key {}", signature.display(), public.id()));
            data.push(
                json!({ "file": file, "signature": signature, "key": public.id().to_string(), "public": public }),
            );
        }
        Context::say(how_to_trust(&key));
        Ok(Box::new(Lines { lines, data: data.into() }))
    }
}

/// This user's key, made if there is none; says so then.
pub(in crate::cli) fn author_key(context: &Context) -> Result<SigningKey, Failure> {
    let path = context.home.author_key();
    let (key, made) = SigningKey::open_or_make(&path)?;
    if made {
        Context::say(format!("made a key to sign modules with, `{}`: keep it to yourself", path.display()));
    }
    Ok(key)
}

/// Signs what was built, with this user's key.
pub(super) fn sign_built<'a>(
    context: &Context,
    built: impl IntoIterator<Item = &'a Path>,
) -> Result<SigningKey, Failure> {
    let fresh = !context.home.author_key().exists();
    let key = author_key(context)?;
    for path in built {
        key.sign_file(path)?;
    }
    if fresh {
        Context::say(how_to_trust(&key));
    }
    Ok(key)
}

fn how_to_trust(key: &SigningKey) -> String {
    format!("minions load what it signs when their minion.toml says: [modules] trusted = [\"{}\"]", key.public())
}
