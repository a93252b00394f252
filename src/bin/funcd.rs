//! `funcd`: the minion.

use std::process::ExitCode;

use func::jobs;

fn main() -> ExitCode {
    // Before anything else: the fork server must not have had a thread.
    if std::env::args_os().nth(1).is_some_and(|word| word == jobs::FORK_SERVER_WORD) {
        return jobs::fork_server_main();
    }
    ExitCode::SUCCESS
}
