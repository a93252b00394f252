//! Modules that overlords push, and taking a push back.
//!
//! ```text
//! modules.install ──not allowed─────────────────────────▶ denied
//!   │ digest served already ─────────────────────────────▶ loaded, nothing is sent
//!   │ bytes not staged ──────────────────────────────────▶ wanted, from an offset on; then it is called again
//!   │ bytes staged ──no component, signature not trusted──▶ refused, nothing in the plugin folder has changed
//!   └─▶ the version before is kept aside ─▶ signature, then file, by rename ─▶ the registry looks
//!         loaded │ held: it waits for a grant, the version before serves │ refused: the version before is back
//! ```
//!
//! Pushing code is more than calling it, so it is off until the operator of the minion allows it, and what is
//! pushed is held against the same trusted signers as what is dropped into the folder by hand. One push or
//! rollback is under way at a time. A file and its signature are two renames: a note of what is under way
//! stands beside the replaced versions, and a minion that ended between the two puts the version before back.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::Mutex;

use super::{builtin::Builtin, rules::RulesInForce, transfers::wanted};
use crate::{
    access::SIGNATURE_SUFFIX,
    ids::Digest,
    plugin::{NotServed, Registry},
    sys::durable,
    transfer::{Blob, Staged, Staging},
    wire::{RemoteError, Value},
};

/// So many versions of a module are kept aside.
const GENERATIONS: usize = 5;
/// The note of a push under way.
const UNDER_WAY: &str = "under-way";
/// The largest module that is taken; the registry reads no larger one.
const LARGEST: u64 = 256 << 20;
/// The longest signature file.
const LONGEST_SIGNATURE: usize = 16 << 10;

/// The plugin folder, as pushes see it.
#[derive(Debug)]
pub(super) struct Installer {
    pub(super) registry: Registry,
    pub(super) rules: RulesInForce,
    /// The plugin folder.
    pub(super) modules: PathBuf,
    /// Where replaced versions are kept.
    pub(super) replaced: PathBuf,
    /// Whose turn it is.
    pub(super) turn: Arc<Mutex<()>>,
}

/// A module's file name: what people would call it, never a path, never hidden.
#[derive(Debug, Clone)]
struct FileName(String);

impl FileName {
    fn parse(text: &str) -> Result<Self, RemoteError> {
        let stem = text.strip_suffix(".wasm").unwrap_or(text);
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let whole = (1..=100).contains(&stem.len()) && stem.chars().all(fits) && !stem.starts_with(['.', '-']);
        if whole {
            Ok(Self(format!("{stem}.wasm")))
        } else {
            let why = "a module's file is named with letters, digits, `-`, `_` and `.`, and ends in `.wasm`";
            Err(RemoteError::new("InvalidArguments", why))
        }
    }
}

impl Installer {
    /// `modules.install(name, digest, size, signature)`.
    pub(super) async fn install(
        &self,
        staging: &Staging,
        caller: &str,
        builtin: &Builtin,
        params: Vec<Value>,
    ) -> Result<Value, RemoteError> {
        self.allowed()?;
        let [name, digest, size, signature] = builtin.args(params)?;
        let name = FileName::parse(&builtin.text(0, name)?)?;
        let digest = digest_argument(builtin, 1, digest)?;
        let size = size_argument(builtin, 2, &size)?;
        let signature = Some(builtin.text(3, signature)?).filter(|text| !text.is_empty());
        if size > LARGEST || signature.as_ref().is_some_and(|text| text.len() > LONGEST_SIGNATURE) {
            return Err(RemoteError::new("Refused", "no module is larger than 256 MiB, and no signature than 16 KiB"));
        }
        let _turn = self.turn.lock().await;
        if self.is_there(&name, digest, signature.as_deref()) {
            self.registry.rescan().await;
            return self.state(&name, digest, "unchanged");
        }
        let blob = Blob::new(digest, caller);
        let Some(taken) = staging.take(&blob).map_err(|error| internal(&error))? else {
            let offset = match staging.staged(&blob).map_err(|error| internal(&error))? {
                Staged::Part(offset) | Staged::Whole(offset) => offset,
            };
            return Ok(wanted(offset));
        };
        let bytes = fs::read(&taken.path).map_err(|error| internal(&error))?;
        drop(taken);
        self.registry
            .judge(bytes.clone(), signature.clone())
            .await
            .map_err(|error| RemoteError::new("Refused", error.chain()))?;
        let kept = self.keep_aside(&name).map_err(|error| internal(&error))?;
        self.put(&name, kept.as_deref(), &bytes, signature.as_deref()).map_err(|error| internal(&error))?;
        self.registry.rescan().await;
        let state = self.state(&name, digest, "loaded");
        if let Err(error) = &state
            && error.kind == "Refused"
        {
            // Whatever stands behind it, it does not work here; what did is put back.
            let back = match kept {
                Some(aside) => self.put_back(&name, &aside),
                None => self.remove(&name),
            };
            back.map_err(|error| internal(&error))?;
            self.registry.rescan().await;
        }
        state
    }

    /// `modules.rollback(name)`.
    pub(super) async fn rollback(&self, builtin: &Builtin, params: Vec<Value>) -> Result<Value, RemoteError> {
        self.allowed()?;
        let [name] = builtin.args(params)?;
        let name = FileName::parse(&builtin.text(0, name)?)?;
        let _turn = self.turn.lock().await;
        let aside = self.generations(&name).map_err(|error| internal(&error))?.pop();
        let Some(aside) = aside else {
            let why = format!("no version before this one of `{}` is kept here", name.0);
            return Err(RemoteError::new("NothingToRollBack", why));
        };
        let bytes = fs::read(&aside).map_err(|error| internal(&error))?;
        let signature = fs::read_to_string(signature_of(&aside)).ok();
        self.registry
            .judge(bytes.clone(), signature)
            .await
            .map_err(|error| RemoteError::new("Refused", error.chain()))?;
        self.put_back(&name, &aside).map_err(|error| internal(&error))?;
        self.registry.rescan().await;
        self.state(&name, Digest::of(&bytes), "rolled back")
    }

    fn allowed(&self) -> Result<(), RemoteError> {
        if self.rules.now().push {
            return Ok(());
        }
        let why = "this minion takes no modules from overlords; to allow it, add to its configuration: [modules] \
                   push = true (what is pushed needs a trusted signature like every other module)";
        Err(RemoteError::new("Denied", why))
    }

    fn place(&self, name: &FileName) -> PathBuf {
        self.modules.join(&name.0)
    }

    /// Whether these bytes with this signature are in the folder.
    fn is_there(&self, name: &FileName, digest: Digest, signature: Option<&str>) -> bool {
        let place = self.place(name);
        let same = fs::read(&place).is_ok_and(|bytes| Digest::of(&bytes) == digest);
        same && fs::read_to_string(signature_of(&place)).ok().as_deref() == signature
    }

    /// What the registry makes of what is in the folder now.
    fn state(&self, name: &FileName, digest: Digest, word: &str) -> Result<Value, RemoteError> {
        let (catalog, place) = (self.registry.catalog(), self.place(name));
        if let Some(failure) = catalog.failures().iter().find(|failure| failure.file == place) {
            let kind = if matches!(failure.why, NotServed::Held { .. }) { "Held" } else { "Refused" };
            return Err(RemoteError::new(kind, failure.why.error()));
        }
        let served = catalog.served().iter().find(|served| served.file == place && served.plugin.digest() == digest);
        let Some(served) = served else {
            return Err(RemoteError::new("Refused", "the registry did not load it; see the minion's log"));
        };
        let modules = served.plugin.modules().iter();
        let modules = modules.map(|module| Value::from(format!("{} {}", module.full_name, module.version)));
        Ok(Value::structure([
            ("state", Value::from(word)),
            ("digest", format!("sha256:{digest}").into()),
            ("modules", Value::Array(modules.collect())),
            ("signer", served.provenance.to_string().into()),
        ]))
    }

    /// The versions of a module that are kept aside, the oldest first.
    fn generations(&self, name: &FileName) -> io::Result<Vec<PathBuf>> {
        let folder = self.replaced.join(&name.0);
        let mut found = Vec::new();
        match fs::read_dir(&folder) {
            Ok(entries) => {
                for entry in entries {
                    let path = entry?.path();
                    if path.extension().is_some_and(|extension| extension == "wasm") {
                        found.push(path);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Their names are times.
        found.sort();
        Ok(found)
    }

    /// Keeps a copy of the present version, and forgets the oldest ones.
    fn keep_aside(&self, name: &FileName) -> io::Result<Option<PathBuf>> {
        let place = self.place(name);
        let bytes = match fs::read(&place) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let folder = self.replaced.join(&name.0);
        durable::create_folder(&folder, 0o700)?;
        let aside = folder.join(format!("{}.wasm", uuid::Uuid::now_v7()));
        if let Ok(signature) = fs::read(signature_of(&place)) {
            durable::write_atomic(&signature_of(&aside), &signature, 0o600)?;
        }
        durable::write_atomic(&aside, &bytes, 0o600)?;
        let generations = self.generations(name)?;
        for old in generations.iter().take(generations.len().saturating_sub(GENERATIONS)) {
            forget(old)?;
        }
        Ok(Some(aside))
    }

    /// The signature comes first: the registry never sees a new file without its own. `before` is what to put
    /// back should we end in the middle.
    fn put(&self, name: &FileName, before: Option<&Path>, bytes: &[u8], signature: Option<&str>) -> io::Result<()> {
        let place = self.place(name);
        let note = self.note(name);
        durable::create_folder(durable::folder_of(&note), 0o700)?;
        let before = before.and_then(Path::file_name).unwrap_or_default();
        durable::write_atomic(&note, before.as_encoded_bytes(), 0o600)?;
        match signature {
            Some(signature) => durable::write_atomic(&signature_of(&place), signature.as_bytes(), 0o644)?,
            None => remove_if_there(&signature_of(&place))?,
        }
        durable::write_atomic(&place, bytes, 0o644)?;
        remove_if_there(&note)
    }

    /// Says that a file and its signature are being replaced, and by its content which version was before.
    fn note(&self, name: &FileName) -> PathBuf {
        self.replaced.join(&name.0).join(UNDER_WAY)
    }

    /// Ends what a minion before us has begun.
    pub(super) async fn recover(&self) {
        let _turn = self.turn.lock().await;
        let folders = fs::read_dir(&self.replaced).into_iter().flatten().flatten();
        let mut changed = false;
        for folder in folders {
            let Ok(before) = fs::read_to_string(folder.path().join(UNDER_WAY)) else { continue };
            let Ok(name) = FileName::parse(&folder.file_name().to_string_lossy()) else { continue };
            // Only a name of ours, of a file beside the note.
            let aside = (!before.is_empty() && !before.contains('/')).then(|| folder.path().join(&before));
            let back = match aside {
                Some(aside) => self.put_back(&name, &aside),
                None => self.remove(&name).and_then(|()| remove_if_there(&self.note(&name))),
            };
            match back {
                Ok(()) => tracing::warn!(file = name.0, "a push was cut off: the version before it is back"),
                Err(error) => tracing::error!(file = name.0, %error, "a push was cut off, and cannot be taken back"),
            }
            changed = true;
        }
        if changed {
            self.registry.rescan().await;
        }
    }

    fn put_back(&self, name: &FileName, aside: &Path) -> io::Result<()> {
        let bytes = fs::read(aside)?;
        let signature = fs::read_to_string(signature_of(aside)).ok();
        self.put(name, Some(aside), &bytes, signature.as_deref())?;
        forget(aside)
    }

    fn remove(&self, name: &FileName) -> io::Result<()> {
        let place = self.place(name);
        remove_if_there(&place)?;
        remove_if_there(&signature_of(&place))
    }
}

fn forget(aside: &Path) -> io::Result<()> {
    remove_if_there(aside)?;
    remove_if_there(&signature_of(aside))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn signature_of(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(SIGNATURE_SUFFIX);
    path.into()
}

/// `sha256:` and the digits.
pub(super) fn digest_argument(builtin: &Builtin, index: usize, value: Value) -> Result<Digest, RemoteError> {
    let text = builtin.text(index, value)?;
    text.strip_prefix("sha256:").unwrap_or(&text).parse().map_err(|_| builtin.wrong(index, &Value::from(text)))
}

pub(super) fn size_argument(builtin: &Builtin, index: usize, value: &Value) -> Result<u64, RemoteError> {
    match value {
        Value::Int(size) => u64::try_from(*size).map_err(|_| builtin.wrong(index, value)),
        other => Err(builtin.wrong(index, other)),
    }
}

pub(super) fn internal(error: &io::Error) -> RemoteError {
    tracing::error!(%error, "cannot keep what was sent");
    RemoteError::new("Internal", "the minion cannot write or read what was sent; see its log")
}
