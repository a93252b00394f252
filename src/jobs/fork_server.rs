//! The process that makes the workers.
//!
//! The daemon has threads, and a copy of a threaded process inherits locks that nobody will release. So
//! it starts this process, once: one thread, an engine, the code of recent jobs. For each request it
//! forks twice; the worker finds everything loaded, and is a child of init, so that it survives both
//! the daemon and the fork server. When the daemon is gone, the socket ends, and so does this process.
//!
//! It never compiles, starts no thread and writes to nobody's terminal.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{
    request::{Arrived, Reply, Request},
    worker,
};
use crate::{
    plugin::{Engine, Plugin},
    sys::seqpacket::SeqPacket,
    sys::{
        clock::BootId,
        descriptor,
        fork::{Forked, double_fork, exit_now},
        pidfd::PidFd,
        process, title,
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
        process::usual_umask();
        title::set("funcd: fork server")?;
        let engine = Engine::forking().map_err(std::io::Error::other)?;
        serve(&engine, socket, BootId::current())
    };
    // The daemon sees the socket's end, and says so; there is nobody else to tell.
    if serve().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Answers requests until the daemon is gone.
fn serve(engine: &Engine, socket: SeqPacket, boot: BootId) -> std::io::Result<()> {
    let mut loaded = Loaded::default();
    let mut socket = Some(socket);
    while let Some(daemon) = &socket {
        let Some(packet) = daemon.receive()? else { break };
        // A request that cannot be read loses its descriptors, which tells the daemon.
        let Ok(Arrived { request, journal, completion }) = Request::read(packet) else { continue };
        let plugin = loaded.get(engine, &request.compiled);
        match double_fork() {
            Ok(Forked::Caller) => {}
            Ok(Forked::Grandchild) => {
                let pidfd = PidFd::of_self().ok();
                let reply = Reply { id: request.id, worker: Ok(std::process::id()) };
                let _ = reply.send(daemon, pidfd.as_ref());
                drop((pidfd, socket.take()));
                let recorded = worker::work(engine, plugin, journal, boot);
                drop(completion);
                exit_now(i32::from(recorded.is_err()));
            }
            Err(error) => {
                let reply = Reply { id: request.id, worker: Err(error.to_string()) };
                let _ = reply.send(daemon, None);
            }
        }
    }
    Ok(())
}

/// The plugins loaded last, the most recent first. A compiled file never changes, so its path says all.
#[derive(Default)]
struct Loaded(VecDeque<(PathBuf, Plugin)>);

impl Loaded {
    fn get(&mut self, engine: &Engine, path: &Path) -> Result<&Plugin, String> {
        if let Some(place) = self.0.iter().position(|(known, _)| known == path) {
            self.0.swap(0, place);
        } else {
            let plugin = Plugin::load_compiled(engine, path).map_err(|error| chain(&error))?;
            self.0.truncate(LOADED_MAX - 1);
            self.0.push_front((path.to_owned(), plugin));
        }
        self.0.front().map(|(_, plugin)| plugin).ok_or_else(|| "no plugin is loaded".to_owned())
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
