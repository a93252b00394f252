//! What a program that we start must not inherit.

use std::{os::unix::process::CommandExt, process::Command};

use super::{descriptor, process};

/// Gives a program its own process group, the usual umask, and otherwise what [`inherit_nothing`] says.
pub fn contain(command: &mut Command) {
    command.process_group(0);
    inherit_nothing(command);
    // SAFETY: between fork and exec only calls that are safe in a signal handler may be made, because
    // another thread may have held any lock at the time: umask(2) is a plain system call.
    unsafe {
        command.pre_exec(|| {
            process::usual_umask();
            Ok(())
        });
    }
}

/// Starts a program with none of our descriptors but its standard ones, whichever library opened them and
/// forgot to close them on exec, and with the limit of open files that this process began with, not the
/// one that it has raised for itself: a program that uses `select(2)` breaks on descriptors above 1,023,
/// and one that closes all that it might have takes minutes for millions.
pub fn inherit_nothing(command: &mut Command) {
    let given = descriptor::given_open_files();
    // SAFETY: as in `contain`: close_range(2), getrlimit(2) and setrlimit(2) are plain system calls, and
    // making an error of a number does not allocate.
    unsafe {
        command.pre_exec(move || {
            // Kernels before 5.11 cannot; our own descriptors are closed on exec without it.
            let _ = descriptor::close_inherited_on_exec();
            given.map_or(Ok(()), descriptor::limit_open_files)
        });
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::{Resource, getrlimit};

    use super::*;

    const CHILD: &str = "FUNC_TEST_CONTAIN";

    /// Only a process of its own can begin with a limit of our choice.
    #[test]
    fn a_program_gets_the_limit_of_open_files_that_we_began_with() {
        if std::env::var_os(CHILD).is_none() {
            let test = "sys::contain::tests::a_program_gets_the_limit_of_open_files_that_we_began_with";
            let mut again = Command::new("sh");
            again.args(["-c", "ulimit -Sn 300; exec \"$0\" --exact \"$1\""]);
            let again = again.arg(std::env::current_exe().unwrap()).arg(test).env(CHILD, "1").output().unwrap();
            assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
            return;
        }
        descriptor::raise_open_files_limit().unwrap();
        assert!(getrlimit(Resource::RLIMIT_NOFILE).unwrap().0 > 300);
        let mut command = Command::new("sh");
        contain(command.args(["-c", "ulimit -Sn"]));
        assert_eq!(command.output().unwrap().stdout, b"300\n");
    }
}
