//! Cargo, asked for what a folder holds and told to compile it.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use serde::Deserialize;

use super::{
    error::Error,
    progress::Progress,
    project::Project,
    toolchain::{TARGET, Toolchain, clean_command},
};
use crate::plugin::Manifest;

/// A crate, as far as it matters here.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) description: Option<String>,
    pub(super) license: Option<String>,
    /// The tables that other programs than cargo read.
    #[serde(default)]
    pub(super) metadata: Option<Tables>,
    pub(super) manifest_path: PathBuf,
    pub(super) targets: Vec<Target>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Tables {
    func: Option<serde_json::Value>,
}

/// What a crate is compiled to.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Target {
    crate_types: Vec<String>,
}

impl Target {
    fn makes_a_module(&self) -> bool {
        self.crate_types.iter().any(|kind| kind == "cdylib")
    }
}

impl Package {
    /// What it asks for, as its Cargo.toml says in `[package.metadata.func]`.
    fn manifest(&self) -> Result<Manifest, Error> {
        let table = self.metadata.as_ref().and_then(|tables| tables.func.clone());
        let read = table.map(serde_json::from_value).transpose();
        read.map(Option::unwrap_or_default)
            .map_err(|source| Error::Manifest { path: self.manifest_path.clone(), source })
    }

    /// What its Cargo.toml says of the module.
    pub(super) fn project(&self) -> Result<Project, Error> {
        let Self { name, version, description, license, .. } = self.clone();
        Ok(Project {
            name,
            version,
            description,
            license,
            manifest: self.manifest()?,
            folder: self.folder().to_owned(),
        })
    }

    /// The crate's folder.
    pub(super) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("/"))
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// One line of what `cargo build` reports.
#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The crates in a folder that make modules: the one whose Cargo.toml lies there, or all of the workspace.
pub(super) fn packages(toolchain: &Toolchain, folder: &Path) -> Result<Vec<Package>, Error> {
    let manifest = folder.join("Cargo.toml");
    let mut command = command(toolchain, folder, &["metadata", "--no-deps", "--format-version", "1"]);
    let output = command.output().map_err(|source| Error::Run { program: "cargo".to_owned(), source })?;
    if !output.status.success() {
        let output = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Failed { command: format!("cargo metadata of {}", folder.display()), output });
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).map_err(|source| Error::Cargo { command: "metadata", source })?;
    let single = metadata.packages.iter().any(|package| package.manifest_path == manifest);
    let mut modules = metadata.packages;
    modules.retain(|package| {
        package.targets.iter().any(Target::makes_a_module) && (!single || package.manifest_path == manifest)
    });
    if modules.is_empty() {
        return Err(Error::NoModules { path: folder.to_owned() });
    }
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(modules)
}

/// Compiles the crates. Gives the file that each became, by its manifest.
pub(super) fn compile(
    toolchain: &Toolchain,
    folder: &Path,
    packages: &[Package],
    progress: &dyn Progress,
) -> Result<BTreeMap<PathBuf, PathBuf>, Error> {
    let linker = format!("target.{TARGET}.linker=\"wasm-component-ld\"");
    let options = ["build", "--release", "--target", TARGET, "--config", &linker];
    let mut command = command(toolchain, folder, &options);
    command.arg("--message-format=json-render-diagnostics");
    command.args(packages.iter().flat_map(|package| ["-p", &package.name]));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| Error::Run { program: "cargo".to_owned(), source })?;
    let (messages, said) = read_both(&mut child, progress);
    let status = child.wait().map_err(|source| Error::Run { program: "cargo".to_owned(), source })?;
    if !status.success() {
        let output = if progress.is_read() { String::new() } else { said };
        return Err(Error::Compile { path: folder.to_owned(), output });
    }
    let mut files = BTreeMap::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Message =
            serde_json::from_str(line).map_err(|source| Error::Cargo { command: "build", source })?;
        let (Some(manifest), Some(target)) = (message.manifest_path, message.target) else { continue };
        if message.reason == "compiler-artifact" && target.makes_a_module() {
            let wasm = message.filenames.into_iter().find(|file| file.extension().is_some_and(|end| end == "wasm"));
            files.extend(wasm.map(|wasm| (manifest, wasm)));
        }
    }
    Ok(files)
}

/// What the child writes to its standard output, and to its standard error, which is passed on line by line.
fn read_both(child: &mut Child, progress: &dyn Progress) -> (String, String) {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let errors = scope.spawn(move || {
            let mut said = String::new();
            for line in stderr.into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n')).map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                progress.compiler(&line);
                said.push_str(&line);
                said.push('\n');
            }
            said
        });
        let mut messages = Vec::new();
        // A pipe that breaks has said all it will; the exit status tells whether that was well.
        let _ = stdout.map(|mut pipe| pipe.read_to_end(&mut messages));
        (String::from_utf8_lossy(&messages).into_owned(), errors.join().unwrap_or_default())
    })
}

fn command(toolchain: &Toolchain, folder: &Path, args: &[&str]) -> Command {
    let mut command = clean_command(toolchain.cargo());
    command.args(args).arg("--manifest-path").arg(folder.join("Cargo.toml")).current_dir(folder);
    toolchain.prepare(&mut command);
    command
}
