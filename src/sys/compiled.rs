//! Loading code that was compiled earlier.
//!
//! A `.cwasm` is machine code: whoever can write one can run anything in this process. wasmtime
//! therefore marks loading it as unsafe, and this file is where we take up that duty.

use std::{io, os::unix::fs::MetadataExt, path::Path};

use wasmtime::{Engine, component::Component};

/// Maps a compiled component into memory (the pages are shared by all processes that map the file).
///
/// The file must belong to this user or to root and be writable by nobody else. It must never be
/// changed in place while it is mapped, only replaced by a rename: a truncated mapping is a SIGBUS.
pub fn load_compiled(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    let meta = std::fs::symlink_metadata(path)?;
    let owner = meta.uid();
    let ours = owner == 0 || owner == nix::unistd::geteuid().as_raw();
    if !meta.is_file() || !ours || meta.mode() & 0o022 != 0 {
        let why = format!("`{}` is not a file that only this user can write", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why).into());
    }
    // SAFETY: wasmtime asks that the bytes were made by itself and are not changed while mapped. Only
    // this user (or root) can have written them, as checked above; our cache writes nothing but what
    // `Engine::precompile_component` returns, and replaces files by rename. wasmtime itself refuses a
    // file of another version or configuration.
    unsafe { Component::deserialize_file(engine, path) }
}
