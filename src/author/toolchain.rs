//! The Rust toolchain that compiles modules: found, completed, or made.
//!
//! In this order: the Rust in use and those that rustup knows, if one has the target's standard library; a private
//! toolchain made earlier; `rustup target add`; making a private one.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    error::Error,
    private_toolchain,
    progress::{Progress, Step},
};

/// What modules are compiled for. With the linker `wasm-component-ld` the result is a component without WASI imports.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// The oldest compiler that the SDK can be compiled with.
const OLDEST: (u32, u32) = (1, 85);

/// A toolchain that has been looked at and can compile modules.
#[derive(Debug)]
pub(super) struct Toolchain {
    sysroot: PathBuf,
    version: String,
}

impl Toolchain {
    /// The toolchain in this folder, if it is fit.
    pub(super) fn at(sysroot: &Path) -> Result<Self, Error> {
        let unfit = |why: String| Error::UnfitToolchain { path: sysroot.to_owned(), why };
        if !has_target(sysroot) {
            return Err(unfit(format!("it has no standard library for {TARGET}")));
        }
        let mut rustc = clean_command(sysroot.join("bin/rustc"));
        let told =
            said(rustc.arg("-vV").env("LD_LIBRARY_PATH", sysroot.join("lib"))).map_err(|e| unfit(e.to_string()))?;
        let host = field(&told, "host").ok_or_else(|| unfit("it does not tell its host".to_owned()))?;
        if !sysroot.join("lib/rustlib").join(host).join("bin/wasm-component-ld").exists() {
            return Err(unfit("it has no linker for components".to_owned()));
        }
        match field(&told, "release").and_then(release) {
            Some(release) if release >= OLDEST => {}
            _ => return Err(unfit(format!("it is older than {}.{}", OLDEST.0, OLDEST.1))),
        }
        let version = told.lines().next().unwrap_or("rustc").split(" (").next().unwrap_or("rustc").to_owned();
        Ok(Self { sysroot: sysroot.to_owned(), version })
    }

    /// Finds one, or makes one.
    pub(super) fn find(progress: &dyn Progress) -> Result<Self, Error> {
        let mut tried = Vec::new();
        let private = private_toolchain::folder();
        let mut candidates = installed();
        candidates.extend(private.clone());
        for sysroot in candidates {
            match Self::at(&sysroot) {
                Ok(toolchain) => return Ok(toolchain),
                Err(error) => tried.push(error.to_string()),
            }
        }
        match said(clean_command("rustup").arg("--version")) {
            Ok(_) => match add_target(progress) {
                Ok(toolchain) => return Ok(toolchain),
                Err(error) => tried.push(error.to_string()),
            },
            Err(error) => tried.push(error.to_string()),
        }
        let base = installed().into_iter().next();
        let made = match (private, base) {
            (Some(folder), Some(base)) => private_toolchain::make(&folder, &base, progress),
            _ => Err(Error::Failed {
                command: "making a toolchain".to_owned(),
                output: "there is no Rust to begin with".to_owned(),
            }),
        };
        made.and_then(|folder| Self::at(&folder)).map_err(|error| {
            tried.push(error.to_string());
            Error::NoToolchain { tried }
        })
    }

    /// Its folder.
    pub(super) fn sysroot(&self) -> &Path {
        &self.sysroot
    }

    /// What it is, such as `rustc 1.85.0`.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// The cargo to use. Any cargo can drive any compiler, so one from elsewhere will do.
    pub(super) fn cargo(&self) -> PathBuf {
        let own = self.sysroot.join("bin/cargo");
        if own.exists() { own } else { "cargo".into() }
    }

    /// Makes a command use this compiler.
    pub(super) fn prepare(&self, command: &mut Command) {
        command.env("RUSTC", self.sysroot.join("bin/rustc")).env("LD_LIBRARY_PATH", self.sysroot.join("lib"));
    }
}

/// Completes the Rust in use by rustup.
fn add_target(progress: &dyn Progress) -> Result<Toolchain, Error> {
    progress.step(&Step::AddTarget);
    said(clean_command("rustup").args(["target", "add", TARGET]))?;
    let fit = installed().iter().find_map(|sysroot| Toolchain::at(sysroot).ok());
    fit.ok_or_else(|| Error::Failed {
        command: format!("rustup target add {TARGET}"),
        output: "the target is not where it was looked for".to_owned(),
    })
}

/// The sysroots of the Rust in use and of the toolchains that rustup knows.
fn installed() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    if let Ok(sysroot) = said(Command::new("rustc").args(["--print", "sysroot"])) {
        found.push(sysroot.trim().into());
    }
    if let Ok(list) = said(clean_command("rustup").args(["toolchain", "list", "--verbose"])) {
        found.extend(listed_paths(&list));
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|path| seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
    found
}

/// The paths at the ends of lines like `stable-x86_64-unknown-linux-gnu (active, default) /home/u/.rustup/toolchains/stable`.
fn listed_paths(list: &str) -> Vec<PathBuf> {
    list.lines().filter_map(|line| Some(line[line.find(" /").or_else(|| line.find("\t/"))?..].trim().into())).collect()
}

/// Whether the sysroot has the standard library of the target.
fn has_target(sysroot: &Path) -> bool {
    let names = fs::read_dir(sysroot.join("lib/rustlib").join(TARGET).join("lib"));
    let is_std = |name: &OsStr| name.as_encoded_bytes().starts_with(b"libstd-");
    names.is_ok_and(|names| names.flatten().any(|entry| is_std(&entry.file_name())))
}

/// The value of a line `name: value`.
pub(super) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Major and minor number of a release such as `1.97.0-nightly`.
fn release(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// A command without the variables that an outer cargo set for another purpose: our own build must not change what a
/// module's build does.
pub(super) fn clean_command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(concerns_another_build) {
            command.env_remove(name);
        }
    }
    command
}

fn concerns_another_build(variable: &str) -> bool {
    const NAMES: [&str; 13] = [
        "CARGO",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_INCREMENTAL",
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_DIR",
        "LD_LIBRARY_PATH",
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTFLAGS",
        "RUSTUP_TOOLCHAIN",
    ];
    const PREFIXES: [&str; 4] = ["CARGO_BUILD_", "CARGO_PKG_", "CARGO_PROFILE_", "CARGO_TARGET_"];
    NAMES.contains(&variable) || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}

/// The standard output of a command that does well.
pub(super) fn said(command: &mut Command) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|source| Error::Run { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let args: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Failed { command: format!("{program} {}", args.join(" ")), output })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_without_the_target_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = Toolchain::at(folder.path()).unwrap_err();
        assert!(error.to_string().contains("no standard library for wasm32-unknown-unknown"), "{error}");
    }

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(release("1.100.0-nightly"), Some((1, 100)));
        assert!(release("1.100.0") > release("1.85.0"));
        assert_eq!(release("unknown"), None);
        assert_eq!(field("rustc 1.85.0\nhost: x86_64\nrelease: 1.85.0\n", "host"), Some("x86_64"));
    }

    #[test]
    fn the_paths_of_rustup_are_read() {
        let list = "stable-x86_64 (active, default) /a/my toolchains/stable\nlinked\t/b\nno path\n";
        assert_eq!(listed_paths(list), [PathBuf::from("/a/my toolchains/stable"), "/b".into()]);
    }

    #[test]
    fn an_outer_build_does_not_leak_into_a_modules_build() {
        for variable in
            ["RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_PROFILE_RELEASE_LTO", "CARGO_PKG_NAME", "RUSTUP_TOOLCHAIN"]
        {
            assert!(concerns_another_build(variable), "{variable}");
        }
        for variable in ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "CARGO_HTTP_CAINFO", "CARGO_REGISTRIES_X_INDEX"] {
            assert!(!concerns_another_build(variable), "{variable}");
        }
    }
}
