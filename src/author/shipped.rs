//! The modules that come with Func.

use std::path::{Path, PathBuf};

use super::{
    build::{BuildRequest, Built},
    cached::build_if_changed,
    error::Error,
    progress::Progress,
};

/// The crate that holds the second version of the module `greeting`.
const REPLACEMENT: &str = "greeting-2";

/// What the shipped modules need to be granted, as a part of a minion's configuration.
pub const SHIPPED_GRANTS: &str = include_str!("../../plugins/grants.toml");

/// The modules that come with Func, as components.
#[derive(Debug, Clone)]
pub struct Shipped {
    /// Those that a minion can load side by side.
    pub modules: Vec<Built>,
    /// A later version of the module `greeting`, with one method more: for showing a replacement.
    pub greeting_2: Built,
}

/// Builds the shipped modules, unless they are up to date, from the sources that this program was built from.
pub fn shipped_modules(progress: &dyn Progress) -> Result<Shipped, Error> {
    shipped_modules_from(Path::new(env!("CARGO_MANIFEST_DIR")), progress)
}

/// The same, from another checkout of Func.
pub fn shipped_modules_from(checkout: &Path, progress: &dyn Progress) -> Result<Shipped, Error> {
    let plugins = checkout.join("plugins");
    if !plugins.join("Cargo.toml").is_file() {
        return Err(Error::NoSources { path: plugins });
    }
    let request = BuildRequest { out_dir: plugins.join("target/modules"), crate_dir: plugins.clone(), toolchain: None };
    let inputs: [PathBuf; 1] = [checkout.join("wit")];
    let mut modules = build_if_changed(&request, &inputs, progress)?;
    let replacement = modules.iter().position(|built| built.name == REPLACEMENT);
    let greeting_2 = modules.swap_remove(replacement.ok_or(Error::NoSources { path: plugins.join(REPLACEMENT) })?);
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Shipped { modules, greeting_2 })
}

#[cfg(test)]
mod tests {
    use super::{super::Quiet, *};

    #[test]
    fn sources_that_are_gone_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = shipped_modules_from(folder.path(), &Quiet).unwrap_err();
        assert!(error.to_string().contains("plugins"), "{error}");
        assert!(error.hint().is_some());
    }
}
