//! Which file a program's name means, and whether it was granted.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::super::{
    Error, ErrorKind,
    denial::{Right, denied, denied_variable, denied_with, invalid, shown},
    error,
};
use crate::{access::Grant, ids::ModuleName};

/// Where bare names are looked up, and the `PATH` that programs get. Never the daemon's own.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The file to run for what the module asked for.
///
/// A path is compared with the grants as text first: where no grant is for such a name, the disk, which
/// may hang, is not asked.
pub(super) fn granted(asked: &str, arguments: &[String], grant: &Grant, module: &ModuleName) -> Result<PathBuf, Error> {
    let missing = || error(ErrorKind::NotFound, format!("there is no program `{}`", shown(asked)), None);
    let path = if asked.contains('/') {
        if !asked.starts_with('/') {
            return Err(invalid(format!("`{}` is neither an absolute path nor a bare name", shown(asked))));
        }
        let path = PathBuf::from(asked);
        if path.file_name().is_some_and(|name| !grant.might_run(name)) {
            return Err(denied(module, Right::Run, asked, &path));
        }
        path
    } else {
        search(asked).ok_or_else(missing)?
    };
    let Some(location) = location(&path) else {
        // Whether a file is there is not for a module to learn without a grant that covers it.
        return Err(if grant.may_run(&path, false, location_of) {
            missing()
        } else {
            denied(module, Right::Run, asked, &path)
        });
    };
    if !grant.may_run(&location, is_on_path(&location), location_of) {
        return Err(denied(module, Right::Run, asked, if asked.starts_with('/') { &path } else { &location }));
    }
    if !grant.may_run_with(&location, is_on_path(&location), arguments, location_of) {
        return Err(denied_with(module, asked, if asked.starts_with('/') { &path } else { &location }, arguments));
    }
    if is_program(&location) { Ok(location) } else { Err(missing()) }
}

/// Whether the operator says that a program, which was granted, only reads.
pub(super) fn only_reads(location: &Path, arguments: &[String], grant: &Grant) -> bool {
    grant.only_reads(location, is_on_path(location), arguments, location_of)
}

/// Whether a program is what its bare name means.
fn is_on_path(location: &Path) -> bool {
    let found = location.file_name().and_then(|name| search(name.to_str()?)).and_then(|found| self::location(&found));
    found.as_deref() == Some(location)
}

/// Refuses a variable that was not granted: it can change what a program does as much as an argument.
pub(super) fn granted_variables(env: &[(String, String)], grant: &Grant, module: &ModuleName) -> Result<(), Error> {
    let refused = env.iter().find(|(name, _)| !grant.env.iter().any(|granted| granted.as_str() == name));
    refused.map_or(Ok(()), |(name, _)| Err(denied_variable(module, name)))
}

/// The absolute path of the program of a bare name.
pub(super) fn find(name: &str) -> Result<Option<String>, Error> {
    if name.is_empty() || name.contains(['/', '\0']) {
        return Err(invalid(format!("`{}` is not a bare name", shown(name))));
    }
    Ok(search(name).and_then(|path| path.into_os_string().into_string().ok()))
}

fn search(name: &str) -> Option<PathBuf> {
    if name.is_empty() || name == "." || name == ".." || name.contains('\0') {
        return None;
    }
    PATH.split(':').map(|folder| Path::new(folder).join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The path with its folder free of symbolic links, its own name kept: one program answers to many
/// names (busybox), and it is the name that was granted.
fn location(path: &Path) -> Option<PathBuf> {
    let folder = path.parent()?.canonicalize().ok()?;
    Some(folder.join(path.file_name()?))
}

fn location_of(path: &Path) -> Option<PathBuf> {
    location(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(run: &[&str]) -> Grant {
        let run = run.iter().map(|text| (*text).to_owned().try_into().unwrap()).collect();
        Grant { run, ..Grant::default() }
    }

    fn ask(asked: &str, run: &[&str]) -> Result<PathBuf, ErrorKind> {
        granted(asked, &[], &grant(run), &"m".parse().unwrap()).map_err(|error| error.kind)
    }

    #[test]
    fn a_program_is_found_on_the_fixed_path_and_by_its_place() {
        assert!(ask("sh", &["sh"]).unwrap().ends_with("sh"));
        assert!(
            ask("sh", &["/bin/sh"]).is_ok() && ask("/bin/sh", &["sh"]).is_ok() && ask("/bin/sh", &["/bin/*"]).is_ok()
        );
        assert_eq!(ask("sh", &[]), Err(ErrorKind::Denied));
        assert_eq!(ask("sh", &["cat"]), Err(ErrorKind::Denied));
        assert_eq!(ask("no-such-program", &["*"]), Err(ErrorKind::NotFound));
        assert_eq!(ask("/no/such/program", &["/no/**"]), Err(ErrorKind::NotFound));
        assert_eq!(ask("/no/such/program", &["sh"]), Err(ErrorKind::Denied));
        assert_eq!(ask("bin/sh", &["*"]), Err(ErrorKind::Invalid));
        assert_eq!(ask("", &["*"]), Err(ErrorKind::NotFound));
        assert_eq!(ask("/usr/bin/../bin/sh", &["/tmp/*"]), Err(ErrorKind::Denied));
    }

    #[test]
    fn a_bare_grant_is_not_for_a_namesake_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let namesake = folder.path().join("sh");
        fs::write(&namesake, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&namesake, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(ask(namesake.to_str().unwrap(), &["sh", "*"]), Err(ErrorKind::Denied));
        assert!(ask(namesake.to_str().unwrap(), &["/**"]).is_ok());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/bin", &link).unwrap();
        assert!(ask(link.join("sh").to_str().unwrap(), &["/bin/sh"]).is_ok(), "a link to the folder changes nothing");
        std::os::unix::fs::symlink("/bin/sh", folder.path().join("df")).unwrap();
        let disguised = folder.path().join("df");
        assert_eq!(
            ask(disguised.to_str().unwrap(), &["df", "/bin/sh"]),
            Err(ErrorKind::Denied),
            "a link's own name counts"
        );
    }
}
