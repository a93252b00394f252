//! What a minion keeps of transfers: what arrives, and what may be fetched.

use std::{io, os::unix::fs::FileExt as _, sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    Error, MinionConfig,
    builtin::Builtin,
    caller::DigestTold,
    file_methods,
    install::{Installer, digest_argument, internal, size_argument},
    rules::RulesInForce,
};
use crate::{
    plugin::Registry,
    transfer::{Begun, Blob, Bounds, Coding, ContentRange, Known, Name, Offers, Refused, Staged, Staging},
    wire::{RemoteError, Value},
};

/// A writer that is silent for so long gives way to another.
const STALL: Duration = Duration::from_secs(5);
/// The next writer of the same waits so long for its turn.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest piece of a file that is answered to a call.
const PIECE: u64 = 4 << 20;
/// How often leftovers are looked for.
const SWEEP: Duration = Duration::from_mins(10);

/// Staged blobs and offered files, of all callers.
#[derive(Debug)]
pub(super) struct Transfers {
    pub(super) staging: Staging,
    pub(super) offers: Offers,
    pub(super) known: Arc<Known>,
    /// For bytes that go out: each has a thread that reads.
    pub(super) sending: Arc<Semaphore>,
    /// For work on files, which the disk may hold up.
    pub(super) working: Arc<Semaphore>,
    rules: RulesInForce,
    installer: Installer,
}

/// What a method answers that wants bytes first, from an offset on.
pub(super) fn wanted(offset: u64) -> Value {
    let offset = i64::try_from(offset).unwrap_or(i64::MAX);
    Value::structure([("state", Value::from("wanted")), ("offset", offset.into())])
}

impl Transfers {
    pub(super) fn open(config: &MinionConfig, registry: &Registry, rules: &RulesInForce) -> Result<Self, Error> {
        let bounds = &config.transfers;
        let bounds = Bounds {
            at_once: bounds.at_once,
            per_caller: bounds.per_caller.bytes(),
            in_all: bounds.in_all.bytes(),
            keep: bounds.keep.duration(),
            stall: STALL,
            patience: PATIENCE,
        };
        let path = &config.folders.incoming;
        let staging = Staging::open(path, bounds).map_err(|source| Error::Incoming { path: path.clone(), source })?;
        let installer = Installer {
            registry: registry.clone(),
            rules: rules.clone(),
            modules: config.folders.modules.clone(),
            replaced: config.folders.replaced.clone(),
            turn: Arc::default(),
        };
        let places = || Arc::new(Semaphore::new(bounds.at_once.clamp(1, Semaphore::MAX_PERMITS)));
        let (sending, working) = (places(), places());
        Ok(Self {
            staging,
            offers: Offers::default(),
            known: Arc::default(),
            sending,
            working,
            rules: rules.clone(),
            installer,
        })
    }

    /// Whether this answers a built-in method.
    pub(super) fn answers(builtin: &Builtin) -> bool {
        ["copyfile.", "getfile.", "modules.", "transfer."].iter().any(|module| builtin.name.starts_with(module))
    }

    /// Answers it, within `time`.
    pub(super) async fn answer(
        self: &Arc<Self>,
        caller: &str,
        digest: DigestTold,
        builtin: &'static Builtin,
        params: Vec<Value>,
        time: Duration,
    ) -> Result<Value, RemoteError> {
        let answer = async {
            match builtin.name {
                "modules.install" => self.installer.install(&self.staging, caller, builtin, params).await,
                "transfer.put" => self.put(caller, builtin, params).await,
                "transfer.get" => self.get(caller, builtin, params).await,
                "modules.rollback" => self.installer.rollback(builtin, params).await,
                _ => file_methods::answer(self, &self.rules, (caller, digest), builtin, params).await,
            }
        };
        let late = |_| Err(RemoteError::timed_out(format!("the call took longer than {time:?}"), time));
        tokio::time::timeout(time, answer).await.unwrap_or_else(late)
    }

    /// `transfer.put`: a piece in a call. Slower than `PUT`, by the same rules.
    async fn put(&self, caller: &str, builtin: &Builtin, params: Vec<Value>) -> Result<Value, RemoteError> {
        let [digest, size, offset, bytes] = builtin.args(params)?;
        let blob = Blob::new(digest_argument(builtin, 0, digest)?, caller);
        let (total, first) = (size_argument(builtin, 1, &size)?, size_argument(builtin, 2, &offset)?);
        let Value::Bytes(bytes) = bytes else { return Err(builtin.wrong(3, &bytes)) };
        let Some(end) = first.checked_add(bytes.len() as u64).filter(|end| *end <= total) else {
            return Err(RemoteError::new("InvalidArguments", "the piece ends behind the end of the file"));
        };
        let refused = |refused: Refused| match refused {
            Refused::Write(error) => internal(&error),
            Refused::Busy | Refused::Superseded => RemoteError::new("Busy", refused.to_string()),
            refused => RemoteError::new("Refused", refused.to_string()),
        };
        let staged =
            match self.staging.begin(blob, ContentRange { first, end, total }, Coding::Plain).await.map_err(refused)? {
                Begun::Whole(length) => Staged::Whole(length),
                Begun::Writing(mut upload) => {
                    upload.write(bytes.into()).await;
                    upload.finish(true).await.map_err(refused)?
                }
            };
        let (Staged::Part(offset) | Staged::Whole(offset)) = staged;
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let whole = matches!(staged, Staged::Whole(_));
        Ok(Value::structure([("offset", Value::Int(offset)), ("whole", Value::Bool(whole))]))
    }

    /// `transfer.get`: a piece of what was offered to this caller.
    async fn get(&self, caller: &str, builtin: &Builtin, params: Vec<Value>) -> Result<Value, RemoteError> {
        let [digest, offset, size] = builtin.args(params)?;
        let name = Name::Digest(digest_argument(builtin, 0, digest)?);
        let (offset, size) = (size_argument(builtin, 1, &offset)?, size_argument(builtin, 2, &size)?);
        let Some((file, length)) = self.offers.get(name, caller) else {
            return Err(RemoteError::new("NotOffered", "this is not offered, or not any more"));
        };
        let size = length.saturating_sub(offset).min(size).min(PIECE);
        // Never closed.
        let place = Arc::clone(&self.working).acquire_owned().await.ok();
        let read = move || {
            let _place = place;
            let mut piece = vec![0; usize::try_from(size).unwrap_or_default()];
            file.read_exact_at(&mut piece, offset).map(|()| piece)
        };
        let piece = tokio::task::spawn_blocking(read).await.map_err(io::Error::other).flatten();
        Ok(Value::Bytes(piece.map_err(|error| internal(&error))?))
    }

    /// Removes what nobody finished, now and then.
    pub(super) async fn upkeep(self: Arc<Self>, stopping: CancellationToken) {
        self.installer.recover().await;
        loop {
            let staging = self.staging.clone();
            match tokio::task::spawn_blocking(move || staging.sweep()).await {
                Ok(Ok(0)) | Err(_) => {}
                Ok(Ok(removed)) => tracing::info!(removed, "removed what nobody finished sending"),
                Ok(Err(error)) => tracing::warn!(%error, "cannot look through what is being sent"),
            }
            tokio::select! {
                () = tokio::time::sleep(SWEEP) => {}
                () = stopping.cancelled() => return,
            }
        }
    }
}
