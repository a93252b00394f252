//! The process that makes the workers.
//!
//! The daemon has threads, and a copy of a threaded process inherits locks that nobody will release. So
//! it starts this process, once: one thread, an engine, the code of recent jobs. For each request it
//! forks twice; the worker finds everything loaded, and is a child of init, so that it survives both
//! the daemon and the fork server. When the daemon is gone, the socket ends, and so does this process.
//! Some workers are made before there is a job for them (`spares.rs`).
//!
//! An attempt is counted in the journal when it is begun, which is here, and not when it is asked for: when
//! one component brings this process down, the jobs in its queue have lost nothing. Where the system makes
//! no process, the attempt is taken back.
//!
//! It never compiles, starts no thread and writes to nobody's terminal.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{
    fence::Calling,
    request::{Arrived, Refusal, Reply, Request},
    spares::Spares,
    worker::{self, Task, Tools},
};
use crate::{
    ids::MinionJobId,
    plugin::Plugin,
    sys::{
        clock::BootId, descriptor, double_fork::DoubleFork, fork::ForkError, pidfd::PidFd, process,
        seqpacket::SeqPacket, title,
    },
};

/// The word that makes a program this process: `func __fork-server`.
pub const FORK_SERVER_WORD: &str = "__fork-server";
/// The argument behind it by which this process makes workers for ordinary calls only.
pub(super) const ORDINARY: &str = "--ordinary";

/// Plugins kept loaded.
const LOADED_MAX: usize = 64;

/// Runs the fork server. Its socket to the daemon is the standard input.
///
/// To be called first of all in `main`, when no thread has been started. Arguments that it does not know only make room
/// for the process's title.
pub fn fork_server_main() -> ExitCode {
    let serve = || -> io::Result<()> {
        let calling = if std::env::args_os().any(|arg| arg == ORDINARY) { Calling::Ordinary } else { Calling::Any };
        let socket = SeqPacket::from(descriptor::take_stdin()?);
        descriptor::close_inherited_on_exec()?;
        descriptor::null_standard_streams()?;
        process::leave_terminal();
        process::keep_ends_of_children()?;
        process::usual_umask();
        title::set("funcd: fork server")?;
        ForkServer::new(&Tools::make(calling)?, socket)?.serve()
    };
    // The daemon sees the socket's end, and says so; there is nobody else to tell.
    if serve().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct ForkServer<'a> {
    tools: &'a Tools,
    boot: BootId,
    loaded: Loaded<Plugin>,
    forks: DoubleFork,
    spares: Spares,
    /// Nothing in a forked copy that has taken it.
    daemon: Option<SeqPacket>,
}

impl<'a> ForkServer<'a> {
    fn new(tools: &'a Tools, daemon: SeqPacket) -> io::Result<Self> {
        let (loaded, forks) = (Loaded(VecDeque::new()), DoubleFork::new()?);
        Ok(Self { tools, boot: BootId::current(), loaded, forks, spares: Spares::default(), daemon: Some(daemon) })
    }

    /// Answers requests until the daemon is gone.
    fn serve(&mut self) -> io::Result<()> {
        while let Some(daemon) = &self.daemon {
            if let Some(quiet) = self.spares.patience()
                && !daemon.is_readable_within(quiet)?
            {
                self.use_quiet();
                continue;
            }
            let Some(packet) = daemon.receive()? else { break };
            // A request that cannot be read loses its descriptors, which tells the daemon.
            if let Ok(arrived) = Request::read(packet) {
                self.answer(arrived);
            }
        }
        Ok(())
    }

    fn answer(&mut self, Arrived { request, journal, completion, secrets }: Arrived) {
        let Some(daemon) = &self.daemon else { return };
        // Nor is there anything to say about a journal that cannot be read or is not to be begun.
        let Ok(Some(task)) = Task::take(journal, self.boot) else { return };
        if !self.loaded.has(&request.compiled) {
            self.spares.let_go();
        }
        let plugin = match self.loaded.get(&request.compiled, |path| self.tools.load(path)) {
            Ok(plugin) => plugin,
            Err(why) => return refuse(daemon, request.id, Refusal::NotLoaded(why), &task, &completion),
        };
        // One that is to be born in a control group cannot have been born before.
        if request.cgroups.is_none() && self.spares.give(&request, &task, &completion, secrets.as_ref()) {
            return;
        }
        let leaf = request.cgroups.as_ref().map(|cgroups| (cgroups.of(&request.id), cgroups.bounds()));
        let nursery = match leaf.map(|(leaf, bounds)| leaf.make(bounds)).transpose() {
            Ok(nursery) => nursery,
            Err(error) => {
                let mut task = task;
                task.take_back();
                let why = format!("its control group cannot be made: {error}");
                return refuse(daemon, request.id, Refusal::NoProcess(why), &task, &completion);
            }
        };
        // What the worker takes out of these is its own copy.
        let (mut task, mut completion) = (Some(task), Some(completion));
        let made = self.forks.run(nursery.as_ref().map(AsFd::as_fd), || {
            self.spares.let_go();
            let (daemon, task, completion) = (self.daemon.take(), task.take(), completion.take());
            let Some(((daemon, task), completion)) = daemon.zip(task).zip(completion) else { return 1 };
            let given = Given { request: &request, task, completion, secrets: secrets.as_ref() };
            given.begin(self.tools, plugin, daemon, self.boot)
        });
        // Where nobody knows, there may be a worker, whose journal is not ours to write into. Its lock will tell.
        let refused = made.err().filter(|error| !matches!(error, ForkError::Unknown { .. }));
        if let (Some(error), Some(daemon), Some(mut task), Some(completion)) = (refused, &self.daemon, task, completion)
        {
            task.take_back();
            refuse(daemon, request.id, Refusal::NoProcess(error.to_string()), &task, &completion);
        }
    }

    /// Makes a worker for a job to come, or lets those go that no job came for.
    fn use_quiet(&mut self) {
        let Some(place) = self.spares.place() else { return };
        let mut job = Some(place);
        let made = self.forks.run(None, || {
            self.spares.let_go();
            let (Some(daemon), Some(job)) = (self.daemon.take(), job.take()) else { return 1 };
            let Some(Arrived { request, journal, completion, secrets }) = job.wait() else { return 0 };
            let Some(task) = Task::take_over(journal) else { return 1 };
            let Ok(plugin) = self.loaded.get(&request.compiled, |path| self.tools.load(path)) else { return 1 };
            let given = Given { request: &request, task, completion, secrets: secrets.as_ref() };
            given.begin(self.tools, plugin, daemon, self.boot)
        });
        if made.is_err() {
            self.spares.give_up();
        }
    }
}

/// What a worker is given.
struct Given<'a> {
    request: &'a Request,
    task: Task,
    completion: OwnedFd,
    secrets: Option<&'a OwnedFd>,
}

impl Given<'_> {
    /// Runs the job in the process that is its worker. Answers the process's exit code.
    fn begin(self, tools: &Tools, plugin: &Plugin, daemon: SeqPacket, boot: BootId) -> i32 {
        let Self { request, task, completion, secrets } = self;
        let pidfd = PidFd::of_self().ok();
        let pidfd: Vec<_> = pidfd.iter().map(AsFd::as_fd).collect();
        let _ = Reply { id: request.id.clone(), worker: Ok(std::process::id()) }.send(&daemon, &pidfd);
        drop(daemon);
        let recorded = worker::work(tools, plugin, task, &completion, secrets, request.state.as_deref(), boot);
        // Whoever sees its end finds the journal's lock free.
        drop(completion);
        i32::from(recorded.is_err())
    }
}

/// Says why there is no worker, and gives the job back.
fn refuse(daemon: &SeqPacket, id: MinionJobId, refusal: Refusal, task: &Task, completion: &OwnedFd) {
    let _ = Reply { id, worker: Err(refusal) }.send(daemon, &[task.as_fd(), completion.as_fd()]);
}

/// What was loaded last, the most recently used first. A compiled file never changes, so its path says all.
struct Loaded<T>(VecDeque<(PathBuf, T)>);

impl<T> Loaded<T> {
    fn has(&self, path: &Path) -> bool {
        self.0.iter().any(|(known, _)| known == path)
    }

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
