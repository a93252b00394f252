//! The process that makes the workers.
//!
//! The daemon has threads, and a copy of a threaded process inherits locks that nobody will release. So
//! it starts this process, once: one thread, an engine, the code of recent jobs. For each request it
//! forks twice; the worker finds everything loaded, and is a child of init, so that it survives both
//! the daemon and the fork server. When the daemon is gone, the socket ends, and so does this process.
//!
//! An attempt is counted in the journal when it is begun, which is here, and not when it is asked for: when
//! one component brings this process down, the jobs in its queue have lost nothing. Where the system makes
//! no process, the attempt is taken back.
//!
//! It never compiles, starts no thread and writes to nobody's terminal.

use std::{
    collections::VecDeque,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{
    request::{Arrived, Refusal, Reply, Request},
    worker::{self, Task, Tools},
};
use crate::{
    ids::MinionJobId,
    sys::{
        clock::BootId, descriptor, double_fork::DoubleFork, fork::ForkError, pidfd::PidFd, process,
        seqpacket::SeqPacket, title,
    },
};

/// The word that makes a program this process: `func __fork-server`.
pub const FORK_SERVER_WORD: &str = "__fork-server";

/// Plugins kept loaded.
const LOADED_MAX: usize = 64;

/// Runs the fork server. Its socket to the daemon is the standard input.
///
/// To be called first of all in `main`, when no thread has been started. Other arguments than
/// [`FORK_SERVER_WORD`] only make room for the process's title and mean nothing.
pub fn fork_server_main() -> ExitCode {
    let serve = || -> std::io::Result<()> {
        let socket = SeqPacket::from(descriptor::take_stdin()?);
        descriptor::close_inherited_on_exec()?;
        descriptor::null_standard_streams()?;
        process::leave_terminal();
        process::keep_ends_of_children()?;
        process::usual_umask();
        title::set("funcd: fork server")?;
        serve(&Tools::make()?, socket, BootId::current())
    };
    // The daemon sees the socket's end, and says so; there is nobody else to tell.
    if serve().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Answers requests until the daemon is gone.
fn serve(tools: &Tools, socket: SeqPacket, boot: BootId) -> std::io::Result<()> {
    let mut loaded = Loaded(VecDeque::new());
    let mut forks = DoubleFork::new()?;
    let mut socket = Some(socket);
    while let Some(daemon) = &socket {
        let Some(packet) = daemon.receive()? else { break };
        // A request that cannot be read loses its descriptors, which tells the daemon.
        let Ok(Arrived { request: Request { id, compiled, state, cgroups }, journal, completion, secrets }) =
            Request::read(packet)
        else {
            continue;
        };
        // Nor is there anything to say about a journal that cannot be read or is not to be begun.
        let Ok(Some(task)) = Task::take(journal, boot) else { continue };
        let plugin = match loaded.get(&compiled, |path| tools.load(path)) {
            Ok(plugin) => plugin,
            Err(why) => {
                refuse(daemon, id, Refusal::NotLoaded(why), &task, &completion);
                continue;
            }
        };
        let leaf = cgroups.as_ref().map(|cgroups| (cgroups.of(&id), cgroups.bounds()));
        let nursery = match leaf.map(|(leaf, bounds)| leaf.make(bounds)).transpose() {
            Ok(nursery) => nursery,
            Err(error) => {
                let mut task = task;
                task.take_back();
                let why = format!("its control group cannot be made: {error}");
                refuse(daemon, id, Refusal::NoProcess(why), &task, &completion);
                continue;
            }
        };
        // What the worker takes out of these is its own copy.
        let (mut task, mut completion) = (Some(task), Some(completion));
        let made = forks.run(nursery.as_ref().map(AsFd::as_fd), || {
            if let Some(daemon) = socket.take() {
                let pidfd = PidFd::of_self().ok();
                let pidfd: Vec<_> = pidfd.iter().map(AsFd::as_fd).collect();
                let _ = Reply { id: id.clone(), worker: Ok(std::process::id()) }.send(&daemon, &pidfd);
            }
            let (task, completion) = (task.take(), completion.take());
            let begun = task.zip(completion.as_ref());
            let recorded = begun.map_or(Ok(()), |(task, completion)| {
                worker::work(tools, plugin, task, completion, secrets.as_ref(), state.as_deref(), boot)
            });
            drop(completion);
            i32::from(recorded.is_err())
        });
        // Where nobody knows, there may be a worker, whose journal is not ours to write into. Its lock will tell.
        let refused = made.err().filter(|error| !matches!(error, ForkError::Unknown { .. }));
        if let (Some(error), Some(daemon), Some(mut task), Some(completion)) = (refused, &socket, task, completion) {
            task.take_back();
            refuse(daemon, id, Refusal::NoProcess(error.to_string()), &task, &completion);
        }
    }
    Ok(())
}

/// Says why there is no worker, and gives the job back.
fn refuse(daemon: &SeqPacket, id: MinionJobId, refusal: Refusal, task: &Task, completion: &OwnedFd) {
    let _ = Reply { id, worker: Err(refusal) }.send(daemon, &[task.as_fd(), completion.as_fd()]);
}

/// What was loaded last, the most recently used first. A compiled file never changes, so its path says all.
struct Loaded<T>(VecDeque<(PathBuf, T)>);

impl<T> Loaded<T> {
    fn get<E>(&mut self, path: &Path, load: impl FnOnce(&Path) -> Result<T, E>) -> Result<&T, E> {
        let known = self.0.iter().position(|(known, _)| known == path).and_then(|place| self.0.remove(place));
        let used = match known {
            Some(used) => used,
            None => (path.to_owned(), load(path)?),
        };
        self.0.truncate(LOADED_MAX - 1);
        self.0.push_front(used);
        Ok(&self.0[0].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_is_dropped_first() {
        let mut loaded = Loaded(VecDeque::new());
        let mut loads = 0;
        let mut get = |number: usize| {
            let load = |_: &Path| {
                loads += 1;
                Ok::<_, ()>(number)
            };
            assert_eq!(loaded.get(Path::new(&number.to_string()), load), Ok(&number));
            loads
        };
        for number in 0..LOADED_MAX {
            get(number);
        }
        // The oldest is used again, so that the second is now the one to go.
        get(0);
        assert_eq!(get(LOADED_MAX), LOADED_MAX + 1);
        assert_eq!(get(0), LOADED_MAX + 1);
        assert_eq!((2..LOADED_MAX).map(&mut get).last(), Some(LOADED_MAX + 1));
        assert_eq!(get(1), LOADED_MAX + 2);
    }

    #[test]
    fn what_does_not_load_is_tried_again() {
        let mut loaded = Loaded(VecDeque::new());
        assert_eq!(loaded.get(Path::new("x"), |_| Err::<u8, _>("damaged")), Err("damaged"));
        assert_eq!(loaded.get(Path::new("x"), |_| Ok::<_, &str>(7)), Ok(&7));
    }
}
