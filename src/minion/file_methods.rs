//! `copyfile.…` and `getfile.…`: files of this machine, placed and fetched as far as the operator grants.
//!
//! ```toml
//! [grants.copyfile]
//! write = ["/srv/**"]
//! [grants.getfile]
//! read = ["/var/log/**"]
//! ```
//!
//! The grant is judged before any byte is sent, and once more when the file takes its place.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    builtin::Builtin,
    caller::DigestTold,
    install::{digest_argument, internal, size_argument},
    rules::RulesInForce,
    transfers::{Transfers, wanted},
};
use crate::{
    ids::ModuleName,
    plugin::{FileError, FileFacts, HostFiles, LeftOut, Manner, Tree},
    transfer::{Blob, Name, Staged, version_of},
    wire::{RemoteError, Value},
};

/// As many files and folders are listed.
const MOST_ENTRIES: usize = 50_000;

/// The names by which files are granted to callers, as if they were modules.
pub(super) const GRANTED: [&str; 2] = ["copyfile", "getfile"];

/// Answers one of them.
pub(super) async fn answer(
    transfers: &Arc<Transfers>,
    rules: &RulesInForce,
    (caller, digest): (&str, DigestTold),
    builtin: &'static Builtin,
    params: Vec<Value>,
) -> Result<Value, RemoteError> {
    let name = builtin.name.split('.').next().unwrap_or_default();
    let name: ModuleName = name.parse().map_err(|_| RemoteError::new("Internal", "a method without a module"))?;
    let files = HostFiles::new(name.clone(), rules.now().grants.for_module(&name, &name));
    // Never closed.
    let place = Arc::clone(&transfers.working).acquire_owned().await.ok();
    let (transfers, caller) = (Arc::clone(transfers), caller.to_owned());
    let work = move || match builtin.name {
        "copyfile.put" => put(&transfers, &files, &caller, builtin, params),
        "copyfile.make_dir" => {
            let mut params = params;
            if params.len() == 1 {
                params.push(Value::structure::<&str>([]));
            }
            let [path, manner] = builtin.args(params)?;
            let manner = read_manner(builtin, 1, manner)?;
            files.make_folder(&builtin.text(0, path)?, &manner).map_err(|error| told(&error))?;
            Ok(Value::Nil)
        }
        "getfile.offer" => offer(&transfers, &files, (&caller, digest), builtin, params),
        _ => {
            let [path] = builtin.args(params)?;
            let tree = files.tree(&builtin.text(0, path)?, MOST_ENTRIES).map_err(|error| told(&error))?;
            let Tree { found, left_out: others } = tree;
            Ok(found.iter().map(facts).chain(others.iter().map(left_out)).collect::<Vec<_>>().into())
        }
    };
    let held = move || {
        let _place = place;
        work()
    };
    tokio::task::spawn_blocking(held).await.map_err(|error| {
        tracing::error!(%error, "work on a file panicked");
        RemoteError::new("Internal", "the minion failed; see its log")
    })?
}

fn put(
    transfers: &Transfers,
    files: &HostFiles,
    caller: &str,
    builtin: &Builtin,
    params: Vec<Value>,
) -> Result<Value, RemoteError> {
    let [path, digest, size, manner] = builtin.args(params)?;
    let path = builtin.text(0, path)?;
    let blob = Blob::new(digest_argument(builtin, 1, digest)?, caller);
    size_argument(builtin, 2, &size)?;
    let manner = read_manner(builtin, 3, manner)?;
    files.may_place(&path, &manner).map_err(|error| told(&error))?;
    let Some(taken) = transfers.staging.take(&blob).map_err(|error| internal(&error))? else {
        let (Staged::Part(offset) | Staged::Whole(offset)) =
            transfers.staging.staged(&blob).map_err(|error| internal(&error))?;
        return Ok(wanted(offset));
    };
    match files.place(&path, &taken.file, &taken.path, &manner) {
        Ok(replaced) => Ok(Value::structure([("state", Value::from(if replaced { "replaced" } else { "created" }))])),
        Err(error) => Err(told(&error)),
    }
}

fn offer(
    transfers: &Transfers,
    files: &HostFiles,
    (caller, digest): (&str, DigestTold),
    builtin: &Builtin,
    params: Vec<Value>,
) -> Result<Value, RemoteError> {
    let [path] = builtin.args(params)?;
    let (file, found) = files.open(&builtin.text(0, path)?).map_err(|error| told(&error))?;
    let failed = |error: std::io::Error| RemoteError::new("Failed", error.to_string());
    let (name, told, size) = match digest {
        // What it is now; a file that changes while it is sent is noticed by its receiver.
        DigestTold::AtOnce => {
            let (digest, size) = transfers.known.digest_of(&file).map_err(failed)?;
            let name = Name::Digest(digest);
            (name, vec![("digest", name.to_string())], size)
        }
        DigestTold::Trailing => {
            let (version, size) = version_of(&file).map_err(failed)?;
            let name = Name::fresh();
            (name, vec![("offer", name.to_string()), ("version", version.to_string())], size)
        }
    };
    transfers.offers.add(name, caller, file, size);
    let Value::Struct(mut said) = facts(&FileFacts { size, ..found }) else { return Ok(Value::Nil) };
    said.extend(told.into_iter().map(|(key, text)| (key.to_owned(), text.into())));
    Ok(Value::Struct(said))
}

fn facts(facts: &FileFacts) -> Value {
    Value::structure([
        ("path", Value::from(facts.path.as_str())),
        ("folder", Value::Bool(facts.folder)),
        ("size", Value::Int(i64::try_from(facts.size).unwrap_or(i64::MAX))),
        ("mode", Value::Int(i64::from(facts.mode))),
        ("owner", facts.owner.as_str().into()),
        ("group", facts.group.as_str().into()),
    ])
}

fn left_out(left_out: &LeftOut) -> Value {
    let LeftOut { path, why, missing } = left_out;
    Value::structure([
        ("path", Value::from(path.as_str())),
        ("left_out", why.as_str().into()),
        ("missing", Value::Bool(*missing)),
    ])
}

fn read_manner(builtin: &Builtin, index: usize, value: Value) -> Result<Manner, RemoteError> {
    let Value::Struct(members) = value else { return Err(builtin.wrong(index, &value)) };
    let members: BTreeMap<String, Value> = members.into_iter().collect();
    let mut manner = Manner::default();
    for (key, value) in members {
        match (key.as_str(), value) {
            ("mode", Value::Int(mode)) => {
                manner.mode = Some(u32::try_from(mode).map_err(|_| builtin.wrong(index, &Value::Int(mode)))?);
            }
            ("owner", Value::String(name)) => manner.owner = Some(name),
            ("group", Value::String(name)) => manner.group = Some(name),
            (_, value) => return Err(builtin.wrong(index, &value)),
        }
    }
    Ok(manner)
}

fn told(error: &FileError) -> RemoteError {
    let kind = match error.kind {
        "denied" => "Denied",
        "not-found" => "NotFound",
        "invalid" => "Invalid",
        "too-large" => "TooLarge",
        _ => "Failed",
    };
    RemoteError::new(kind, error.to_string())
}
