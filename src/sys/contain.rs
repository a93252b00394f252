//! What a program that we start must not inherit.

use std::{os::unix::process::CommandExt, process::Command};

use super::{descriptor, process};

/// Gives a program its own process group, the usual umask, and none of our descriptors but its
/// standard ones, whichever library opened them and forgot to close them on exec.
pub fn contain(command: &mut Command) {
    command.process_group(0);
    // SAFETY: between fork and exec only calls that are safe in a signal handler may be made, because
    // another thread may have held any lock at the time: umask(2) and close_range(2) are plain system
    // calls and nothing here allocates.
    unsafe {
        command.pre_exec(|| {
            process::usual_umask();
            // Kernels before 5.11 cannot; our own descriptors are closed on exec without it.
            let _ = descriptor::close_inherited_on_exec();
            Ok(())
        });
    }
}
