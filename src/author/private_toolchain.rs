//! A toolchain of our own, for machines that reach Debian's packages but not rustup's servers.
//!
//! It is made beside its place under a lock and renamed when it is complete, so nobody ever sees half of one.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::Duration,
};

use super::{
    error::Error,
    progress::{Progress, Step},
    toolchain::{TARGET, Toolchain, clean_command, field, said},
};
use crate::sys::{
    durable,
    lock::{self, Attempt},
};

const SCRIPT: &str = include_str!("guest-toolchain.sh");

/// Longer than making one takes on a slow machine.
const PATIENCE: Duration = Duration::from_mins(20);

/// Where this user's private toolchain is, or would be.
pub(super) fn folder() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")))?;
    Some(cache.join("func/guest-toolchain"))
}

/// Makes one, unless another process has meanwhile. `base` is an installed Rust, whose linkers are used.
pub(super) fn make(folder: &Path, base: &Path, progress: &dyn Progress) -> Result<PathBuf, Error> {
    for program in ["apt-get", "dpkg"] {
        said(clean_command(program).arg("--version"))?;
    }
    make_by(SCRIPT, folder, base, progress)
}

fn make_by(script: &str, folder: &Path, base: &Path, progress: &dyn Progress) -> Result<PathBuf, Error> {
    let parent = durable::folder_of(folder);
    durable::create_folder(parent, 0o755).map_err(Error::file("make", parent))?;
    let lock_path = parent.join("guest-toolchain.lock");
    let lock = lock::open_lock_file(&lock_path).map_err(Error::file("open", &lock_path))?;
    if lock::exclusive_within(&lock, PATIENCE).map_err(Error::file("lock", &lock_path))? == Attempt::Busy {
        return Err(Error::Busy { path: parent.to_owned() });
    }
    if Toolchain::at(folder).is_ok() {
        return Ok(folder.to_owned());
    }
    let unfinished = parent.join("guest-toolchain.new");
    remove(&unfinished)?;
    run_script(script, &unfinished, base, progress).inspect_err(|_| drop(remove(&unfinished)))?;
    remove(folder)?;
    fs::rename(&unfinished, folder).map_err(Error::file("put in place", folder))?;
    Ok(folder.to_owned())
}

fn run_script(script: &str, unfinished: &Path, base: &Path, progress: &dyn Progress) -> Result<(), Error> {
    let about = said(clean_command(base.join("bin/rustc")).arg("-vV"))?;
    let mut command = clean_command("bash");
    command.args(["-c", script]).env("DEST", unfinished).env("BASE", base).env("TARGET", TARGET);
    command.env("HOST", field(&about, "host").unwrap_or_default()).env("CARGO", base.join("bin/cargo"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |source| Error::Run { program: "bash".to_owned(), source };
    let mut child = command.spawn().map_err(failed)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let complaints = thread::scope(|scope| {
        let complaints = scope.spawn(move || {
            let mut said = Vec::new();
            let _ = stderr.map(|mut pipe| pipe.read_to_end(&mut said));
            said
        });
        for what in stdout.into_iter().flat_map(|pipe| BufReader::new(pipe).lines()).map_while(Result::ok) {
            progress.step(&Step::Assemble { what });
        }
        complaints.join().unwrap_or_default()
    });
    if child.wait().map_err(failed)?.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&complaints).trim().to_owned();
    Err(Error::Failed { command: "making a toolchain of Debian's packages".to_owned(), output })
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", folder)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Progress for Heard {
        fn step(&self, step: &Step) {
            self.0.lock().unwrap().push(step.to_string());
        }
    }

    /// The folder that holds the installed Rust.
    fn base() -> PathBuf {
        said(clean_command("rustc").args(["--print", "sysroot"])).unwrap().trim().into()
    }

    #[test]
    fn a_toolchain_appears_whole_and_its_steps_are_told() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("func/guest-toolchain");
        let heard = Heard::default();
        let script = "set -eu; echo unpacking; mkdir -p $DEST; echo \"$HOST $TARGET $BASE $CARGO\" > $DEST/told";
        make_by(script, &folder, &base(), &heard).unwrap();
        let told = fs::read_to_string(folder.join("told")).unwrap();
        assert!(told.contains("-linux-") && told.contains(TARGET) && told.contains("/bin/cargo"), "{told}");
        assert_eq!(*heard.0.lock().unwrap(), ["making a toolchain for modules: unpacking"]);
        assert!(!cache.path().join("func/guest-toolchain.new").exists());
    }

    #[test]
    fn a_failure_leaves_nothing_behind_and_says_what_the_programs_said() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("func/guest-toolchain");
        let script = "mkdir -p $DEST; echo 'no such package' >&2; exit 1";
        let error = make_by(script, &folder, &base(), &Heard::default()).unwrap_err();
        assert!(error.to_string().contains("no such package"), "{error}");
        assert!(!folder.exists() && !cache.path().join("func/guest-toolchain.new").exists());
    }
}
