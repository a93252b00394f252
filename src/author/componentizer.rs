//! The programs that make components of Python and of JavaScript.
//!
//! Each carries the language's interpreter, compiled to WebAssembly, runs the project's code once while it builds and
//! keeps what memory looks like then: a module starts where its top level ended. A project's own copy is preferred, so
//! that it builds alike everywhere; then the first on the PATH.
//!
//! ```text
//! PROJECT/wit, and the host's WIT ──▶ WORK/wit ─┐
//! PROJECT/app.py or app.js ─────────────────────┴──▶ WORK/NAME.wasm
//! ```

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use super::{
    error::Error,
    progress::{Progress, Step},
    project::Project,
    sdk,
    toolchain::{clean_command, said},
    wit_package::HOST,
};

/// A program that makes components.
#[derive(Debug)]
pub(super) struct Componentizer {
    /// Its name.
    program: &'static str,
    /// What it makes components of.
    language: &'static str,
    /// Where a project has its own.
    own: &'static str,
    /// What installs the version that we know into a project.
    install: &'static str,
    /// The file that a project begins with.
    entry: &'static str,
    /// Its arguments.
    arguments: fn(&Run<'_>) -> Vec<PathBuf>,
}

/// The places of one run.
struct Run<'a> {
    project: &'a Path,
    wit: &'a Path,
    output: &'a Path,
}

pub(super) const PYTHON: Componentizer = Componentizer {
    program: "componentize-py",
    language: "Python",
    own: ".venv/bin",
    install: "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1",
    entry: "app.py",
    arguments: |run| {
        let (wit, output, project) = (run.wit.into(), run.output.into(), run.project.into());
        ["-q".into(), "-d".into(), wit, "componentize".into(), "app".into(), "-p".into(), project, "-o".into(), output]
            .to_vec()
    },
};

pub(super) const JAVASCRIPT: Componentizer = Componentizer {
    program: "componentize-qjs",
    language: "JavaScript",
    own: "node_modules/.bin",
    install: "npm install --save-dev componentize-qjs@0.4.5",
    entry: "app.js",
    arguments: |run| {
        let (wit, output) = (run.wit.into(), run.output.into());
        let (root, entry) = (run.project.into(), run.project.join("app.js"));
        // Without async types: their calls cost more, and hosts need not have them.
        let [sync, wit_option, js, root_option, out] =
            ["--sync", "--wit", "--js", "--module-root", "-o"].map(Into::into);
        [sync, wit_option, wit, js, entry, root_option, root, out, output].to_vec()
    },
};

impl Componentizer {
    /// Makes a component of a project. Everything that is made on the way is in `work`.
    pub(super) fn run(&self, project: &Project, work: &Path, progress: &dyn Progress) -> Result<Vec<u8>, Error> {
        let folder = &project.folder;
        let entry = folder.join(self.entry);
        if !entry.is_file() {
            return Err(Error::NoEntry { path: entry, language: self.language });
        }
        let program = self.find(folder, env::var_os("PATH").as_deref())?;
        let version = said(clean_command(&program).arg("--version")).unwrap_or_default();
        let version = version.split_whitespace().last().filter(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let version = [Some(self.program), version].into_iter().flatten().collect::<Vec<_>>().join(" ");
        progress.step(&Step::Toolchain { version, path: program.parent().unwrap_or(folder).to_owned() });
        progress.step(&Step::Compile { modules: vec![project.name.clone()] });

        let wit = work.join("wit");
        copy(&folder.join("wit"), &wit)?;
        host_wit(folder, &wit.join("deps/minion-host"))?;
        let output = work.join(format!("{}.wasm", project.name));
        let mut command = clean_command(&program);
        command.args((self.arguments)(&Run { project: folder, wit: &wit, output: &output }));
        command.current_dir(folder).stdin(Stdio::null());
        // Where componentize-py looks for what the project imports.
        let environment = folder.join(".venv");
        if environment.is_dir() {
            command.env("VIRTUAL_ENV", environment);
        }
        let ran = command.output().map_err(|source| Error::Run { program: program.display().to_string(), source })?;
        if !ran.status.success() || !output.is_file() {
            let told = [ran.stderr, ran.stdout].concat();
            let told = String::from_utf8_lossy(&told).trim().to_owned();
            return Err(Error::Compile { path: folder.clone(), output: told });
        }
        fs::read(&output).map_err(Error::file("read", &output))
    }

    /// The project's own, else the first on the PATH.
    fn find(&self, project: &Path, path: Option<&std::ffi::OsStr>) -> Result<PathBuf, Error> {
        let own = project.join(self.own).join(self.program);
        let others = path.into_iter().flat_map(env::split_paths).map(|folder| folder.join(self.program));
        std::iter::once(own).chain(others).find(|path| is_program(path)).ok_or_else(|| Error::NoComponentizer {
            program: self.program,
            language: self.language,
            project: project.to_owned(),
            own: self.own,
            install: self.install,
        })
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The host's WIT: what the project was written against, else what this program knows.
fn host_wit(project: &Path, to: &Path) -> Result<(), Error> {
    let vendored = project.join(sdk::PLACE).join("wit");
    if vendored.is_dir() {
        return copy(&vendored, to);
    }
    HOST.iter().try_for_each(|(name, text)| sdk::write(&to.join(name), text))
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(Error::file("make", to))?;
    for entry in fs::read_dir(from).map_err(Error::file("read", from))? {
        let entry = entry.map_err(Error::file("read", from))?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to).map_err(Error::file("copy", &from))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &Path) {
        sdk::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_projects_own_program_comes_before_that_on_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let (project, elsewhere) = (folder.path().join("project"), folder.path().join("bin"));
        let find = || PYTHON.find(&project, Some(elsewhere.as_os_str()));
        sdk::write(&project.join(".venv/bin/componentize-py"), "no program").unwrap();
        let Err(error) = find() else { panic!("found") };
        let told = format!("{error} {}", error.hint().unwrap());
        for part in ["`componentize-py`", ".venv/bin", "PATH", "pip install componentize-py==0.25.1"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        program(&elsewhere.join("componentize-py"));
        assert_eq!(find().unwrap(), elsewhere.join("componentize-py"));
        program(&project.join(".venv/bin/componentize-py"));
        assert_eq!(find().unwrap(), project.join(".venv/bin/componentize-py"));
    }
}
